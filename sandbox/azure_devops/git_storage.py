"""Bare git repositories on disk, one for each repository of the service, by the git that README asks for."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ZERO = "0" * 40
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
        lines = self._git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split(" ", 1) for line in lines)

    def has(self, commit: str) -> bool:
        """Whether a commit is there."""
        done = self.run("cat-file", "-e", f"{commit}^{{commit}}")
        return len(commit) == len(ZERO) and done.returncode == 0

    def blob(self, commit: str, path: str) -> str | None:
        """The id of a file's content at a commit; path from the root, with a leading slash."""
        try:
            return _blob(self, commit, path.lstrip("/"))
        except LookupError:
            return None

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
        listed = self._git("ls-tree", parents[0], "--", name) if parents else ""
        return listed.split(" ", 1)[0] or "100644"

    def move(self, name: str, commit: str | None) -> None:
        """Point a ref to a commit; None deletes it."""
        self._git("update-ref", "-d", name) if commit is None else self._git("update-ref", name, commit)

    def log(self, commit: str, limit: int) -> list[Commit]:
        """A commit and what came before it by its first parents, newest first."""
        text = self._git("log", "--first-parent", f"--max-count={limit}", f"--format={_LOG}", commit)
        rows = (row.lstrip("\n").split("\0") for row in text.split("\x01") if row.strip())
        return [Commit(row[0], tuple(row[1].split()), row[2], row[3], row[4], row[5].strip()) for row in rows]

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


@lru_cache(maxsize=4096)
def _blob(bare: Bare, commit: str, path: str) -> str:
    """What is at a commit stays, and each run reads every template. Raises LookupError where there is no file (yet)."""
    done = bare.run("rev-parse", "--verify", "--quiet", f"{commit}:{path}")
    found = done.stdout.decode().strip()
    if done.returncode or bare.checked("cat-file", "-t", found).strip() != b"blob":
        raise LookupError(path)
    return found


@lru_cache(maxsize=512)
def _content(bare: Bare, blob: str) -> bytes:
    return bare.checked("cat-file", "blob", blob)


def environment() -> dict[str, str]:
    """Without the person's own configuration: it could sign commits, or run hooks."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8"}
