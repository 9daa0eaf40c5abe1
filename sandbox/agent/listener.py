"""The agent: takes jobs from its organisation, one after another, and runs each on this machine.

What of the real agent is not here: demands and capabilities, containers, services, several jobs at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.agent.channel import Assignment, Organization, Waiting
from sandbox.agent.job import JobRun
from sandbox.agent.results import Machine, Results, StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass
class Agent:
    """One agent.

    on_line: called with stage, step title and each line of a step's output before it is masked. on_job: called with
    each job that it takes. on_step: called when a step begins and when it has ended (`JobRun`).
    """

    organization: Organization
    machine: Machine
    on_line: Callable[[str, str, str], None] | None = None
    on_job: Callable[[Assignment], None] | None = None
    on_step: Callable[[JobRun, StepResult | None], None] | None = None
    results: Results = field(default_factory=Results)

    def work(self, build: int, decide: Callable[[Mapping[str, Any]], None]) -> str:
        """Take the jobs of a run until it is completed; its status then.

        decide: answers an approval that the run waits for, or raises.
        """
        while True:
            taken = self.organization.take(build)
            if isinstance(taken, Assignment):
                self._run(taken)
            elif isinstance(taken, Waiting):
                if not taken.approvals:
                    return taken.status
                for approval in taken.approvals:
                    decide(approval)

    def _run(self, taken: Assignment) -> None:
        if self.on_job:
            self.on_job(taken)
        channel = self.organization.of(taken)
        JobRun(taken, channel, self.machine, self.results, self.on_line, self.on_step).start()
