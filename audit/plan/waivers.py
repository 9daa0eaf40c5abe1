"""Waivers: a reviewed file of findings that are accepted for a time.

waivers:
  - rule: exposure-mutable-tags            # a risk class; families cannot be waived
    urn: "urn:pulumi:dev::app-one::*Repository::app-one"   # * and ? match any text
    reason: the base image is moved weekly until the new build is there
    owner: platform team
    expires: 2026-12-31                    # the last day on which it counts
"""

import datetime
import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.errors import AuditError
from audit.model import Finding
from audit.report.catalogue import CLASSES

FIELDS = ("rule", "urn", "reason", "owner", "expires")
NEVER = frozenset({"preview-incomplete", "waiver-expired", "waiver-unused", "none"})


@dataclass(frozen=True, slots=True)
class Waiver:
    """One accepted finding. `number` is its place in the file, from 1."""

    number: int
    rule: str
    urn: str
    reason: str
    owner: str
    expires: datetime.date

    def matches(self, finding: Finding) -> bool:
        """Whether rule and URN are this waiver's; the date is not looked at."""
        return finding.risk == self.rule and fnmatch.fnmatchcase(finding.urn, self.urn)


def load(path: str) -> list[Waiver]:
    """The waivers in the YAML file. Raises AuditError that names every entry and field that is wrong."""
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise AuditError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        raise AuditError(f"{path}: is not YAML in UTF-8; see docs/audit.md for an example") from None
    entries = content.get("waivers") if isinstance(content, dict) else None
    if not isinstance(entries, list) or (isinstance(content, dict) and set(content) != {"waivers"}):
        raise AuditError(f"{path}: must hold one key `waivers` with a list; see docs/audit.md for an example")
    wrong: list[str] = []
    waivers = [_waiver(number, entry, wrong) for number, entry in enumerate(entries, 1)]
    if wrong:
        raise AuditError(f"{path}: " + "; ".join(wrong))
    return [waiver for waiver in waivers if waiver is not None]


def _waiver(number: int, entry: Any, wrong: list[str]) -> Waiver | None:
    if not isinstance(entry, dict):
        wrong.append(f"waiver {number} is not a mapping of {', '.join(FIELDS)}")
        return None
    problems = [f"field '{name}' is unknown" for name in map(str, entry) if name not in FIELDS]
    for name in ("rule", "urn", "reason", "owner"):
        value = entry.get(name)
        if not isinstance(value, str) or not value.strip():
            problems.append(f"'{name}' must be a text")
    rule = entry.get("rule")
    if isinstance(rule, str) and (rule not in CLASSES.by_name or rule in NEVER):
        problems.append(f"rule '{rule}' is no class that can be waived")
    expires = entry.get("expires")
    if not isinstance(expires, datetime.date) or isinstance(expires, datetime.datetime):
        problems.append("'expires' must be a date such as 2026-12-31")
    if problems:
        wrong.append(f"waiver {number}: " + ", ".join(problems))
        return None
    return Waiver(number, str(rule), entry["urn"], entry["reason"].strip(), entry["owner"].strip(), expires)  # type: ignore[arg-type]


def apply(waivers: list[Waiver], findings: list[Finding], today: datetime.date) -> list[Finding]:
    """Marks findings that are waived, and returns the findings about the waivers themselves: expired or unused."""
    about: list[Finding] = []
    for waiver in waivers:
        matching = [finding for finding in findings if waiver.matches(finding)]
        if waiver.expires < today:
            about.append(
                Finding(
                    "waiver-expired",
                    waiver.urn,
                    f"Waiver {waiver.number} for {waiver.rule} expired on {waiver.expires}; its owner is "
                    f"{waiver.owner}.",
                    [f"Its reason was: {waiver.reason}", f"It would match {len(matching)} finding(s) of this plan."],
                )
            )
            continue
        for finding in matching:
            finding.waiver = {"reason": waiver.reason, "owner": waiver.owner, "expires": waiver.expires.isoformat()}
        if not matching:
            about.append(
                Finding(
                    "waiver-unused",
                    waiver.urn,
                    f"Waiver {waiver.number} for {waiver.rule} matches no finding; its owner is {waiver.owner}.",
                    [f"Its reason was: {waiver.reason}"],
                )
            )
    return about
