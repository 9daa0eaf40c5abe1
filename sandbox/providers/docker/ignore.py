"""Which files of a build context .dockerignore leaves out.

The rules are those of moby's patternmatcher, which the real plugin has built in. What only a regular expression of Go
could read (a backslash before a letter, | and the like) is refused by its name.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


Matched = tuple[bool, ...]
"""For each pattern whether it matched a folder or one above it."""

# unicode.IsSpace of Go, which is not str.isspace
_BLANK = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f"
    "\u205f\u3000"
)
_LITERAL = r"\\[^a-zA-Z0-9\x80-\U0010ffff]"
_MEMBER = rf"(?:[^\\\[\]\-*?]|\[(?!:)|{_LITERAL})"
_TOKEN = re.compile(
    rf"(?P<folders>\*\*/?)|(?P<star>\*)|(?P<one>\?)|(?P<literal>{_LITERAL})"
    rf"|(?P<class>\[\^?(?:{_MEMBER}(?:-{_MEMBER})?)+\])|(?P<plain>[^\\\[])",
    re.DOTALL,
)
_OF_GO = re.compile(r"[\^|]|\{\d")
"""What Docker's matcher takes for a part of a regular expression, once a pattern is one."""


class IgnoreError(ValueError):
    """A pattern cannot be read."""


class Ignore:
    """An ordered list of patterns; the last one that matches a path, or a folder above it, decides."""

    def __init__(self, lines: list[str]) -> None:
        cleaned = [_clean(line.strip(_BLANK)) for line in lines if line.strip(_BLANK) and not line.startswith("#")]
        self._take([each for each in cleaned if each])

    def _take(self, patterns: list[str]) -> None:
        self.patterns = patterns
        self._matchers = [(each.startswith("!"), _matcher(each.removeprefix("!"))) for each in self.patterns]

    @staticmethod
    def read(dockerfile: Path, context: Path) -> Ignore:
        """Read DOCKERFILE.dockerignore if there is one, else the context's .dockerignore, else nothing."""
        for path in (dockerfile.with_name(dockerfile.name + ".dockerignore"), context / ".dockerignore"):
            if path.exists():
                text = path.read_bytes().decode(errors="surrogateescape").removeprefix("\ufeff")
                return Ignore([line.removesuffix("\r") for line in text.split("\n")])
        return Ignore([])

    def judge(self, path: str, above: Matched = ()) -> tuple[bool, Matched]:
        """Tell whether a path (relative, with /) is left out, and which patterns matched it.

        ``above`` is what matched the folder that it lies in; nothing for the context itself. A pattern that let the
        folder in again counts for what is inside only if it changed the verdict on the folder: moby has it so.
        """
        excluded = False
        matched: list[bool] = []
        for at, (negative, matches) in enumerate(self._matchers):
            match = (bool(above) and above[at]) or (negative == excluded and matches(path))
            matched.append(match)
            if match:
                excluded = not negative
        return excluded, tuple(matched)

    def excludes(self, path: str) -> bool:
        """Tell whether a path is left out."""
        excluded = False
        above: Matched = ()
        parts = path.split("/")
        for length in range(len(parts)):
            excluded, above = self.judge("/".join(parts[: length + 1]), above)
        return excluded

    def including(self, *paths: str) -> Ignore:
        """Return the same patterns, but with these files let in: the builder needs them."""
        hidden = [path for path in paths if self.excludes(path)]
        more = Ignore([])
        more._take([*self.patterns, *(f"!{path}" for path in hidden)])  # as they are: cleaned once, as in moby
        return more

    def may_reinclude(self, folder: str, *, archive: bool = False) -> bool:
        """Tell whether a file inside an excluded folder may be let in again.

        In an archive only an exception that begins with the folder's name does that; elsewhere one with a wildcard may
        do it anywhere.
        """
        exceptions = [each[1:] for each in self.patterns if each.startswith("!")]
        if not archive:
            exceptions = [each.removesuffix("/**").removesuffix("/*") for each in exceptions]
            if any(re.search(r"[*\[\]?^\\]", each) for each in exceptions):
                return True
        return any(f"{each}/".startswith(f"{folder}/") for each in exceptions)


def _clean(line: str) -> str:
    negative = line.startswith("!")
    pattern = line[negative:].strip(_BLANK)
    if pattern:
        pattern = _path(pattern)
        pattern = pattern[1:] if len(pattern) > 1 and pattern.startswith("/") else pattern
    pattern = ("!" * negative + pattern).strip(_BLANK)
    pattern = _path(pattern) if pattern else ""
    if pattern == "!":
        raise IgnoreError('illegal exclusion pattern: "!"')
    return pattern


def _path(pattern: str) -> str:
    """As filepath.Clean of Go; normpath keeps two leading slashes."""
    return posixpath.normpath(re.sub("^/+", "/", pattern))


def _matcher(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a path matches: a comparison where ** at one end is all, else an expression."""
    text, kind, at = "", "exact", 0
    odd = False
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            raise IgnoreError(f"syntax error in pattern {pattern}, as far as the sandbox's stand-in reads patterns")
        found, first, last = token.lastgroup, at == 0, token.end() == len(pattern)
        at = token.end()
        if found == "folders":
            kind = "beginning" if last and kind == "exact" else "expression"
            kind = "end" if first else kind
            text += ".*" if last else "(.*/)?"
        elif found == "plain":
            odd = odd or _OF_GO.match(pattern, token.start()) is not None
            kind = "expression" if token.group() == "]" else kind
            text += re.escape(token.group())
        else:
            kind = "expression"
            text += {"star": "[^/]*", "one": "[^/]"}.get(str(found)) or _written(token)
    if kind == "expression" and odd:
        raise IgnoreError(f"the sandbox's stand-in for the docker plugin does not read the pattern {pattern}")
    if kind == "exact":
        return pattern.__eq__
    if kind == "beginning":
        return lambda path: path.startswith(pattern[:-2])
    if kind == "end":
        end = pattern[2:]
        return lambda path: path.endswith(end) or (end.startswith("/") and path == end[1:])
    try:
        expression = re.compile(text)
    except re.error as error:
        raise IgnoreError(f"syntax error in pattern {pattern}") from error
    return lambda path: expression.fullmatch(path) is not None


def _written(token: re.Match[str]) -> str:
    """A literal or a class in Python's syntax."""
    if token.lastgroup == "literal":
        return re.escape(token.group()[1:])
    negated, members = re.fullmatch(r"\[(\^?)(.*)\]", token.group(), re.DOTALL).groups()  # type: ignore[union-attr]
    escaped = re.sub(r"\\?(.)", lambda each: re.escape(each[1]) if each[0] != "-" else "-", members, flags=re.DOTALL)
    return f"[{negated}{escaped}]"
