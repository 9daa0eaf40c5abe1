"""What a .dockerignore excludes, by the rules of the matcher that Docker itself uses (github.com/moby/patternmatcher).

They are neither .gitignore's nor a shell's: every pattern is rooted at the context, an exception brings back a file of
an excluded folder, `**` before a plain text stands for any beginning of a path, and `[!x]` is no negation.
"""

import posixpath
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.go_regexp import ExpressionError, from_go

SYNTAX = "https://docs.docker.com/build/concepts/context/#syntax"
# unicode.IsSpace, which is not str.isspace
_BLANK = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f"
    "\u205f\u3000"
)
_LONGEST = 64 * 1024  # bytes of a line and its end; Docker stops at a longer one
_SPECIAL = re.compile(r"[*\[\]?^\\]")

Matched = tuple[bool, ...]
"""For each pattern whether it matched a path or a folder above it."""


class IgnoreError(ValueError):
    """An ignore file cannot be read; the message names the file, the line, the rule and the remedy."""


class Ignore:
    """The patterns of one ignore file; the last that matches a path, or a folder above it, decides."""

    def __init__(self, text: str, name: str = ".dockerignore") -> None:
        """text: the file's content. name: what messages call it. Raises `IgnoreError`."""
        self._patterns: list[tuple[bool, Callable[[str], bool]]] = []
        self._exceptions: list[str] = []
        for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
            try:
                pattern = _cleaned(line.removesuffix("\r"))
                if pattern is not None:
                    exception = pattern.startswith("!")
                    pattern = pattern[exception:]
                    self._patterns.append((exception, _matcher(pattern)))
                    if exception:
                        self._exceptions.append(pattern)
            except ExpressionError as error:
                raise IgnoreError(
                    f"{name}, line {number}: {line.strip()[:80]!r} is no pattern, {error}; "
                    f"see {SYNTAX}, or remove the line"
                ) from None
        # Where a wildcard is in an exception, anything may come back, wherever it lies.
        self._anywhere = any(_SPECIAL.search(_without_end(each)) for each in self._exceptions)

    @classmethod
    def of(cls, folder: Path, name: str = ".dockerignore") -> "Ignore | None":
        """Reads a file of `folder`; None where there is none. Raises `IgnoreError`."""
        file = folder / name
        try:
            if not stat.S_ISREG(file.stat().st_mode):
                raise IgnoreError(f"{name} is no file; make it a file with a pattern a line, or remove it")
            return cls(file.read_bytes().decode(), name)
        except FileNotFoundError:
            if file.is_symlink():  # Docker would take everything
                raise IgnoreError(f"{name} is a link to nothing; point it to a file, or remove it") from None
            return None
        except UnicodeDecodeError:
            raise IgnoreError(f"{name} is not UTF-8; save it as UTF-8") from None
        except OSError as error:
            raise IgnoreError(
                f"{name} cannot be read ({(error.strerror or str(error)).lower()}); let this user read it, or remove it"
            ) from None

    def judge(self, path: str, above: Matched = ()) -> tuple[bool, Matched]:
        """Whether `path` (relative, with /) stays out, and which patterns matched it.

        above: what matched the folder that it lies in; nothing for the context itself.
        """
        excluded = False
        matched = []
        for at, (exception, matches) in enumerate(self._patterns):
            # A pattern that would not change the verdict is not asked, and so does not count for what lies below.
            match = (bool(above) and above[at]) or (exception == excluded and matches(path))
            matched.append(match)
            if match:
                excluded = not exception
        return excluded, tuple(matched)

    def excludes(self, path: str) -> bool:
        """Whether `path` stays out."""
        return self._walk(path)[-1]

    def archive_lacks(self, path: str) -> bool:
        """Whether `path` stays out of the classic builder's archive, which the docker provider makes too.

        There nothing comes back from an excluded folder but by an exception that begins with the folder's name.
        """
        *folders, excluded = self._walk(path)
        parts = path.split("/")
        return excluded or any(
            out and not _names_below(self._exceptions, "/".join(parts[:depth]))
            for depth, out in enumerate(folders, start=1)
        )

    def _walk(self, path: str) -> list[bool]:
        """The verdicts on the folders above, from the first, and on `path`."""
        verdicts: list[bool] = []
        above: Matched = ()
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            excluded, above = self.judge("/".join(parts[:depth]), above)
            verdicts.append(excluded)
        return verdicts

    def may_return(self, folder: str) -> bool:
        """Whether anything below an excluded folder may come back; if not, nobody needs to look into it."""
        return self._anywhere or _names_below([_without_end(each) for each in self._exceptions], folder)


def _cleaned(line: str) -> str | None:
    """The pattern of a line, with its exclamation mark; None where there is none."""
    if len(line.encode()) >= _LONGEST:
        raise ExpressionError("it is longer than 64 KiB")
    pattern = line.strip(_BLANK)
    if line.startswith("#") or not pattern:
        return None
    exception = pattern.startswith("!")
    pattern = pattern[exception:].strip(_BLANK)
    if pattern:
        pattern = _clean(pattern)
        if len(pattern) > 1:
            pattern = pattern.removeprefix("/")
    # Docker's matcher trims and cleans again what its reader hands over: `/ !a` so is an exception.
    pattern = (("!" if exception else "") + pattern).strip(_BLANK)
    if not pattern:
        return None
    pattern = _clean(pattern)
    if pattern == "!":
        raise ExpressionError("an exception needs a path after its exclamation mark")
    return pattern


def _clean(path: str) -> str:
    """filepath.Clean: normpath keeps two leading slashes."""
    return posixpath.normpath(re.sub("^/+", "/", path))


def _names_below(patterns: Sequence[str], folder: str) -> bool:
    return any(f"{pattern}/".startswith(f"{folder}/") for pattern in patterns)


def _without_end(pattern: str) -> str:
    return pattern.removesuffix("/**").removesuffix("/*")


def _matcher(pattern: str) -> Callable[[str], bool]:
    """What tells whether a path matches. Raises `ExpressionError`.

    Not all is a regular expression: a pattern whose only wildcard is a leading `**` is compared with the path's end,
    one whose only wildcard is a trailing `**` with its beginning. So `**.env` excludes `conf/prod.env`, which `**.en?`
    does not.
    """
    _check_syntax(pattern)
    text, kind, at = "^", "exact", 0
    while at < len(pattern):
        character, first = pattern[at], at == 0
        at += 1
        if pattern.startswith("**", at - 1):
            at += 1
            at += pattern.startswith("/", at)
            if at < len(pattern):
                text, kind = text + "(.*/)?", "expression"
            elif kind == "exact":
                kind = "beginning"
            else:
                text, kind = text + ".*", "expression"
            if first:
                kind = "end"
        elif character in "*?":
            text, kind = text + ("[^/]*" if character == "*" else "[^/]"), "expression"
        elif character in ".+()$":  # not |, { and }: Docker means to take them as they are too, and does not
            text += "\\" + character
        elif character == "\\":
            text, kind = text + pattern[at - 1 : at + 1], "expression"
            at += 1
        else:
            text += character
            kind = "expression" if character in "[]" else kind
    if kind == "exact":
        return pattern.__eq__
    if kind == "beginning":
        start = pattern[:-2]
        return lambda path: path.startswith(start)
    if kind == "end":
        end = pattern[2:]
        return lambda path: path.endswith(end) or (end.startswith("/") and path == end[1:])
    expression = from_go(text)
    return lambda path: expression.search(path) is not None


def _check_syntax(pattern: str) -> None:
    """What Docker takes for a pattern: filepath.Match of Go, asked whether it matches a dot, must not stumble.

    It looks at a pattern from star to star, and no further than to the first part that does not match.
    """
    name, at = ".", 0
    while at < len(pattern):
        star = pattern.startswith("*", at)
        while pattern.startswith("*", at):
            at += 1
        end = _end_of_part(pattern, at)
        fits = _fits(pattern[at:end])
        last = (at := end) == len(pattern)
        for rest in (name[start:] for start in (range(len(name) + 1) if star else (0,))):
            if len(fits) <= len(rest) and all(fits) and (not last or len(fits) == len(rest)):
                name = rest[len(fits) :]
                break
        else:
            return


def _end_of_part(pattern: str, at: int) -> int:
    """Where the next star is that no [ ] holds."""
    inside = False
    while at < len(pattern) and (inside or pattern[at] != "*"):
        inside = pattern[at] == "[" or (inside and pattern[at] != "]")
        at += 2 if pattern[at] == "\\" else 1
    return min(at, len(pattern))


def _fits(part: str) -> list[bool]:
    """For each character that a part without stars stands for: whether a dot fits."""
    fits = []
    at = 0
    while at < len(part):
        if part[at] == "[":
            negated = part.startswith("^", at + 1)
            fit, at = _class(part, at + 1 + negated)
            fits.append(fit != negated)
            continue
        at += part[at] == "\\"
        if at == len(part):
            raise ExpressionError("it ends with a backslash")
        fits.append(part[at] == "." or (part[at] == "?" and part[at - 1 : at] != "\\"))
        at += 1
    return fits


def _class(part: str, at: int) -> tuple[bool, int]:
    """Whether a class has a dot, and where it is over; it has at least one member, and no bare hyphen."""
    fit, begin = False, at
    while at == begin or not part.startswith("]", at):
        low, at = _member(part, at)
        high = low
        if part.startswith("-", at):
            high, at = _member(part, at + 1)
        fit |= low <= "." <= high
    return fit, at + 1


def _member(part: str, at: int) -> tuple[str, int]:
    if part.startswith("\\", at):
        at += 1
    elif part.startswith(("-", "]"), at):
        raise ExpressionError("[ ] holds single characters and ranges like a-z; \\ comes before a literal - or ]")
    if at + 1 >= len(part):
        raise ExpressionError("a [ has no ]; \\ comes before a literal [")
    return part[at], at + 1
