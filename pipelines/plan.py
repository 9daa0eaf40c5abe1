"""What the entry points read of an audit's JSON report: the steps that change something, and whose work they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines import agent

if TYPE_CHECKING:
    from pathlib import Path

WITHIN_RIGHTS = frozenset({"docker:index/image:Image"})
"""Resource types that the pipeline's key may change: it pushes images, and that is all (infra's push policy)."""

NO_CLOUD = ("pulumi:pulumi:", "pulumi:providers:", "app-one:infra:Image")
"""Types of the engine and of this program's components: they change nothing outside the state."""


@dataclass(frozen=True)
class Step:
    """One change: operation, resource type, logical name, URN."""

    op: str
    type: str
    name: str
    urn: str


@dataclass(frozen=True)
class Plan:
    """The changes of a report and its fingerprint."""

    steps: tuple[Step, ...]
    fingerprint: str

    @property
    def beyond_rights(self) -> tuple[Step, ...]:
        """The steps that the pipeline's key may not do."""
        return tuple(step for step in self.steps if not _within(step))


def _within(step: Step) -> bool:
    return step.type in WITHIN_RIGHTS or step.type.startswith(NO_CLOUD)


def read(file: Path) -> Plan:
    """The plan of `python -m audit plan --report json=FILE`. Raises Stop (code 2) for anything else."""
    report: Any = agent.read_json(file, "the JSON report of `python -m audit plan`")
    try:
        steps = tuple(
            Step(step["op"], step["type"], step["urn"].split("::", 3)[-1], step["urn"]) for step in report["steps"]
        )
        return Plan(steps, report["fingerprint"])
    except (KeyError, TypeError, AttributeError) as error:
        raise agent.Stop(f"{file} is no JSON report of `python -m audit plan`: {error!r}", agent.USAGE) from None
