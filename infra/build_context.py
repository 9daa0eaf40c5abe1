"""The Docker build's context, normalised: the same commit gives the same files, modes and digest on every machine.

The provider hashes names, modes and contents of the folder that it is given. A umask, another checkout or a leftover
file would so look like a change; what it gets is therefore a copy of the files that count, with fixed modes, in a
folder that is named after its content and so has the same path everywhere.
"""

import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pulumi

from infra.dockerignore import Ignore, IgnoreError, Matched
from infra.suspects import suspicious

_STORE = PurePosixPath(".build/context")
_NEVER = frozenset({".git", ".pulumi", ".sandbox", ".venv"})
"""Folders, and files of this name, that no build gets, whatever the ignore file says: history, state, keys, tools."""
_STACK_FILE = re.compile(r"Pulumi\..+\.(ya?ml|json)")
_SHOWN = 10  # paths in a warning
_LINK_LIMIT = 40  # links on one way, as the kernel's own, see path_resolution(7)
_STALE_SECONDS = 24 * 60 * 60
"""A copy that no run has used for this long is removed; no run takes longer."""


class BuildContextError(pulumi.RunError):
    """The files cannot be a build context; the message names the file, the rule and the remedy."""


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """A normalised copy; the paths are relative to the project's folder, with /, and the same in every checkout."""

    path: str
    dockerfile: str
    digest: str
    """SHA-256 over names, modes and contents, in hex."""


@dataclass(frozen=True)
class _Entry:
    path: str
    """Relative to the context, with /."""
    executable: bool
    link: str | None
    """Target of a symbolic link, None for a file."""


def prepare_context(project: Path, *, folder: str, dockerfile: str) -> BuildContext:
    """Copies `folder` of `project`, without what its ignore file excludes, and says where the copy is.

    The ignore file is the one named after the Dockerfile, beside it, else .dockerignore. Only a file's content and its
    owner's execute bit count, as in git. Files that look like secrets are a warning.

    Raises `BuildContextError` for a missing folder or Dockerfile, a link that leaves the context or leads nowhere,
    anything but files, folders and links, names that are not UTF-8 (BuildKit's protocol has no others), what cannot be
    read or written, and an ignore file that cannot be read.
    """
    project = project.resolve()
    source = _source(project, folder, dockerfile)
    dockerfile = PurePosixPath(dockerfile).as_posix()
    try:
        files = _Files.of(source, project, dockerfile)
        entries = sorted(files.entries(), key=lambda entry: entry.path)
    except IgnoreError as error:
        raise BuildContextError(str(error)) from None
    entries = _read_once(source, entries, dockerfile)
    _check_links(entries, files.ignore_name)
    suspects = suspicious(source, [entry.path for entry in entries if entry.link is None])
    if suspects:
        shown = ", ".join(suspects[:_SHOWN]) + (f" and {len(suspects) - _SHOWN} more" * (len(suspects) > _SHOWN))
        pulumi.log.warn(f"the build context holds what looks like a secret: {shown}; add it to {files.ignore_name}")

    store = project / _STORE
    with _writing(store):
        store.mkdir(parents=True, exist_ok=True)
        (store.parent / ".gitignore").write_text("*\n")
        copy = Path(tempfile.mkdtemp(prefix="new-", dir=store))
        try:
            _copy(source, copy, entries, files.remedy)
            digest = _digest(copy)
            final = store / digest[:12]
            _put_in_place(copy, final, digest)
        finally:
            shutil.rmtree(copy, ignore_errors=True)
        _remove_stale(store, keep=final)
    path = _STORE / final.name
    return BuildContext(path=str(path), dockerfile=str(path / dockerfile), digest=digest)


def _source(project: Path, folder: str, dockerfile: str) -> Path:
    """Where the context is, at the end of all links. Raises `BuildContextError` where it cannot be one."""
    with _reading(folder, "let this user read it, or change app-one:buildContext"):
        source = project / folder
        if not source.is_dir() or not (source := source.resolve()).is_relative_to(project):
            raise BuildContextError(
                f"app-one:buildContext = {json.dumps(folder)}: must be a folder of the project; for example ."
            )
        within = source.relative_to(project).parts
        if _NEVER.intersection(within) or within[:1] == _STORE.parts[:1]:
            raise BuildContextError(
                f"app-one:buildContext = {json.dumps(folder)}: the files of {'/'.join(within)} never reach a build; "
                "for example ."
            )
        if not (source / dockerfile).is_file():
            raise BuildContextError(
                f"app-one:dockerfile = {json.dumps(dockerfile)}: must be a file of app-one:buildContext, which is "
                f"{json.dumps(folder)}; for example Dockerfile"
            )
    return source


@contextmanager
def _reading(name: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BuildContextError(f"{_shown(name)} cannot be read ({reason}); {remedy}") from None


@contextmanager
def _writing(store: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BuildContextError(
            f"{error.filename or store} cannot be written ({reason}); the build context is copied to {_STORE} of the "
            "project: let this user write there, with room for the copy"
        ) from None


@dataclass(frozen=True)
class _Files:
    """The files of a context that a build gets."""

    source: Path
    project: Path
    dockerfile: str
    ignore: Ignore
    ignore_name: str
    """The one that is read, or would be."""

    @classmethod
    def of(cls, source: Path, project: Path, dockerfile: str) -> "_Files":
        """Raises `IgnoreError`."""
        for name in (f"{dockerfile}.dockerignore", ".dockerignore"):
            ignore = Ignore.of(source, name)
            if ignore:
                return cls(source, project, dockerfile, ignore, name)
        return cls(source, project, dockerfile, Ignore(""), ".dockerignore")

    def entries(self) -> Iterator[_Entry]:
        """The files and links that count; folders follow from them, since git keeps no empty ones."""
        return self._walk(self.source, ())

    def _walk(self, folder: Path, above: Matched, *, excluded: bool = False) -> Iterator[_Entry]:
        within = folder.relative_to(self.source).as_posix()
        try:
            with _reading(within, self.remedy(within)), os.scandir(folder) as found:
                items = list(found)
        except BuildContextError:
            if excluded and not self.dockerfile.startswith(f"{within}/"):  # only an exception could bring back anything
                return
            raise
        for item in items:
            path = Path(item.path)
            name = path.relative_to(self.source).as_posix()
            if self._never(path):
                continue
            out, matched = self.ignore.judge(name, above)
            if item.is_dir(follow_symlinks=False):
                if not out or self.ignore.may_return(name) or self.dockerfile.startswith(f"{name}/"):
                    yield from self._walk(path, matched, excluded=out)
            elif name == self.dockerfile or not out:
                yield self._entry(path, name)

    def _never(self, path: Path) -> bool:
        if path.parent == self.project and path.name == _STORE.parts[0]:
            return True
        return path.name in _NEVER or bool(_STACK_FILE.fullmatch(path.name))

    def _entry(self, path: Path, name: str) -> _Entry:
        with _reading(name, self.remedy(name)):
            mode = path.lstat().st_mode
            link = path.readlink().as_posix() if stat.S_ISLNK(mode) else None
        if not _is_utf8(name):
            raise BuildContextError(
                f"{_shown(name)} has a name that is not UTF-8; rename it or add it to {self.ignore_name}"
            )
        if link is None and not stat.S_ISREG(mode):
            raise BuildContextError(f"{name} is no file, folder or link; remove it or add it to {self.ignore_name}")
        return _Entry(name, executable=link is None and bool(mode & stat.S_IXUSR), link=link)

    def remedy(self, name: str) -> str:
        """What to do where `name` cannot be read."""
        needed = name == "." or name == self.dockerfile or self.dockerfile.startswith(f"{name}/")
        return "let this user read it" + ("" if needed else f", or add it to {self.ignore_name}")


def _read_once(source: Path, entries: list[_Entry], dockerfile: str) -> list[_Entry]:
    """The entries without an ignore file that would take more of them away: the docker provider reads the copy's anew.

    That one may be another than the one that was read here, and the provider reads it by the classic builder's rules.
    """
    for name in (f"{dockerfile}.dockerignore", ".dockerignore"):
        if any(entry.path == name for entry in entries):
            try:
                ignore = Ignore.of(source, name)
            except IgnoreError:
                ignore = None
            # The provider itself lets in what the build cannot do without.
            if ignore and not any(ignore.archive_lacks(each.path) for each in entries if each.path != dockerfile):
                break
            entries = [entry for entry in entries if entry.path != name]
    return entries


def _is_utf8(name: str) -> bool:
    """Whether a name is text: other bytes come from the system as lone surrogates (PEP 383)."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _shown(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _check_links(entries: list[_Entry], ignore_name: str) -> None:
    """Every link has to lead to something that is in the copy too."""
    links = {entry.path: entry.link for entry in entries if entry.link is not None}
    files = {entry.path for entry in entries if entry.link is None}
    folders = {str(parent) for path in links.keys() | files for parent in PurePosixPath(path).parents}
    for path, link in links.items():
        fault = _fault(path, links, files, folders)
        if fault:
            raise BuildContextError(
                f"{path} links to {_shown(link)}, {fault}; point it to a file of the context, or add it to "
                f"{ignore_name}"
            )


def _fault(path: str, links: dict[str, str], files: set[str], folders: set[str]) -> str | None:
    """Why a link does not lead to one of `files` or `folders`, followed step by step as in path_resolution(7)."""
    if not _is_utf8(links[path]):
        return "which is not UTF-8"
    if links[path].startswith("/"):
        return "an absolute path"
    at: list[str] = []
    ahead = list(reversed(PurePosixPath(path).parts))
    followed = 0
    while ahead:
        step = ahead.pop()
        if step == "..":
            if not at:
                return "which is outside the build context"
            at.pop()
            continue
        here = "/".join([*at, step])
        if here in links:
            followed += 1
            if followed > _LINK_LIMIT:
                return "which leads in a circle"
            if links[here].startswith("/"):
                return "which is outside the build context"
            ahead += reversed(PurePosixPath(links[here]).parts)
        elif here in folders or (here in files and not ahead):
            at.append(step)
        else:
            return "which the context does not have"
    return None


def _copy(source: Path, copy: Path, entries: list[_Entry], remedy: Callable[[str], str]) -> None:
    """Copies with fixed modes and times: the times end up in the image's layers."""
    for entry in entries:
        target = copy / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if entry.link is not None:
            target.symlink_to(entry.link)
        else:
            with _reading(entry.path, remedy(entry.path)):
                content = (source / entry.path).open("rb")
            with content, target.open("wb") as written:
                shutil.copyfileobj(content, written)
            target.chmod(0o755 if entry.executable else 0o644)
        os.utime(target, (0, 0), follow_symlinks=False)
    for folder, _, _ in os.walk(copy, topdown=False):
        Path(folder).chmod(0o755)
        # The own time of the copy is no part of the build: it tells other runs, at any moment, when it was last used.
        if Path(folder) != copy:
            os.utime(folder, (0, 0))


def _digest(folder: Path) -> str:
    """SHA-256 of what the Docker build can see of `folder`: names, modes and contents."""
    lines = []
    for parent, folders, names in os.walk(folder):
        for path in (Path(parent) / name for name in folders + names):
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                continue
            content = os.fsencode(path.readlink()) if stat.S_ISLNK(mode) else path.read_bytes()
            shown = "link" if stat.S_ISLNK(mode) else f"{mode:o}"
            name = path.relative_to(folder).as_posix()
            lines.append(f"{shown} {hashlib.sha256(content).hexdigest()} {name}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _put_in_place(copy: Path, final: Path, digest: str) -> None:
    """Renames `copy` to `final`, so that no run ever sees half a copy; one that is there already is kept in use."""
    if final.exists():
        if _digest(final) == digest:
            os.utime(final)
            return
        shutil.rmtree(final)  # somebody wrote into it
    try:
        copy.rename(final)
    except OSError:
        # Another run with the same content was quicker.
        if _digest(final) != digest:
            raise


def _remove_stale(store: Path, *, keep: Path) -> None:
    for path in store.iterdir():
        with suppress(FileNotFoundError):  # another run removes it too
            if path != keep and time.time() - path.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(path)
