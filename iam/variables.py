"""Policies with values put in for their policy variables, so that what remains has none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from iam.key_types import can_be, form_of
from iam.model import Clause, Policy, Statement
from iam.patterns import Context, Glob, Variable

Values = Mapping[str, str | None]  # by condition key in lower case; None for a key that is missing
_NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")


def keys(policies: Sequence[Policy]) -> list[str]:
    """The condition keys that variables of the policies stand for."""
    globs = [glob for policy in policies for statement in policy.statements for glob in _globs(statement)]
    found = [part.key for glob in globs if glob.has_variables for part in glob.parts if isinstance(part, Variable)]
    return list(dict.fromkeys(key for key in found if key))


def candidates(policies: Sequence[Policy]) -> Iterator[Values]:
    """Values to try: all different, all the same, none, then what a condition compares a variable's key with."""
    wanted = keys(policies)
    if not wanted:
        return
    yield {key: _values(key)[place % len(_values(key))] for place, key in enumerate(wanted)}
    if len(wanted) > 1:
        yield {key: _values(key)[0] for key in wanted}
    yield dict.fromkeys(wanted)
    conditions = [c for policy in policies for statement in policy.statements for c in statement.conditions]
    texts = [g.text for c in conditions if c.key in wanted for g in c.values if g.is_literal and g.text]
    for text in list(dict.fromkeys(texts))[:4]:
        yield {key: text if can_be(key, text) else _values(key)[0] for key in wanted}


def _values(key: str) -> Sequence[str]:
    """Values that a key can have."""
    form = form_of(key)
    return form.examples if form else _NAMES


def bind(policy: Policy, values: Values) -> Policy:
    """The policy with its variables replaced."""
    context = {key: value for key, value in values.items() if value is not None}
    return replace(policy, statements=tuple(_bind_all(statement, context) for statement in policy.statements))


def bind_statement(statement: Statement, values: Values) -> Statement:
    """The statement with its variables replaced."""
    return _bind_all(statement, {key: value for key, value in values.items() if value is not None})


def _bind_all(statement: Statement, context: Context) -> Statement:
    if not any(glob.has_variables for glob in _globs(statement)):
        return statement
    resources = statement.resources
    if resources is not None:
        resources = Clause(_bound(resources.patterns, context, resources.negated), resources.negated)
    conditions = tuple(replace(c, values=_bound(c.values, context, c.negated)) for c in statement.conditions)
    return replace(statement, resources=resources, conditions=conditions)


def _bound(globs: Sequence[Glob], context: Context, negated: bool) -> tuple[Glob, ...]:
    """A glob whose variable has no value matches nothing, so it goes; under a negation it stays, for it is unknown."""
    found = [(glob, glob.bind(context)) for glob in globs]
    return tuple(bound or glob for glob, bound in found if bound or negated)


def _globs(statement: Statement) -> Iterator[Glob]:
    if statement.resources is not None:
        yield from statement.resources.patterns
    for condition in statement.conditions:
        yield from condition.values
