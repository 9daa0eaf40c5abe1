"""The commands of a page: its blocks of bash, and the command lines of the clouds in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Block:
    """Commands of the page. section: the heading above; by_hand: marked as what cannot be run."""

    section: str
    text: str
    by_hand: bool


def blocks(page: str) -> list[Block]:
    """All commands of a page, in their order. A block that is neither commands nor YAML is an error."""
    found, section = [], ""
    for heading, kind, text in re.findall(r"^## ([^\n]*)$|^```([^\n]*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        section = heading or section
        if kind.split()[:1] == ["yaml"] or heading:
            continue
        assert kind in ("bash", "bash by-hand"), f"{section}: a block of {kind!r} is neither run nor marked"
        found.append(Block(section, text, kind.endswith("by-hand")))
    return found


def command_lines(text: str, tool: str) -> Iterator[list[str]]:
    """The words after each call of a tool in commands, alone on its line or within `$( )`."""
    for line in text.replace("\\\n", " ").splitlines():
        for opened, call in re.findall(rf"(^\s*|\$\(){tool} (.*)$", line):
            yield shlex.split(call.rpartition(")")[0] if opened == "$(" else call, comments=True)
