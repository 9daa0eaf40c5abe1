"""Finds what is wrong or risky in one policy: rules of our own, then those of parliament, imported when needed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from iam.document import statement as as_document
from iam.lint_conditions import conditions
from iam.lint_exact import exactness
from iam.lint_federation import federation
from iam.lint_statements import Level, mistakes, risks
from iam.model import Policy, Statement

LONGEST = 400  # characters of a message


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: how bad, which rule, which statement (None: the policy as a whole), and what to do."""

    level: Level
    rule: str
    statement: int | None
    sid: str | None
    message: str


def lint(policy: Policy) -> list[Finding]:
    """All findings, in the order of the statements."""
    found = list(_policy_rules(policy))
    for statement in policy.statements:
        own = list(_own(statement))
        found += own
        found += _parliament(policy, statement, {finding.rule for finding in own})
    return found


def exact(policy: Policy) -> list[Finding]:
    """Errors of a policy that is meant to name exactly what it allows; by rules of our own alone, so it is quick."""
    found = [*_policy_rules(policy)]
    for statement in policy.statements:
        found += _findings(statement, exactness(statement))
        found += _own(statement)
    return [finding for finding in found if finding.level == "error"]


def _own(statement: Statement) -> Iterator[Finding]:
    rules = (mistakes(statement), conditions(statement), risks(statement), federation(statement))
    return _findings(statement, chain.from_iterable(rules))


def _findings(statement: Statement, told: Iterator[tuple[Level, str, str]]) -> Iterator[Finding]:
    for level, rule, message in told:
        yield Finding(level, rule, statement.index, statement.sid, _short(f"{statement.name}: {message}"))


def _short(message: str) -> str:
    return message if len(message) <= LONGEST else f"{message[: LONGEST - 3]}..."


def _policy_rules(policy: Policy) -> Iterator[Finding]:
    texts = [g.text for s in policy.statements for c in (s.actions, s.resources) if c for g in c.patterns]
    texts += [glob.text for s in policy.statements for c in s.conditions for glob in c.values]
    if policy.version == "2008-10-17" and any("${" in text for text in texts):
        message = "policy variables are plain text in Version 2008-10-17; write Version 2012-10-17"
        yield Finding("error", "variable-in-old-version", None, None, message)
    sids = [statement.sid for statement in policy.statements if statement.sid]
    for sid in dict.fromkeys(sid for sid in sids if sids.count(sid) > 1):
        yield Finding(
            "error", "duplicate-sid", None, sid, f"the Sid {sid!r} stands more than once; a Sid must be unique"
        )


_SEVERITIES: dict[str, Level] = {"CRITICAL": "error", "HIGH": "error", "MEDIUM": "error", "LOW": "warning"}
# What rules of our own say, by data that is kept up to date: parliament's lists of actions, resources, condition keys
# and identity providers are older.
_OURS = frozenset(
    {
        "UNKNOWN_ACTION",
        "UNKNOWN_PREFIX",
        "RESOURCE_MISMATCH",
        "UNKNOWN_OPERATOR",
        "UNKNOWN_FEDERATION_SOURCE",
        "UNKNOWN_CONDITION_FOR_ACTION",
        "UNKNOWN_PRINCIPAL",
        "MISMATCHED_TYPE",
        "MISMATCHED_TYPE_BUT_USABLE",
        "MISMATCHED_TYPE_OPERATION_TO_NULL",
        "DUPLICATE_SID",
    }
)


def _parliament(policy: Policy, statement: Statement, told: set[str]) -> Iterator[Finding]:
    """Findings of parliament, one statement at a time: it gives lines and columns, not statements."""
    from parliament import analyze_policy_string, enhance_finding

    text = json.dumps({"Version": policy.version, "Statement": [_single_values(as_document(statement))]})

    def finding(level: Level, rule: str, message: str) -> Finding:
        return Finding(level, rule, statement.index, statement.sid, _short(f"{statement.name}: {message}"))

    try:
        raw_findings = analyze_policy_string(text).findings
    except Exception as error:  # noqa: BLE001 - it fails on documents that are unusual but valid, in many ways
        yield finding("note", "parliament-failed", f"parliament could not read it ({type(error).__name__})")
        return
    for raw in raw_findings:
        rule = raw.issue.lower().replace("_", "-")
        if raw.issue in _OURS or rule in told or (rule == "malformed" and statement.principals is not None):
            continue  # told above, or a resource policy, which parliament does not read
        known = enhance_finding(raw)
        detail = raw.detail if isinstance(raw.detail, str) else json.dumps(raw.detail, default=str)
        message = (known.title or raw.issue) + (f" ({detail})" if detail else "")
        yield finding(_SEVERITIES.get(known.severity, "note"), rule, message)


def _single_values(value: Any) -> Any:
    """A document with lists of one value written as that value: parliament does not read some of them otherwise."""
    if isinstance(value, dict):
        return {name: _single_values(item) for name, item in value.items()}
    return value[0] if isinstance(value, list) and len(value) == 1 else value
