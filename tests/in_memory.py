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

MEMORY = Path("/dev/shm")  # noqa: S108 (the place of POSIX shared memory on Linux, a file system in memory)
NEEDED = 12 * 1024**3
"""Bytes of memory, free or soon to be, from which on it is used: three times what a run takes."""
_PREFIX = "app-one-tests-"
_held: list[int] = []
"""The lock of this process's folder. The kernel frees it when the process ends, however it ends."""


def folder(memory: Path = MEMORY, needed: int = NEEDED) -> Path | None:
    """A new folder in memory for this process, or None where there is too little, or programs may not run from it.

    What a run that was killed has left there is removed first.
    """
    if not memory.is_dir():
        return None
    for left in memory.glob(f"{_PREFIX}*"):
        with suppress(OSError, subprocess.CalledProcessError):  # of another user
            if _lock(left):
                remove(left)
                os.close(_held.pop())
    place = os.statvfs(memory)
    if min(place.f_bavail * place.f_frsize, _available()) < needed or place.f_flag & (os.ST_NOEXEC | os.ST_RDONLY):
        return None
    made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=memory))
    _lock(made)
    return made


def remove(*folders: Path) -> None:
    """Remove folders of many files: by `rm`, which takes a tenth of the CPU that Python does."""
    if folders:
        subprocess.run(["rm", "--recursive", "--force", "--", *folders], check=True)


def _available() -> int:
    """Bytes that could be had without swapping (proc_meminfo(5)), at most what the container may have."""
    lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    with suppress(OSError, ValueError):  # "max" where there is no limit
        sizes.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="utf-8")))
    return min(sizes, default=0)


def _lock(folder: Path) -> bool:
    """Whether the folder is now this process's."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(opened)
        return False
    _held.append(opened)
    return True
