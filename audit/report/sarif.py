"""A report as SARIF 2.1.0 (OASIS), for code-scanning views: one rule a class, one result a finding."""

import json
import re
from typing import Any

from audit.model import Finding, Step
from audit.report.classes import Risk
from audit.report.model import Report
from audit.report.text import clean, escaped_commands, policy_lines, proof

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVEL = {"incomplete": "error", "access": "error", "loss": "error", "exposure": "error", "policy": "warning",
         "waiver": "warning", "rotation": "warning", "change": "note", "none": "none"}  # fmt: skip
SEVERITY = {"error": "8.0", "warning": "5.0", "note": "1.0", "none": "0.0"}

_POSITION = re.compile(r"project:///(?P<path>[^#?]+)#(?P<line>\d{1,7})(?:,(?P<column>\d{1,7}))?")


def render(report: Report) -> str:
    """One SARIF log with one run. Plain changes of a plan are no results."""
    plan = report.command == "plan"
    shown = report.serious if plan else report.findings
    names = list(dict.fromkeys(finding.risk for finding in shown))
    steps = {row.step.urn: row.step for row in report.rows}
    name, identifier = ("audit", "audit") if plan else (f"audit {report.command}", f"audit-{report.command}")
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": name,
                "semanticVersion": "1.0.0",
                "rules": [_rule(report.catalogue[item]) for item in names],
            }
        },
        "automationDetails": {"id": f"{identifier}/{clean(report.project)}/{clean(report.stack)}/"},
        "columnKind": "unicodeCodePoints",
    }
    if plan:
        run["invocations"] = [{"executionSuccessful": not report.incomplete}]
        run["properties"] = {"fingerprint": report.fingerprint, "worst": report.worst}
    run["results"] = [_result(finding, report, names, steps.get(finding.urn)) for finding in shown]
    return escaped_commands(json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, separators=(",", ":")))


def _rule(rule: Risk) -> dict[str, Any]:
    level = LEVEL[rule.family]
    return {
        "id": rule.name,
        "shortDescription": {"text": rule.what},
        "fullDescription": {"text": f"{rule.what} {rule.why}"},
        "help": {"text": f"Check: {rule.check} Remedy: {rule.remedy}"},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": ["security", rule.family], "security-severity": SEVERITY[level]},
    }


def _result(finding: Finding, report: Report, names: list[str], step: Step | None) -> dict[str, Any]:
    subject = [finding.urn] if finding.urn and report.command != "plan" else []
    lines = [finding.reason + proof(finding), *subject, *finding.details[:30]]
    lines += [text for _, text in policy_lines(finding, 10)]
    result: dict[str, Any] = {
        "ruleId": finding.risk,
        "ruleIndex": names.index(finding.risk),
        "level": LEVEL[report.catalogue[finding.risk].family],
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
