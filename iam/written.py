"""What of a statement others cover, as far as their texts tell: cheap, and enough for what a change leaves alone."""

from dataclasses import dataclass, replace

from iam.automaton import Budget
from iam.keys import condition_identity
from iam.model import Clause, Policy, Principals, Statement
from iam.touch import Touching


@dataclass(frozen=True)
class _Text:
    """What a statement says, whatever the order of its lists."""

    statement: Statement
    principals: tuple[frozenset[tuple[str, str]], bool] | None
    conditions: frozenset[tuple[object, ...]]


class Written:
    """The statements of a policy that have an effect, by their texts."""

    def __init__(self, policy: Policy, effect: str) -> None:
        self._texts = [_text(statement) for statement in policy.statements if statement.effect == effect]
        self._covering: dict[int, Touching] = {}  # by a clause's id

    def include(self, statement: Statement, budget: Budget) -> bool:
        """Whether the statements certainly cover all that this one covers; False may mean not looked at."""
        return self.rest(statement, budget) is None

    def rest(self, statement: Statement, budget: Budget) -> Statement | None:
        """The statement without actions or resources that others certainly cover; None if nothing is left."""
        inner = _text(statement)
        if budget.left < len(self._texts):
            return statement
        budget.spend(len(self._texts))
        left = statement
        outers = [outer for outer in self._texts if _admits(outer, inner)]
        for outer in sorted(outers, key=lambda text: _actions(text) != _actions(inner)):  # the same statement first
            other = outer.statement
            actions = self._left(other.actions, left.actions)
            if actions is left.actions:
                continue  # whatever its resources are
            resources = self._left(other.resources, left.resources)
            if actions is None and resources is None:
                return None
            if resources is None and actions is not None:
                left = replace(left, actions=actions)
            elif actions is None and resources is not None:
                left = replace(left, resources=resources)
        return left

    def _left(self, outer: Clause | None, inner: Clause | None) -> Clause | None:
        """What of the inner clause the outer one does not cover for certain; None if it covers all."""
        if outer is None:
            return None
        if inner is None:
            return Clause((), negated=True)  # everything
        if outer.negated or inner.negated:
            same = outer.negated and inner.negated and outer.identities <= inner.identities
            everything = not outer.negated and any(glob.text == "*" for glob in outer.patterns)
            return None if same or everything else inner
        found = self._covering.get(id(outer))
        if found is None:
            found = self._covering[id(outer)] = Touching(outer)
        names = outer.identities
        left = tuple(g for g in inner.patterns if g.identity not in names and not found.covers(g))
        if len(left) == len(inner.patterns):
            return inner
        return Clause(left, negated=False) if left else None


def _text(statement: Statement) -> _Text:
    return _Text(
        statement,
        _principals(statement.principals),
        frozenset(condition_identity(condition) for condition in statement.conditions),
    )


def _principals(source: Principals | None) -> tuple[frozenset[tuple[str, str]], bool] | None:
    return None if source is None else (frozenset(source.entries), source.negated)


def _actions(text: _Text) -> frozenset[tuple[object, ...]]:
    return text.statement.actions.identities


def _admits(outer: _Text, inner: _Text) -> bool:
    """Whether the outer statement covers the inner one but for its actions and resources."""
    same = outer.principals is None or outer.principals == inner.principals
    return same and outer.conditions <= inner.conditions
