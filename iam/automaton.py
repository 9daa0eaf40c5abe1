"""Joint automaton of many globs: which sets of them can match one string together, each with a shortest example.

All globs run side by side as bits of one integer (bit-parallel simulation of a non-deterministic automaton; Baeza-Yates
and Gonnet 1992, Navarro and Raffinot 2002). What is reachable from the start is exactly the finite partition of all
strings by the globs, so a property of the globs holds for every string if it holds for one string of each class.
"""

from collections.abc import Sequence
from itertools import chain

from iam.patterns import Glob, Part, Wild, arn_segments, fold_case

LARGEST = 65_536  # characters of all globs together: several times the largest policy that IAM takes
_OTHERS = "xyz0123456789abcdefghijklmnopqrstuvwABCDEFGHIJKLMNOPQRSTUVWXYZ_"


class TooHardError(Exception):
    """The budget of a comparison is used up; the message says what was too much."""


class Budget:
    """Steps a comparison may take, so that no input can hang it. Counted, not timed: load never changes an answer."""

    def __init__(self, steps: int, what: str) -> None:
        self.left, self.what = steps, what

    def spend(self, steps: int) -> None:
        """Raises TooHardError where the steps are used up."""
        self.left -= steps
        if self.left < 0:
            raise TooHardError(self.what)


class Automaton:
    """Globs without variables or open wildcards, matched together. Raises TooHardError.

    A class of strings is an integer: bit i is set if glob i matches. A glob without wildcard is one string, so it is
    looked up by itself. Only if the example of a class happens to be such a string (the class may then hold no other)
    are all of them put through the automaton.
    """

    def __init__(self, globs: Sequence[Glob], *, literals_too: bool = False, opaque: str = "") -> None:
        self._globs, self._opaque = globs, opaque  # opaque: characters that `?` does not match
        self._literals: dict[str, int] = {}
        self._adv: dict[str, int] = {}  # by character: positions that it leaves for the next one
        self._any = self._any_but_colon = self._loop = self._loop_but_colon = self._start = self._accepting = 0
        self._specific: dict[int, str] = {}  # by position: the characters expected there
        self._number: dict[int, int] = {}  # by accepting position: the glob
        self._span: dict[int, int] = {}  # by glob: its positions
        self._size = 0
        if sum(len(glob.text) for glob in globs) > LARGEST:
            raise TooHardError(f"the patterns have more than {LARGEST} characters")
        for number, glob in enumerate(globs):
            if literals_too or glob.fold or not glob.is_literal:
                self._add(number, glob)
            else:
                text = "".join(map(str, glob.parts))
                self._literals[text] = self._literals.get(text, 0) | 1 << number
        self._specific_mask = sum(1 << position for position in self._specific)
        self._always = ":" if self._any_but_colon | self._loop_but_colon else ""
        characters = set("".join(self._specific.values())) | {":"}
        others = chain(_OTHERS, map(chr, range(0xE000, 0x110000)))  # more characters than a document may have
        self._always += next(character for character in others if character not in characters)
        self._memo: dict[str, tuple[int, int]] = {}

    def _add(self, number: int, glob: Glob) -> None:
        first = self._size
        self._start |= 1 << first
        for part in arn_parts(glob) if glob.arn else glob.parts:
            position = 1 << self._size
            if part is Wild.STAR:
                self._loop |= position
            elif part is Wild.FIELD_STAR:
                self._loop_but_colon |= position
            elif part is Wild.ANY:
                self._any |= position
                self._size += 1
            elif part is Wild.FIELD_ANY:
                self._any_but_colon |= position
                self._size += 1
            else:
                self._literal(str(part), glob.fold)
        self._number[self._size] = number
        self._accepting |= 1 << self._size
        self._size += 1
        self._span[number] = (1 << self._size) - (1 << first)

    def _literal(self, text: str, fold: bool) -> None:
        for character in fold_case(text) if fold else text:
            choices = character + character.upper() if fold and "a" <= character <= "z" else character
            self._specific[self._size] = choices
            for choice in choices:
                self._adv[choice] = self._adv.get(choice, 0) | 1 << self._size
            self._size += 1

    def _masks(self, character: str) -> tuple[int, int]:
        found = self._memo.get(character)
        if found is None:
            advance, loop = self._adv.get(character, 0), self._loop
            advance |= 0 if character in self._opaque else self._any
            if character != ":":
                advance, loop = advance | self._any_but_colon, loop | self._loop_but_colon
            found = self._memo[character] = (advance, loop)
        return found

    def matching(self, text: str) -> int:
        """The class of a string."""
        state = self._start
        for character in text:
            advance, loop = self._masks(character)
            state = (state & advance) << 1 | (state & loop)
        return self._class_of(state) | self._literals.get(text, 0)

    def _class_of(self, state: int) -> int:
        found, state = 0, state & self._accepting
        while state:
            lowest = state & -state
            found |= 1 << self._number[lowest.bit_length() - 1]
            state ^= lowest
        return found

    def classes(self, budget: Budget, within: int = 0) -> dict[int, str]:
        """Every class that some string has, each with an example. Raises TooHardError.

        With `within` only the classes of strings that one of those globs matches (bit i: glob i).
        """
        alive = sum({self._span[number] for number in self._span if within >> number & 1})
        came_from: dict[int, tuple[int, str]] = {}
        seen = {self._start}
        layer = [self._start] if not within or self._start & alive else []
        found: dict[int, int] = {}  # by accepting positions: the first state
        weight = 1 + self._size // 2048
        while layer:
            following: list[int] = []
            for state in layer:
                found.setdefault(state & self._accepting, state)
                characters = self._branches(state & self._specific_mask)
                budget.spend(weight * len(characters))
                for character in characters:
                    advance, loop = self._memo.get(character) or self._masks(character)
                    target = (state & advance) << 1 | (state & loop)
                    if target not in seen and (not within or target & alive):
                        seen.add(target)
                        came_from[target] = (state, character)
                        following.append(target)
            layer = following
        examples = {self._class_of(state): _word(state, came_from) for state in found.values()}
        if not self._literals.keys().isdisjoint(examples.values()):
            return Automaton(self._globs, literals_too=True, opaque=self._opaque).classes(budget, within)
        budget.spend(weight * sum(map(len, self._literals)))
        examples |= {self.matching(text): text for text in self._literals}
        return {found: text for found, text in examples.items() if found & within} if within else examples

    def _branches(self, expected: int) -> str:
        """The characters that lead from a state to different places; the last of `_always` stands for all others."""
        characters = self._always
        if expected.bit_count() > len(self._adv):
            return characters + "".join(
                c for c, leaving in self._adv.items() if expected & leaving and c not in characters
            )
        while expected:
            lowest = expected & -expected
            expected ^= lowest
            for character in self._specific[lowest.bit_length() - 1]:
                if character not in characters:
                    characters += character
        return characters


def _word(state: int, came_from: dict[int, tuple[int, str]]) -> str:
    letters: list[str] = []
    while state in came_from:
        state, letter = came_from[state]
        letters.append(letter)
    return "".join(reversed(letters))


_WITHIN: dict[Part, Part] = {Wild.STAR: Wild.FIELD_STAR, Wild.ANY: Wild.FIELD_ANY}


def arn_parts(glob: Glob) -> list[Part]:
    """The parts of an Arn operator's glob: wildcards of its first five segments stay within them."""
    segments = arn_segments(glob.parts)
    if segments is None:
        raise ValueError(f"not an ARN pattern: {glob.text}")
    found: list[Part] = []
    for number, segment in enumerate(segments):
        found += [":"] if number else []
        found += [_WITHIN.get(part, part) if number < 5 else part for part in segment]
    return found
