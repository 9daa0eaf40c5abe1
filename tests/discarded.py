"""Folders of jobs that no test looks at any more: removed beside the unit tests, by a process of its own.

Not before: an ext4 without a journal, as many a virtual machine has, gives no inode of a removed file to another for
minutes, and looks at each of them whenever a file is made (`recently_deleted` in fs/ext4/ialloc.c). Beside removals a
job's environment costs twice the CPU.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
FOLDERS: list[Path] = []
"""Those that nobody removes yet."""
_SCRIPT = "import pathlib, sys; from sandbox import files; [files.remove(pathlib.Path(name)) for name in sys.argv[1:]]"
_removals: list[subprocess.Popen[bytes]] = []


def begin() -> None:
    """Begin to remove what there is."""
    if FOLDERS:
        command = [sys.executable, "-c", _SCRIPT, *map(str, FOLDERS)]
        # In a session of its own: an interrupt at the terminal is for the tests, which then wait for it.
        removal = subprocess.Popen(command, cwd=CHECKOUT, stderr=subprocess.PIPE, start_new_session=True)
        _removals.append(removal)
        FOLDERS.clear()


def finish() -> None:
    """Remove the rest, and wait for it. Raises RuntimeError where something cannot be removed."""
    begin()
    while _removals:
        removal = _removals.pop()
        _, error = removal.communicate()
        if removal.returncode:
            raise RuntimeError(f"the folders of jobs were not removed:\n{error.decode()}")
