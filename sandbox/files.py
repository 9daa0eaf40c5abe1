"""Files that are whole or not there, and locks that say who holds them."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Version = tuple[int, int]
_REMOVERS = 8


def version(path: Path) -> Version | None:
    """What tells a file that `write` wrote from the one before it and the one after; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def write(path: Path, content: str | bytes, *, mode: int = 0o644) -> None:
    """Write a file by a temporary one and a rename, so that an interruption leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def own_folder(path: Path) -> None:
    """Make a folder that only this user enters (0700), also one that was there: what is in it may be of any mode."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, by several threads: a busy disk keeps each waiting."""
    folders, removing = [], []
    with ThreadPoolExecutor(_REMOVERS) as pool:
        for root, inner, names in os.walk(folder, topdown=False):
            links = [name for name in inner if Path(root, name).is_symlink()]
            removing.append(pool.submit(_unlink, root, [*names, *links]))
            folders.append(root)
    for each in removing:
        each.result()
    for root in folders:  # innermost first
        Path(root).rmdir()


def _unlink(folder: str, names: list[str]) -> None:
    for name in names:
        Path(folder, name).unlink()


@contextmanager
def lock(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold a lock; who has to wait is told for which process. The kernel frees it when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = path.with_name(path.name + ".owner")
    held = FileLock(path)
    try:
        held.acquire(blocking=False)
    except Timeout:
        holder = owner.read_text(encoding="utf-8").strip() if owner.exists() else "unknown"
        say(f"waiting for process {holder}, which holds {path.name}")
        held.acquire()
    try:
        write(owner, f"{os.getpid()}\n")
        yield
    finally:
        owner.unlink(missing_ok=True)
        held.release()
