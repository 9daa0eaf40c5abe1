"""IAM's policy simulator: what a user's or role's own policies and its boundary decide, without any request made.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.aws import authorise
from sandbox.aws.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.aws.principals import Directory, Principal

WITHHELD = ("PolicyInputList", "PermissionsBoundaryPolicyInputList", "ResourcePolicy", "ResourceOwner", "CallerArn")
"""Parameters that would change the decision, and that the sandbox does not have."""


def simulate(params: Mapping[str, Any], directory: Directory) -> list[dict[str, Any]]:
    """The decision on every action and resource. Raises AwsError."""
    source = params["PolicySourceArn"]
    principal = directory.entity(source)
    if principal is None:
        raise AwsError("NoSuchEntity", f"{source} is no user or role of this account.", 404)
    given = next((name for name in WITHHELD if params.get(name)), None)
    if given is not None:
        raise AwsError("InvalidInput", f"The sandbox's simulator does not take {given}.")
    context = _context(params.get("ContextEntries") or [])
    return [
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": _decision(principal, action, resource, context, directory),
            "MatchedStatements": [],
            "MissingContextValues": [],
        }
        for action in params["ActionNames"]
        for resource in params.get("ResourceArns") or ["*"]
    ]


def _context(entries: list[dict[str, Any]]) -> dict[str, Any]:
    context = {}
    for entry in entries:
        values = entry.get("ContextKeyValues") or []
        several = str(entry.get("ContextKeyType", "")).endswith("List")
        context[entry["ContextKeyName"]] = list(values) if several else "".join(values[:1])
    return context


def _decision(
    principal: Principal, action: str, resource: str, context: Mapping[str, Any], directory: Directory
) -> str:
    bounds = directory.bounds(principal)
    lower = {key.lower() for key in context}
    own = {key: value for key, value in directory.context(principal).items() if key.lower() not in lower}
    why = authorise.refusal(
        authorise.Question(
            action=action,
            resource=resource,
            principal=principal.arn,
            identity=bounds.identity,
            boundary=bounds.boundary,
            context={**own, **context},
        )
    )
    if why is None:
        return "allowed"
    if "because the sandbox cannot" in why:
        raise AwsError("PolicyEvaluation", why, 500)
    return "explicitDeny" if "explicit deny" in why else "implicitDeny"
