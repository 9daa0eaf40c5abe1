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
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LOOKUP = "VSTS_PROCESS_LOOKUP_ID"
"""The variable by which the agent finds the processes of a job."""
AFTER_EXIT = 5.0
"""Seconds that output is still read for after the process ended, where a child of it keeps the pipe open."""


@dataclass
class Cancellation:
    """A request to stop that can be made from any thread, also from a hook that reads the output."""

    _event: threading.Event = field(default_factory=threading.Event)
    _listeners: list[Callable[[], None]] = field(default_factory=list)

    def request(self) -> None:
        """Ask; a second request changes nothing."""
        if not self._event.is_set():
            self._event.set()
            for listener in list(self._listeners):
                listener()

    @property
    def requested(self) -> bool:
        """Whether it was asked for."""
        return self._event.is_set()

    def listen(self, listener: Callable[[], None] | None) -> None:
        """Have a function called at the request (None: nobody)."""
        self._listeners = [listener] if listener else []


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    on_line: Callable[[str], None],
    cancellation: Cancellation | None,
    patience: float,
) -> int:
    """Run a process to its end, or until it is left, and give its exit code (negative: the signal that ended it).

    cancellation: None for a step that runs although the job was cancelled.
    patience: seconds from the cancellation until the process is left to itself.
    """
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
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

    threading.Thread(target=wait, daemon=True).start()
    if cancellation is not None:
        cancellation.listen(stop)
    handling = threading.Lock()
    output = process.stdout
    if output is None:
        raise TypeError("the process was started without a pipe")
    reader = threading.Thread(target=_read, args=(output, on_line, handling, left), daemon=True)
    reader.start()
    over.wait()
    code = process.poll()
    if code is None:
        code = -signal.SIGTERM
    else:
        reader.join(AFTER_EXIT)
        while reader.is_alive() and handling.locked():
            # Nobody holds the pipe; a line is still being handled, and others may wait behind it.
            reader.join(AFTER_EXIT)
    if cancellation is not None:
        cancellation.listen(None)
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
