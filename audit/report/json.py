"""A report as JSON, by the schemas in docs/: audit-report (plan), audit-drift, audit-keys and audit-history."""

import json
from typing import Any

from audit.model import Change, Finding
from audit.report.model import Report, Row
from audit.report.text import cleaned, cut, escaped_commands

SCHEMA, SCHEMA_VERSION = "app-one-audit-report", "1.0"


def render(report: Report) -> str:
    """One JSON object."""
    if report.command == "history":
        return _ledger(report.data)
    if report.command in ("compare", "prove"):  # prove: the report of the plan, and what was answered
        return escaped_commands(json.dumps(report.data, separators=(",", ":")))
    content = plan(report) if report.command == "plan" else cleaned(_survey(report))
    return escaped_commands(json.dumps(content, ensure_ascii=True, separators=(",", ":"), allow_nan=False))


# --- a plan


def plan(report: Report) -> dict[str, Any]:
    """The report of a plan as JSON values."""
    return {
        "schema": SCHEMA,
        "version": SCHEMA_VERSION,
        "stack": cut(report.stack),
        "project": cut(report.project),
        "source": report.source,
        "incomplete": report.incomplete,
        "fingerprint": report.fingerprint,
        "worst": report.worst,
        "worstFamily": report.family,
        "operations": {cut(name): count for name, count in report.counts.items()},
        "classes": report.classes(),
        "waived": report.waived(),
        "findings": [_finding(finding, report) for finding in report.findings if finding.risk != "change"],
        "steps": [_row(row) for row in report.rows],
        "diagnostics": [
            {"severity": cut(item.severity), "message": cut(item.message), "urn": cut(item.urn)}
            for item in report.diagnostics
        ],
    }


def _finding(finding: Finding, report: Report) -> dict[str, Any]:
    result: dict[str, Any] = {
        "risk": finding.risk,
        "family": report.catalogue[finding.risk].family,
        "urn": cut(finding.urn),
        "reason": cut(finding.reason),
        "proved": finding.proved,
    }
    if finding.details:
        result["details"] = _value(finding.details)
    if finding.policy:
        result["policy"] = {
            "property": cut(finding.policy.property),
            "verdict": finding.policy.verdict,
            "old": _value(finding.policy.old),
            "new": _value(finding.policy.new),
            **_proved(finding),
        }
    if finding.follows:
        result["follows"] = _value(finding.follows)
    if finding.waiver:
        result["waiver"] = _value(finding.waiver)
    return result


def _proved(finding: Finding) -> dict[str, Any]:
    policy = finding.policy
    if policy is None:
        return {}
    return {
        "newlyAllowed": _value(policy.newly_allowed),
        "newlyRefused": _value(policy.newly_refused),
        "because": _value(policy.because),
    }


def _row(row: Row) -> dict[str, Any]:
    step = row.step
    return {
        "urn": cut(step.urn),
        "type": cut(step.type),
        "op": cut(step.op),
        "risk": row.risk,
        "planned": step.planned,
        "prior": step.prior,
        "changes": [_change(item) for item in step.changes],
    }


def _change(change: Change) -> dict[str, Any]:
    result: dict[str, Any] = {"path": cut(change.path), "kind": change.kind}
    if change.old is not None:
        result["old"] = _value(change.old)
    if change.new is not None:
        result["new"] = _value(change.new)
    if change.replaces:
        result["replaces"] = True
    return result


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return cut(value)
    if isinstance(value, list):
        return [_value(item) for item in value]
    if isinstance(value, dict):
        return {cut(key): _value(item) for key, item in value.items()}
    return value


# --- what is looked up, and a history


def _survey(report: Report) -> dict[str, Any]:
    return {
        "schema": f"app-one-audit-{report.command}",
        "version": SCHEMA_VERSION,
        "project": report.project,
        "stack": report.stack,
        "worst": report.worst,
        "rules": report.classes(),
        "counts": report.counts,
        "findings": [_looked_up(finding, report) for finding in report.findings],
        "notes": report.notes,
        **report.data,
    }


def _looked_up(finding: Finding, report: Report) -> dict[str, Any]:
    policy = finding.policy
    return {
        "rule": finding.risk,
        "family": report.catalogue[finding.risk].family,
        "subject": finding.urn,
        "reason": finding.reason,
        "details": finding.details,
        "proved": finding.proved,
        **(
            {
                "policy": {
                    "verdict": policy.verdict,
                    "recorded": policy.old,
                    "real": policy.new,
                    "newlyAllowed": policy.newly_allowed,
                    "newlyRefused": policy.newly_refused,
                    "because": policy.because,
                }
            }
            if policy
            else {}
        ),
    }


def _ledger(ledger: dict[str, Any]) -> str:
    """The ledger itself, an entry a line: what --append and --verify read."""
    head = json.dumps({name: item for name, item in ledger.items() if name != "entries"}, ensure_ascii=True)
    entries = ",\n".join(json.dumps(entry, separators=(",", ":"), allow_nan=False) for entry in ledger["entries"])
    return escaped_commands(f'{head[:-1]}, "entries": [\n{entries}\n]}}')
