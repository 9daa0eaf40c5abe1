"""How the program ends when it cannot go on: the sentence that helps is the last that a person reads."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pulumi

ALREADY_TOLD = 32
"""Exit status by which the language host knows that the error has been read. After any other one it adds an error of
its own below: that the program exited with that status."""


@contextmanager
def errors_told() -> Iterator[None]:
    """Ends the program at a `pulumi.RunError`, whose message is then the last error that is printed."""
    try:
        yield
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        sys.exit(ALREADY_TOLD)


def end_quietly_at_interrupts() -> None:
    """When a resource has failed, the language host interrupts the program: Python's traceback of that helps nobody.

    The process ends at once; all that it could still do is wait for an engine that does not answer any more.
    """
    signal.signal(signal.SIGINT, lambda *_: os._exit(ALREADY_TOLD))
