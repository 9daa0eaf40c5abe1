"""What a rule is: pure, data in and messages out; an unknown value that it needs raises, which the engine reports.

Properties are the resource's inputs as the engine has them, in camelCase. In a preview some are not known yet: to read
one raises pulumi_policy's `UnknownValueError`, and the engine says which rule could not be judged, and why. So a rule
reads what it needs and no more, and never takes such a value for a good one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

Properties = Mapping[str, Any]
Severity = Literal["low", "medium", "high", "critical"]
Level = Literal["mandatory", "advisory"]
"""mandatory: the preview or the update fails. advisory: it says so and goes on."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource of a stack. uses: for each property the URNs of the resources that its value comes from."""

    type: str
    name: str
    urn: str
    properties: Properties
    uses: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def refers(self, name: str, other: "Resource", value: str) -> bool:
        """Whether a property says which resource `other` is: by an output of it, else by its property `value`."""
        if sources := self.uses.get(name):
            return other.urn in sources
        return value in set(other.properties) and bool(self.properties[name] == other.properties[value])


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What every rule says of itself.

    id: a policy's name in the engine. title: what has to hold. remedy: what to do where it does not, without a full
    stop. controls: what Security Hub, checkov and trivy call it. met: where this project's program meets it.
    """

    id: str
    title: str
    severity: Severity
    level: Level
    remedy: str
    met: str
    controls: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule):
    """A rule on each resource of some types by itself, judged before the engine touches it.

    types: patterns, `*` matches. check: gives a message for each fault of the properties; it gets the resource's type
    too.
    """

    types: tuple[str, ...]
    check: Callable[[str, Properties], Iterable[str]]

    def covers(self, type_: str) -> bool:
        """Whether it is about resources of this type."""
        return any(fnmatchcase(type_, pattern) for pattern in self.types)


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule):
    """A rule on how resources stand together. check: gives the resource at fault and a message for each fault."""

    check: Callable[[Sequence[Resource]], Iterable[tuple[Resource, str]]]
