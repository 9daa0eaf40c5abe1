"""Which images a Dockerfile builds on: each is named by digest where the pipeline deploys, for a tag can be moved.

Source: https://docs.docker.com/reference/dockerfile (FROM, ARG before it, COPY --from, RUN --mount, parser directives).
"""

import re
import shlex
from collections.abc import Iterator, Mapping

import pulumi

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_DIRECTIVE = re.compile(r"#\s*(syntax|escape)\s*=\s*(\S+)\s*$", re.IGNORECASE)
_HEREDOC = re.compile(r"<<-?\s*([\"']?)([A-Za-z_]\w*)\1")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^}]*))?\})")
BASE_IMAGE = "BASE_IMAGE"
"""The argument by which app-one:baseImage reaches the Dockerfile."""


class BaseImageError(pulumi.RunError):
    """The Dockerfile builds on an image that is named by a tag; the message names it, the line and the remedy."""


def check(dockerfile: str, text: str, base_image: str, *, local: bool) -> None:
    """Raises BaseImageError for the first image that is named by a tag.

    dockerfile: its name, for the message; base_image: app-one:baseImage, or empty; local: the base image is built where
    it is used, so that no registry knows a digest of it: that one may have a tag.
    """
    given = {BASE_IMAGE: base_image} if base_image else {}
    own = _expanded(f"${{{BASE_IMAGE}}}", {**_global(text), **given})
    for line, name in images(text, given):
        if not _DIGEST.search(name) and not (local and name == own):
            raise BaseImageError(
                f"{dockerfile}:{line}: builds on {name}, which is named by a tag: where the pipeline deploys, an image "
                "is named by its digest, since a tag can be another image tomorrow. `docker buildx imagetools inspect "
                f"{name} --format '{{{{.Manifest.Digest}}}}'` prints it: NAME:TAG@sha256:... in the Dockerfile or in "
                "app-one:baseImage. For a base image that is built where it is used set app-one:baseImageLocal true"
            )


def images(text: str, given: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """The line and name of each image that a build takes from outside: not its own stages, and not `scratch`.

    given: build arguments, by name. A name that holds a variable which nothing sets is yielded as it stands.
    """
    arguments = {**_global(text), **given}
    stages: list[str] = []
    for line, words in _instructions(text):
        instruction = words[0].upper()
        if instruction == "SYNTAX":
            yield line, words[1]
        elif instruction == "FROM":
            named = [word for word in words[1:] if not word.startswith("--")]
            name = _expanded(named[0], arguments) if named else ""
            if name.lower() != "scratch" and name.lower() not in stages:
                yield line, name
            stages.append(named[2].lower() if len(named) > 2 and named[1].upper() == "AS" else "")
        elif instruction in ("COPY", "ADD", "RUN"):
            for source in _sources(words):
                name = _expanded(source, arguments)
                if not name.isdecimal() and name.lower() not in stages:
                    yield line, name


def _sources(words: list[str]) -> Iterator[str]:
    for word in words[1:]:
        if not word.startswith("--"):
            break
        name, _, value = word.partition("=")
        if name == "--from":
            yield value
        if name == "--mount":
            yield from (part.partition("=")[2] for part in value.split(",") if part.startswith("from="))


def _global(text: str) -> dict[str, str]:
    """The arguments before the first FROM, with their defaults."""
    found: dict[str, str] = {}
    for _, words in _instructions(text):
        if words[0].upper() == "FROM":
            break
        if words[0].upper() == "ARG":
            for word in words[1:]:
                name, _, value = word.partition("=")
                found[name] = _expanded(value, found)
    return found


def _expanded(text: str, arguments: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name, how, other = match[1] or match[2], match[3] or "", match[4] or ""
        known = arguments.get(name) if not how.startswith(":") else arguments.get(name) or None
        if how.endswith("-"):
            return other if known is None else known
        if how.endswith("+"):
            return "" if known is None else other
        return match[0] if known is None else known

    return _VARIABLE.sub(value, text)


def _instructions(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line and words of each instruction; a `# syntax=` is one too. Texts within an instruction are left out."""
    lines = text.removeprefix("\ufeff").splitlines()
    escape, number = "\\", 0
    while number < len(lines) and (directive := _DIRECTIVE.match(lines[number].strip())):
        if directive[1].lower() == "escape":
            escape = directive[2]
        else:
            yield number + 1, ["SYNTAX", directive[2]]
        number += 1
    while number < len(lines):
        first, whole = number + 1, lines[number].strip()
        number += 1
        if not whole or whole.startswith("#"):
            continue
        while whole.endswith(escape) and number < len(lines):
            more = lines[number].strip()
            number += 1
            if not more.startswith("#"):  # a comment between the lines of an instruction is none of it
                whole = f"{whole[: -len(escape)].rstrip()} {more}"
        if re.match(r"(?:RUN|COPY|ADD)\s", whole, re.IGNORECASE):
            for _, end in _HEREDOC.findall(whole):
                while number < len(lines) and lines[number].lstrip("\t") != end:
                    number += 1
                number += 1
        yield first, _words(whole)


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, posix=True)
    except ValueError:  # a shell's text, with a quote that stands alone
        return line.split()
