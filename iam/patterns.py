"""Globs of IAM: `*`, `?` and policy variables, as parsed parts and as matchers that cannot be made slow."""

import re
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property, lru_cache


class Wild(Enum):
    """A wildcard: a STAR is any run of characters (also none), an ANY exactly one character.

    Those with FIELD never take a colon. Whether those with OPEN do, nobody can say (see `resource_parts`).
    """

    STAR = "*"
    ANY = "?"
    FIELD_STAR = "* without colon"
    FIELD_ANY = "? without colon"
    OPEN_CLOSING_STAR = "* that closes a field"
    OPEN_STAR = "* within a field"
    OPEN_ANY = "? within a field"

    __hash__ = object.__hash__  # each is one object; that of Enum is a function of Python, and parts are hashed often


ANYS = (Wild.ANY, Wild.FIELD_ANY, Wild.OPEN_ANY)
_CROSSING = {Wild.OPEN_CLOSING_STAR: Wild.STAR, Wild.OPEN_STAR: Wild.STAR, Wild.OPEN_ANY: Wild.ANY}
_WITHIN = {Wild.OPEN_CLOSING_STAR: Wild.FIELD_STAR, Wild.OPEN_STAR: Wild.FIELD_STAR, Wild.OPEN_ANY: Wild.FIELD_ANY}
# From the narrowest to the widest. All wildcards are read by one of them, but nobody can say by which: "a wildcard
# cannot span segments" (IAM User Guide, "IAM JSON policy elements: Resource", in 2020), "if the * wildcard is the last
# character of a resource ARN segment, it can expand to match beyond the colon boundaries" (today), or any character.
_READINGS = (_WITHIN, _WITHIN | {Wild.OPEN_CLOSING_STAR: Wild.STAR}, _CROSSING)


@dataclass(frozen=True, slots=True)
class Variable:
    """A policy variable `${key}` or `${key, 'default'}`; the key is None where the text is not a valid variable.

    `in_field`: it stands in one of the first five fields of an ARN; what a value with a colon does there is not known.
    """

    key: str | None
    default: str | None = None
    in_field: bool = False


Part = str | Wild | Variable
Context = Mapping[str, str | tuple[str, ...]]  # lower-case keys; a tuple is a multivalued key

# IAM User Guide, "IAM policy elements: Variables and tags": a condition key, and perhaps a default "in single quotes",
# parted from it "with a comma and space"; what AWS makes of other spellings is not documented.
_VARIABLE = re.compile(r"\$\{(?P<key>[A-Za-z0-9_.\-]+:[^,{}$'*?]*[^,{}$'*?\s])(?:, '(?P<default>[^']*)')?\}")
_ESCAPES = ("${*}", "${?}", "${$}")


def split(text: str, *, wildcards: bool, variables: bool) -> tuple[Part, ...]:
    """Parts of a pattern; literal runs are strings. `variables` is on for Version 2012-10-17 only."""
    parts: list[Part] = []
    literal: list[str] = []

    def push(part: Part) -> None:
        if literal:
            parts.append("".join(literal))
            literal.clear()
        if not (part is Wild.STAR and parts and parts[-1] is Wild.STAR):
            parts.append(part)

    at = 0
    while at < len(text):
        character = text[at]
        if variables and text.startswith("${", at):
            at = _take_variable(text, at, literal, push)
            continue
        if wildcards and character in "*?":
            push(Wild(character))
        else:
            literal.append(character)
        at += 1
    if literal:
        parts.append("".join(literal))
    return tuple(parts)


def _take_variable(text: str, at: int, literal: list[str], push: Callable[[Part], None]) -> int:
    """Read what starts with `${` at `at`; gives the place after it."""
    if text[at : at + 4] in _ESCAPES:
        literal.append(text[at + 2])
        return at + 4
    found = _VARIABLE.match(text, at)
    if found:
        push(Variable(fold_case(found["key"]), found["default"]))
        return found.end()
    push(Variable(None))  # what AWS makes of it is not documented: it may stand for anything
    end = text.find("}", at)
    return len(text) if end < 0 else end + 1


def resource_parts(text: str, *, variables: bool) -> tuple[Part, ...]:
    """Parts of a pattern for resources: wildcards before its fifth colon are open, but for a `*` that ends it.

    That one is documented to take all that follows (IAM User Guide, "IAM JSON policy elements: Resource").
    """
    parts = split(text, wildcards=True, variables=variables)
    found: list[Part] = []
    colons = 0
    for part, following in zip(parts, (*parts[1:], None), strict=True):
        if isinstance(part, str):
            colons += part.count(":")
            found.append(part)
        elif colons >= 5 or (part is Wild.STAR and following is None):
            found.append(part)
        elif isinstance(part, Variable):
            found.append(replace(part, in_field=part.key is not None))
        elif part is Wild.ANY:
            found.append(Wild.OPEN_ANY)
        else:
            closing = isinstance(following, str) and following.startswith(":")
            found.append(Wild.OPEN_CLOSING_STAR if closing else Wild.OPEN_STAR)
    return tuple(found)


@dataclass(frozen=True)
class Glob:
    """A pattern as written and its parts. `fold` ignores case (actions); `arn` keeps `*` within ARN segments.

    Only ASCII letters are folded for certain (see `may_fold`).
    """

    text: str
    parts: tuple[Part, ...]
    fold: bool = False
    arn: bool = False

    @cached_property
    def has_variables(self) -> bool:
        """Whether the pattern depends on the request's context."""
        return any(isinstance(part, Variable) for part in self.parts)

    @cached_property
    def identity(self) -> tuple[object, ...]:
        """What makes two globs the same: their parts; also their text where it holds an invalid variable."""
        unclear = any(isinstance(part, Variable) and part.key is None for part in self.parts)
        return ("glob", self.parts, self.fold, self.text if unclear else "")

    @cached_property
    def is_literal(self) -> bool:
        """Whether exactly one text matches (of those that differ in more than case)."""
        return all(isinstance(part, str) for part in self.parts)

    @cached_property
    def readings(self) -> tuple["Glob", ...]:
        """The globs that this one may stand for, the narrowest first; itself alone if no wildcard is open."""
        if not any(isinstance(part, Wild) and part in _CROSSING for part in self.parts):
            return (self,)
        return tuple(
            Glob(self.text, tuple(reading.get(p, p) if isinstance(p, Wild) else p for p in self.parts), self.fold)
            for reading in _READINGS
        )

    @cached_property
    def literal(self) -> str:
        """The one text that matches (in lower case where case is ignored); only for a glob that `is_literal`."""
        text = "".join(map(str, self.parts))
        return fold_case(text) if self.fold else text

    @cached_property
    def service(self) -> str:
        """The service that an action or an ARN begins with, as far as that is certain; else empty."""
        fields = (self.literal if self.is_literal else self.ends[0]).split(":", 3)
        if fields[0] == "arn":
            return f"arn:{fields[2]}" if len(fields) > 3 else ""
        return fields[0] if len(fields) > 1 else ""

    @cached_property
    def widest(self) -> "Glob":
        """The smallest glob without variables that matches whatever this one matches by any reading."""
        return self.readings[-1].outer

    @cached_property
    def ends(self) -> tuple[str, str]:
        """The literal texts that whatever matches begins and ends with (in lower case where case is ignored)."""
        parts = self.widest.parts
        start, end = (part if isinstance(part, str) else "" for part in (parts[0], parts[-1])) if parts else ("", "")
        return (fold_case(start), fold_case(end)) if self.fold else (start, end)

    @cached_property
    def outer(self) -> "Glob":
        """The smallest glob without variables that matches whatever this one can match."""
        if not self.has_variables:
            return self
        if self.arn:  # a value may hold colons, so it may move all that follows to another segment
            return Glob(self.text, (Wild.STAR,))
        return Glob(
            self.text, tuple(Wild.STAR if isinstance(part, Variable) else part for part in self.parts), self.fold
        )

    def bind(self, context: Context, *, wildcards: bool = True) -> "Glob | None":
        """This glob with its variables replaced; None if a variable has no value (it is then like nothing).

        What cannot be said (no valid variable, a multivalued key, a value that holds a wildcard, or a colon in the
        first fields of an ARN) stays a variable. `wildcards` is off where there are none: then a value is itself.
        """
        parts: list[Part] = []
        for part in self.parts:
            if not isinstance(part, Variable) or part.key is None:
                parts.append(part)
                continue
            value = context.get(part.key, part.default)
            if value is None:
                return None
            if isinstance(value, tuple) and len(value) == 1:
                value = value[0]
            wild = wildcards and ("*" in value or "?" in value)
            unclear = isinstance(value, tuple) or wild or (part.in_field and ":" in value)
            parts.append(Variable(None) if unclear or isinstance(value, tuple) else value)
        return Glob(self.text, tuple(parts), self.fold, self.arn)

    def matches(self, value: str, context: Context, *, wildcards: bool = True) -> bool | None:
        """Whether the value is like this glob; None if that cannot be said. `wildcards`: see `bind`."""
        if len(self.readings) > 1:
            if self.readings[-1].matches(value, context) is False:
                return False
            return self.readings[0].matches(value, context) or None
        if not self.has_variables:
            return self._match(value)
        if not self.outer._match(value):
            return False
        bound = self.bind(context, wildcards=wildcards)
        if bound is None:
            return False
        if bound.has_variables:
            return None if bound.outer._match(value) else False
        return bound._match(value)

    @cached_property
    def _match(self) -> Callable[[str], bool]:
        return _matcher(self.parts, self.fold, self.arn)


_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def fold_case(text: str) -> str:
    """The text with ASCII letters in lower case; no other letter has a case here."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def may_fold(one: str, other: str) -> bool:
    """Whether two texts are the same by some folding of other letters than those of ASCII.

    Which of them AWS folds is not documented: K (the Kelvin sign) and k, and a dotless i and i, may be the same or not.
    """
    return one == other or _widely(one) == _widely(other)


_UNSURE = re.compile(r"[^\x00-EGHJM-RU-eghjm-ru-\x7f]+")
"""F, I, K, L, S, T, and what is not ASCII; said by what is left out, it compiles in a hundredth of the time."""
_LIGATURES = re.compile(r"i|k|s|f[fl]|[^\x00-\x7f]", re.IGNORECASE)


def widest_folding(text: str) -> tuple[Part, ...]:
    """Parts that match, without case, whatever may be the text by some folding of letters."""
    parts: list[Part] = []
    at = 0
    for run in _UNSURE.finditer(text):
        if _LIGATURES.search(run[0]):
            parts += [text[at : run.start()], Wild.STAR]
            at = run.end()
    return tuple(part for part in (*parts, text[at:]) if part)


def _widely(text: str) -> str:
    return text.casefold().upper().casefold().replace("i\u0307", "i")


_CHARACTERS = {Wild.STAR: ".", Wild.ANY: ".", Wild.FIELD_STAR: "[^:]", Wild.FIELD_ANY: "[^:]"}


@lru_cache(maxsize=4096)
def _matcher(parts: tuple[Part, ...], fold: bool, arn: bool) -> Callable[[str], bool]:
    if arn:
        return _arn_matcher(parts)
    literal = "".join(part for part in parts if isinstance(part, str))
    if all(isinstance(part, str) for part in parts):
        folded = fold_case(literal)
        return (lambda value: fold_case(value) == folded) if fold else (lambda value: value == literal)
    expression = re.compile(_expression(parts), re.IGNORECASE | re.ASCII if fold else 0)
    return lambda value: expression.fullmatch(value) is not None


def _expression(parts: tuple[Part, ...]) -> str:
    """A regular expression in which no star is tried twice: each takes the first place where what follows it fits.

    That place is the only one that can do, unless a star that takes no colon comes after one that does: then it is one
    of many, and all are tried (only comparisons have such readings, and they put them into an automaton).
    """
    stars: list[str] = []
    chunks = [""]
    for part in parts:
        if part in (Wild.STAR, Wild.FIELD_STAR):
            stars.append(_CHARACTERS[part])
            chunks.append("")
        else:
            chunks[-1] += _CHARACTERS[part] if isinstance(part, Wild) else re.escape(str(part))
    if not stars:
        return f"(?s:{chunks[0]})"
    parted = list(zip(stars[:-1], chunks[1:-1], strict=True))
    if stars != sorted(stars, reverse=True):  # "[^:]" before "."
        middle = "".join(f"{star}*?{chunk}" for star, chunk in parted)
    else:
        middle = "".join(f"(?>{star}*?{chunk})" for star, chunk in parted if chunk)
    return f"(?s:{chunks[0]}{middle}{stars[-1]}*{chunks[-1]})"


def _arn_matcher(parts: tuple[Part, ...]) -> Callable[[str], bool]:
    """Arn operators compare six colon-separated segments each by itself (IAM User Guide, "ARN condition operators")."""
    segments = arn_segments(parts)
    if segments is None:
        return lambda _value: False
    matchers = [_matcher(segment, fold=False, arn=False) for segment in segments]

    def match(value: str) -> bool:
        pieces = value.split(":", 5)
        return len(pieces) == 6 and all(m(piece) for m, piece in zip(matchers, pieces, strict=True))

    return match


def arn_segments(parts: tuple[Part, ...]) -> list[tuple[Part, ...]] | None:
    """The six segments of an ARN pattern; None if it has fewer."""
    segments: list[list[Part]] = [[]]
    for part in parts:
        if not isinstance(part, str) or len(segments) == 6:
            segments[-1].append(part)
            continue
        pieces = part.split(":", 6 - len(segments))
        for number, piece in enumerate(pieces):
            if number:
                segments.append([])
            if piece:
                segments[-1].append(piece)
    return [tuple(segment) for segment in segments] if len(segments) == 6 else None


def needed(globs: Iterable[Glob]) -> list[str]:
    """The keys without which a variable of the globs has no value; each once."""
    parts = (part for glob in globs if glob.has_variables for part in glob.parts)
    found = [part.key for part in parts if isinstance(part, Variable) and part.default is None]
    return list(dict.fromkeys(key for key in found if key is not None))


def filled(parts: Iterable[Part]) -> str:
    """A text that a pattern matches, with what a reader expects in place of its wildcards and variables."""
    text = "".join(p if isinstance(p, str) else "x" if p in ANYS else "\0" for p in parts)
    fields = text.split(":", 5)
    if fields[0] == "arn" and len(fields) == 6:
        for place, usual in ((1, "aws"), (3, "us-east-2"), (4, "123456789012")):
            fields[place] = usual if fields[place] == "\0" else fields[place]
        text = ":".join(fields)
    return text.replace("\0", "example")
