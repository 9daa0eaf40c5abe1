"""Which statements cover others, as far as their texts tell: cheap, and enough for what a change leaves alone."""

from dataclasses import dataclass

from iam.automaton import Budget
from iam.keys import condition_identity
from iam.model import Clause, Policy, Principals, Statement
from iam.values import identity

Names = frozenset[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class _Text:
    """What a statement says, whatever the order of its lists."""

    principals: tuple[frozenset[tuple[str, str]], bool] | None
    actions: tuple[Names, bool]
    resources: tuple[Names, bool] | None
    conditions: Names


class Written:
    """The statements of a policy that have an effect, by their texts."""

    def __init__(self, policy: Policy, effect: str) -> None:
        self._texts = {_text(statement) for statement in policy.statements if statement.effect == effect}

    def include(self, statement: Statement, budget: Budget) -> bool:
        """Whether one of the statements certainly covers all that this one covers; False may mean not looked at."""
        inner = _text(statement)
        if inner in self._texts:
            return True
        if budget.left < len(self._texts):
            return False
        budget.spend(len(self._texts))
        return any(_covers(outer, inner) for outer in self._texts)


def _text(statement: Statement) -> _Text:
    return _Text(
        _principals(statement.principals),
        _names(statement.actions),
        _names(statement.resources) if statement.resources else None,
        frozenset(condition_identity(condition) for condition in statement.conditions),
    )


def _principals(source: Principals | None) -> tuple[frozenset[tuple[str, str]], bool] | None:
    return None if source is None else (frozenset(source.entries), source.negated)


def _names(clause: Clause) -> tuple[Names, bool]:
    return frozenset(identity("glob", glob) for glob in clause.patterns), clause.negated


def _covers(outer: _Text, inner: _Text) -> bool:
    return (
        (outer.principals is None or outer.principals == inner.principals)
        and _wider(outer.actions, inner.actions)
        and (outer.resources is None or (inner.resources is not None and _wider(outer.resources, inner.resources)))
        and outer.conditions <= inner.conditions
    )


def _wider(outer: tuple[Names, bool], inner: tuple[Names, bool]) -> bool:
    if outer[1] != inner[1]:
        return False
    return outer[0] <= inner[0] if outer[1] else inner[0] <= outer[0]
