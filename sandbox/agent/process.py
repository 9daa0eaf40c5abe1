"""Run a step's process as the agent does: output line by line, and on cancel one SIGTERM to the process.

The agent signals the process of the task (node): SIGINT, after PROCESS_SIGINT_TIMEOUT SIGTERM, then SIGKILL. The task
answers the first by one SIGTERM to the one process that it started, not to its group, and dies of the second: the step
is over then, whatever still runs, and the next one begins. A shell that waits for a child passes no signal on.
Processes that outlive their job are found by a mark in their environment and killed when the job ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

LOOKUP = "VSTS_PROCESS_LOOKUP_ID"
"""The variable by which the agent finds the processes of a job."""
AFTER_EXIT = 5.0
"""Seconds that output is still read for after the process ended, where a child of it keeps the pipe open."""


@dataclass
class Cancellation:
    """A request to stop that can be made from any thread, also from a hook that reads the output."""

    _event: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _listeners: list[Callable[[], None]] = field(default_factory=list)

    def request(self) -> None:
        """Ask; a second request changes nothing."""
        with self._lock:
            if self._event.is_set():
                return
            self._event.set()
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    @property
    def requested(self) -> bool:
        """Whether it was asked for."""
        return self._event.is_set()

    @contextmanager
    def heard(self, listener: Callable[[], None]) -> Iterator[None]:
        """Have a function called at the request while the block runs; at once where it was made already."""
        with self._lock:
            made = self._event.is_set()
            self._listeners.append(listener)
        if made:
            listener()
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    on_line: Callable[[str], None],
    on_error: Callable[[str], None] | None = None,
    cancellation: Cancellation,
    patience: float,
) -> int:
    """Run a process to its end, or until it is left, and give its exit code (negative: the signal that ended it).

    on_line: called with each line of both outputs, one at a time. on_error: with each line of the error output too.
    patience: seconds from the cancellation until the process is left to itself.
    """
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if on_error else subprocess.STDOUT,
        start_new_session=True,
    )
    timers: list[threading.Timer] = []
    over = threading.Event()
    left = threading.Event()

    def stop() -> None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        timers.append(threading.Timer(patience, leave))
        timers[0].daemon = True
        timers[0].start()

    def leave() -> None:
        left.set()
        over.set()

    def wait() -> None:
        process.wait()
        over.set()

    def line_of_errors(line: str) -> None:
        on_line(line)
        if on_error:
            on_error(line)

    threading.Thread(target=wait, daemon=True).start()
    handling = threading.Lock()
    pipes = [(pipe, hear) for pipe, hear in ((process.stdout, on_line), (process.stderr, line_of_errors)) if pipe]
    readers = [threading.Thread(target=_read, args=(pipe, hear, handling, left), daemon=True) for pipe, hear in pipes]
    with cancellation.heard(stop):
        for reader in readers:
            reader.start()
        over.wait()
        code = process.poll()
        if code is None:
            code = -signal.SIGTERM
        else:
            for reader in readers:
                reader.join(AFTER_EXIT)
                while reader.is_alive() and handling.locked():
                    # Nobody holds the pipe; a line is still being handled, and others may wait behind it.
                    reader.join(AFTER_EXIT)
    for timer in timers:
        timer.cancel()
    return code


def _read(output: IO[bytes], on_line: Callable[[str], None], handling: threading.Lock, left: threading.Event) -> None:
    with output:
        for line in output:
            with handling:
                if not left.is_set():
                    on_line(line.decode(errors="replace").rstrip("\r\n"))


def kill_orphans(mark: str) -> list[str]:
    """Kill every process whose environment holds the job's mark; give their command lines."""
    killed = []
    wanted = f"{LOOKUP}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                os.kill(int(folder.name), signal.SIGKILL)
                killed.append(command.strip())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended meanwhile, or is another user's
    return killed
