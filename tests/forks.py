"""A fork server of a test's own, and the command of a client of it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sandbox import fork_client
from tests.workstation import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVER = ("-m", "sandbox.fork_server")


@contextmanager
def serving(
    folder: Path, started: tuple[str, ...] = SERVER, path: str = "", ends: tuple[int, ...] = (0,)
) -> Iterator[tuple[Path, int]]:
    """A server's socket and process id.

    started: what Python is to run, in place of the server as it is; path: a folder more that it imports from; ends: the
    statuses that it may end with.
    """
    socket = folder / ("x" * 120) / "socket"  # longer than an address of a socket may be
    socket.parent.mkdir(parents=True)
    ready, write = os.pipe()
    command = [sys.executable, "-P", "-u", *started, "--socket", str(socket), "--ready-fd", str(write)]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, (str(CHECKOUT), path))), "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(command, pass_fds=[write], env=environment) as process:
        os.close(write)
        with os.fdopen(ready) as pipe:
            assert pipe.readline() == "ready\n"
        try:
            yield socket, process.pid
        finally:
            process.terminate()
    assert process.returncode in ends


def command(socket: Path, module: str, *arguments: str) -> list[str]:
    """What the script of a plugin runs."""
    return [sys.executable, "-I", "-S", fork_client.__file__, str(socket), module, *arguments]
