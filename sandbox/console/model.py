"""What a page is made of: tables of cells, each a text; the template escapes every one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Ask = Callable[..., Any]
"""`ask(method, path, body=None)`: Azure DevOps' answer, below the project, or with a first `/` the organisation."""
_TONES = {
    "good": ("succeeded", "approved", "active", "complete", "COMPLETE"),
    "bad": ("failed", "rejected", "broken", "CRITICAL", "HIGH", "FAILED"),
    "waits": ("queued", "pending", "inProgress", "running", "notStarted", "partiallySucceeded", "succeededWithIssues"),
}
_TONE_OF = {state: tone for tone, states in _TONES.items() for state in states}

_WORD = re.compile(r"(?<=[a-z])[A-Z]")


class UnansweredError(Exception):
    """A service that gives no answer, or refuses; the message says which, and why."""


@dataclass(frozen=True)
class Cell:
    """A text of a table. href: a path of the console. tone: good, bad, waits or none. code: an identifier."""

    text: str
    href: str = ""
    tone: str = ""
    code: bool = False


@dataclass(frozen=True)
class Table:
    """A table under a heading. empty: said without rows. note: said before it.

    approvals: those that a person can answer here, each by its id and what it is for.
    """

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = "Nothing yet."
    note: str = ""
    approvals: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Page:
    """One page. live: it is asked for again while something goes on. text: shown as it is, such as a log.

    back: the page above, as a link. facts: what is told before the tables, name by name.
    """

    title: str
    tables: Sequence[Table] = ()
    text: str | None = None
    live: bool = False
    back: Cell | None = None
    facts: Sequence[tuple[str, Cell]] = ()


def row(*cells: object) -> list[Cell]:
    """A row: a cell as it is, anything else as its text, None as an empty one."""
    return [one if isinstance(one, Cell) else Cell("" if one is None else str(one)) for one in cells]


def state(text: object) -> Cell:
    """A state or a severity in words (`inProgress`: in progress), coloured as what it means."""
    return Cell(_WORD.sub(lambda found: f" {found[0].lower()}", str(text)), tone=_TONE_OF.get(str(text), ""))


def when(moment: object) -> str:
    """A moment in UTC, to the second: of a datetime with a zone, or of a text of ISO 8601; empty for none."""
    if not moment:
        return ""
    found = moment if isinstance(moment, datetime) else datetime.fromisoformat(str(moment))
    return found.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def lasted(began: object, ended: object) -> str:
    """The time between two moments (texts of ISO 8601) as `1 h 02 min`, `3 min 05 s` or `4.2 s`; empty without both."""
    if not began or not ended:
        return ""
    seconds = (datetime.fromisoformat(str(ended)) - datetime.fromisoformat(str(began))).total_seconds()
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s"


def minutes(number: int) -> str:
    """A number of minutes in its largest whole unit."""
    for size, unit in ((1440, "day"), (60, "hour"), (1, "minute")):
        if number % size == 0:
            count = number // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    raise AssertionError(number)
