"""The space of all requests, cut along every comparison that two policies make into finitely many classes.

A request is a point with one coordinate a dimension: principal, action, resource, one for each condition key, and one
for each condition that nobody can judge. A dimension lists its classes; a set of classes is an integer with one bit a
class. A statement then covers a box: one set a dimension.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from iam.automaton import Automaton, Budget
from iam.conditions import holds
from iam.model import Clause, Condition, Principals, Statement, is_action
from iam.patterns import Glob, filled, fold_case, split
from iam.principals import ANONYMOUS, canonical, is_account, patterns
from iam.values import Element, choices, identity, implications, subsets, value_classes

Example = str | tuple[str, ...] | None  # a value; () is a missing key, None is no known value
Box = tuple[int, ...]


@dataclass
class Dimension:
    """One coordinate: an example of every class, and for a text the classes it may belong to.

    `name` is a condition key as a policy writes it, or empty for a condition that nobody can judge. `hints` are texts
    that look like those of real requests; each is of some class, but not every class has one.
    `single` is the set of classes known to hold no text but their example.
    """

    name: str
    examples: list[Example]
    find: Callable[[str], int] = field(default=lambda _text: 0)
    hints: list[str] = field(default_factory=list)
    single: int = 0

    @property
    def missing(self) -> int:
        """The classes of a request without this key."""
        return sum(1 << place for place, example in enumerate(self.examples) if example == ())

    @property
    def all(self) -> int:
        """The set of all classes."""
        return (1 << len(self.examples)) - 1


class Space:
    """The dimensions of some statements, and their boxes; `actions` cuts by theirs at least. Raises TooHardError."""

    def __init__(self, statements: Sequence[Statement], actions: "Texts", budget: Budget) -> None:
        self._budget = budget
        self._held = {id(statement): statement for statement in statements}  # kept alive, so that ids stay theirs
        self._boxes: dict[int, Box] = {}
        clauses = [s.principals for s in statements if s.principals is not None]
        self._who: dict[tuple[frozenset[tuple[str, str]], bool], int] = {}
        principal = self._principal_dimension(clauses)
        self._actions = actions
        resources = _globs(s.resources for s in statements if s.resources is not None)
        self._resources = Texts("resource", resources, _RESOURCE_UNIVERSE, budget)
        self.dimensions = [principal, self._actions.dimension, self._resources.dimension]
        self._covered: dict[tuple[object, ...], tuple[int, int]] = {}  # by condition: its dimension and set of classes
        self._condition_dimensions([condition for statement in statements for condition in statement.conditions])

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
        return tuple(box)

    def _principal_dimension(self, clauses: Sequence[Principals]) -> Dimension:
        """Principals, cut by all entries and by the forms a principal can have; trivial where none is named."""
        if not clauses:
            return Dimension("principal", [None])
        entries = {entry: patterns(*entry) for clause in clauses for entry in clause.entries}
        texts = Texts(
            "principal", [g for found in entries.values() for g in found or ()], _PRINCIPAL_UNIVERSE, self._budget
        )
        aws = texts.matching(_AWS_PRINCIPAL)
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
        texts: "Texts",
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
            states = _key_states(list(found.values()), self._budget)
            for number, name in enumerate(found):
                covered = sum(1 << place for place, truth in enumerate(states) if truth >> number & 1)
                self._covered[name] = (len(self.dimensions), covered)
            name_written = next(iter(found.values())).written_key
            truths = list(states)
            self.dimensions.append(
                Dimension(name_written, list(states.values()), _finder(list(found.values()), truths))
            )


def action_texts(statements: Sequence[Statement], budget: Budget) -> "Texts":
    """All actions, cut by those that the statements name. Raises TooHardError."""
    return Texts("action", _globs(s.actions for s in statements), _ACTION_UNIVERSE, budget)


class Texts:
    """A dimension of texts (action, resource, principal) cut by globs; only what one of `universe` matches exists."""

    def __init__(self, name: str, globs: Sequence[Glob], universe: Sequence[Glob], budget: Budget) -> None:
        self.fold = name == "action"
        distinct: dict[tuple[object, ...], Glob] = {}
        for glob in (*globs, *universe, _TWO_COLONS):
            distinct.setdefault(identity("glob", glob), glob)
        self._elements: list[Element] = [("glob", glob) for glob in distinct.values()]
        self._place = {name: place for place, name in enumerate(distinct)}
        self._automaton = Automaton([_lower(glob.outer) if self.fold else glob.outer for glob in distinct.values()])
        free = sum(1 << place for place, (_, glob) in enumerate(self._elements) if glob.has_variables)
        implied = implications([glob for glob in distinct.values() if glob.has_variables], budget)
        real = sum(1 << self._place[identity("glob", glob)] for glob in universe)
        unreal = 1 << self._place[identity("glob", _TWO_COLONS)] if self.fold else 0
        literal = sum(1 << place for place, (_, glob) in enumerate(self._elements) if glob.is_literal)
        self._classes: dict[int, int] = {}  # by class of the automaton: the classes of the dimension
        self._found: dict[str, int] = {}
        single = 0
        examples: list[Example] = []
        self._has = [0] * len(self._elements)
        for matched, example in self._automaton.classes(budget).items():
            if not matched & real or matched & unreal or (self.fold and matched & literal and not is_action(example)):
                continue
            for mask in choices(matched, free, implied, self._elements, budget):
                self._classes[matched] = self._classes.get(matched, 0) | 1 << len(examples)
                single |= (1 << len(examples)) * bool(matched & literal)
                for place in _bits(mask):
                    self._has[place] |= 1 << len(examples)
                examples.append(example)
        hints = [filled(glob.parts) for glob in globs if glob.text.startswith("arn:")] if name == "resource" else []
        self.dimension = Dimension(name, examples, self.find, hints, single)

    def find(self, text: str) -> int:
        """The classes that a text can belong to."""
        found = self._found.get(text)
        if found is None:
            found = self._classes.get(self._automaton.matching(fold_case(text) if self.fold else text), 0)
            self._found[text] = found
        return found

    def matching(self, glob: Glob) -> int:
        """The classes that a glob matches."""
        return self._has[self._place[identity("glob", glob)]]

    def covered(self, clause: Clause) -> int:
        """The classes that a clause covers."""
        found = 0
        for glob in clause.patterns:
            found |= self.matching(glob)
        return self.dimension.all & ~found if clause.negated else found


def _key_states(conditions: Sequence[Condition], budget: Budget) -> dict[int, Example]:
    """Every combination of true conditions on one key (bit i: condition i), with a value that brings it about."""
    elements: dict[tuple[object, ...], Element] = {}
    for condition in conditions:
        for glob in condition.values if condition.kind != "null" else ():
            elements.setdefault(identity(condition.kind or "", glob), (condition.kind or "", glob))
    places = {name: place for place, name in enumerate(elements)}
    wanted = [
        sum({1 << places[identity(c.kind or "", glob)] for glob in c.values}) if c.kind != "null" else 0
        for c in conditions
    ]
    states: dict[int, Example] = {}

    def add(answers: Sequence[bool | None], example: Example) -> None:
        sure = sum(1 << number for number, answer in enumerate(answers) if answer)
        unclear = sum(1 << number for number, answer in enumerate(answers) if answer is None)
        for chosen in subsets(unclear, budget):
            if states.get(sure | chosen) is None:
                states[sure | chosen] = example

    add([holds(condition, {}) for condition in conditions], ())
    singles: dict[int, Example] = {}  # by truth of the conditions
    for mask, example in value_classes(list(elements.values()), budget).items():
        budget.spend(1 + len(conditions) // 8)
        answers = [
            holds(condition, {condition.key: "x"})
            if condition.kind == "null"
            else bool(mask & bits) != condition.negated
            for condition, bits in zip(conditions, wanted, strict=True)
        ]
        add(answers, example)
        truth = sum(1 << number for number, answer in enumerate(answers) if answer)
        singles[truth] = example if singles.get(truth) is None else singles[truth]
    if any(condition.qualifier for condition in conditions):
        add([_of_nothing(condition) for condition in conditions], "")
        for truth, values in _several(conditions, singles, budget).items():
            answers = [
                bool(truth >> number & 1) if condition.qualifier else _of_many(condition)
                for number, condition in enumerate(conditions)
            ]
            add(answers, values)
    return states


def _finder(conditions: Sequence[Condition], truths: Sequence[int]) -> Callable[[str], int]:
    """Finds the classes of a key's value by what the conditions say of it."""

    def find(text: str) -> int:
        answers = [holds(condition, {condition.key: text}) for condition in conditions]
        sure = sum(1 << number for number, answer in enumerate(answers) if answer)
        unclear = sum(1 << number for number, answer in enumerate(answers) if answer is None)
        return sum(1 << place for place, truth in enumerate(truths) if truth & ~unclear == sure)

    return find


def _of_nothing(condition: Condition) -> bool | None:
    """What a condition says of an empty text, which ForAllValues takes for no value at all."""
    variables = any(glob.has_variables for glob in condition.values)
    return None if variables and condition.qualifier != "ForAllValues" else holds(condition, {condition.key: ""})


def _of_many(condition: Condition) -> bool | None:
    """What a condition without qualifier says of a multivalued key: only Null is documented."""
    return holds(condition, {condition.key: ("x", "x")})


def _several(conditions: Sequence[Condition], singles: dict[int, Example], budget: Budget) -> dict[int, Example]:
    """What sets of two and more values make of the conditions with a qualifier, closed under adding a value."""
    any_value = sum(1 << number for number, c in enumerate(conditions) if c.qualifier == "ForAnyValue")
    all_values = sum(1 << number for number, c in enumerate(conditions) if c.qualifier == "ForAllValues")
    single = {truth & (any_value | all_values): example for truth, example in singles.items()}
    found: dict[int, Example] = {
        truth: (example, example) if isinstance(example, str) else None for truth, example in single.items()
    }
    waiting = list(found)
    while waiting:
        truth = waiting.pop()
        budget.spend(len(single))
        for other, example in single.items():
            both = (truth | other) & any_value | (truth & other) & all_values
            if both not in found:
                values = found[truth]
                known = isinstance(values, tuple) and isinstance(example, str)
                found[both] = tuple(dict.fromkeys((*(values or ()), str(example)))) if known else None
                waiting.append(both)
    return found


def condition_identity(condition: Condition) -> tuple[object, ...]:
    """What makes two conditions say the same, whatever the order of their values."""
    name = (condition.qualifier, condition.kind, condition.negated, condition.if_exists)
    values = frozenset(identity(condition.kind or condition.operator, glob) for glob in condition.values)
    return (condition.key, condition.operator if condition.kind is None else name, values)


def _who(clause: Principals) -> tuple[frozenset[tuple[str, str]], bool]:
    return frozenset(clause.entries), clause.negated


def _globs(clauses: Iterable[Clause]) -> list[Glob]:
    return [glob for clause in clauses for glob in clause.patterns]


def _lower(glob: Glob) -> Glob:
    """An action's glob in lower case, for texts in lower case."""
    return Glob(glob.text, tuple(fold_case(part) if isinstance(part, str) else part for part in glob.parts))


def _bits(mask: int) -> Iterable[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _glob(text: str) -> Glob:
    return Glob(text, split(text, wildcards=True, variables=False))


# What exists: texts that one of the globs matches.
_ACTION_UNIVERSE, _TWO_COLONS = (_glob("?*:?*"),), _glob("*:*:*")
_RESOURCE_UNIVERSE = (_glob("?*"),)
_AWS_PRINCIPAL = _glob("AWS:?*")
_PRINCIPAL_UNIVERSE = (
    _AWS_PRINCIPAL,
    *(_glob(text) for text in ("Service:?*", "Federated:?*", "CanonicalUser:?*")),
    Glob(ANONYMOUS, (ANONYMOUS,)),
)
