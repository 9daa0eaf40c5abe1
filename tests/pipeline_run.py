"""A run of a pipeline as tests look at it: queued at the service, its jobs run by an agent of this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from azure_pipelines.conditions import ABANDONED, CANCELED, FAILED, SKIPPED, SUCCEEDED, WITH_ISSUES
from sandbox.agent.results import Results

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sandbox.agent.listener import Agent
    from tests.organization import Organization

RESULTS = {word.lower(): word for word in (SUCCEEDED, WITH_ISSUES, FAILED, SKIPPED, CANCELED, ABANDONED)}


@dataclass
class Outcome(Results):
    """What the agent has of a run, and what the service says of it.

    stages: how each ended, or its state. approved: the stages that somebody was asked for, with the resource.
    """

    stages: dict[str, str] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    artifacts: dict[str, Path] = field(default_factory=dict)
    approved: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class PipelineRun:
    """One run. decide: what to do about an approval that it waits for, by default approve."""

    organization: Organization
    agent: Agent
    build: int
    decide: Callable[[Mapping[str, Any]], None] | None = None
    approved: list[tuple[str, str]] = field(default_factory=list)

    def start(self) -> Outcome:
        """Run until the service says that it is completed."""
        self.agent.work(self.build, self._decide)
        return self.outcome()

    def _decide(self, approval: Mapping[str, Any]) -> None:
        self.approved.append((approval["stage"], approval["resource"]))
        if self.decide is None:
            self.organization.answer(approval["id"], "approved")
        else:
            self.decide(approval)

    def cancel(self) -> None:
        """Cancel the run."""
        self.organization.cancel(self.build)

    def rerun_failed(self) -> Outcome:
        """Run again what did not succeed, as "Rerun failed jobs" does: the first such stage, and all after it."""
        failed = next(row for row in self.stages() if row["result"] in ("failed", "canceled"))
        self.organization.retry(self.build, failed["identifier"])
        return self.start()

    def stages(self) -> list[dict[str, Any]]:
        """The records of its stages, in their order."""
        return sorted(self.organization.records(self.build, "Stage"), key=lambda row: row["order"])

    def outcome(self) -> Outcome:
        """What there is of it now."""
        stages = self.stages()
        told = [*stages, *self.organization.records(self.build, "Job")]
        refused = [("error", issue["message"]) for row in told for issue in row["issues"] if issue["type"] == "error"]
        kept = self.agent.results
        return Outcome(
            **{**vars(kept), "issues": [*kept.issues, *refused]},
            stages={row["identifier"]: RESULTS.get(str(row["result"]).lower(), row["state"]) for row in stages},
            attempts={row["identifier"]: row["attempt"] for row in stages},
            artifacts=self.organization.artifacts(self.build, self.agent.machine.ended / "artifacts"),
            approved=list(self.approved),
        )
