"""The neutral model of a report: what every command fills and every format writes. It is redacted before a format sees
it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from audit.model import Diagnostic, Finding, Step
from audit.report.catalogue import CLASSES, Catalogue
from audit.report.text import headline

Status = Literal["same", "differs", "missing", "unknown", "not compared"]


@dataclass(slots=True)
class Row:
    """A step with its judgement. `risk` is the worst class of its findings that no waiver covers."""

    step: Step
    findings: list[Finding]
    risk: str


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
class Part:
    """Something that a record holds, with its class: a step of an update."""

    op: str
    risk: str
    subject: str
    lines: list[str]


@dataclass(slots=True)
class Record:
    """One entry of a list: an update of a history (with facts and parts), a difference of two previews (with lines)."""

    subject: str
    sentence: str = ""
    op: str = ""
    about: str = ""
    risk: str = ""
    risks: Sequence[str] = ()
    facts: Table | None = None
    parts: list[Part] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What is written. Of rows (steps of a plan), tables (facts) and records a command has one kind; `rows` and
    `findings` are in order of severity. `verdict` is said instead of the one that follows from the findings; `sides`
    are the columns of two documents side by side; `data` is the part of the JSON that only this command has."""

    command: str
    project: str
    stack: str
    catalogue: Catalogue = CLASSES
    findings: list[Finding] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    verdict: str = ""
    incomplete: bool = False
    source: str = ""
    sides: tuple[str, str] = ("Before", "After")
    data: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rank = self.catalogue.rank
        self.findings.sort(key=lambda finding: (rank[finding.risk], finding.urn, finding.reason))

    @property
    def title(self) -> str:
        """What the report is about."""
        if self.command == "plan":
            return f"Audit of {self.project or '?'}/{self.stack or '?'}"
        of = f"{self.project}/{self.stack}" if self.stack else "the account"
        what = "Rehearsal" if self.command == "prove" else self.command.capitalize()
        return f"{what} of {of}"

    @property
    def fingerprint(self) -> str:
        """The fingerprint of a plan; "" of anything else."""
        return self.facts.get("Fingerprint", "")

    @property
    def worst(self) -> str:
        """The worst class that no waiver covers: of the findings, else of the records."""
        names = [finding.risk for finding in self.findings if finding.waiver is None]
        return self.catalogue.worst(names or [record.risk for record in self.records if record.risk])

    @property
    def family(self) -> str:
        """The family of the worst class."""
        return self.catalogue[self.worst].family

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        if self.verdict:
            return self.verdict
        if self.command == "plan":
            return headline(self.worst, self.incomplete)
        if self.findings:
            return f"{len(self.findings):,} finding{'s' if len(self.findings) > 1 else ''}, worst: {self.worst}."
        return "Nothing found."

    @property
    def counted(self) -> str:
        """What was counted, in words."""
        words = ", ".join(f"{count:,} {name}" for name, count in self.counts.items() if name != "same" or self.tables)
        return words or ("no changes" if self.command == "plan" else "")

    @property
    def serious(self) -> list[Finding]:
        """Findings that say more than that something changes."""
        return [finding for finding in self.findings if finding.risk not in ("change", "none")]

    @property
    def general(self) -> list[Finding]:
        """Findings that belong to no step of the plan: about the preview or the waivers."""
        urns = {row.step.urn for row in self.rows}
        return [finding for finding in self.findings if finding.urn not in urns]

    @property
    def messages(self) -> list[Diagnostic]:
        """Errors and warnings of the engine, the program and the providers."""
        return [item for item in self.diagnostics if item.severity in ("error", "warning")]

    def classes(self) -> dict[str, int]:
        """Findings that no waiver covers, counted by class, worst first."""
        counted = Counter(finding.risk for finding in self.findings if finding.waiver is None)
        return {name: counted[name] for name in self.catalogue.by_name if counted[name]}

    def waived(self) -> int:
        """How many findings a waiver covers."""
        return sum(finding.waiver is not None for finding in self.findings)

    def reaches(self, rank: int) -> bool:
        """Whether a finding that no waiver covers is of this rank or worse."""
        return self.worst != "none" and self.catalogue.rank[self.worst] <= rank
