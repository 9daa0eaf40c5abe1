"""One coordinate of a request (principal, action, resource), cut into finitely many classes by globs of policies."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from iam.automaton import Automaton, Budget
from iam.model import Clause, is_action
from iam.patterns import Glob, filled, fold_case, split
from iam.values import Element, choices, identity, implications

Example = str | tuple[str, ...] | None  # a value; () is a missing key, None is no known value


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

    def shown(self, wanted: int) -> list[str]:
        """The examples of a set of classes that are texts."""
        return [e for place, e in enumerate(self.examples) if wanted >> place & 1 and isinstance(e, str) and e]

    @property
    def all(self) -> int:
        """The set of all classes."""
        return (1 << len(self.examples)) - 1


class Texts:
    """A dimension of texts (action, resource, principal) cut by globs; only what one of `universe` matches exists.

    With `within` (some of the globs) only the texts that those match.
    """

    def __init__(
        self, name: str, globs: Sequence[Glob], universe: Sequence[Glob], budget: Budget, within: Sequence[Glob] = ()
    ) -> None:
        self.fold = name == "action"
        distinct: dict[tuple[object, ...], Glob] = {}
        for glob in (*globs, *universe, *((_TWO_COLONS,) if self.fold else ())):
            distinct.setdefault(identity("glob", glob), glob)
        self._elements: list[Element] = [("glob", glob) for glob in distinct.values()]
        self._place = {name: place for place, name in enumerate(distinct)}
        # The widest reading of a glob has the place of its element, narrower ones come after all of those.
        read = [tuple(glob.outer for glob in glob.readings) for glob in distinct.values()]
        cuts = [_lower(globs[-1]) if self.fold else globs[-1] for globs in read]
        self._narrower: list[list[tuple[int, int]]] = [[] for _ in range(max(map(len, read)) - 1)]  # by reading
        for place, globs in enumerate(read):
            for narrower, glob in zip(self._narrower, globs, strict=False):
                if glob.parts != globs[-1].parts:
                    narrower.append((1 << place, 1 << len(cuts)))
                    cuts.append(glob)
        self._open = sum({bit for narrower in self._narrower for bit, _ in narrower})
        self._automaton = Automaton(cuts)
        free = sum(1 << place for place, (_, glob) in enumerate(self._elements) if glob.has_variables)
        implied = implications([glob for glob in distinct.values() if glob.has_variables], budget)
        real = sum({1 << self._place[identity("glob", glob)] for glob in universe})
        unreal = 1 << self._place[identity("glob", _TWO_COLONS)] if self.fold else 0
        literal = sum(1 << place for place, (_, glob) in enumerate(self._elements) if glob.is_literal)
        inside = sum({1 << self._place[identity("glob", glob)] for glob in within})
        self._classes: dict[int, int] = {}  # by class of the automaton: the classes of the dimension
        self._found: dict[str, int] = {}
        single = 0
        examples: list[Example] = []
        self._has = [0] * len(self._elements)
        found = self._automaton.classes(budget, inside)
        classes = [(self._read(matched), matched, example) for matched, example in found.items()]
        for masks, matched, example in sorted(classes, key=lambda found: len(found[0]) > 1):  # the best examples first
            if not matched & real or matched & unreal or (self.fold and matched & literal and not is_action(example)):
                continue
            budget.spend(len(masks))
            chosen = (mask for read in masks for mask in choices(read, free, implied, self._elements, budget))
            for mask in dict.fromkeys(chosen):
                self._classes[matched] = self._classes.get(matched, 0) | 1 << len(examples)
                single |= (1 << len(examples)) * bool(matched & literal)
                for place in bits(mask):
                    self._has[place] |= 1 << len(examples)
                examples.append(example)
        hints = [filled(glob.parts) for glob in globs if glob.text.startswith("arn:")] if name == "resource" else []
        self.dimension = Dimension(name, examples, self.find, hints, single)

    def _read(self, matched: int) -> list[int]:
        """What a class of the automaton stands for: the elements that match, by each reading that differs."""
        widest = matched & (1 << len(self._elements)) - 1
        found = [widest]
        for narrower in self._narrower if widest & self._open else ():
            mask = widest
            for element, glob in narrower:
                if not matched & glob:
                    mask &= ~element
            if mask not in found:
                found.append(mask)
        return found

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


def globs_of(clauses: Iterable[Clause]) -> list[Glob]:
    """The globs of clauses."""
    return [glob for clause in clauses for glob in clause.patterns]


def _lower(glob: Glob) -> Glob:
    """An action's glob in lower case, for texts in lower case."""
    return Glob(glob.text, tuple(fold_case(part) if isinstance(part, str) else part for part in glob.parts))


def bits(mask: int) -> Iterable[int]:
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def _glob(text: str) -> Glob:
    return Glob(text, split(text, wildcards=True, variables=False))


# What exists: texts that one of the globs matches.
ACTIONS, _TWO_COLONS = (_glob("?*:?*"),), _glob("*:*:*")
RESOURCES = (_glob("?*"),)
