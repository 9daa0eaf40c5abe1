"""Progress on standard error: one line a step, with its time where it took over a second."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOLD, _DIM, _OFF = "\033[1m", "\033[2m", "\033[0m"


def _colour(text: str, code: str) -> str:
    return f"{code}{text}{_OFF}" if sys.stderr.isatty() else text


_lock = threading.Lock()
_last = ""
"""The line that a terminal shows last, and that is written anew."""


def say(text: str) -> None:
    """Print one line of progress."""
    with _lock:
        if _last:
            print("\r\033[K", end="", file=sys.stderr)
        print(_colour("  " + text, _DIM), file=sys.stderr, flush=True)
        print(_last, end="", file=sys.stderr, flush=True)


class Share:
    """How much of something long is done: on a terminal one line that is written anew, else a line each tenth."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total, self._done = title, max(total, 1), 0

    def one_more(self) -> None:
        """Another part is done."""
        before, self._done = self._done, self._done + 1
        text = f"{self._title}: {self._done} of {self._total}"
        if sys.stderr.isatty():
            self._show(_colour("  " + text, _DIM))
        elif before * 10 // self._total != self._done * 10 // self._total:
            say(text)

    def over(self) -> None:
        """All is done, or failed: the line of a terminal goes."""
        if sys.stderr.isatty():
            self._show("")

    def _show(self, text: str) -> None:
        global _last  # noqa: PLW0603 (a terminal has one last line)
        with _lock:
            _last = text
            print(f"\r\033[K{_last}", end="", file=sys.stderr, flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step, and say how long it took if that was over a second."""
    with _lock:
        print(_colour(title, _BOLD), file=sys.stderr, flush=True)
    started = time.monotonic()
    yield
    seconds = time.monotonic() - started
    if seconds > 1:
        say(f"{seconds:.1f} s")
