"""Fills the report of a plan: reads a preview, redacts it, judges it."""

import datetime
from collections.abc import Sequence

from audit.model import Finding, Plan
from audit.plan import waivers as waiving
from audit.plan.classify import judge
from audit.plan.fingerprint import fingerprint
from audit.plan.preview import MAX_BYTES, read
from audit.report.catalogue import CLASSES
from audit.report.model import Report, Row
from audit.secrets.redact import Redactor


def build(plan: Plan, waivers: Sequence[waiving.Waiver] = (), today: datetime.date | None = None) -> Report:
    """The report of a redacted plan. `today` (default: now in UTC) decides which waivers have expired."""
    mark = fingerprint(plan)
    findings = judge(plan)
    findings += waiving.apply(list(waivers), findings, today or datetime.datetime.now(datetime.UTC).date())
    by_urn: dict[str, list[Finding]] = {}
    for finding in findings:
        by_urn.setdefault(finding.urn, []).append(finding)
    rows = []
    for step in plan.steps:
        own = [finding for finding in by_urn.get(step.urn, ()) if finding.step is None or finding.step is step]
        risk = CLASSES.worst(finding.risk for finding in own if finding.waiver is None) if own else "change"
        rows.append(Row(step, own, risk))
    rows.sort(key=lambda row: (CLASSES.rank[row.risk], row.step.urn, row.step.op))
    return Report(
        command="plan",
        project=plan.project,
        stack=plan.stack,
        findings=findings,
        rows=rows,
        counts=dict(sorted(plan.counts.items())),
        facts={"Fingerprint": mark},
        diagnostics=plan.diagnostics,
        incomplete=plan.incomplete,
        source=plan.source,
    )


def from_file(
    path: str,
    known_secrets: Sequence[str] = (),
    waivers: Sequence[waiving.Waiver] = (),
    today: datetime.date | None = None,
    max_bytes: int = MAX_BYTES,
) -> Report:
    """Reads, redacts and judges the preview at `path` (`-`: standard input). Raises AuditError."""
    redactor = Redactor(known_secrets)
    plan = read(path, redactor.visit, max_bytes)
    return build(redactor.plan(plan), waivers, today)
