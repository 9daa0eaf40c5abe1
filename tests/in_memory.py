"""The tests' folders are in memory, where the machine has enough of it; else on disk, as pytest has them.

A run makes some hundred thousand files that live for seconds: the packages of every job of the pipeline, the layers of
every image, the states of every stack. On disk they cost a tenth of all CPU, and each of thousands of small writes
waits until it is safe, which nobody needs here.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Path("/dev/shm")  # noqa: S108 (the place of POSIX shared memory on Linux, a file system in memory)
NEEDED = 12 * 1024**3
"""Bytes of memory, free or soon to be, from which on it is used: three times what a run takes."""
_PREFIX = "app-one-tests-"
_held: list[int] = []
"""The lock of this process's folder. The kernel frees it when the process ends, however it ends."""


def folder(memory: Path = MEMORY, needed: int = NEEDED) -> Path | None:
    """A new folder in memory for this process, or None where there is too little, or programs may not run from it.

    What a run that was killed has left there is removed first, unless a process that it started still runs.
    """
    if not memory.is_dir():
        return None
    for left in memory.glob(f"{_PREFIX}*"):
        if _lock(left):
            try:
                if not _in_use(left):
                    remove(left)
            finally:
                os.close(_held.pop())
    place = os.statvfs(memory)
    if min(place.f_bavail * place.f_frsize, _available()) < needed or place.f_flag & (os.ST_NOEXEC | os.ST_RDONLY):
        return None
    while True:
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=memory))
        if _lock(made):  # else another run that begins has taken it for one that was left
            return made


def remove(*folders: Path) -> None:
    """Remove folders of many files: by `rm`, which takes a tenth of the CPU that Python does."""
    if folders:
        subprocess.run(["rm", "--recursive", "--force", "--", *folders], check=True)


def _in_use(folder: Path) -> bool:
    """Whether the command of a process names the folder, as those of a sandbox's services do."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            if os.fsencode(folder) in command.read_bytes():
                return True
    return False


def _available() -> int:
    """Bytes that could be had without swapping (proc_meminfo(5)), at most what the control groups allow in all."""
    lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return min([*sizes, *_limits()], default=0)


def _limits() -> Iterator[int]:
    """Those of this process's control groups and of all around them (cgroups(7)), of either version."""
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            top = Path("/sys/fs/cgroup", controllers)
            own = top / path.lstrip("/")
            for group in [own, *own.parents]:
                for name in ("memory.max", "memory.limit_in_bytes"):
                    with suppress(OSError, ValueError):  # no such file, or "max"
                        yield int((group / name).read_text(encoding="utf-8"))


def _lock(folder: Path) -> bool:
    """Whether the folder is now this process's: it is there, of this user, and no other process holds it."""
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = folder.exists()
    except BlockingIOError:
        there = False
    if there:
        _held.append(opened)
    else:
        os.close(opened)
    return there
