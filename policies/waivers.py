"""What is let off a rule, with the reason: waivers.yml. An unknown rule or a missing reason is an error."""

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("waivers.yml")
_KEYS = {"rule", "resource", "stack", "reason", "until"}


class WaiverError(ValueError):
    """A file of waivers that cannot be used; the message names the entry, the rule and the remedy."""


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """resource, stack: names, `*` and `?` match; until: the last day on which it holds, None for always."""

    rule: str
    resource: str
    reason: str
    stack: str = "*"
    until: datetime.date | None = None

    def covers(self, rule: str, urn: str, today: datetime.date) -> bool:
        """Whether it lets the resource urn:pulumi:STACK::PROJECT::TYPE::NAME off this rule on this day."""
        stack, _, resource = urn.removeprefix("urn:pulumi:").split("::", 2)
        named = fnmatchcase(stack, self.stack) and fnmatchcase(resource.partition("::")[2], self.resource)
        return self.rule == rule and named and (self.until is None or today <= self.until)


def load(known: Collection[str], file: Path = FILE) -> tuple[Waiver, ...]:
    """The waivers of a file. known: ids of the rules. Raises WaiverError."""
    import yaml

    try:
        entries = yaml.safe_load(file.read_text(encoding="utf-8")) or []
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WaiverError(f"{file.name} cannot be read: {error}") from None
    if not isinstance(entries, list):
        raise WaiverError(f"{file.name} has to be a list of entries with rule, resource and reason")
    return tuple(_waiver(number, entry, known) for number, entry in enumerate(entries, 1))


def _waiver(number: int, entry: Any, known: Collection[str]) -> Waiver:
    where = f"entry {number} of {FILE.name}"
    if not isinstance(entry, dict) or set(entry) - _KEYS:
        raise WaiverError(f"{where} has keys other than rule, resource, stack, reason and until: remove them")
    for key in ("rule", "resource", "reason"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise WaiverError(f"{where} has no {key}: every waiver names its rule, a resource and why")
    if entry["rule"] not in known:
        raise WaiverError(f"{where} waives {entry['rule']}, which is no rule: see docs/controls.md")
    stack, until = entry.get("stack", "*"), entry.get("until")
    if not isinstance(stack, str) or not stack:
        raise WaiverError(f"{where}: stack has to be a stack's name, such as dev or test-*")
    if until is not None and (not isinstance(until, datetime.date) or isinstance(until, datetime.datetime)):
        raise WaiverError(f"{where}: until has to be a day such as 2027-01-31")
    reason = entry["reason"].strip()
    return Waiver(rule=entry["rule"], resource=entry["resource"], reason=reason, stack=stack, until=until)
