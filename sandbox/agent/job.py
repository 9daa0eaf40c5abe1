"""Run one job: its folders, its variables, its steps in order with their conditions, their output and commands."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from azure_pipelines.expressions import Scope, evaluate, parse, truth
from sandbox.agent import commands, process, tasks
from sandbox.agent.run import CANCELED, FAILED, SKIPPED, SUCCEEDED, StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from azure_pipelines.model import Job, Stage, Step
    from azure_pipelines.variables import Variables
    from sandbox.agent.run import Run

WORKSPACE = "1"
"""The folder of a job below the agent's, as on a hosted machine: each job finds it empty."""


@dataclass
class JobRun:
    """One attempt of a job."""

    run: Run
    stage: Stage
    job: Job
    variables: Variables
    result: str = SUCCEEDED
    outputs: dict[str, str] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    """Folders that steps put before PATH, the newest first."""
    mark: str = field(default_factory=lambda: uuid4().hex)
    log: list[str] = field(default_factory=list)
    step: Step | None = None
    _completed: str = ""

    def start(self) -> str:
        """Run the steps and give the job's result."""
        work = self.run.machine.work / WORKSPACE
        self._folders(work)
        for step in tasks.with_defaults(self.job):
            self.run.results.steps.append(self._step(step))
        self.run.results.outputs[self.stage.id, self.job.id] = self.outputs
        # The agent's last step of every job.
        for command in process.kill_orphans(self.mark):
            self.run.results.issues.append(("orphan", command))
        kept = self.run.machine.ended / f"{len(self.run.results.workspaces) + 1}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        self.run.results.workspaces.append(work.rename(kept))
        return self.result

    def _folders(self, work: Path) -> None:
        folders = {
            "Pipeline.Workspace": work,
            "Agent.BuildDirectory": work,
            "Agent.TempDirectory": work / "_temp",
            "Agent.ToolsDirectory": self.run.machine.work / "_tool",
            "Build.SourcesDirectory": work / "s",
            "System.DefaultWorkingDirectory": work / "s",
            "Build.ArtifactStagingDirectory": work / "a",
            "Build.StagingDirectory": work / "a",
            "Build.BinariesDirectory": work / "b",
        }
        for name, folder in folders.items():
            folder.mkdir(parents=True, exist_ok=True)
            self.variables.set(name, str(folder))
        attempt = str(self.run.results.attempts[self.stage.id])
        plain = {
            "Agent.OS": "Linux",
            "Agent.JobName": self.job.id,
            "System.JobName": self.job.id,
            "System.StageName": self.stage.id,
            "System.StageAttempt": attempt,
            "System.JobAttempt": attempt,
        }
        for name, value in plain.items():
            self.variables.set(name, value)

    def folder(self, name: str) -> Path:
        """A folder by its variable, such as `Agent.TempDirectory`."""
        return Path(self.variables.get(name) or "")

    def _step(self, step: Step) -> StepResult:
        self.step, self.log, self._completed = step, [], ""
        title = self.variables.expand(step.title)
        row = StepResult(self.stage.id, self.job.id, title, SKIPPED, self.log)
        if str(step.raw.get("enabled", "true")).lower() == "false" or not self._wanted(step):
            return row
        try:
            code = tasks.run(self, step)
            row.result = SUCCEEDED if code == 0 else FAILED
            if code:
                self.say(f"##[error]{step.task} exited with code {code}")
        except tasks.TaskError as error:
            self.say(f"##[error]{error}")
            row.result = FAILED
        if self._completed:
            row.result = self._completed
        if self.run.cancellation.requested and row.result == FAILED:
            row.result = CANCELED
        if row.result == FAILED and str(step.raw.get("continueOnError", "false")).lower() != "true":
            self.result = FAILED
        if self.run.cancellation.requested:
            self.result = CANCELED
        return row

    def _wanted(self, step: Step) -> bool:
        canceled = self.run.cancellation.requested
        failed = self.result == FAILED
        status: dict[str, Callable[..., bool]] = {
            "always": lambda: True,
            "canceled": lambda: canceled,
            "succeeded": lambda: not failed and not canceled,
            "failed": lambda: failed and not canceled,
            "succeededorfailed": lambda: not canceled,
        }
        return truth(evaluate(parse(step.condition), Scope({"variables": self.variables.plain()}, status)))

    def environment(self, step: Step) -> dict[str, str]:
        """The environment of a step: the agent's own, the plain variables, and what the step maps by name."""
        own = {**self.run.machine.environ, "TF_BUILD": "True", process.LOOKUP: self.mark}
        own.update(self.variables.environment())
        own.update({name: self.variables.expand(value) for name, value in step.env.items()})
        own["PATH"] = os.pathsep.join([*self.path, own.get("PATH", "")])
        return own

    def execute(self, argv: Sequence[str], step: Step, cwd: Path) -> int:
        """Run a process of a step; a step that began after the cancellation is not stopped by it."""
        run = self.run
        return process.run(
            argv,
            cwd=cwd,
            env=self.environment(step),
            on_line=self.output,
            cancellation=None if run.cancellation.requested else run.cancellation,
            patience=float(self.variables.get("PROCESS_SIGINT_TIMEOUT") or "7500") / 1000,
        )

    def output(self, line: str) -> None:
        """Take a line that a step printed: carry out its command, or log it."""
        self.run.results.written.append((self.variables.expand(self.step.title) if self.step else "", line))
        command = commands.find(line)
        if command is None:
            self.say(line)
        elif (handler := _HANDLERS.get(command.name)) is not None:
            handler(self, command)
        else:
            self.say(f"##[warning]unknown command {command.name}")
        if self.run.on_line and self.step:
            self.run.on_line(self.stage.id, self.variables.expand(self.step.title), line)

    def say(self, line: str) -> None:
        """Log a line, masked."""
        self.log.append(self.run.masks.hide(line))

    def _set_variable(self, command: commands.Command) -> None:
        name = command.properties.get("variable", "")
        secret = command.properties.get("issecret", "").lower() == "true"
        if command.properties.get("isoutput", "").lower() == "true" and self.step:
            qualified = f"{self.step.name}.{name}"
            # A deployment job's outputs carry the job's name too.
            self.outputs[f"{self.job.id}.{qualified}" if self.job.deployment else qualified] = command.value
            self.variables.set(qualified, command.value, secret=secret)
        else:
            self.variables.set(name, command.value, secret=secret)

    def _set_secret(self, command: commands.Command) -> None:
        self.run.masks.add(command.value)

    def _upload_summary(self, command: commands.Command) -> None:
        file = Path(command.value)
        if not file.is_absolute() or not file.is_file():
            self.say(f"##[error]uploadsummary needs the absolute path of a file, not {command.value}")
            self._completed = FAILED
            return
        self.run.results.summaries.append(file.read_text(encoding="utf-8"))

    def _issue(self, command: commands.Command) -> None:
        kind = command.properties.get("type", "")
        text = self.run.masks.hide(command.value)
        self.run.results.issues.append((kind, text))
        self.log.extend(f"##[{kind}]{line}" for line in text.splitlines())

    def _complete(self, command: commands.Command) -> None:
        self._completed = command.properties.get("result", SUCCEEDED)

    def _prepend(self, command: commands.Command) -> None:
        self.path.insert(0, command.value)

    def _upload(self, command: commands.Command) -> None:
        tasks.publish(self, Path(command.value), command.properties.get("artifactname", ""))


_HANDLERS: dict[str, Callable[[JobRun, commands.Command], None]] = {
    "task.setvariable": JobRun._set_variable,
    "task.setsecret": JobRun._set_secret,
    "task.uploadsummary": JobRun._upload_summary,
    "task.logissue": JobRun._issue,
    "task.complete": JobRun._complete,
    "task.prependpath": JobRun._prepend,
    "artifact.upload": JobRun._upload,
}
