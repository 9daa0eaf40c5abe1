"""What a person sees of a run: each step as it begins and ends, with its time; plain lines without a terminal."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from azure_pipelines.conditions import CANCELED, FAILED, SKIPPED, SUCCEEDED, WITH_ISSUES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import Console
    from rich.status import Status

    from sandbox.agent.results import StepResult

MARKS = {SUCCEEDED: "ok", WITH_ISSUES: "issues", FAILED: "FAILED", SKIPPED: "skipped", CANCELED: "canceled"}
COLOURS = {SUCCEEDED: "green", WITH_ISSUES: "yellow", FAILED: "red", SKIPPED: "dim", CANCELED: "yellow"}
LAST = 15
"""Lines of a failed step's log that are shown."""


@dataclass
class Screen:
    """One terminal, or one log."""

    console: Console
    _status: Status | None = None
    _began: float = 0.0
    _place: str = ""
    _times: dict[str, float] = field(default_factory=dict)

    @classmethod
    def make(cls) -> Screen:
        """The screen of this process."""
        from rich.console import Console

        return cls(Console(highlight=False, markup=False, soft_wrap=True))

    def say(self, line: str) -> None:
        """A line."""
        self.console.print(line)

    def page(self, text: str) -> None:
        """A Markdown page."""
        if not self.console.is_terminal:
            self.say(text)
            return
        from rich.markdown import Markdown

        self.console.print(Markdown(text))

    def began(self, stage: str, job: str, title: str) -> None:
        """A step has begun."""
        self._began = time.monotonic()
        if self._place != f"{stage} / {job}":
            self._place = f"{stage} / {job}"
            self.say(self._place)
        if self.console.is_terminal:
            self._status = self.console.status(f"{title} ...")
            self._status.start()

    def ended(self, row: StepResult) -> None:
        """A step has ended."""
        if self._status is not None:
            self._status.stop()
            self._status = None
        seconds = time.monotonic() - self._began
        shown = f"{seconds:6.1f} s" if row.result != SKIPPED else " " * 8
        self.console.print(
            f"  {MARKS.get(row.result, row.result):9}{shown}  {row.title}", style=COLOURS.get(row.result)
        )
        if row.result == FAILED:
            for line in row.log[-LAST:]:
                self.say(f"      | {line}")

    def stages(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """How each stage ended."""
        self.say("Stages: " + ", ".join(f"{row['identifier']} {row['result'] or row['state']}" for row in rows))

    def ask(self, question: str) -> str | None:
        """`approved` or `rejected` by a person at the terminal; None without one."""
        if not (self.console.is_terminal and sys.stdin.isatty()):
            return None
        while True:
            said = self.console.input(question).strip().lower()
            if said in ("y", "yes"):
                return "approved"
            if said in ("n", "no"):
                return "rejected"
