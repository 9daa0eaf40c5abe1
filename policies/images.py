"""Rules on the registry and on what is built for it.

Sources: Security Hub's ECR controls; checkov's and trivy's checks of ECR repositories.
"""

import json
import re
from collections.abc import Iterator, Sequence

from policies.documents import lets_everybody_in, parsed
from policies.rule import Properties, Resource, ResourceRule, StackRule

REPOSITORY = "aws:ecr/repository:Repository"
LIFECYCLE = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
REPOSITORY_POLICIES = ("aws:ecr/repositoryPolicy:RepositoryPolicy", "aws:ecr/registryPolicy:RegistryPolicy")
IMAGE = "docker:index/image:Image"


def _scans(_: str, properties: Properties) -> Iterator[str]:
    scanning = properties.get("imageScanningConfiguration")
    if not (scanning and scanning.get("scanOnPush")):
        yield "images are not scanned when they are pushed"


def _immutable(_: str, properties: Properties) -> Iterator[str]:
    mutability = properties.get("imageTagMutability") or "MUTABLE"
    if mutability not in ("IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION"):
        yield f"tags can be moved to another image: imageTagMutability is {mutability}"


def _no_exclusion(_: str, properties: Properties) -> Iterator[str]:
    for part in properties.get("imageTagMutabilityExclusionFilters") or ():
        yield f"tags like {part.get('filter')} can be moved to another image"


def _customer_key(_: str, properties: Properties) -> Iterator[str]:
    kinds = [part.get("encryptionType") for part in properties.get("encryptionConfigurations") or ()]
    if not any(kind in ("KMS", "KMS_DSSE") for kind in kinds):
        yield "images are encrypted by a key of the service, not by one in KMS"


def _kept(_: str, properties: Properties) -> Iterator[str]:
    if properties.get("forceDelete"):
        yield "a deletion takes all images along: forceDelete is true"


def _not_public(_: str, properties: Properties) -> Iterator[str]:
    policy = parsed(properties["policy"])
    if isinstance(policy, str):
        yield f"its policy {policy}"
        return
    for statement in policy.statements:
        if lets_everybody_in(statement):
            yield f"its policy lets everybody in ({statement.name})"


def _expires(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    lifecycles = [each for each in resources if each.type == LIFECYCLE]
    for each in resources:
        if each.type == REPOSITORY and not any(one.refers("repository", each, "name") for one in lifecycles):
            yield each, "no lifecycle policy says which images expire"


def _released_kept(_: str, properties: Properties) -> Iterator[str]:
    try:
        rules = sorted(json.loads(properties["policy"])["rules"], key=lambda rule: int(rule["rulePriority"]))
        selections = [rule["selection"] for rule in rules]
    except (ValueError, KeyError, TypeError):
        yield "it is no lifecycle policy"
        return
    protected = False
    for selection in selections:
        patterns = selection.get("tagPatternList") or selection.get("tagPrefixList") or ()
        if selection.get("countType") != "imageCountMoreThan":
            protected = protected or selection.get("tagStatus") == "tagged"
        elif selection.get("tagStatus") == "any" or ("*" in patterns and not protected):
            yield "a count expires images of any tag: enough pushes remove what is released, and its tag is free again"


def _tagged(_: str, properties: Properties) -> Iterator[str]:
    name = str(properties["imageName"])
    tag = name.rpartition("/")[2].partition("@")[0].partition(":")[2]
    if tag in ("", "latest"):
        yield f"the image is pushed as {tag or 'latest, for want of a tag'}: nobody can say which one that is"


def _platform(_: str, properties: Properties) -> Iterator[str]:
    if not (properties.get("build") or {}).get("platform"):
        yield "the image is built for whatever machine builds it"


def _base(_: str, properties: Properties) -> Iterator[str]:
    base = ((properties.get("build") or {}).get("args") or {}).get("BASE_IMAGE")
    if base and not re.search(r"@sha256:[0-9a-f]{64}$", str(base)):
        yield f"the base image {base} is named by a tag, which can be another image tomorrow"


_SECRET_NAME = re.compile(r"(?i)(secret|passw|token|credential|private_?key|access_?key)")


def _no_secret_argument(_: str, properties: Properties) -> Iterator[str]:
    for name in (properties.get("build") or {}).get("args") or {}:
        if _SECRET_NAME.search(name):
            yield f"the build argument {name} looks like a secret, and stays in the image's history"


RULES = (
    ResourceRule(
        id="ecr-scan-on-push",
        title="A repository scans images when they are pushed",
        severity="high",
        level="mandatory",
        types=(REPOSITORY,),
        check=_scans,
        remedy="Set app-one:scanOnPush true",
        met="infra/repository.py; pipelines/scan_gate.py waits for the findings",
        controls=("Security Hub ECR.1", "checkov CKV_AWS_163", "trivy AWS-0030"),
    ),
    ResourceRule(
        id="ecr-immutable-tags",
        title="A tag stays with the image that it was pushed for",
        severity="high",
        level="mandatory",
        types=(REPOSITORY,),
        check=_immutable,
        remedy="Set app-one:imageTagMutability IMMUTABLE",
        met="infra/repository.py",
        controls=("Security Hub ECR.2", "trivy AWS-0031"),
    ),
    ResourceRule(
        id="ecr-no-tag-exclusions",
        title="No tag is left out of that",
        severity="medium",
        level="advisory",
        types=(REPOSITORY,),
        check=_no_exclusion,
        remedy="Set app-one:imageTagMutability IMMUTABLE, and no app-one:imageTagMutabilityExclusions",
        met="infra/repository.py; the program refuses exclusions where a pipeline deploys",
        controls=("checkov CKV_AWS_51",),
    ),
    StackRule(
        id="ecr-lifecycle",
        title="A repository has a lifecycle policy",
        severity="medium",
        level="mandatory",
        check=_expires,
        remedy="Declare an aws.ecr.LifecyclePolicy for it, as infra/repository.py does",
        met="infra/repository.py",
        controls=("Security Hub ECR.3",),
    ),
    ResourceRule(
        id="ecr-released-images-kept",
        title="No number of pushes makes a lifecycle policy expire what is released",
        severity="high",
        level="mandatory",
        types=(LIFECYCLE,),
        check=_released_kept,
        remedy="Let a rule by age on the released tags stand before the count (app-one:protectedTags)",
        met="infra/lifecycle.py",
    ),
    ResourceRule(
        id="ecr-customer-key",
        title="Images are encrypted by a key in KMS",
        severity="low",
        level="advisory",
        types=(REPOSITORY,),
        check=_customer_key,
        remedy="Set app-one:encryptionType KMS, and app-one:kmsKeyArn for a key of your own (a new repository)",
        met="infra/repository.py, by setting",
        controls=("Security Hub ECR.5", "checkov CKV_AWS_136", "trivy AWS-0033"),
    ),
    ResourceRule(
        id="ecr-not-public",
        title="No policy of a repository or registry lets everybody in",
        severity="critical",
        level="mandatory",
        types=REPOSITORY_POLICIES,
        check=_not_public,
        remedy="Name the accounts or roles in Principal",
        met="the program declares none",
        controls=("checkov CKV_AWS_32", "trivy AWS-0032"),
    ),
    ResourceRule(
        id="ecr-images-kept",
        title="A repository that holds images is not deleted with them",
        severity="medium",
        level="advisory",
        types=(REPOSITORY,),
        check=_kept,
        remedy="Set app-one:forceDelete false when the stack is not about to go",
        met="infra/repository.py",
    ),
    ResourceRule(
        id="image-tag",
        title="An image is pushed under a tag of its own",
        severity="medium",
        level="mandatory",
        types=(IMAGE,),
        check=_tagged,
        remedy="Name a tag other than latest",
        met="infra/image.py",
    ),
    ResourceRule(
        id="image-platform",
        title="An image says for which platform it is built",
        severity="low",
        level="mandatory",
        types=(IMAGE,),
        check=_platform,
        remedy="Set app-one:platform",
        met="infra/image.py",
    ),
    ResourceRule(
        id="image-base-digest",
        title="The base image is named by its digest",
        severity="medium",
        level="advisory",
        types=(IMAGE,),
        check=_base,
        remedy="Set app-one:baseImage to an image with its digest, name:tag@sha256:<64 hex digits>",
        met="app-one:baseImage",
    ),
    ResourceRule(
        id="image-no-secret-argument",
        title="No secret is an argument of a build",
        severity="high",
        level="mandatory",
        types=(IMAGE,),
        check=_no_secret_argument,
        remedy="Use a secret mount of the build, or do without it there",
        met="infra/image.py",
    ),
)
