"""The report as SARIF 2.1.0 (OASIS), for code-scanning views: one rule a class, one result a finding."""

import json
import re
from typing import Any

from audit.formats.text import clean, witness
from audit.model import Finding, Step
from audit.report import Report
from audit.risks import BY_NAME, RISKS

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVEL = {"incomplete": "error", "access": "error", "loss": "error", "exposure": "error", "policy": "warning",
         "waiver": "warning", "rotation": "warning", "change": "note", "none": "none"}  # fmt: skip
SEVERITY = {"error": "8.0", "warning": "5.0", "note": "1.0", "none": "0.0"}

_POSITION = re.compile(r"project:///(?P<path>[^#?]+)#(?P<line>\d{1,7})(?:,(?P<column>\d{1,7}))?")
_COMMAND = re.compile(r"#(?=#\s*(?:vso)?\[)", re.IGNORECASE)


def render(report: Report) -> str:
    """One SARIF log with one run. Plain changes are no results."""
    shown = [finding for finding in report.findings if finding.risk not in ("change", "none")]
    names = [risk.name for risk in RISKS if any(finding.risk == risk.name for finding in shown)]
    steps = {row.step.urn: row.step for row in report.rows}
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {"name": "audit", "semanticVersion": "1.0.0", "rules": [_rule(name) for name in names]}
                },
                "automationDetails": {"id": f"audit/{clean(report.project)}/{clean(report.stack)}/"},
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": not report.incomplete}],
                "properties": {"fingerprint": report.fingerprint, "worst": report.worst},
                "results": [_result(finding, names, steps.get(finding.urn)) for finding in shown],
            }
        ],
    }
    return _COMMAND.sub(lambda _match: "\\u0023", json.dumps(log, separators=(",", ":")))


def _rule(name: str) -> dict[str, Any]:
    risk = BY_NAME[name]
    level = LEVEL[risk.family]
    return {
        "id": name,
        "shortDescription": {"text": risk.what},
        "fullDescription": {"text": f"{risk.what} {risk.why}"},
        "help": {"text": f"Check: {risk.check} Remedy: {risk.remedy}"},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["security", risk.family], "security-severity": SEVERITY[level]},
    }


def _result(finding: Finding, names: list[str], step: Step | None) -> dict[str, Any]:
    lines = [finding.reason if finding.proved else f"{finding.reason} (cannot be proved)", *finding.details[:30]]
    if finding.policy:
        lines += [f"newly allowed: {witness(item)}" for item in finding.policy.newly_allowed[:10]]
        lines += [f"newly refused: {witness(item)}" for item in finding.policy.newly_refused[:10]]
        lines += [f"because of {item}" for item in finding.policy.because[:10]]
    result: dict[str, Any] = {
        "ruleId": finding.risk,
        "ruleIndex": names.index(finding.risk),
        "level": LEVEL[BY_NAME[finding.risk].family],
        "message": {"text": clean("\n".join(lines))},
    }
    if finding.urn:
        result["locations"] = [_location(finding, step)]
    if step is not None and step.planned:
        result["partialFingerprints"] = {"auditStep/v1": f"{step.prior}{step.planned}"}
    if finding.waiver:
        reason = f"{finding.waiver['reason']} ({finding.waiver['owner']}, until {finding.waiver['expires']})"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": clean(reason)}]
    return result


def _location(finding: Finding, step: Step | None) -> dict[str, Any]:
    location: dict[str, Any] = {
        "logicalLocations": [
            {
                "fullyQualifiedName": clean(finding.urn),
                "name": clean(finding.urn.rsplit("::", 1)[-1]),
                "kind": "resource",
            }
        ]
    }
    side = (step.new or step.old) if step else None
    match = _POSITION.fullmatch(side.source) if side else None
    if match and int(match["line"]) > 0:
        from urllib.parse import quote

        region = {"startLine": int(match["line"])}
        if match["column"] and int(match["column"]) > 0:
            region["startColumn"] = int(match["column"])
        location["physicalLocation"] = {"artifactLocation": {"uri": quote(match["path"])}, "region": region}
    return location
