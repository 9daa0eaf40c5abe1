"""Progress on standard error: one line a step, with its time where it took over a second."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOLD, _DIM, _OFF = "\033[1m", "\033[2m", "\033[0m"


def _colour(text: str, code: str) -> str:
    return f"{code}{text}{_OFF}" if sys.stderr.isatty() else text


def say(text: str) -> None:
    """Print one line of progress."""
    print(_colour("  " + text, _DIM), file=sys.stderr, flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step, and say how long it took if that was over a second."""
    print(_colour(title, _BOLD), file=sys.stderr, flush=True)
    started = time.monotonic()
    yield
    seconds = time.monotonic() - started
    if seconds > 1:
        say(f"{seconds:.1f} s")
