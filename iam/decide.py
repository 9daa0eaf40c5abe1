"""Judges one request against policies, in three-valued logic: what is not known is never taken for a yes or a no."""

from collections.abc import Sequence

from iam.conditions import all_of, any_of, holds, opposite
from iam.model import Clause, Decision, Policy, Principals, Request, Statement, StatementRef
from iam.patterns import Context, fold_case
from iam.principals import account_of, admits, applies, canonical


def decide(policies: Sequence[Policy], request: Request) -> Decision:
    """The effect of all policies together on a request (identity and resource policies alike).

    An explicit deny wins; an unknown deny makes an allow unknown; an unknown allow counts only where no other allows.
    Where nothing can allow, the request is refused: "implicit_deny", even if an unknown deny might apply as well.
    """
    allows: list[StatementRef] = []
    denies: list[StatementRef] = []
    open_allows: list[StatementRef] = []
    open_denies: list[StatementRef] = []
    principal = None if request.principal is None else canonical(request.principal)
    own = _own(policies, request, principal)
    for number, policy in enumerate(policies):
        for statement in policy.statements:
            answer = statement_applies(statement, request, principal, own)
            if answer is False:
                continue
            ref = StatementRef(number, statement.index, statement.sid)
            if statement.effect == "Allow":
                (allows if answer else open_allows).append(ref)
            else:
                (denies if answer else open_denies).append(ref)
    if denies:
        return Decision("explicit_deny", tuple(denies))
    if allows and not open_denies:
        return Decision("allow", tuple(allows))
    if allows:
        return Decision("unknown", tuple(open_denies))
    return Decision("unknown", tuple(open_allows)) if open_allows else Decision("implicit_deny")


def _own(policies: Sequence[Policy], request: Request, principal: str | None) -> str | None:
    """What the caller's own policies say, as far as a resource's policy leaves the decision to them.

    Where identity policies are among those judged, they are the caller's own: what they allow counts by itself.
    Across accounts nothing is granted without them ("Cross-account policy evaluation logic").
    """
    own = request.own_policies
    if own is None:
        several = len(policies) > 1
        is_identity = several and any(row.principals is None for policy in policies for row in policy.statements)
        return "silent" if is_identity else None
    accounts = {account_of(request.resource), account_of((principal or "").partition(":")[2])} - {None}
    return "foreign" if own != "allow" and len(accounts) > 1 else own


def statement_applies(
    statement: Statement, request: Request, principal: str | None, own: str | None = None
) -> bool | None:
    """Whether a statement covers the request; `principal` is the canonical one. Cheap tests come first."""
    action = clause_applies(statement.actions, request.action, request.values)
    if action is False:
        return False
    resource = statement.resources is None or clause_applies(statement.resources, request.resource, request.values)
    if resource is False:
        return False
    named = statement.principals
    who = named is None or _names(named, statement.effect, principal, own)
    if who is False:
        return False
    return all_of([action, resource, who, *(holds(condition, request.values) for condition in statement.conditions)])


def _names(clause: Principals, effect: str, principal: str | None, own: str | None) -> bool | None:
    if effect == "Deny":
        return applies(clause, principal)
    return False if own == "foreign" else admits(clause, principal, own)


def clause_applies(clause: Clause, value: str, context: Context) -> bool | None:
    """Whether Action, Resource or their Not forms cover a value.

    A variable without value is like nothing, so its Resource covers nothing. For NotResource it is unknown: "the entire
    statement might be invalid" (IAM User Guide, "IAM policy elements: Variables and tags").
    """
    fold = clause.patterns[0].fold if clause.patterns else False
    found = (fold_case(value) if fold else value) in clause.literals
    answer = found or any_of(glob.matches(value, context) for glob in clause.globs)
    if clause.negated and answer is False and any(glob.bind(context) is None for glob in clause.globs):
        return None
    return opposite(answer) if clause.negated else answer
