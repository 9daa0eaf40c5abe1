"""Run an expanded pipeline: stages and jobs in their order, conditions, outputs, artefacts, attempts.

What of the agent is not here: demands and pools (every job runs on this machine), containers, services, matrix,
retries, time limits of steps and jobs, rolling and canary deployments, and approvals (the service's, not the agent's).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from azure_pipelines.expressions import Scope, evaluate, parse, text, truth
from azure_pipelines.variables import Masks, Value, Variables
from sandbox.agent import commands
from sandbox.agent.process import Cancellation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from azure_pipelines.model import Job, Pipeline, Stage, Variable

SUCCEEDED, FAILED, SKIPPED, CANCELED = "Succeeded", "Failed", "Skipped", "Canceled"


class Refused(Exception):  # noqa: N818 (the service's word, not a defect)
    """The service gives this pipeline a resource not."""


class Service(Protocol):
    """What an agent asks its service for."""

    def group(self, name: str) -> Mapping[str, Value]:
        """A variable group's values, with its secrets. Raises Refused where this pipeline may not use the group."""

    def environment(self, name: str) -> list[str]:
        """The checks of an environment. Raises Refused where this pipeline may not deploy to it."""

    def token(self) -> str:
        """System.AccessToken of this run."""


@dataclass(frozen=True)
class Machine:
    """The agent's machine.

    work: folder that jobs run in. ended: where the folder of a job is moved when it has ended. environ: the agent's own
    environment. python: folder of the `python3` that UsePythonVersion gives. caches: what Cache@2 restores, by the
    first part of its key. sources: the git repository that `checkout: self` clones.
    """

    work: Path
    ended: Path
    environ: Mapping[str, str]
    python: Path
    sources: Path
    caches: Mapping[str, Path] = field(default_factory=dict)


@dataclass
class StepResult:
    """How a step ended and what its log shows (masked)."""

    stage: str
    job: str
    title: str
    result: str
    log: list[str]


@dataclass
class Results:
    """What a run leaves: results, outputs, logs, summaries, artefacts, test results, issues."""

    steps: list[StepResult] = field(default_factory=list)
    stages: dict[str, str] = field(default_factory=dict)
    jobs: dict[tuple[str, str], str] = field(default_factory=dict)
    outputs: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    summaries: list[str] = field(default_factory=list)
    artifacts: dict[str, Path] = field(default_factory=dict)
    tests: list[tuple[str, str, bool]] = field(default_factory=list)
    issues: list[tuple[str, str]] = field(default_factory=list)
    checks: dict[str, list[str]] = field(default_factory=dict)
    """Checks of the environments that stages deploy to, which the service holds a run for."""
    workspaces: list[Path] = field(default_factory=list)
    """Folders of the jobs, kept as they are when the job has ended."""
    written: list[tuple[str, str]] = field(default_factory=list, repr=False)
    """Step and line of all that scripts wrote, with their commands and before anything was masked."""

    def unmasked(self) -> list[tuple[str, str]]:
        """What scripts wrote, less the secrets that they told the agent of: what its masks should not be needed for."""
        return [(step, told) for step, line in self.written if (told := commands.without_told_secrets(line)).strip()]

    def step(self, title: str, stage: str = "") -> StepResult:
        """The last result of a step by its title."""
        found = [row for row in self.steps if row.title == title and row.stage.startswith(stage)]
        if not found:
            raise LookupError(f"no step {title!r}; there are {[row.title for row in self.steps]}")
        return found[-1]

    def log(self) -> str:
        """Everything that the run printed."""
        return "\n".join(line for row in self.steps for line in row.log)


@dataclass
class Run:
    """One run of a pipeline.

    predefined: the service's variables (Build.BuildNumber, ...).
    on_line: called with stage, step title and each line of output before it is masked; may call `cancel`.
    """

    pipeline: Pipeline
    machine: Machine
    service: Service
    predefined: Mapping[str, str]
    on_line: Callable[[str, str, str], None] | None = None
    results: Results = field(default_factory=Results)
    masks: Masks = field(default_factory=Masks)
    cancellation: Cancellation = field(default_factory=Cancellation)

    def cancel(self) -> None:
        """Cancel the run, as the button does."""
        self.cancellation.request()

    def start(self, *stages: str) -> Results:
        """Run all stages, or the named ones with the others skipped as if they had succeeded."""
        for stage in self.pipeline.stages:
            if stages and stage.id not in stages:
                self.results.stages[stage.id] = SUCCEEDED
                continue
            self._stage(stage)
        return self.results

    def rerun_failed(self) -> Results:
        """Run again the stages that did not succeed, as "Rerun failed jobs" does."""
        self.cancellation = Cancellation()
        for stage in self.pipeline.stages:
            if self.results.stages.get(stage.id) != SUCCEEDED:
                self._stage(stage)
        return self.results

    def _stage(self, stage: Stage) -> None:
        results = self.results
        states = [results.stages[name] for name in stage.depends_on]
        dependencies = {
            name: {"result": results.stages[name], "outputs": self._stage_outputs(name)} for name in results.stages
        }
        variables = self._variables((), groups=False)
        scope = Scope({"dependencies": dependencies, "variables": variables.plain()}, self._status(states))
        if not truth(evaluate(parse(stage.condition), scope)):
            results.stages[stage.id] = CANCELED if self.cancellation.requested else SKIPPED
            return
        results.attempts[stage.id] = results.attempts.get(stage.id, 0) + 1
        ended = [self._job(stage, job) for job in stage.jobs]
        order = (CANCELED, FAILED)
        worst = next((state for state in order if state in ended), SUCCEEDED)
        results.stages[stage.id] = SKIPPED if ended and set(ended) == {SKIPPED} else worst

    def _stage_outputs(self, stage: str) -> dict[str, str]:
        """`job.step.name` of every job in a stage, as `dependencies.STAGE.outputs` has them."""
        rows = self.results.outputs.items()
        return {f"{job}.{key}": value for (of, job), values in rows if of == stage for key, value in values.items()}

    def _job(self, stage: Stage, job: Job) -> str:
        from sandbox.agent.job import JobRun

        key = (stage.id, job.id)
        states = [self.results.jobs[stage.id, name] for name in job.depends_on]
        names = self._names(stage, job)
        try:
            variables = self._variables((*stage.variables, *job.variables), names=names)
            if job.deployment:
                self.results.checks[stage.id] = self.service.environment(job.environment)
        except Refused as refused:
            # The service fails such a run before a job starts.
            self.results.issues.append(("error", str(refused)))
            self.results.jobs[key] = FAILED
            return FAILED
        names["variables"] = variables.plain()
        if not truth(evaluate(parse(job.condition), Scope(names, self._status(states)))):
            self.results.jobs[key] = CANCELED if self.cancellation.requested else SKIPPED
            return self.results.jobs[key]
        ended = JobRun(self, stage, job, variables).start()
        self.results.jobs[key] = ended
        return ended

    def _names(self, stage: Stage, job: Job) -> dict[str, Any]:
        """Named values of a job's condition and runtime expressions."""
        results = self.results
        dependencies = {
            name: {"result": results.jobs[stage.id, name], "outputs": results.outputs.get((stage.id, name), {})}
            for name in job.depends_on
        }
        earlier: dict[str, Any] = {}
        for (of, name), values in results.outputs.items():
            earlier.setdefault(of, {})[name] = {"outputs": values}
        return {"dependencies": dependencies, "stageDependencies": earlier}

    def _variables(
        self, declared: tuple[Variable, ...], *, groups: bool = True, names: Mapping[str, Any] | None = None
    ) -> Variables:
        """Variables in the service's order: pipeline, stage and job; groups where they stand."""
        variables = Variables(self.masks)
        for entry in (*self.pipeline.variables, *declared):
            if entry.group:
                if groups:
                    variables.update(self.service.group(entry.group).items())
            else:
                variables.set(entry.name, self._runtime(entry.value, variables, names))
        variables.update((name, Value(value)) for name, value in self.predefined.items())
        variables.set("System.AccessToken", self.service.token(), secret=True)
        return variables

    @staticmethod
    def _runtime(value: str, variables: Variables, names: Mapping[str, Any] | None) -> str:
        """A `$[ ]` value evaluated; any other as it is."""
        stripped = value.strip()
        if not (stripped.startswith("$[") and stripped.endswith("]")):
            return value
        return text(evaluate(parse(stripped[2:-1]), Scope({**(names or {}), "variables": variables.plain()})))

    def _status(self, states: list[str]) -> dict[str, Callable[..., bool]]:
        """Status functions over the results of what came before."""
        canceled = self.cancellation.requested
        fine = all(state == SUCCEEDED for state in states)
        failed = FAILED in states
        return {
            "always": lambda *_: True,
            "canceled": lambda *_: canceled,
            "succeeded": lambda *_: fine and not canceled,
            "failed": lambda *_: failed and not canceled,
            "succeededorfailed": lambda *_: not canceled and all(state in (SUCCEEDED, FAILED) for state in states),
        }
