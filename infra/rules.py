"""Rules on single settings: a check, the sentence that states it, and a right example."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

# What Docker's platform strings name; a closed list, because a slip such as amd46 would only fail in the build.
ARCHITECTURES = ("amd64", "arm64", "arm64/v8", "arm/v6", "arm/v7", "386", "ppc64le", "riscv64", "s390x")


@dataclass(frozen=True)
class Rule:
    """A rule on one value."""

    holds: Callable[[Any], Any]
    """True or truthy for a right value."""
    text: str
    """Ends the sentence "must be ..."."""
    example: str
    """A right value as it is written in a stack file."""


def matches(pattern: str, text: str, example: str) -> Rule:
    """The whole value matches `pattern`, in ASCII."""
    compiled = re.compile(pattern, re.ASCII)
    return Rule(compiled.fullmatch, text, example)


def optional(pattern: str, text: str, example: str) -> Rule:
    """As `matches`, or empty."""
    return matches(f"(?:{pattern})?", text, example)


def one_of(*values: str) -> Rule:
    """One of `values`, of which the first is the example."""
    return Rule(lambda value: value in values, f"one of {', '.join(values)}", values[0])


def whole_number(low: int, high: int) -> Rule:
    """A whole number in a range, both ends included."""
    return Rule(lambda value: low <= value <= high, f"a whole number from {low} to {high}", str(max(low, min(high, 7))))


def is_inner_path(value: str) -> bool:
    """A relative path that does not leave its folder, written the same on every system."""
    path = PurePosixPath(value)
    return bool(value) and not path.is_absolute() and ".." not in path.parts and not re.search(r"[\\:\x00]", value)


def is_tag_map(value: Mapping[str, Any]) -> bool:
    """AWS tags; the characters are those that every service accepts."""
    text = r"[\w\s.:/=+@-]"
    return len(value) <= 50 and all(
        isinstance(content, str)
        and re.fullmatch(f"{text}{{1,128}}", name)
        and re.fullmatch(f"{text}{{0,256}}", content)
        and not name.casefold().startswith("aws:")
        for name, content in value.items()
    )


def is_trust(value: Sequence[Mapping[str, Any]]) -> bool:
    """Issuers of identity tokens, each once, with the exact subjects that are trusted."""
    issuers = [entry.get("issuer") for entry in value]
    return len(set(issuers)) == len(issuers) and all(
        set(entry) == {"issuer", "push", "reader"}
        and all(isinstance(text, str) and text and not re.search(r"[*?\s]|\$\{", text) for text in entry.values())
        and re.fullmatch(r"https://[a-z0-9.-]+(?:/[\w./-]*[\w.-])?", entry["issuer"])
        and entry["push"] != entry["reader"]
        for entry in value
    )


def is_variable_name(value: str) -> bool:
    """Name of an Azure Pipelines variable."""
    reserved = ("endpoint", "input", "path", "secret", "securefile")
    return bool(re.fullmatch(r"[A-Za-z0-9._-]{1,255}", value)) and not value.casefold().startswith(reserved)


def is_devops_name(value: str, longest: int = 128) -> bool:
    """Name of a thing in an Azure DevOps project."""
    return (
        1 <= len(value) <= longest
        and value == value.strip()
        and not re.search(r'[\\/:*?"<>|;#${},+=\[\]\x00-\x1f]', value)
    )


def is_devops_project_name(value: str) -> bool:
    """Name of an Azure DevOps project or repository."""
    return is_devops_name(value, 64) and not value.startswith(("_", ".")) and not value.endswith(".")
