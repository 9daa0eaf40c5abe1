"""What a .dockerignore excludes, read as Docker reads it (https://docs.docker.com/build/concepts/context/)."""

import posixpath
from pathlib import Path

import pathspec


class Ignore:
    """The patterns of one .dockerignore; the last that matches a path decides.

    They differ from .gitignore's in that each is rooted at the context, and in that an exception can bring back a file
    of an excluded folder.
    """

    def __init__(self, text: str) -> None:
        patterns = [_rooted(line.strip()) for line in text.splitlines() if line.strip() and not line.startswith("#")]
        self._spec = pathspec.PathSpec.from_lines("gitignore", [pattern for pattern in patterns if pattern])
        self._exceptions = [pattern[2:] + "/" for pattern in patterns if pattern.startswith("!")]

    @classmethod
    def of(cls, folder: Path) -> "Ignore":
        """Reads `folder`'s .dockerignore; without one nothing is excluded."""
        file = folder / ".dockerignore"
        return cls(file.read_text(encoding="utf-8-sig") if file.is_file() else "")

    def file(self, path: str) -> bool:
        """Whether the file at `path` (relative, with /) stays out: the last pattern on it or a folder above decides."""
        parts = path.split("/")
        found = [self._spec.check_file("/".join(parts[:depth])) for depth in range(1, len(parts) + 1)]
        last = max(found, key=lambda result: -1 if result.index is None else result.index)
        return bool(last.include)

    def whole_folder(self, path: str) -> bool:
        """Whether nothing below the folder can come back, so that Docker does not even look into it."""
        return self.file(path) and not any(exception.startswith(f"{path}/") for exception in self._exceptions)


def _rooted(line: str) -> str:
    """A line in .gitignore's syntax, or empty where it names nothing."""
    exception, pattern = ("!", line[1:].strip()) if line.startswith("!") else ("", line)
    pattern = posixpath.normpath(pattern).lstrip("/") if pattern else "."
    return "" if pattern == "." else f"{exception}/{pattern}"
