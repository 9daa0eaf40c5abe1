"""The ECR repository: scanned, encrypted, with tags that cannot be moved and what is released kept."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.lifecycle import lifecycle_policy
from infra.lookup import look_up

INCARNATION = "app-one:incarnation"
"""Tag of the AWS resource: another value for each repository that is made, also under the same name."""


@dataclass(frozen=True, kw_only=True)
class RepositoryArgs:
    """What the repository is to be; the limits are ECR's and are checked by `infra.settings`."""

    repository_name: str
    """Name in the registry."""
    image_tag_mutability: str
    """`IMMUTABLE`, `MUTABLE` or one of these with `_WITH_EXCLUSION`."""
    image_tag_mutability_exclusions: Sequence[str]
    """Tag patterns that are exempt from the mutability; empty but for the `_WITH_EXCLUSION` forms."""
    scan_on_push: bool
    """Scan an image for known vulnerabilities when it arrives."""
    encryption_type: str
    """`AES256`, `KMS` or `KMS_DSSE`."""
    kms_key_arn: str
    """Key for the KMS forms; empty for the one AWS manages."""
    protected_tags: Sequence[str]
    """Patterns of the tags whose images never expire."""
    lifecycle_rules: Sequence[Mapping[str, Any]]
    """Rules of one's own for the rest, in their order: `{tags, keep}` or `{tags, days}`."""
    keep_images: int
    """How many of the newest images stay of those that nothing above selects."""
    expire_untagged_days: int
    """Days after which an image without a tag expires."""
    force_delete: bool
    """Let a deletion take the images along."""
    tags: Mapping[str, str]
    """Tags of the AWS resource."""


class Repository(pulumi.ComponentResource):
    """An ECR repository and its lifecycle policy.

    While `force_delete` is off the repository is also protected: the engine then refuses a destroy, or a change that
    would replace the repository, in its preview, before it touches anything else of the stack. ECR's own refusal would
    come in the middle, with the user and its key already gone; so it does with `pulumi destroy --skip-preview`, which
    leaves the protection out with the preview: the images stay, what else could be deleted does not (docs/adr/0005).
    """

    url: pulumi.Output[str]
    """Registry host and name, without a tag."""
    name: pulumi.Output[str]
    registry_id: pulumi.Output[str]
    """Account that owns the registry."""
    identity: pulumi.Output[Sequence[str]]
    """Another one for a repository that was replaced, or made again after somebody deleted it: it is empty."""
    resource: pulumi.Resource

    def __init__(self, name: str, args: RepositoryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("app-one:infra:Repository", name, None, opts)
        repository = aws.ecr.Repository(
            name,
            name=args.repository_name,
            image_tag_mutability=args.image_tag_mutability,
            image_tag_mutability_exclusion_filters=[
                aws.ecr.RepositoryImageTagMutabilityExclusionFilterArgs(filter=pattern, filter_type="WILDCARD")
                for pattern in args.image_tag_mutability_exclusions
            ]
            or None,
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(
                scan_on_push=args.scan_on_push
            ),
            encryption_configurations=[
                aws.ecr.RepositoryEncryptionConfigurationArgs(
                    encryption_type=args.encryption_type, kms_key=args.kms_key_arn or None
                )
            ],
            force_delete=args.force_delete,
            tags={**args.tags, INCARNATION: _fresh()},
            opts=pulumi.ResourceOptions(
                parent=self, protect=not args.force_delete, ignore_changes=[f'tags["{INCARNATION}"]']
            ),
        )
        aws.ecr.LifecyclePolicy(
            f"{name}-lifecycle",
            repository=repository.name,
            policy=lifecycle_policy(
                protected_tags=args.protected_tags,
                rules=args.lifecycle_rules,
                keep_images=args.keep_images,
                expire_untagged_days=args.expire_untagged_days,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = repository.repository_url
        self.name = repository.name
        self.registry_id = repository.registry_id
        self.identity = pulumi.Output.all(repository.arn, repository.encryption_configurations, repository.tags).apply(
            lambda made: _identity(*made)
        )
        self.resource = repository
        self.register_outputs({"url": self.url, "name": self.name, "registry_id": self.registry_id})


@dataclass(frozen=True, kw_only=True)
class ExistingRepository:
    """A repository that another stack declares."""

    url: pulumi.Output[str]
    """Registry host and name, without a tag."""
    name: pulumi.Output[str]
    identity: pulumi.Output[Sequence[str]]
    """As a repository's own; another one follows a replacement by another encryption, or by hand."""

    @classmethod
    def look_up(cls, name: str) -> "ExistingRepository":
        """Asks ECR at once; raises `LookUpError` where there is none of this name."""
        found = look_up(
            f"the ECR repository {name!r}",
            "The foundation stack declares it (app-one:declares foundation), and its push policy allows this question.",
            lambda: aws.ecr.get_repository(name=name),
        )
        return cls(
            url=pulumi.Output.from_input(found.repository_url),
            name=pulumi.Output.from_input(found.name),
            identity=pulumi.Output.from_input(_identity(found.arn, found.encryption_configurations, found.tags)),
        )


def _fresh() -> pulumi.Output[str]:
    """A value for a repository that is made now. A preview does not know it, so that its plan holds in the update."""
    value: Any = pulumi.UNKNOWN if pulumi.runtime.is_dry_run() else uuid.uuid4().hex
    return pulumi.Output.from_input(value)


def _identity(arn: str, encryption: Sequence[Any] | None, tags: Mapping[str, str] | None) -> list[str]:
    """The same from the stack that declares the repository and from the one that looks it up."""
    kinds = [each.get(part) or "" for each in encryption or [] for part in ("encryption_type", "kms_key")]
    return [arn, *kinds, (tags or {}).get(INCARNATION, "")]
