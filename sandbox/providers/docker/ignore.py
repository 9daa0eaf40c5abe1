"""Which files of a build context .dockerignore leaves out.

Source: Docker documentation, "Build context: .dockerignore files"; the matching is moby's patternmatcher.
"""

from __future__ import annotations

import os
import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


Matched = tuple[bool, ...]
"""For each pattern whether it matched a folder or one above it."""


class IgnoreError(ValueError):
    """A pattern cannot be read."""


class Ignore:
    """An ordered list of patterns; the last one that matches a path, or a folder above it, decides."""

    def __init__(self, lines: list[str]) -> None:
        self.patterns = [_clean(line) for line in lines if line.strip() and not line.startswith("#")]
        self._matchers = [(each.startswith("!"), _expression(each.removeprefix("!"))) for each in self.patterns]

    @staticmethod
    def read(dockerfile: Path, context: Path) -> Ignore:
        """Read DOCKERFILE.dockerignore if there is one, else the context's .dockerignore, else nothing."""
        for path in (dockerfile.with_name(dockerfile.name + ".dockerignore"), context / ".dockerignore"):
            if path.exists():
                return Ignore(path.read_text(encoding="utf-8-sig").splitlines())
        return Ignore([])

    def judge(self, path: str, above: Matched = ()) -> tuple[bool, Matched]:
        """Tell whether a path (relative, with /) is left out, and which patterns matched it.

        ``above`` is what matched the folder that it lies in; nothing for the context itself. A pattern that let the
        folder in again counts for what is inside only if it changed the verdict on the folder: moby has it so.
        """
        excluded = False
        matched: list[bool] = []
        for at, (negative, expression) in enumerate(self._matchers):
            match = bool(above) and above[at]
            if not match and negative == excluded:
                match = expression.fullmatch(path) is not None
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
        return Ignore([*self.patterns, *(f"!{path}" for path in hidden)])

    @property
    def may_reinclude(self) -> bool:
        """True if a file inside an excluded folder may be let in again."""
        return any(negative for negative, _ in self._matchers)


def _clean(line: str) -> str:
    pattern = line.strip()
    negative = pattern.startswith("!")
    pattern = pattern[1:].strip() if negative else pattern
    if not pattern:
        raise IgnoreError('illegal exclusion pattern: "!"')
    pattern = posixpath.normpath(pattern.replace(os.sep, "/"))
    pattern = pattern.lstrip("/") or "."
    return ("!" if negative else "") + pattern


def _expression(pattern: str) -> re.Pattern[str]:
    """Translate a pattern: ** any folders, * and ? within one name, [...] as in a shell, \\ takes away a meaning."""
    text, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**", at):
            at += 2
            if at < len(pattern) and pattern[at] == "/":
                at += 1
                text += "(.*/)?"
            else:
                text += ".*"
            continue
        if char == "[" and (end := pattern.find("]", at + 1)) > 0:
            text += pattern[at : end + 1]
            at = end
        elif char == "\\" and at + 1 < len(pattern):
            at += 1
            text += re.escape(pattern[at])
        else:
            text += {"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char))
        at += 1
    try:
        return re.compile(text, re.DOTALL)
    except re.error as error:
        raise IgnoreError(f"syntax error in pattern {pattern}") from error
