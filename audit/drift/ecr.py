"""Amazon ECR: the repository's settings, its policies, and the images that the stack deployed.

API: https://docs.aws.amazon.com/AmazonECR/latest/APIReference (DescribeRepositories, DescribeImages,
GetLifecyclePolicy, GetRepositoryPolicy, ListTagsForResource).
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from audit.clouds import Gone, found
from audit.drift import lifecycle
from audit.drift.sheet import Clouds, Sheet
from audit.plan.classify import documents
from audit.state import Resource, StackState

HOST = re.compile(r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?[.-](?P<region>[a-z0-9-]+)\.(?:amazonaws\.com|on\.aws)\S*")
IMAGE = re.compile(r"(?P<host>[^/]+)/(?P<name>[^@:]+)(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")


def region(resource: Resource) -> str | None:
    """The region that the resource is in: as recorded, else from its ARN, else the environment's."""
    recorded = resource.get("region")
    if isinstance(recorded, str) and recorded:
        return recorded
    parts = str(resource.get("arn") or resource.id).split(":")
    return parts[3] or None if len(parts) > 5 and parts[0] == "arn" else None


def repository(sheet: Sheet, clouds: Clouds) -> None:
    """The settings of a repository, its tags and its own policy."""
    resource, aws = sheet.resource, clouds.aws
    name, where = str(resource.get("name") or resource.id), region(resource)
    listed = aws.call("ecr", "DescribeRepositories", where, repositoryNames=(name,))["repositories"]
    if not listed:
        raise Gone(name)
    real = listed[0]
    sheet.own("arn", real["repositoryArn"])
    _mutability(sheet, real)
    _scan(sheet, real)
    encryption = real.get("encryptionConfiguration") or {}
    recorded = (resource.get("encryptionConfigurations") or [{}])[0]
    for key in ("encryptionType", "kmsKey"):
        default = "AES256" if key == "encryptionType" else ""
        declared = (resource.inputs.get("encryptionConfigurations") or [{}])[0].get(key)
        sheet.taken(key, declared, recorded.get(key) or default)
        if not sheet.fact(key, declared, recorded.get(key) or default, encryption.get(key) or default):
            sheet.find("drift-property", f"{sheet.subject}: {key} is {encryption.get(key)}.")
    with sheet.looking():
        tagged(sheet, aws.call("ecr", "ListTagsForResource", where, resourceArn=real["repositoryArn"]).get("tags"))
    with sheet.looking():
        policy = found(lambda: aws.call("ecr", "GetRepositoryPolicy", where, repositoryName=name))
        declared = _declared(clouds.state, "aws:ecr:RepositoryPolicy", name)
        text = policy["policyText"] if policy else None
        if text or declared:
            what = f"The repository policy of '{resource.name}'" + (
                "" if declared else ", which the stack does not have,"
            )
            sheet.judge("repositoryPolicy", declared, text, what=what)


def _declared(state: StackState, kind: str, repository_name: str) -> Any:
    found = [item for item in state.of(kind) if item.get("repository") == repository_name]
    return found[0].get("policy") if found else None


def tagged(sheet: Sheet, tags: Any) -> None:
    """The tags of a resource, as AWS lists them."""
    real = {tag["Key"]: tag["Value"] for tag in tags or [] if not tag["Key"].startswith("aws:")}
    recorded = sheet.resource.get("tagsAll") or sheet.resource.get("tags") or {}
    if not sheet.fact("tags", sheet.resource.inputs.get("tags"), recorded, real):
        sheet.find("drift-property", f"{sheet.subject}: tags are not the recorded ones.")


def _mutability(sheet: Sheet, real: dict[str, Any]) -> None:
    recorded, now = sheet.resource.get("imageTagMutability") or "MUTABLE", real.get("imageTagMutability") or "MUTABLE"
    if not sheet.own("imageTagMutability", now, "MUTABLE"):
        rule = "drift-exposure" if now != "IMMUTABLE" else "drift-property"
        sheet.find(rule, f"{sheet.subject}: imageTagMutability is {now}, recorded is {recorded}.")
    filters = sorted(item.get("filter", "") for item in real.get("imageTagMutabilityExclusionFilters") or [])
    expected = sorted(item.get("filter", "") for item in sheet.resource.get("imageTagMutabilityExclusionFilters") or [])
    if not sheet.fact("imageTagMutabilityExclusionFilters", expected, expected, filters):
        sheet.find("drift-exposure", f"{sheet.subject}: tags that are exempt are {filters}, recorded are {expected}.")


def _scan(sheet: Sheet, real: dict[str, Any]) -> None:
    configuration = sheet.resource.get("imageScanningConfiguration") or {}
    declared = (sheet.resource.inputs.get("imageScanningConfiguration") or {}).get("scanOnPush")
    recorded = configuration.get("scanOnPush") is True
    sheet.taken("scanOnPush", declared, recorded)
    now = (real.get("imageScanningConfiguration") or {}).get("scanOnPush") is True
    if not sheet.fact("scanOnPush", declared, recorded, now):
        rule = "drift-property" if now else "drift-exposure"
        sheet.find(rule, f"{sheet.subject}: images are {'' if now else 'not '}scanned on push, recorded is {recorded}.")


def repository_policy(sheet: Sheet, clouds: Clouds) -> None:
    """A declared repository policy: whether it is there. Its meaning is compared with the repository."""
    resource = sheet.resource
    name = str(resource.get("repository"))
    answer = clouds.aws.call("ecr", "GetRepositoryPolicy", region(resource), repositoryName=name)
    if not any(item.get("name") == name for item in clouds.state.of("aws:ecr:Repository")):
        sheet.judge("policy", resource.get("policy"), answer["policyText"])


def lifecycle_policy(sheet: Sheet, clouds: Clouds) -> None:
    """A declared lifecycle policy: whether it is there and has the same rules. What it expires is a matter of the
    images."""
    resource = sheet.resource
    name = str(resource.get("repository") or resource.id)
    answer = clouds.aws.call("ecr", "GetLifecyclePolicy", region(resource), repositoryName=name)
    recorded, real = resource.get("policy"), answer["lifecyclePolicyText"]
    same = lifecycle.same(recorded, real)
    declared = documents.shown(resource.inputs.get("policy"))
    sheet.fact("policy", declared, documents.shown(recorded), documents.shown(real), "same" if same else "differs")
    if not same:
        sheet.find("drift-lifecycle", f"{sheet.subject}: its rules are not the recorded ones.")


# --- images


@dataclass(frozen=True, slots=True)
class Deployed:
    """An image that the stack pushed, as far as the state tells: repository name, tag, digest and region."""

    repository: str
    tag: str
    digest: str
    region: str | None
    registry: str | None


def deployed(resource: Resource, clouds: Clouds) -> Deployed | None:
    """The image of a docker Image resource; None where it is in no ECR repository.

    The stack may know the repository, its address may tell, or ECR itself (an endpoint of one's own has any address).
    """
    name, digest = str(resource.get("imageName") or ""), str(resource.get("repoDigest") or "")
    if resource.kind == "docker-build:index:Image":
        tags = resource.get("tags") or []
        name = str(tags[0]) if isinstance(tags, list) and tags else ""
        digest = f"{name}@{resource.get('digest')}"
    match = IMAGE.fullmatch(name)
    if match is None:
        return None
    digested = IMAGE.fullmatch(digest) or re.fullmatch(r".*@(?P<digest>sha256:[0-9a-f]{64})", digest)
    sha = (digested["digest"] if digested else "") or ""
    for candidate in clouds.state.of("aws:ecr:Repository"):
        if candidate.get("repositoryUrl") == f"{match['host']}/{match['name']}":
            registry = candidate.get("registryId")
            return Deployed(match["name"], match["tag"] or "latest", sha, region(candidate), registry or None)
    if host := HOST.fullmatch(match["host"]):
        return Deployed(match["name"], match["tag"] or "latest", sha, host["region"], host["account"])
    listed = found(lambda: clouds.aws.call("ecr", "DescribeRepositories", None, repositoryNames=(match["name"],)))
    for real in listed["repositories"] if listed else ():
        if real["repositoryUri"] == f"{match['host']}/{match['name']}":
            return Deployed(match["name"], match["tag"] or "latest", sha, None, real["registryId"])
    return None


def image(sheet: Sheet, clouds: Clouds) -> None:
    """The deployed image: that its digest is there, that its tag still names it, and that no rule expires it."""
    image = deployed(sheet.resource, clouds)
    if image is None or not image.digest:
        sheet.compared = False
        sheet.find(
            "look-up-refused",
            f"{sheet.subject}: whether its image is still there cannot be told: "
            + ("it is in no ECR repository." if image is None else "the state records no digest of it."),
            proved=False,
        )
        return
    registry = {"registryId": image.registry} if image.registry else {}
    by_digest = _image(clouds, image, registry, imageDigest=image.digest)
    declared = sheet.resource.inputs.get("imageName")
    sheet.fact("digest", declared, image.digest, by_digest)
    if by_digest is None:
        sheet.find(
            "drift-image-missing",
            f"{sheet.subject}: {image.digest} is not in repository '{image.repository}' any more.",
            "The provider does not notice: it never reads an image. "
            f"`pulumi up --replace '{sheet.resource.urn}'` pushes it again.",
        )
    with sheet.looking():
        now = _image(clouds, image, registry, imageTag=image.tag)
        if not sheet.fact(f"tag {image.tag}", declared, image.digest, now):
            what = f"names {now} now" if now else "is not there any more"
            sheet.find("drift-tag-moved", f"{sheet.subject}: tag '{image.tag}' {what}; deployed was {image.digest}.")
    if by_digest is not None:
        with sheet.looking():
            _expiry(sheet, clouds, image, registry)


def _image(clouds: Clouds, image: Deployed, registry: dict[str, str], **identifier: str) -> Any:
    """The digest of the image that is there; None where none is."""
    where = {"repositoryName": image.repository, **registry}
    answer = found(lambda: clouds.aws.call("ecr", "DescribeImages", image.region, imageIds=(identifier,), **where))
    return answer["imageDetails"][0]["imageDigest"] if answer else None


def _expiry(sheet: Sheet, clouds: Clouds, image: Deployed, registry: dict[str, str]) -> None:
    where = {"repositoryName": image.repository, **registry}
    policy = found(lambda: clouds.aws.call("ecr", "GetLifecyclePolicy", image.region, **where))
    if policy is None:
        sheet.fact("expires", None, "never", "never: there is no lifecycle policy", "same")
        return
    listed = found(lambda: clouds.aws.pages("ecr", "DescribeImages", "imageDetails", image.region, **where)) or []
    images = [
        lifecycle.Image(item["imageDigest"], tuple(item.get("imageTags") or ()), item["imagePushedAt"])
        for item in listed
    ]
    if not any(item.digest == image.digest for item in images):  # deleted between two look-ups
        return
    fate = lifecycle.fate(policy["lifecyclePolicyText"], images, image.digest, clouds.now)
    if fate.unknown:
        sheet.fact("expires", None, None, fate.unknown, "unknown")
        sheet.find(
            "drift-lifecycle-expires-deployed",
            f"{sheet.subject}: that the lifecycle policy keeps the deployed image cannot be proved: {fate.unknown}.",
            proved=False,
        )
    elif fate.expires is not None and fate.expires <= clouds.now + timedelta(days=clouds.expiry_days):
        when = "at the next evaluation" if fate.expires <= clouds.now else f"on {fate.expires:%Y-%m-%d}"
        sheet.fact("expires", None, "never", f"{when}, by {fate.words}", "differs")
        sheet.find(
            "drift-lifecycle-expires-deployed",
            f"{sheet.subject}: the deployed image {image.digest} expires {when}, by {fate.words}.",
            *([f"It is number {fate.rank} of those that {fate.keeps} are kept of."] if fate.rank else []),
        )
    else:
        sheet.fact("expires", None, "never", _kept(fate), "same")
        if fate.keeps is not None:
            sheet.notes.append(
                f"{sheet.subject} is kept by a count, {fate.words}: whoever may push can push it out, and its tag is "
                "free then. A rule before it, by the image's tags and an age that is never reached, keeps it."
            )


def _kept(fate: lifecycle.Fate) -> str:
    if fate.rank is not None and fate.keeps is not None:
        return f"after {fate.keeps - fate.rank + 1} more pushes, by {fate.words}"
    return f"on {fate.expires:%Y-%m-%d}, by {fate.words}" if fate.expires else "never"
