"""The sandbox's services and stand-ins as forks of one process that has imported them: most of a start is that.

Each worker of pytest-xdist has such a process, multiprocessing's fork server, from its first start on. A fork runs what
`python -m MODULE` runs, and is given what that is given; tests of the command itself start the command.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
import time
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.imported"])
_PLUGINS = "sandbox.providers."


class Fork:
    """A running fork of `python -m MODULE ARGUMENT...`; its methods are those of subprocess.Popen."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        log: Path | None = None,
    ) -> None:
        """folder: where it runs; environment: all of it; log: what it prints is added to it (None: standard error)."""
        reader, writer = _FORKS.Pipe(duplex=False)
        given = (module, list(arguments), str(folder), dict(environment), log and str(log), writer)
        self._process = _FORKS.Process(target=_run, args=given, daemon=True)
        self._process.start()
        writer.close()
        self.stdout: IO[str] = os.fdopen(os.dup(reader.fileno()))
        """What it says first: a service that it is ready, a plugin its port."""
        reader.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit status, or minus the number of the signal that ended it; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float = 300) -> int:
        """Its exit status, as soon as it has ended."""
        self._process.join(timeout)
        code = self.poll()
        assert code is not None, f"it has not ended in {timeout} s"
        self.stdout.close()
        return code


def _run(
    module: str, arguments: list[str], folder: str, environment: dict[str, str], log: str | None, said: Any
) -> None:
    """Be the process: in the fork."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    if module.startswith(_PLUGINS):
        from sandbox.providers import plugin

        main = plugin.entry(module.removeprefix(_PLUGINS))
        os.dup2(said.fileno(), 1)
    else:
        main = importlib.import_module(f"{module}.__main__").main
        arguments = [*arguments, "--ready-fd", str(os.dup(said.fileno()))]
    said.close()
    if log is not None:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
    sys.argv = [module, *arguments]
    sys.exit(main(arguments))
