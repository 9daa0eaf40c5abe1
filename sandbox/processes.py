"""Processes of the sandbox: started once, known by id and start time, stopped by id alone."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sandbox.errors import SandboxError
from sandbox.files import write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

START_LIMIT = 300.0
"""Seconds that a process may take to serve; one that ends is noticed at once, so only a hanging one waits so long."""
_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp
STOP_LIMIT = 15.0
KILL_LIMIT = 60.0


class Ready(Protocol):
    """How a process says that it serves."""

    def prepare(self, argv: list[str], env: dict[str, str]) -> tuple[int, ...]:
        """Change the command or its environment; return the descriptors that the child keeps."""

    def wait(self, pid: int, pidfd: int, limit: float) -> bool:
        """Wait until it serves: False when it ended, or the limit (seconds) is over."""


@dataclass
class ReadyPipe:
    """Our own services: they write `ready` to the descriptor that `--ready-fd` names."""

    _read: int = field(default=-1, init=False)
    _write: int = field(default=-1, init=False)

    def prepare(self, argv: list[str], env: dict[str, str]) -> tuple[int, ...]:  # noqa: ARG002 (protocol)
        self._read, self._write = os.pipe()
        argv += ["--ready-fd", str(self._write)]
        return (self._write,)

    def wait(self, pid: int, pidfd: int, limit: float) -> bool:  # noqa: ARG002 (the pipe closes when the process ends)
        os.close(self._write)
        with os.fdopen(self._read) as pipe:
            readable, _, _ = select.select([pipe], [], [], limit)
            return bool(readable) and pipe.readline() == "ready\n"


@dataclass
class ReadyPort:
    """A foreign server without a signal of its own: it serves when it listens on its TCP port of 127.0.0.1.

    That it does is read from /proc, since a connection could as well be answered by another process.
    """

    port: int

    def prepare(self, argv: list[str], env: dict[str, str]) -> tuple[int, ...]:  # noqa: ARG002 (protocol)
        return ()

    def wait(self, pid: int, pidfd: int, limit: float) -> bool:
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if self.port in listening(pid):
                return True
            ended, _, _ = select.select([pidfd], [], [], 0.02)
            if ended:
                return False
        return False


def listening(pid: int) -> set[int]:
    """The TCP ports on which a process listens, see proc(5)."""
    sockets = set()
    with suppress(FileNotFoundError, ProcessLookupError):  # it ends, or closes a file, while it is looked at
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                sockets.add(str(descriptor.readlink()))
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text(encoding="utf-8").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and f"socket:[{fields[9]}]" in sockets:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def lives(pid: int) -> bool:
    """Whether a process runs: one that has ended and is not reaped, a zombie, does not."""
    return _start_time(pid) is not None


def _start_time(pid: int) -> str | None:
    """Field 22 of /proc/PID/stat: with the id it names one process, though ids are used again. None when it ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


@dataclass
class Starting:
    """A process that was started and may not serve yet."""

    name: str
    process: subprocess.Popen[bytes]
    ready: Ready
    log: Path
    record: Path

    def wait(self) -> None:
        """Return when it serves; else stop it and raise SandboxError with the end of its log."""
        pidfd = os.pidfd_open(self.process.pid)
        try:
            serves = self.ready.wait(self.process.pid, pidfd, START_LIMIT)
        finally:
            os.close(pidfd)
        if serves:
            known = json.loads(self.record.read_text(encoding="utf-8"))
            write(self.record, json.dumps({**known, "serves": True}))
        else:
            stop(self.record.parent, self.name)
            tail = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
            raise SandboxError(
                f"{self.name} did not start; the end of {self.log}:\n  "
                + "\n  ".join(tail)
                + "\n(if another program has taken its port, `python -m sandbox down` and `up` choose new ones)"
            )


def start(
    name: str, argv: Sequence[str], *, run: Path, logs: Path, ready: Ready, env: Mapping[str, str] | None = None
) -> Starting | None:
    """Start a process in a session of its own, unless it serves already (then None). Its id is kept in run/NAME.json.

    One that runs, but was never seen to serve, is of a starter that was killed: it is ended and started anew.
    """
    if serving(run, name) is not None:
        return None
    stop(run, name, at_once=True)
    run.mkdir(parents=True, exist_ok=True)
    logs.mkdir(parents=True, exist_ok=True)
    command, environment = list(argv), dict(os.environ if env is None else env)
    kept = ready.prepare(command, environment)
    log = logs / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=kept,
        )
    record = run / f"{name}.json"
    write(record, json.dumps({"pid": process.pid, "started": _start_time(process.pid), "argv": command}))
    return Starting(name, process, ready, log, record)


def pid(run: Path, name: str) -> int | None:
    """The id of the running process NAME, or None."""
    record = run / f"{name}.json"
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return int(known["pid"]) if known["started"] and _start_time(known["pid"]) == known["started"] else None


def serving(run: Path, name: str) -> int | None:
    """The id of the running process NAME if whoever started it has seen it serve, or None."""
    running = pid(run, name)
    if running is None or not json.loads((run / f"{name}.json").read_text(encoding="utf-8")).get("serves"):
        return None
    return running


def stop(run: Path, *names: str, at_once: bool = False) -> list[str]:
    """Stop processes together: SIGTERM, and SIGKILL for those that are not gone after a limit; which of them ran.

    at_once: SIGKILL, for what has nothing to save.
    """
    running, handles = {}, {}
    for name in names:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            if (found := pid(run, name)) is not None:
                running[name], handles[name] = found, os.pidfd_open(found)
    try:
        left = set(handles.values())
        for number, limit in ((signal.SIGTERM, STOP_LIMIT), (signal.SIGKILL, KILL_LIMIT))[at_once:]:
            for handle in left:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, number)
            left = _living(left, limit)
        for name, handle in handles.items():
            if handle in left:
                raise SandboxError(f"{name}, process {running[name]}, was killed and does not end: the system holds it")
    finally:
        for handle in handles.values():
            os.close(handle)
    for name in names:
        if name in running:
            with suppress(ChildProcessError):  # started by an earlier command: its parent reaps it
                os.waitpid(running[name], os.WNOHANG)
        (run / f"{name}.json").unlink(missing_ok=True)
    return list(running)


def _living(handles: set[int], limit: float) -> set[int]:
    """Those of some processes that have not ended after a limit (seconds)."""
    left, deadline = set(handles), time.monotonic() + limit
    while left and (rest := deadline - time.monotonic()) > 0:
        ended, _, _ = select.select(left, [], [], rest)
        left -= set(ended)
    return left
