"""Bare git repositories on disk, one for each repository of the service, by the git that README asks for."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ZERO = "0" * 40
_NEW = "100644"
"""The mode of a new file."""
_LOG = "%H%x00%P%x00%an%x00%ae%x00%aI%x00%B%x01"


@dataclass(frozen=True)
class Commit:
    """One commit; date in ISO 8601."""

    id: str
    parents: tuple[str, ...]
    author: str
    email: str
    date: str
    comment: str


@dataclass(frozen=True)
class Bare:
    """A bare repository in a folder."""

    folder: Path

    def create(self) -> None:
        """Make it, empty, with main as its first branch."""
        self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        command = ["git", "init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(self.folder)]
        subprocess.run(command, check=True, capture_output=True, env=environment())
        self._git("config", "http.receivepack", "true")
        # An agent asks for the very commit of its run.
        self._git("config", "uploadpack.allowAnySHA1InWant", "true")

    def refs(self) -> dict[str, str]:
        """The commit of each ref."""
        # Nobody but this process changes them, or the whole folder is put back (`python -m sandbox restore`).
        there = self.folder.stat()
        return dict(_refs(self, there.st_ino, there.st_ctime_ns))

    @staticmethod
    def refs_changed() -> None:
        """Tell of a change that `move` did not make: a push."""
        _refs.cache_clear()

    def has(self, commit: str) -> bool:
        """Whether a commit is there."""
        there = self.folder.stat()
        try:
            return _commit(self, commit, there.st_ino, there.st_ctime_ns)
        except LookupError:
            return False

    def blob(self, commit: str, path: str) -> str | None:
        """The id of a file's content at a commit; path from the root, with a leading slash."""
        try:
            _, kind, found = _entry(self, commit, path.lstrip("/"))
        except LookupError:
            return None
        return found if kind == "blob" else None

    def content(self, blob: str) -> bytes:
        """A file's content by its id."""
        return _content(self, blob)

    def commit(
        self, parents: Sequence[str], changes: Mapping[str, bytes | None], comment: str, author: str, email: str
    ) -> str:
        """Record a commit: the first parent's files with changes, None for a file that goes. Gives its id."""
        with tempfile.TemporaryDirectory() as folder:
            own = {"GIT_INDEX_FILE": f"{folder}/index"}
            if parents:
                self.checked("read-tree", parents[0], env=own)
            rows = []
            for path, content in changes.items():
                name = path.lstrip("/")
                if content is None:
                    rows.append(f"0 {ZERO}\t{name}\0")
                else:
                    blob = self.checked("hash-object", "-w", "--stdin", given=content).decode().strip()
                    rows.append(f"{self._mode(parents, name)} {blob}\t{name}\0")
            self.checked("update-index", "-z", "--index-info", given="".join(rows).encode(), env=own)
            tree = self.checked("write-tree", env=own).decode().strip()
        who = {"GIT_AUTHOR_NAME": author, "GIT_AUTHOR_EMAIL": email}
        who |= {"GIT_COMMITTER_NAME": author, "GIT_COMMITTER_EMAIL": email}
        named = [part for parent in parents for part in ("-p", parent)]
        return self.checked("commit-tree", tree, *named, given=comment.encode(), env=who).decode().strip()

    def _mode(self, parents: Sequence[str], name: str) -> str:
        """The mode of a file, which a change of its content leaves."""
        try:
            return _entry(self, parents[0], name)[0] if parents else _NEW
        except LookupError:
            return _NEW

    def move(self, name: str, commit: str | None) -> None:
        """Point a ref to a commit; None deletes it."""
        self._git("update-ref", "-d", name) if commit is None else self._git("update-ref", name, commit)
        self.refs_changed()

    def log(self, commit: str, limit: int) -> list[Commit]:
        """A commit and what came before it by its first parents, newest first."""
        return list(_log(self, commit, limit))

    def valid(self, ref: str) -> bool:
        """Whether git takes a ref's name."""
        return self.run("check-ref-format", ref).returncode == 0

    def _git(self, *arguments: str) -> str:
        return self.checked(*arguments).decode(errors="replace")

    def checked(self, *arguments: str, given: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
        """What a git command prints; it must succeed."""
        done = self.run(*arguments, given=given, env=env)
        done.check_returncode()
        return done.stdout

    def run(
        self, *arguments: str, given: bytes = b"", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """A git command in the repository, however it ends."""
        command = ["git", "--git-dir", str(self.folder), *arguments]
        return subprocess.run(
            command, input=given, capture_output=True, check=False, env={**environment(), **(env or {})}
        )


# What is at a commit stays, and what it holds is asked for again and again: each run reads every template.


@lru_cache(maxsize=64)
def _refs(bare: Bare, *_folder: int) -> dict[str, str]:
    lines = bare.checked("for-each-ref", "--format=%(refname) %(objectname)").decode(errors="replace").splitlines()
    return dict(line.split(" ", 1) for line in lines)


@lru_cache(maxsize=4096)
def _commit(bare: Bare, commit: str, *_folder: int) -> bool:
    """True. Raises LookupError where it is not there (yet)."""
    if not re.fullmatch("[0-9a-f]{40}", commit) or bare.run("cat-file", "-e", f"{commit}^{{commit}}").returncode:
        raise LookupError(commit)
    return True


@lru_cache(maxsize=1024)
def _log(bare: Bare, commit: str, limit: int) -> tuple[Commit, ...]:
    given = ("log", "--first-parent", f"--max-count={limit}", f"--format={_LOG}", commit)
    text = bare.checked(*given).decode(errors="replace")
    rows = (row.lstrip("\n").split("\0") for row in text.split("\x01") if row.strip())
    return tuple(Commit(row[0], tuple(row[1].split()), row[2], row[3], row[4], row[5].strip()) for row in rows)


@lru_cache(maxsize=4096)
def _entry(bare: Bare, commit: str, path: str) -> tuple[str, str, str]:
    """Mode, type and id of what a path is at a commit. Raises LookupError where there is nothing (yet)."""
    done = bare.run("--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--", path)
    for row in done.stdout.decode(errors="surrogateescape").split("\0"):
        described, _, name = row.partition("\t")
        if path and name == path:
            mode, kind, found = described.split(" ")
            return mode, kind, found
    raise LookupError(path)


@lru_cache(maxsize=512)
def _content(bare: Bare, blob: str) -> bytes:
    return bare.checked("cat-file", "blob", blob)


def environment() -> dict[str, str]:
    """Without the person's own configuration: it could sign commits, or run hooks."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8"}
