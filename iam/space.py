"""The space of all requests, cut along every comparison that two policies make into finitely many classes.

A request is a point with one coordinate a dimension: principal, action, resource, one for each condition key, and one
for each question that nobody can answer: whether an unknown operator holds, and whether a negation over a variable
without value holds. A dimension lists its classes; a set of classes is an integer with one bit a
class. A statement then covers a box: one set a dimension.
"""

from collections.abc import Iterable, Sequence

from iam.automaton import Budget
from iam.dimensions import AWS_PRINCIPAL, PRINCIPALS, RESOURCES, Dimension, Example, Texts, globs_of
from iam.keys import condition_identity, finder, key_states
from iam.model import Condition, Principals, Statement
from iam.patterns import Glob, needed
from iam.principals import ANONYMOUS, canonical, is_account, patterns
from iam.values import subsets

Box = tuple[int, ...]


class Space:
    """The dimensions of some statements, and their boxes; `actions` cuts by theirs at least. Raises TooHardError."""

    def __init__(self, statements: Sequence[Statement], actions: Texts, budget: Budget) -> None:
        self._budget = budget
        self._held = {id(statement): statement for statement in statements}  # kept alive, so that ids stay theirs
        self._boxes: dict[int, Box] = {}
        clauses = [s.principals for s in statements if s.principals is not None]
        self._who: dict[tuple[frozenset[tuple[str, str]], bool], int] = {}
        principal = self._principal_dimension(clauses)
        self._actions = actions
        resources = globs_of(s.resources for s in statements if s.resources is not None)
        self._resources = Texts("resource", resources, RESOURCES, budget)
        self.dimensions = [principal, self._actions.dimension, self._resources.dimension]
        self._covered: dict[tuple[object, ...], tuple[int, int]] = {}  # by condition: its dimension and set of classes
        self._condition_dimensions([condition for statement in statements for condition in statement.conditions])
        self._open: dict[tuple[str, str], int] = {}  # dimensions of negations over variables
        for question in dict.fromkeys(question for statement in statements for question in questions(statement)):
            self._open[question] = len(self.dimensions)
            self.dimensions.append(Dimension("", [None, None]))

    def holds(self, statement: Statement) -> bool:
        """Whether the statement is one of those that the space was made of."""
        return id(statement) in self._held

    def box(self, statement: Statement) -> Box:
        """The requests that a statement covers."""
        found = self._boxes.get(id(statement))
        if found is None:
            found = self._boxes[id(statement)] = self._box(statement)
        return found

    def _box(self, statement: Statement) -> Box:
        box = [dimension.all for dimension in self.dimensions]
        if statement.principals is not None:
            box[0] = self._who[_who(statement.principals)]
        box[1] = self._actions.covered(statement.actions)
        if statement.resources is not None:
            box[2] = self._resources.covered(statement.resources)
        for condition in statement.conditions:
            place, covered = self._covered[condition_identity(condition)]
            box[place] &= covered
        for question in questions(statement):
            box[self._open[question]] &= 2
        return tuple(box)

    def _principal_dimension(self, clauses: Sequence[Principals]) -> Dimension:
        """Principals, cut by all entries and by the forms a principal can have; trivial where none is named."""
        if not clauses:
            return Dimension("principal", [None])
        entries = {entry: patterns(*entry) for clause in clauses for entry in clause.entries}
        texts = Texts("principal", [g for found in entries.values() for g in found or ()], PRINCIPALS, self._budget)
        aws = texts.matching(AWS_PRINCIPAL)
        everyone = texts.dimension.all
        # Each clause that is unknown for some class doubles that class: it applies there, or it does not.
        open_sets = [
            (name, *self._judge(clause, entries, texts, aws, everyone))
            for name, clause in {_who(clause): clause for clause in clauses}.items()
        ]
        examples: list[Example] = []
        origin: list[int] = []
        for number, example in enumerate(texts.dimension.examples):
            unclear = sum(1 << i for i, (_, _, unknown) in enumerate(open_sets) if unknown >> number & 1)
            sure = sum(1 << i for i, (_, yes, _) in enumerate(open_sets) if yes >> number & 1)
            for chosen in subsets(unclear, self._budget):
                for i, (name, _, _) in enumerate(open_sets):
                    self._who[name] = self._who.get(name, 0) | ((sure | chosen) >> i & 1) << len(examples)
                examples.append("*" if example == ANONYMOUS else example)
                origin.append(number)

        def find(text: str) -> int:
            found = texts.dimension.find(canonical(text))
            return sum(1 << place for place, number in enumerate(origin) if found >> number & 1)

        return Dimension("principal", examples, find)

    @staticmethod
    def _judge(
        clause: Principals,
        entries: dict[tuple[str, str], tuple[Glob, ...] | None],
        texts: Texts,
        aws: int,
        everyone: int,
    ) -> tuple[int, int]:
        """The classes a clause applies to, and those where that is unknown (iam.principals.applies, for sets)."""

        def matched(wanted: Iterable[tuple[str, str]]) -> tuple[int, int]:
            sure = unknown = 0
            for entry in wanted:
                globs = entries[entry]
                if globs is None:
                    unknown = everyone
                for glob in globs or ():
                    sure |= texts.matching(glob)
            return sure, unknown & ~sure

        if not clause.negated:
            return matched(clause.entries)
        accounts = {entry for entry in clause.entries if is_account(*entry)}
        named, named_unknown = matched(entry for entry in clause.entries if entry not in accounts)
        account, _ = matched(accounts)
        whole = everyone if any(value == "*" and kind in ("*", "AWS") for kind, value in clause.entries) else 0
        applies = everyone & ~named & ~named_unknown & ~account
        exempt = named & (account | whole | (everyone & ~aws))
        return applies, everyone & ~applies & ~exempt

    def _condition_dimensions(self, conditions: Sequence[Condition]) -> None:
        by_key: dict[str, dict[tuple[object, ...], Condition]] = {}
        for condition in conditions:
            name = condition_identity(condition)
            if condition.kind is None:
                if name not in self._covered:  # nobody can judge it: it holds or it does not
                    self._covered[name] = (len(self.dimensions), 2)
                    self.dimensions.append(Dimension("", [None, None]))
            else:
                by_key.setdefault(condition.key, {}).setdefault(name, condition)
        for found in by_key.values():
            states = key_states(list(found.values()), self._budget)
            for number, name in enumerate(found):
                covered = sum(1 << place for place, truth in enumerate(states) if truth >> number & 1)
                self._covered[name] = (len(self.dimensions), covered)
            name_written = next(iter(found.values())).written_key
            truths = list(states)
            self.dimensions.append(Dimension(name_written, list(states.values()), finder(list(found.values()), truths)))


def questions(statement: Statement) -> list[tuple[str, str]]:
    """The variables that a negation of the statement depends on: without a value it may not hold (see iam.decide)."""
    found: list[tuple[str, str]] = []
    if statement.resources is not None and statement.resources.negated:
        found += [("resource", key) for key in needed(statement.resources.patterns)]
    for condition in statement.conditions:
        if condition.negated:
            found += [("condition", key) for key in needed(condition.values)]
    return found


def _who(clause: Principals) -> tuple[frozenset[tuple[str, str]], bool]:
    return frozenset(clause.entries), clause.negated
