"""May this principal do this? The decision of AWS within one account, over iam.decide.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import iam

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Kind = Literal["identity-based policy", "permissions boundary", "session policy", "resource-based policy"]


@dataclass(frozen=True)
class Question:
    """Everything a decision depends on.

    principal: the caller's ARN.
    identity, boundary, session, resource_policy: policy documents; None where there is none.
    governed: nothing is allowed without the resource's own policy (KMS keys, the trust policies of roles).
    """

    action: str
    resource: str
    principal: str
    identity: tuple[str, ...]
    boundary: str | None = None
    session: str | None = None
    resource_policy: str | None = None
    governed: bool = False
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)


def refusal(question: Question) -> str | None:
    """None where the principal may, else AWS's sentence that says why not."""
    try:
        because = _because(question)
    except iam.PolicyError as error:
        because = f"because the sandbox cannot read a policy: {error}"
    if because is None:
        return None
    return (
        f"User: {question.principal} is not authorized to perform: {question.action} "
        f"on resource: {question.resource} {because}"
    )


def _because(question: Question) -> str | None:
    limits: list[tuple[Kind, tuple[str, ...]]] = [("identity-based policy", question.identity)]
    if question.boundary is not None:
        limits.append(("permissions boundary", (question.boundary,)))
    if question.session is not None:
        limits.append(("session policy", (question.session,)))
    effects = {kind: _decide(question, tuple(map(_parse, documents))) for kind, documents in limits}
    granted = left_to_iam = "implicit_deny"
    if question.resource_policy is not None:
        # An Allow for the account itself grants its users nothing, it lets IAM decide.
        attached = (_parse(question.resource_policy),)
        granted, left_to_iam = _decide(question, attached, "silent"), _decide(question, attached, "allow")
    for kind, effect in [*effects.items(), ("resource-based policy", granted), ("resource-based policy", left_to_iam)]:
        if effect == "explicit_deny":
            return f"with an explicit deny in {_a(kind)}"
        if effect == "unknown":
            return f"because the sandbox cannot tell what {_a(kind)} says of the {question.action} action"
    if granted == "allow":
        return None
    missing = next((kind for kind, effect in effects.items() if effect != "allow"), None)
    if missing is None and question.governed and left_to_iam != "allow":
        missing = "resource-based policy"
    return missing and f"because no {missing} allows the {question.action} action"


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _decide(question: Question, policies: tuple[iam.Policy, ...], own: iam.OwnPolicies | None = None) -> str:
    request = iam.Request(question.action, question.resource, question.principal, question.context, own)
    return iam.decide(policies, request).effect


@lru_cache(maxsize=512)
def _parse(document: str) -> iam.Policy:
    return iam.parse(document)
