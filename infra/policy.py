"""IAM policy documents as data: a reason beside each statement, checked where they are declared."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import iam

# Actions without a resource level: IAM ignores a statement that names a resource for them.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
_WITHOUT_RESOURCE = frozenset({"ecr:GetAuthorizationToken"})

# A wildcard stands for objects of a named bucket whose names begin alike, and for nothing else.
_RESOURCE = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[^*?]+|arn:[a-z-]+:s3:::[^*?/]+/[^*?]+\*")


class PolicyDeclarationError(ValueError):
    """A declared statement is wider than this project allows; the message names the statement and the rule."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One Allow statement of an identity policy."""

    sid: str
    """Letters and digits, unique in the document."""
    reason: str
    """Why the holder needs it; for the reader, not sent to AWS."""
    actions: Sequence[str]
    """Exact actions, `service:Action`."""
    resources: Sequence[str]
    """ARNs, or `*` alone for an action that has no resource level."""
    condition: Mapping[str, Mapping[str, str | Sequence[str]]] = field(default_factory=dict)
    """IAM condition block; empty for none."""


def document(statements: Sequence[Statement]) -> str:
    """The JSON policy document of `statements`.

    Raises `PolicyDeclarationError` for one that is too wide, `iam.PolicyError` for what is no policy at all.
    """
    for statement in statements:
        _check(statement)
    sids = [statement.sid for statement in statements]
    if len(set(sids)) != len(sids):
        raise PolicyDeclarationError(f"statement ids {sids} repeat: IAM wants each once")
    text = json.dumps({"Version": "2012-10-17", "Statement": [_rendered(statement) for statement in statements]})
    iam.parse(text)
    return text


def _rendered(statement: Statement) -> dict[str, object]:
    rendered: dict[str, object] = {
        "Sid": statement.sid,
        "Effect": "Allow",
        "Action": sorted(statement.actions),
        "Resource": statement.resources[0] if len(statement.resources) == 1 else list(statement.resources),
    }
    if statement.condition:
        rendered["Condition"] = statement.condition
    return rendered


def _check(statement: Statement) -> None:
    for action in statement.actions:
        if not re.fullmatch(r"[a-z0-9-]+:[A-Za-z0-9]+", action):
            raise PolicyDeclarationError(f"statement {statement.sid}: {action!r} is not one exact action")
    if list(statement.resources) == ["*"]:
        wide = set(statement.actions) - _WITHOUT_RESOURCE
        if wide:
            raise PolicyDeclarationError(f"statement {statement.sid}: {sorted(wide)} on every resource; name the ARN")
        return
    for resource in statement.resources:
        if not _RESOURCE.fullmatch(resource):
            raise PolicyDeclarationError(f"statement {statement.sid}: {resource!r} is not the ARN of one thing")
