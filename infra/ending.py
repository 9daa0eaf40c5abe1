"""How the program ends when it cannot go on: the sentence that helps is the last that a person reads."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import grpc
import pulumi
from pulumi.runtime.stack import wait_for_rpcs

ALREADY_TOLD = 32
"""Exit status by which the language host knows that the error has been read. After any other one it adds an error of
its own below: that the program exited with that status."""
_STOPPED = (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)


@contextmanager
def errors_told() -> Iterator[None]:
    """Ends the program at a `pulumi.RunError`, whose message is then the last error that is printed."""
    try:
        yield
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        _leave()


def end_quietly_with_the_engine() -> None:
    """When a resource has failed, the engine tells why, and stops. What the program was waiting for then fails, and the
    language host interrupts it: the tracebacks of both help nobody."""
    signal.signal(signal.SIGINT, lambda *_: _leave())
    pulumi.run(_wait)


async def _wait() -> None:
    try:
        await wait_for_rpcs()
    except Exception as error:
        if has_stopped(error):
            _leave()
        raise


def has_stopped(error: BaseException | None) -> bool:
    """Whether an error comes from an engine that does not answer any more."""
    while error is not None:
        if isinstance(error, grpc.RpcError) and error.code() in _STOPPED:
            return True
        error = error.__cause__ or error.__context__
    return False


def _leave() -> None:
    """Ends the process at once: the SDK would wait for the engine first, and could fail a second time at it."""
    for stream in (sys.stdout, sys.stderr):
        # A signal may come while the stream is being written (RuntimeError), or nobody reads it any more.
        with suppress(RuntimeError, OSError, ValueError):
            stream.flush()
    os._exit(ALREADY_TOLD)
