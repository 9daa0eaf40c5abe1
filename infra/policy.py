"""IAM policy documents as data: a reason beside each statement, checked where they are declared."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import iam


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
    sids = [statement.sid for statement in statements]
    if len(set(sids)) != len(sids):
        raise PolicyDeclarationError(f"statement ids {sids} repeat: IAM wants each once")
    text = json.dumps({"Version": "2012-10-17", "Statement": [_rendered(statement) for statement in statements]})
    for finding in iam.exact(iam.parse(text)):
        raise PolicyDeclarationError(finding.message)
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
