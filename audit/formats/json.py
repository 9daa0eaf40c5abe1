"""The report as JSON, by the schema in docs/audit-report.schema.json."""

import json
import re
from typing import Any

from audit.formats.text import clean
from audit.model import Change, Diagnostic, Finding, PolicyDiff
from audit.report import SCHEMA, SCHEMA_VERSION, Report, Row, family
from audit.risks import BY_NAME

LONGEST = 16_384
"""Characters of one text; longer ones are cut and say so."""

_COMMAND = re.compile(r"#(?=#\s*(?:vso)?\[)", re.IGNORECASE)


def render(report: Report) -> str:
    """One JSON object. A command of a log is written with an escape, so that printing the file in a pipeline does
    nothing."""
    text = json.dumps(data(report), ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return _COMMAND.sub(lambda _match: "\\u0023", text)


def data(report: Report) -> dict[str, Any]:
    """The report as JSON values."""
    return {
        "schema": SCHEMA,
        "version": SCHEMA_VERSION,
        "stack": _text(report.stack),
        "project": _text(report.project),
        "source": report.source,
        "incomplete": report.incomplete,
        "fingerprint": report.fingerprint,
        "worst": report.worst,
        "worstFamily": family(report.worst),
        "operations": {_text(name): count for name, count in report.counts.items()},
        "classes": report.classes(),
        "waived": report.waived(),
        "findings": [_finding(finding) for finding in report.findings if finding.risk != "change"],
        "steps": [_row(row) for row in report.rows],
        "diagnostics": [_diagnostic(item) for item in report.diagnostics],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    result: dict[str, Any] = {
        "risk": finding.risk,
        "family": BY_NAME[finding.risk].family,
        "urn": _text(finding.urn),
        "reason": _text(finding.reason),
        "proved": finding.proved,
    }
    if finding.details:
        result["details"] = [_text(item) for item in finding.details]
    if finding.policy:
        result["policy"] = _policy(finding.policy)
    if finding.follows:
        result["follows"] = [{key: _text(item) for key, item in entry.items()} for entry in finding.follows]
    if finding.waiver:
        result["waiver"] = {key: _text(item) for key, item in finding.waiver.items()}
    return result


def _policy(policy: PolicyDiff) -> dict[str, Any]:
    return {
        "property": _text(policy.property),
        "verdict": policy.verdict,
        "old": _value(policy.old),
        "new": _value(policy.new),
        "newlyAllowed": [_value(item) for item in policy.newly_allowed],
        "newlyRefused": [_value(item) for item in policy.newly_refused],
        "because": [_text(item) for item in policy.because],
    }


def _row(row: Row) -> dict[str, Any]:
    step = row.step
    return {
        "urn": _text(step.urn),
        "type": _text(step.type),
        "op": _text(step.op),
        "risk": row.risk,
        "planned": step.planned,
        "prior": step.prior,
        "changes": [_change(item) for item in step.changes],
    }


def _change(change: Change) -> dict[str, Any]:
    result: dict[str, Any] = {"path": _text(change.path), "kind": change.kind}
    if change.old is not None:
        result["old"] = _value(change.old)
    if change.new is not None:
        result["new"] = _value(change.new)
    if change.replaces:
        result["replaces"] = True
    return result


def _diagnostic(item: Diagnostic) -> dict[str, Any]:
    return {"severity": _text(item.severity), "message": _text(item.message), "urn": _text(item.urn)}


def _text(text: str) -> str:
    text = clean(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return [_value(item) for item in value]
    if isinstance(value, dict):
        return {_text(key): _value(item) for key, item in value.items()}
    return value
