"""The data of a survey: findings, and tables of facts that they rest on."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from audit.model import Finding, PolicyDiff
from audit.redact import Redactor
from audit.survey.rules import RANK, RULES

Status = Literal["same", "differs", "missing", "unknown", "not compared"]


@dataclass(slots=True)
class TableRow:
    """One line of facts; `status` says whether it is as it should be."""

    cells: list[Any]
    status: Status = "same"


@dataclass(slots=True)
class Table:
    """Facts about one thing, or a list of things. `subject` is a URN or a name, `kind` its type."""

    title: str
    columns: tuple[str, ...]
    rows: list[TableRow] = field(default_factory=list)
    subject: str = ""
    kind: str = ""
    status: Status = "same"


@dataclass(slots=True)
class Survey:
    """What is written. `data` is the part of the JSON report that only this command has."""

    command: str
    project: str
    stack: str
    tables: list[Table]
    findings: list[Finding]
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.findings.sort(key=lambda finding: (RANK[finding.risk], finding.urn, finding.reason))

    @property
    def worst(self) -> str:
        """The worst rule that has a finding; "none" without any."""
        return self.findings[0].risk if self.findings else "none"

    def classes(self) -> dict[str, int]:
        """Findings counted by rule, worst first."""
        counted = Counter(finding.risk for finding in self.findings)
        return {rule.name: counted[rule.name] for rule in RULES if counted[rule.name]}

    def reaches(self, rank: int) -> bool:
        """Whether a finding is of this rank or worse."""
        return bool(self.findings) and RANK[self.worst] <= rank

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        if self.findings:
            return f"{len(self.findings):,} finding{'s' if len(self.findings) > 1 else ''}, worst: {self.worst}."
        return "Nothing found."


def redacted(survey: Survey, redactor: Redactor) -> Survey:
    """The survey without secrets, changed in place."""
    survey.project, survey.stack = redactor.text(survey.project), redactor.text(survey.stack)
    for table in survey.tables:
        table.title, table.subject = redactor.text(table.title), redactor.text(table.subject)
        for row in table.rows:
            row.cells = [redactor.value(cell) for cell in row.cells]
    for finding in survey.findings:
        finding.urn, finding.reason = redactor.text(finding.urn), redactor.text(finding.reason)
        finding.details = [redactor.text(item) for item in finding.details]
        if finding.policy is not None:
            _policy(finding.policy, redactor)
    survey.notes = [redactor.text(item) for item in survey.notes]
    survey.data = redactor.value(survey.data)
    return survey


def _policy(policy: PolicyDiff, redactor: Redactor) -> None:
    policy.old, policy.new = redactor.value(policy.old), redactor.value(policy.new)
    policy.newly_allowed = [redactor.value(item) for item in policy.newly_allowed]
    policy.newly_refused = [redactor.value(item) for item in policy.newly_refused]
    policy.because = [redactor.text(item) for item in policy.because]
