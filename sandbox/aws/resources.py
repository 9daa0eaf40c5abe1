"""What hangs on a resource: its own policy and its tags, read from moto's models by ARN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.ecr.models import ecr_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends

from sandbox.aws.principals import PARTITION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.aws.principals import Directory


@dataclass(frozen=True)
class Need:
    """One action on one resource ("*" where the action has no resource level)."""

    action: str
    resource: str


def policy(need: Need, directory: Directory) -> tuple[str | None, bool]:
    """The resource's own policy (None: it has none), and whether nothing is allowed without it."""
    service = need.action.partition(":")[0]
    if service == "sts" and need.action == "sts:AssumeRole":
        role = next((role for role in directory.iam.roles.values() if role.arn == need.resource), None)
        return (role.assume_role_policy_document if role else None), True
    if service == "kms" and ":key/" in need.resource:
        key = _key(need.resource, directory)
        return (key.policy if key else None), key is not None
    if service == "ecr":
        repository = _repository(need.resource, directory)
        return (repository.policy if repository else None), False
    if service == "s3":
        bucket = _bucket(need.resource, directory)
        text = bucket.policy if bucket else None
        return (text.decode() if isinstance(text, bytes) else text), False
    return None, False


def tag_context(need: Need, directory: Directory) -> dict[str, str | Sequence[str]]:
    """aws:ResourceTag/KEY, and the service's own name of it, for each tag of the resource."""
    service = need.action.partition(":")[0]
    context: dict[str, str | Sequence[str]] = {}
    for key, value in _tags(service, need.resource, directory).items():
        context[f"aws:ResourceTag/{key}"] = value
        if service in {"ecr", "iam"}:
            context[f"{service}:ResourceTag/{key}"] = value
    return context


def _tags(service: str, arn: str, directory: Directory) -> dict[str, str]:
    if service == "ecr":
        backend = _backend(ecr_backends, arn, directory)
        return _pairs(backend.tagger.list_tags_for_resource(arn)["tags"]) if backend else {}
    if service == "iam":
        if ":user/" in arn:
            return dict(directory.tags(arn))
        owner: Any = directory.iam.managed_policies.get(arn) or next(
            (role for role in directory.iam.roles.values() if role.arn == arn), None
        )
        given = owner.tags if owner else {}
        return _pairs(given.values() if isinstance(given, dict) else given)
    if service == "kms" and _key(arn, directory):
        return _pairs(_backend(kms_backends, arn, directory).tagger.list_tags_for_resource(arn)["Tags"])
    return {}


def _pairs(tags: Any) -> dict[str, str]:
    return {tag.get("Key") or tag.get("TagKey"): tag.get("Value") or tag.get("TagValue") or "" for tag in tags}


def _backend(backends: Any, arn: str, directory: Directory) -> Any:
    """moto's backend for a regional ARN; None for one that is none, of another account, or of no known region."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[4] != directory.account or parts[3] not in backends[directory.account].regions:
        return None
    return backends[directory.account][parts[3]]


def _repository(arn: str, directory: Directory) -> Any:
    backend = _backend(ecr_backends, arn, directory)
    return backend and backend.repositories.get(arn.partition(":repository/")[2])


def _key(arn: str, directory: Directory) -> Any:
    backend = _backend(kms_backends, arn, directory)
    return backend and backend.keys.get(arn.partition(":key/")[2])


def _bucket(arn: str, directory: Directory) -> Any:
    name = arn.rpartition(":")[2].partition("/")[0]
    return s3_backends[directory.account][PARTITION].buckets.get(name)


def object_has_tags(directory: Directory, path: str, version: str | None) -> bool:
    """Whether the object BUCKET/KEY of S3, or one version of it, is there and has tags."""
    backend = s3_backends[directory.account][PARTITION]
    name, _, key = path.partition("/")
    found = backend.get_object(name, key, version) if name in backend.buckets else None
    return found is not None and bool(backend.tagger.list_tags_for_resource(found.arn)["Tags"])
