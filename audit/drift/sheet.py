"""What one look at the clouds collects: a sheet of facts and findings for each resource of the state."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from audit.clouds import NotOffered, Refused
from audit.clouds.aws import Aws
from audit.clouds.azure_devops import AzureDevOps
from audit.model import Finding, is_hidden
from audit.plan.classify import documents
from audit.report.model import Status, Table, TableRow
from audit.state import Resource, StackState

COLUMNS = ("Property", "Declared", "Recorded", "Real")


@dataclass(slots=True)
class Sheet:
    """The facts about one resource."""

    resource: Resource
    rows: list[TableRow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: bool = False
    compared: bool = True

    def fact(self, name: str, declared: Any, recorded: Any, real: Any, status: Status | None = None) -> bool:
        """Notes a property side by side; whether the real value is the recorded one. A masked value is unknown."""
        if status is None:
            status = "unknown" if is_hidden(recorded) else "same" if recorded == real else "differs"
        self.rows.append(TableRow([name, declared, recorded, real], status))
        return status == "same"

    def own(self, name: str, real: Any, default: Any = None) -> bool:
        """The same for a property of the resource by its name; `default` is what an unset one means. What the stack
        declares and did not get is a finding by itself."""
        resource = self.resource
        recorded = resource.get(name)
        self.taken(name, resource.inputs.get(name), recorded)
        recorded = default if recorded is None or recorded == "" else recorded
        return self.fact(name, resource.inputs.get(name), recorded, default if real in (None, "") else real)

    def find(self, rule: str, reason: str, *details: str, proved: bool = True, policy: Any = None) -> None:
        """Adds a finding about this resource."""
        self.findings.append(Finding(rule, self.resource.urn, reason, [*details], proved, policy))

    def taken(self, name: str, declared: Any, recorded: Any) -> None:
        """Says so where the update did not bring about what was declared: `pulumi preview` does not show it again
        where the provider ignores the difference."""
        if declared not in (None, "") and not is_hidden(declared) and not is_hidden(recorded) and declared != recorded:
            self.find("drift-declared", f"{self.subject}: {name} is declared as {_show(declared)}, recorded is "
                      f"{_show(recorded)}.")  # fmt: skip

    def differs(self, name: str, real: Any, rule: str = "drift-property", default: Any = None) -> None:
        """`own`, and a finding where the value differs."""
        if not self.own(name, real, default):
            recorded = self.resource.get(name)
            if is_hidden(recorded):
                return
            self.find(rule, f"{self.subject}: {name} is {_show(real)}, recorded is {_show(recorded)}.")

    def gone(self) -> None:
        """The resource itself is not there."""
        self.missing = True
        self.find("drift-missing", f"{self.subject} is recorded ({self.resource.id}) and is not there.")

    @contextmanager
    def looking(self) -> Iterator[None]:
        """Around look-ups and what rests on them: where one is refused it is noted, and what follows goes on."""
        try:
            yield
        except (Refused, NotOffered) as refusal:
            self.refused(refusal)

    def refused(self, refusal: Refused | NotOffered) -> None:
        """Notes a look-up that was refused: a finding that names the permission, or that it is not offered here."""
        if isinstance(refusal, NotOffered):
            self.rows.append(TableRow([refusal.what, None, None, "not offered by this endpoint"], "not compared"))
            self.notes.append(f"{refusal}.")
            return
        self.find("look-up-refused", f"{refusal}.", *refusal.details, proved=False)
        self.rows.append(TableRow([refusal.what, None, None, refusal.details[0]], "unknown"))

    def judge(self, name: str, recorded: Any, real: Any, rule: str = "drift-access-broadened", what: str = "") -> None:
        """Compares two policy documents by meaning and notes the outcome; None is no document."""
        declared, kept = self.resource.inputs.get(name), self.resource.outputs.get(name)
        if declared and kept and declared != kept and documents.judge(name, kept, declared).outcome != "equal":
            self.find("drift-declared", f"{self.subject}: the recorded {name} does not mean what is declared.")
        verdict = documents.judge(name, recorded, real)
        same = verdict.outcome == "equal"
        self.fact(
            name,
            documents.shown(self.resource.inputs.get(name)),
            documents.shown(recorded),
            documents.shown(real),
            "same" if same else "differs",
        )
        if same:
            return
        subject = what or f"{self.subject}: {name}"
        if verdict.outcome == "narrowed":
            self.find("drift-access-narrowed", f"{subject} {verdict.reason}.", *verdict.details, policy=verdict.diff)
        elif verdict.outcome == "broadened":
            self.find(rule, f"{subject} {verdict.reason}.", *verdict.details, policy=verdict.diff)
        else:
            unknown = rule if rule == "drift-trust" else "drift-access-unknown"
            reason = f"{subject}: {verdict.reason}; that it is not broader cannot be proved."
            self.find(unknown, reason, *verdict.details, proved=False, policy=verdict.diff)

    @property
    def subject(self) -> str:
        """How findings call the resource."""
        return f"{self.resource.kind.rsplit(':', 1)[-1]} '{self.resource.name}'"

    def table(self) -> Table:
        """The sheet as it is shown."""
        return Table(
            title=self.resource.name,
            columns=COLUMNS,
            rows=self.rows,
            subject=self.resource.urn,
            kind=self.resource.kind,
            status=self.status,
        )

    @property
    def status(self) -> Status:
        """The resource's verdict, from its findings."""
        if not self.compared or (self.rows and all(row.status == "not compared" for row in self.rows)):
            return "not compared"
        if self.missing:
            return "missing"
        if any(finding.risk != "look-up-refused" for finding in self.findings):
            return "differs"
        return "unknown" if self.findings else "same"


@dataclass(slots=True)
class Clouds:
    """The state and the clouds that it is compared with. `expiry_days`: how far ahead expiring images are looked for;
    `clock_skew`: seconds by which a cloud's clock may be ahead of the engine's."""

    state: StackState
    aws: Aws
    expiry_days: int = 30
    clock_skew: float = 0.0
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    devops_reader: AzureDevOps | None = None

    @property
    def devops(self) -> AzureDevOps:
        """Azure DevOps, asked for only where the state holds something of it. Raises AuditError."""
        if self.devops_reader is None:
            self.devops_reader = AzureDevOps()
        return self.devops_reader


Check = Callable[[Sheet, Clouds], None]


def _show(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text[:200] if text else "empty"
