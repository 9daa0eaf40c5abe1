"""Variables of a job: names without case, macros, what goes into a step's environment, and masking of secrets.

Source: https://learn.microsoft.com/azure/devops/pipelines/process/variables
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MACRO = re.compile(r"\$\(([^()]+)\)")
DEPTH = 50
"""How often a value that holds macros is expanded again, at most."""


@dataclass
class Masks:
    """Values that no log shows. As the agent does, only whole values are masked, the longest first."""

    _values: set[str] = field(default_factory=set)

    def add(self, value: str) -> None:
        """Mask a value from now on; the agent ignores an empty one."""
        if value.strip():
            self._values.add(value)

    def hide(self, text: str) -> str:
        """The text with `***` for each secret."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, "***")
        return text


@dataclass(frozen=True)
class Value:
    """A variable's value, and whether it is secret."""

    text: str
    secret: bool = False


@dataclass
class Variables:
    """The variables that a job sees; a later `set` wins."""

    masks: Masks
    _values: dict[str, tuple[str, Value]] = field(default_factory=dict)

    def set(self, name: str, value: str, *, secret: bool = False) -> None:
        """Define or change a variable. What was secret once stays secret."""
        before = self._values.get(name.lower())
        kept = secret or (before is not None and before[1].secret)
        if kept:
            self.masks.add(value)
        self._values[name.lower()] = (name, Value(value, kept))

    def update(self, values: Iterable[tuple[str, Value]]) -> None:
        """Set several."""
        for name, value in values:
            self.set(name, value.text, secret=value.secret)

    def get(self, name: str) -> str | None:
        """A variable's value with its macros expanded, None where there is none."""
        found = self._values.get(name.lower())
        return None if found is None else self.expand(found[1].text)

    def expand(self, text: str) -> str:
        """The text with each `$(name)` replaced; an unknown one stays as it is."""
        for _ in range(DEPTH):
            expanded = _MACRO.sub(self._replacement, text)
            if expanded == text:
                break
            text = expanded
        return text

    def _replacement(self, match: re.Match[str]) -> str:
        found = self._values.get(match[1].lower())
        return match[0] if found is None else found[1].text

    def items(self) -> Iterator[tuple[str, Value]]:
        """Every variable as it was set, macros and all."""
        yield from self._values.values()

    def environment(self) -> Iterator[tuple[str, str]]:
        """Every variable but the secret ones, named as the environment names it: `Build.Reason` is BUILD_REASON."""
        for name, value in self._values.values():
            if not value.secret:
                yield name.upper().replace(".", "_").replace(" ", "_"), self.expand(value.text)

    def plain(self) -> dict[str, str]:
        """Names and expanded values, as a condition sees them."""
        return {name: self.expand(value.text) for name, value in self._values.values()}
