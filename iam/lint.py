"""Finds what is wrong or risky in one policy: rules of our own, then those of parliament, imported when needed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from iam import catalogue
from iam.document import statement as as_document
from iam.model import Policy, Statement

Level = Literal["error", "warning", "note"]


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
        told = [*_mistakes(statement), *_risks(statement)]
        own = [
            Finding(level, rule, statement.index, statement.sid, f"{statement.name}: {m}") for level, rule, m in told
        ]
        found += own
        found += _parliament(policy, statement, {finding.rule for finding in own})
    return found


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


Told = tuple[Level, str, str]


def _mistakes(statement: Statement) -> Iterator[Told]:
    for action in _without_resource_level(statement):
        message = f"{action} has no resource level, so this resource has no effect on it; allow it on Resource *"
        yield "error", "no-resource-level", message
    for glob in statement.actions.patterns:
        if glob.is_literal and catalogue.known(glob.text) is None:
            yield "warning", "unknown-action", f"AWS is not known to have the action {glob.text}"
    for condition in statement.conditions:
        if condition.kind is None:
            yield "error", "unknown-operator", f"AWS is not known to have the operator {condition.operator}"


def _risks(statement: Statement) -> Iterator[Told]:
    if statement.effect == "Deny":
        return
    actions, resources, principals = statement.actions, statement.resources, statement.principals
    everything = any(glob.text == "*" for glob in actions.patterns) and not actions.negated
    anywhere = resources is not None and not resources.negated and any(glob.text == "*" for glob in resources.patterns)
    if everything and anywhere and principals is None and not statement.conditions:
        yield "error", "full-access", "allows every action on every resource; name the actions (Security Hub IAM.1)"
    if actions.negated:
        yield "warning", "allow-not-action", "allows all but what it names, also actions that AWS adds later"
    if resources is not None and resources.negated:
        yield "warning", "allow-not-resource", "allows all resources but those it names; name those that are meant"
    if principals is not None and principals.negated:
        yield "error", "allow-not-principal", "NotPrincipal with Allow admits everyone else, anonymous callers too"
    elif principals is not None and not statement.conditions and any(v == "*" for _, v in principals.entries):
        yield "warning", "everyone", "admits everyone, anonymous callers too; name a principal or add a condition"


def _without_resource_level(statement: Statement) -> Iterator[str]:
    clause = statement.resources
    if clause is None or clause.negated or statement.actions.negated:
        return
    if any(glob.text == "*" for glob in clause.patterns):
        return
    for glob in statement.actions.patterns:
        known = catalogue.known(glob.text) if glob.is_literal else None
        if known and catalogue.resources(known) == ():
            yield known


_SEVERITIES: dict[str, Level] = {"CRITICAL": "error", "HIGH": "error", "MEDIUM": "error", "LOW": "warning"}
# What parliament calls the rules above.
_SAME = {
    "UNKNOWN_ACTION": "unknown-action",
    "RESOURCE_MISMATCH": "no-resource-level",
    "UNKNOWN_OPERATOR": "unknown-operator",
}


def _parliament(policy: Policy, statement: Statement, told: set[str]) -> Iterator[Finding]:
    """Findings of parliament, one statement at a time: it gives lines and columns, not statements."""
    from parliament import analyze_policy_string, enhance_finding

    text = json.dumps({"Version": policy.version, "Statement": [_single_values(as_document(statement))]})

    def finding(level: Level, rule: str, message: str) -> Finding:
        return Finding(level, rule, statement.index, statement.sid, f"{statement.name}: {message}")

    try:
        raw_findings = analyze_policy_string(text).findings
    except Exception as error:  # noqa: BLE001 - it fails on documents that are unusual but valid, in many ways
        yield finding("note", "parliament-failed", f"parliament could not read it ({type(error).__name__})")
        return
    for raw in raw_findings:
        rule = _SAME.get(raw.issue, raw.issue.lower().replace("_", "-"))
        if rule in told or (rule == "malformed" and statement.principals is not None):
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
