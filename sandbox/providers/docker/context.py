"""A build context: its digest, as the real plugin computes it, and its archive for the engine."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from sandbox.providers.docker.ignore import Ignore, Matched

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABOVE = "../"


@dataclass(frozen=True)
class Entry:
    """A file, folder or link of the context."""

    name: str
    """Relative to the context, with /."""
    path: Path
    mode: int


def digest(context: Path, dockerfile: Path) -> str:
    """Compute ``contextDigest``: the Dockerfile, then each file that is not ignored, by name, mode and SHA-256.

    Because the mode counts, a chmod, another umask or another checkout changes it. A link is hashed by where it leads;
    one that leads nowhere silently ends the hashing of its folder: the real plugin's walk has it so.
    """
    whole = hashlib.sha256()
    whole.update(_record("Dockerfile", 0, _content(dockerfile)))
    for record in _records(context, Ignore.read(dockerfile, context), ""):
        whole.update(record)
    return whole.hexdigest()


def _records(context: Path, ignore: Ignore, folder: str, above: Matched = ()) -> Iterator[bytes]:
    for entry in _children(context, folder):
        excluded, matched = ignore.judge(entry.name, above)
        if stat.S_ISDIR(entry.mode):
            if not excluded or ignore.may_reinclude(entry.name):
                yield from _records(context, ignore, entry.name, matched)
        elif excluded:
            continue
        elif stat.S_ISLNK(entry.mode):
            try:
                target = _target(entry.path)
            except (FileNotFoundError, NotADirectoryError):
                return
            yield _record(entry.name, entry.mode, hashlib.sha256(target.encode()).digest())
        else:
            content = _content(entry.path) if stat.S_ISREG(entry.mode) else hashlib.sha256().digest()
            yield _record(entry.name, entry.mode, content)


def _children(context: Path, folder: str) -> list[Entry]:
    """List a folder in the order of its names' bytes."""
    with os.scandir(context / folder) as found:
        names = sorted((each.name for each in found), key=os.fsencode)
    children = []
    for name in names:
        path = context / folder / name
        children.append(Entry(f"{folder}/{name}" if folder else name, path, path.lstat().st_mode))
    return children


def _record(name: str, mode: int, content: bytes) -> bytes:
    return str(PurePosixPath(name)).encode() + _go_mode(mode).encode() + content + b"\0"


def _go_mode(mode: int) -> str:
    """Write a mode as Go does: a letter for each special bit, a hyphen if there is none, then nine for the rights."""
    kinds = {stat.S_IFLNK: "L", stat.S_IFIFO: "p", stat.S_IFSOCK: "S", stat.S_IFBLK: "D", stat.S_IFCHR: "Dc"}
    letters = kinds.get(stat.S_IFMT(mode), "")
    letters += "u" if mode & stat.S_ISUID else ""
    letters += "g" if mode & stat.S_ISGID else ""
    letters += "t" if mode & stat.S_ISVTX else ""
    rights = "".join(letter if mode & (1 << (8 - at)) else "-" for at, letter in enumerate("rwxrwxrwx"))
    return (letters or "-") + rights


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _target(link: Path) -> str:
    """Say where a link leads, relative where it and what it passes are, without a look at the current folder."""
    real, here = os.path.realpath(link, strict=True), os.path.realpath(os.curdir)
    if link.is_absolute() or not (real + os.sep).startswith(here + os.sep):
        return Path(real).as_posix()
    return Path(os.path.relpath(real, here)).as_posix()


def relative_dockerfile(context: Path, dockerfile: Path) -> str:
    """Return the Dockerfile's path from the context; it begins with ../ if it lies outside."""
    return Path(os.path.relpath(dockerfile.resolve(), context.resolve())).as_posix()


def archive(context: Path, dockerfile: Path, into: IO[bytes]) -> str:
    """Write the context as a tar archive of root's files; return the Dockerfile's name in it.

    A Dockerfile from outside the context is put in under a name that no file of it has.
    """
    name = relative_dockerfile(context, dockerfile)
    outside = name.startswith(_ABOVE)
    needed = (".dockerignore",) if outside else (".dockerignore", name)
    ignore = Ignore.read(dockerfile, context).including(*needed)
    with tarfile.open(fileobj=into, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add_folder(tar, context, ignore, "")
        if outside:
            content = hashlib.sha256(dockerfile.read_bytes()).hexdigest()[:20]
            name = f".dockerfile.{content}"
            tar.add(dockerfile, arcname=name, filter=_roots)
    return name


def _add_folder(tar: tarfile.TarFile, context: Path, ignore: Ignore, folder: str, above: Matched = ()) -> None:
    for entry in _children(context, folder):
        excluded, matched = ignore.judge(entry.name, above)
        if not excluded:
            tar.add(entry.path, arcname=entry.name, recursive=False, filter=_roots)
        if stat.S_ISDIR(entry.mode) and (not excluded or ignore.may_reinclude(entry.name, archive=True)):
            _add_folder(tar, context, ignore, entry.name, matched)


def _roots(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = int(member.mtime)
    return member
