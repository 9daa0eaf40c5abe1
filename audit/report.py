"""Builds the report: one model, already redacted, from which every format is written."""

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from audit import waivers as waiving
from audit.classify import judge
from audit.fingerprint import fingerprint
from audit.model import Diagnostic, Finding, Plan, Step
from audit.preview import MAX_BYTES, read
from audit.redact import Redactor
from audit.risks import BY_NAME, RANK, RISKS, worst

SCHEMA = "app-one-audit-report"
SCHEMA_VERSION = "1.0"


@dataclass(slots=True)
class Row:
    """A step with its judgement. `risk` is the worst class of its findings that no waiver covers."""

    step: Step
    findings: list[Finding]
    risk: str


@dataclass(slots=True)
class Report:
    """What is written. `rows` are in order of severity; `general` are findings about no single step."""

    stack: str
    project: str
    source: str
    fingerprint: str
    incomplete: bool
    counts: dict[str, int]
    rows: list[Row]
    findings: list[Finding]
    diagnostics: list[Diagnostic]

    @property
    def worst(self) -> str:
        """The worst class that no waiver covers."""
        return worst([finding.risk for finding in self.findings if finding.waiver is None])

    @property
    def general(self) -> list[Finding]:
        """Findings that belong to no step of the plan: about the preview or the waivers."""
        urns = {row.step.urn for row in self.rows}
        return [finding for finding in self.findings if finding.urn not in urns]

    def classes(self) -> dict[str, int]:
        """Findings that no waiver covers, counted by class, worst first."""
        counted = Counter(finding.risk for finding in self.findings if finding.waiver is None)
        return {risk.name: counted[risk.name] for risk in RISKS if counted[risk.name]}

    def waived(self) -> int:
        """How many findings a waiver covers."""
        return sum(finding.waiver is not None for finding in self.findings)

    def reaches(self, rank: int) -> bool:
        """Whether a finding that no waiver covers is of this rank or worse."""
        return RANK[self.worst] <= rank and self.worst != "none"


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
        rows.append(
            Row(step, own, worst([finding.risk for finding in own if finding.waiver is None]) if own else "change")
        )
    rows.sort(key=lambda row: (RANK[row.risk], row.step.urn, row.step.op))
    findings.sort(key=lambda finding: (RANK[finding.risk], finding.urn, finding.reason))
    return Report(
        stack=plan.stack,
        project=plan.project,
        source=plan.source,
        fingerprint=mark,
        incomplete=plan.incomplete,
        counts=dict(sorted(plan.counts.items())),
        rows=rows,
        findings=findings,
        diagnostics=plan.diagnostics,
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


def family(name: str) -> str:
    """The family of a class."""
    return BY_NAME[name].family
