"""What a .dockerignore excludes, read as Docker reads it (https://docs.docker.com/build/concepts/context/)."""

import posixpath
import re
from pathlib import Path

import pathspec
from pathspec.patterns.gitignore import GitIgnorePatternError


class IgnoreError(ValueError):
    """A .dockerignore cannot be read; the message names the line, the rule and the remedy."""


class Ignore:
    """The patterns of one .dockerignore; the last that matches a path decides.

    They differ from .gitignore's in that each is rooted at the context, and in that an exception can bring back a file
    of an excluded folder.
    """

    def __init__(self, text: str) -> None:
        patterns = []
        compiled: list[pathspec.Pattern] = []
        for number, line in enumerate(text.splitlines(), start=1):
            pattern = "" if line.startswith("#") else _rooted(line.strip())
            if pattern:
                patterns.append(pattern)
                try:
                    compiled += pathspec.PathSpec.from_lines("gitignore", [pattern]).patterns
                except (GitIgnorePatternError, re.error):
                    raise IgnoreError(
                        f".dockerignore, line {number}: {line.strip()!r} is no pattern; "
                        "see https://docs.docker.com/build/concepts/context/#syntax, or remove the line"
                    ) from None
        self._spec = pathspec.PathSpec(compiled)
        self._exceptions = [pattern[2:] + "/" for pattern in patterns if pattern.startswith("!")]

    @classmethod
    def of(cls, folder: Path) -> "Ignore":
        """Reads `folder`'s .dockerignore; without one nothing is excluded. Raises `IgnoreError`."""
        file = folder / ".dockerignore"
        try:
            return cls(file.read_text(encoding="utf-8-sig") if file.is_file() else "")
        except UnicodeDecodeError:
            raise IgnoreError(".dockerignore is not UTF-8; save it as UTF-8") from None

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
