"""An access key as the look at keys knows it, and where its id is published."""

from dataclasses import dataclass, field
from datetime import datetime

from audit.model import Finding


@dataclass(frozen=True, slots=True)
class Publication:
    """A variable that holds a key's id. `secret` never: the value of a secret variable cannot be read."""

    project: str
    group: str
    group_id: str
    variable: str

    def __str__(self) -> str:
        return f"{self.project}/{self.group}: {self.variable}"


@dataclass(slots=True)
class Key:
    """One access key. `last_used` is None for never, `used_known` False where that could not be looked up; `lost`:
    an interrupted update made it, and nobody has its secret."""

    user: str
    id: str
    active: bool
    created: datetime
    last_used: datetime | None = None
    last_service: str = ""
    used_known: bool = True
    recorded: str = ""
    lost: bool = False
    published: list[Publication] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def find(self, rule: str, reason: str, *details: str, proved: bool = True) -> None:
        """Adds a finding about this key."""
        self.findings.append(Finding(rule, f"{self.user}/{self.id}", reason, [*details], proved))
