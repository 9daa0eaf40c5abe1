"""Judges one request against policies, in three-valued logic: what is not known is never taken for a yes or a no."""

from collections.abc import Sequence

from iam.conditions import all_of, any_of, holds, opposite
from iam.model import Clause, Decision, Policy, Request, Statement, StatementRef
from iam.patterns import Context
from iam.principals import applies, canonical


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
    for number, policy in enumerate(policies):
        for statement in policy.statements:
            answer = statement_applies(statement, request, principal)
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


def statement_applies(statement: Statement, request: Request, principal: str | None) -> bool | None:
    """Whether a statement covers the request; `principal` is the canonical one. Cheap tests come first."""
    action = clause_applies(statement.actions, request.action, request.values)
    if action is False:
        return False
    resource = statement.resources is None or clause_applies(statement.resources, request.resource, request.values)
    if resource is False:
        return False
    who = statement.principals is None or applies(statement.principals, principal)
    if who is False:
        return False
    return all_of([action, resource, who, *(holds(condition, request.values) for condition in statement.conditions)])


def clause_applies(clause: Clause, value: str, context: Context) -> bool | None:
    """Whether Action, Resource or their Not forms cover a value.

    A variable without value is like nothing, so its Resource covers nothing. For NotResource it is unknown: "the entire
    statement might be invalid" (IAM User Guide, "IAM policy elements: Variables and tags").
    """
    answer = any_of(glob.matches(value, context) for glob in clause.patterns)
    if clause.negated and answer is False and any(glob.bind(context) is None for glob in clause.patterns):
        return None
    return opposite(answer) if clause.negated else answer
