"""Findings of a scan that are accepted for a time: a reviewed file, by the rules of the audit's waivers.

exceptions:
  - id: CVE-2026-0001            # the finding's name, as the gate prints it
    reason: the parser is not reachable from the app
    owner: platform team
    expires: 2026-12-31          # the last day on which it counts
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines import agent

if TYPE_CHECKING:
    from pathlib import Path

FIELDS = ("id", "reason", "owner", "expires")


@dataclass(frozen=True)
class ScanException:
    """One accepted finding."""

    id: str
    reason: str
    owner: str
    expires: datetime.date


def load(path: Path) -> list[ScanException]:
    """The file's entries. Raises Stop (code 2) that names every entry and field that is wrong."""
    import yaml

    example = "see the head of pipelines/scan_exceptions.py for an example"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise agent.Stop(f"{path} cannot be read: {error.strerror}", agent.USAGE) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise agent.Stop(f"{path} is no YAML in UTF-8; {example}", agent.USAGE) from None
    entries = content.get("exceptions") if isinstance(content, dict) and set(content) == {"exceptions"} else None
    if not isinstance(entries, list):
        raise agent.Stop(f"{path} must hold one key `exceptions` with a list; {example}", agent.USAGE)
    wrong = [
        f"exception {number}: {', '.join(found)}" for number, row in enumerate(entries, 1) if (found := _wrong(row))
    ]
    ids = [row["id"] for row in entries if not _wrong(row)]
    wrong += [f"{name} is there {ids.count(name)} times" for name in sorted(set(ids)) if ids.count(name) > 1]
    if wrong:
        raise agent.Stop(f"{path}: {'; '.join(wrong)}", agent.USAGE)
    return [ScanException(**{name: row[name] for name in FIELDS}) for row in entries]


def _wrong(row: Any) -> list[str]:
    if not isinstance(row, dict):
        return [f"is not a mapping of {', '.join(FIELDS)}"]
    found = [f"field '{name}' is unknown" for name in map(str, row) if name not in FIELDS]
    for name in FIELDS[:-1]:
        value = row.get(name)
        if not isinstance(value, str) or not value.strip():
            found.append(f"'{name}' must be a text")
    expires = row.get("expires")
    if not isinstance(expires, datetime.date) or isinstance(expires, datetime.datetime):
        found.append("'expires' must be a date such as 2026-12-31")
    return found
