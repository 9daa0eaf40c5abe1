"""The space of all requests that a statement covers, cut along every comparison that can touch it into finite classes.

A request is a point with one coordinate a dimension: caller, action, resource, one for each condition key, and one
for each question that nobody can answer: whether an unknown operator holds, and whether a negation over a variable
without value holds. A dimension lists its classes; a set of classes is an integer with one bit a
class. A statement then covers a box: one set a dimension.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from iam.automaton import Budget
from iam.callers import TIED, Callers
from iam.dimensions import ACTIONS, RESOURCES, Dimension, Texts, globs_of
from iam.keys import condition_identity, finder, key_states
from iam.model import Clause, Condition, Statement
from iam.patterns import Glob, needed
from iam.touch import Touching
from iam.values import identity

Box = tuple[int, ...]


class Shared:
    """Dimensions of texts that several spaces have in common."""

    def __init__(self) -> None:
        self._texts: dict[tuple[object, ...], Texts] = {}

    def texts(
        self, name: str, globs: Sequence[Glob], universe: Sequence[Glob], within: Sequence[Glob], budget: Budget
    ) -> Texts:
        """The dimension of these globs. Raises TooHardError."""
        key = (name, *(frozenset(identity("glob", glob) for glob in part) for part in (globs, within)))
        if key not in self._texts:
            self._texts[key] = Texts(name, globs, universe, budget, within)
        return self._texts[key]


class Space:
    """The requests that one statement covers, and the boxes of others within them. Raises TooHardError.

    Of the other statements only those patterns count that can touch the statement's own.
    """

    def __init__(self, statement: Statement, others: Sequence[Statement], shared: Shared, budget: Budget) -> None:
        touching = Near(statement)
        self._narrowed: dict[int, Statement] = {id(statement): statement}
        self._held = [statement, *others]  # kept alive, so that ids stay theirs
        for other in others:
            narrowed = touching.of(other)
            if narrowed is not None:
                self._narrowed[id(other)] = narrowed
        near = list(self._narrowed.values())
        self._boxes: dict[int, Box] = {}
        within = () if statement.actions.negated else statement.actions.patterns
        self._actions = shared.texts("action", globs_of(s.actions for s in near), ACTIONS, within, budget)
        clause = statement.resources
        within = () if clause is None or clause.negated else clause.patterns
        globs = globs_of(s.resources for s in near if s.resources is not None)
        self._resources = shared.texts("resource", globs, RESOURCES, within, budget)
        by_key = self._by_key([condition for s in near for condition in s.conditions])
        tied = {key: list(found.values()) for key, found in by_key.items() if key in TIED}
        self.callers = Callers(near, tied, budget) if len(tied) > 1 or any(s.principals for s in near) else None
        principal = self.callers.dimension if self.callers else Dimension("principal", [None])
        self.dimensions = [principal, self._actions.dimension, self._resources.dimension]
        self.places: dict[str, tuple[int, Dimension]] = {}  # by condition key: its dimension
        self._covered: dict[tuple[object, ...], tuple[int, int]] = {}  # by condition: its dimension and set of classes
        self._condition_dimensions(near, by_key, budget)
        self._open: dict[tuple[str, str], int] = {}  # dimensions of negations over variables
        for question in dict.fromkeys(question for s in near for question in questions(s)):
            self._open[question] = len(self.dimensions)
            self.dimensions.append(Dimension("", [None, None]))
        self.impossible = self._impossible()

    def boxes(self, statements: Sequence[Statement]) -> list[Box]:
        """The boxes of those that can touch."""
        return [self.box(statement) for statement in statements if id(statement) in self._narrowed]

    def box(self, statement: Statement) -> Box:
        """The requests that a statement covers."""
        found = self._boxes.get(id(statement))
        if found is None:
            found = self._boxes[id(statement)] = self._box(self._narrowed[id(statement)])
        return found

    def _box(self, statement: Statement) -> Box:
        box = [dimension.all for dimension in self.dimensions]
        if statement.principals is not None and self.callers is not None:
            box[0] = self.callers.covered(statement)
        box[1] = self._actions.covered(statement.actions)
        if statement.resources is not None:
            box[2] = self._resources.covered(statement.resources)
        for condition in statement.conditions:
            place, covered = self._covered[condition_identity(condition)]
            box[place] &= covered
        for question in questions(statement):
            box[self._open[question]] &= 2
        return tuple(box)

    def _impossible(self) -> list[Box]:
        """Boxes of requests that cannot be, since a key that follows from the caller says otherwise."""
        found: list[Box] = []
        everything = [dimension.all for dimension in self.dimensions]
        for callers, place, classes in self.callers.impossible(self.places) if self.callers else ():
            box = [callers, *everything[1:]]
            box[place] = classes
            found.append(tuple(box))
        return found

    @staticmethod
    def _by_key(conditions: Sequence[Condition]) -> dict[str, dict[tuple[object, ...], Condition]]:
        by_key: dict[str, dict[tuple[object, ...], Condition]] = {}
        for condition in conditions:
            if condition.kind is not None:
                by_key.setdefault(condition.key, {}).setdefault(condition_identity(condition), condition)
        return by_key

    def _condition_dimensions(
        self,
        near: Sequence[Statement],
        by_key: Mapping[str, Mapping[tuple[object, ...], Condition]],
        budget: Budget,
    ) -> None:
        for condition in (condition for s in near for condition in s.conditions if condition.kind is None):
            name = condition_identity(condition)
            if name not in self._covered:  # nobody can judge it: it holds or it does not
                self._covered[name] = (len(self.dimensions), 2)
                self.dimensions.append(Dimension("", [None, None]))
        for key, found in by_key.items():
            states = key_states(list(found.values()), budget)
            for number, name in enumerate(found):
                covered = sum(1 << place for place, truth in enumerate(states) if truth >> number & 1)
                self._covered[name] = (len(self.dimensions), covered)
            name_written = next(iter(found.values())).written_key
            truths = list(states)
            dimension = Dimension(name_written, list(states.values()), finder(list(found.values()), truths))
            self.places[key] = (len(self.dimensions), dimension)
            self.dimensions.append(dimension)


class Near:
    """Finds what of other statements can touch a given one."""

    def __init__(self, statement: Statement) -> None:
        self._actions, self._resources = Touching(statement.actions), Touching(statement.resources)

    def of(self, other: Statement) -> Statement | None:
        """The other statement with only those patterns that can touch; None if it cannot touch at all."""
        narrowed = _kept(other.actions, self._actions)
        if narrowed is None:
            return None
        if other.resources is None:
            return replace(other, actions=narrowed)
        kept = _kept(other.resources, self._resources)
        return None if kept is None else replace(other, actions=narrowed, resources=kept)


def _kept(clause: Clause, touching: Touching) -> Clause | None:
    patterns = touching.keep(clause.patterns)
    if clause.negated:  # what its variables ask stays open wherever they stand
        patterns = tuple(dict.fromkeys((*patterns, *(glob for glob in clause.patterns if glob.has_variables))))
    return Clause(patterns, clause.negated) if patterns or clause.negated else None


def questions(statement: Statement) -> list[tuple[str, str]]:
    """The variables that a negation of the statement depends on: without a value it may not hold (see iam.decide)."""
    found: list[tuple[str, str]] = []
    if statement.resources is not None and statement.resources.negated:
        found += [("resource", key) for key in needed(statement.resources.patterns)]
    for condition in statement.conditions:
        if condition.negated:
            found += [("condition", key) for key in needed(condition.values)]
    return found
