"""Logging commands: `##vso[area.action key=value;...]value` in a line of a step's output.

Source: https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# The agent looks for the mark anywhere in a line, not at its begin only.
_COMMAND = re.compile(r"##vso\[([\w.]+)(?:\s+([^\]]*))?\](.*)", re.IGNORECASE)
_ESCAPES = (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%AZP25", "%"))


@dataclass(frozen=True)
class Command:
    """One logging command; its name and the keys of its properties are in lower case."""

    name: str
    properties: Mapping[str, str]
    value: str


def find(line: str) -> Command | None:
    """The command in a line of output, if there is one."""
    match = _COMMAND.search(line)
    if match is None:
        return None
    pairs = (part.partition("=") for part in (match[2] or "").split(";") if part.strip())
    properties = {key.strip().lower(): _plain(value) for key, _, value in pairs}
    return Command(match[1].lower(), properties, _plain(match[3]))


def without_told_secrets(line: str) -> str:
    """The line without the value of a command that tells the agent of a secret; any other line as it is."""
    match, command = _COMMAND.search(line), find(line)
    if match is None or command is None:
        return line
    secret = command.properties.get("issecret", "").lower() == "true"
    if command.name == "task.setsecret" or (command.name == "task.setvariable" and secret):
        return line[: match.start(3)]
    return line


def _plain(text: str) -> str:
    for code, sign in _ESCAPES:
        text = text.replace(code, sign)
    return text
