"""Run a step's process as the agent does: output line by line, and on cancel SIGINT, SIGTERM, SIGKILL to the process.

The signals go to the one process that the agent started, not to its group: a shell that waits for a child does not pass
them on. Processes that outlive their job are found by a mark in their environment and killed when the job ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

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
    patience: tuple[float, float],
) -> int:
    """Run a process to its end and give its exit code (negative: the signal that ended it).

    cancellation: None for a step that runs although the job was cancelled.
    patience: seconds that SIGINT, then SIGTERM, is given before the next one.
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

    def stop() -> None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        later = ((patience[0], signal.SIGTERM), (sum(patience), signal.SIGKILL))
        timers.extend(threading.Timer(seconds, _signal, (process, number)) for seconds, number in later)
        for timer in timers:
            timer.daemon = True
            timer.start()

    if cancellation is not None:
        cancellation.listen(stop)
    handling = threading.Lock()
    reader = threading.Thread(target=_read, args=(process, on_line, handling), daemon=True)
    reader.start()
    code = process.wait()
    reader.join(AFTER_EXIT)
    while reader.is_alive() and handling.locked():
        # Nobody holds the pipe; a line is still being handled, and others may wait behind it.
        reader.join(AFTER_EXIT)
    if cancellation is not None:
        cancellation.listen(None)
    for timer in timers:
        timer.cancel()
    if not reader.is_alive() and process.stdout:
        process.stdout.close()
    return code


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    if process.poll() is None:
        process.send_signal(number)


def _read(process: subprocess.Popen[bytes], on_line: Callable[[str], None], handling: threading.Lock) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        with handling:
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
