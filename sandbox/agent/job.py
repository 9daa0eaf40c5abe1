"""Run one job: its folders, its variables, its steps in order with their conditions, their output and commands."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from azure_pipelines.conditions import CANCELED, FAILED, SKIPPED, SUCCEEDED, WITH_ISSUES, step_holds
from azure_pipelines.documents import PipelineError
from azure_pipelines.expressions import ExpressionError
from sandbox.agent import commands, process, tasks
from sandbox.agent.channel import ChannelError
from sandbox.agent.failed import Failed, keep
from sandbox.agent.process import Cancellation
from sandbox.agent.results import StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from azure_pipelines.model import Step
    from azure_pipelines.variables import Variables
    from sandbox.agent.channel import Assignment, Channel
    from sandbox.agent.results import Machine, Results

    Heard = Callable[[str, str, str], None]
    Watch = Callable[["JobRun", StepResult | None], None]

WORKSPACE = "1"
"""The folder of a job below the agent's, as on a hosted machine: each job finds it empty."""
LONGER = (
    "The job running on agent sandbox ran longer than the maximum time of {} minutes. "
    "For more information, see https://go.microsoft.com/fwlink/?linkid=2077134"
)


@dataclass
class JobRun:
    """One attempt of a job.

    on_line: called with stage, step title and each line of output before it is masked. on_step: called when a step
    begins, with None, and with its result when it has ended.
    """

    assignment: Assignment
    channel: Channel
    machine: Machine
    results: Results
    on_line: Heard | None = None
    on_step: Watch | None = None
    cancellation: Cancellation = field(default_factory=Cancellation)
    stop: Cancellation = field(default_factory=Cancellation)
    """Of the step that runs: by the job's cancellation, its own timeout, or the end of the time after cancelling."""
    result: str = SUCCEEDED
    outputs: dict[str, str] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    """Folders that steps put before PATH, the newest first."""
    mark: str = field(default_factory=lambda: uuid4().hex)
    log: list[str] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    step: Step | None = None
    number: int = 0
    """Of the step, from 1."""
    _sent: int = 0
    _issues: list[dict[str, str]] = field(default_factory=list)
    _completed: str = ""

    @property
    def variables(self) -> Variables:
        """The variables that the job sees."""
        return self.assignment.variables

    def start(self) -> str:
        """Run the steps, tell the service of each, and give the job's result."""
        work = self.machine.work / WORKSPACE
        self.prepare()
        listening = threading.Thread(target=self._listen, daemon=True)
        listening.start()
        issues = []
        job, too_long, given_up = self.assignment.job, threading.Event(), threading.Event()
        with ExitStack() as timers:

            def give_up() -> None:
                given_up.set()
                self.stop.request()

            def cancel() -> None:
                too_long.set()
                self.cancellation.request()

            timers.enter_context(
                self.cancellation.heard(lambda: self._after(timers, max(job.cancel_timeout, 1), give_up))
            )
            self._after(timers, job.timeout, cancel)
            for step in tasks.with_defaults(job):
                self._step(step, given_up)
        if too_long.is_set():
            issues.append({"type": "error", "message": LONGER.format(job.timeout)})
        # The agent's last step of every job.
        for command in process.kill_orphans(self.mark):
            self.results.issues.append(("orphan", command))
            issues.append({"type": "warning", "message": f"Terminated the orphan process {command}"})
        kept = self.machine.ended / f"{len(self.results.workspaces) + 1}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        keep(self.failed, kept)
        self.results.workspaces.append(work.rename(kept))
        self.channel.finish(self.result, self.outputs, issues)
        listening.join()
        return self.result

    def _after(self, timers: ExitStack, minutes: int, then: Callable[[], None]) -> None:
        """Do something after a time, but not after the block of timers; 0 minutes: never."""
        if minutes:
            timer = threading.Timer(minutes * self.machine.minute, then)
            timer.daemon = True
            timer.start()
            timers.callback(timer.cancel)

    def _listen(self) -> None:
        if self.channel.canceled():
            self.cancellation.request()

    def prepare(self) -> None:
        """Make the job's folders, and set the variables that the agent knows."""
        work = self.machine.work / WORKSPACE
        folders = {
            "Pipeline.Workspace": work,
            "Agent.BuildDirectory": work,
            "Agent.TempDirectory": work / "_temp",
            "Agent.ToolsDirectory": self.machine.work / "_tool",
            "Build.SourcesDirectory": work / "s",
            "System.DefaultWorkingDirectory": work / "s",
            "Build.ArtifactStagingDirectory": work / "a",
            "Build.StagingDirectory": work / "a",
            "Build.BinariesDirectory": work / "b",
        }
        for name, folder in folders.items():
            folder.mkdir(parents=True, exist_ok=True)
            self.variables.set(name, str(folder))
        for name, tool in self.machine.tools.items():
            place = folders["Agent.ToolsDirectory"] / name
            if not place.is_symlink():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(tool, target_is_directory=True)
        plain = {
            "Agent.OS": "Linux",
            "Agent.JobName": self.variables.get("System.JobDisplayName") or self.assignment.job.id,
            "System.StageAttempt": str(self.assignment.stage_attempt),
            "System.JobAttempt": str(self.assignment.job_attempt),
        }
        for name, value in plain.items():
            self.variables.set(name, value)

    def folder(self, name: str) -> Path:
        """A folder by its variable, such as `Agent.TempDirectory`."""
        return Path(self.variables.get(name) or "")

    def _step(self, step: Step, given_up: threading.Event) -> None:
        self.step, self.log, self._completed, self._sent, self._issues = step, [], "", 0, []
        self.number += 1
        title = self.variables.expand(step.title)
        row = StepResult(self.assignment.stage, self.assignment.job.id, title, SKIPPED, self.log)
        self.results.steps.append(row)
        self.channel.step(self.number, name=title, state="inProgress")
        if self.on_step:
            self.on_step(self, None)
        before = self._record(title)
        row.result = CANCELED if given_up.is_set() else self._outcome(step)
        if row.result in (FAILED, WITH_ISSUES):
            self.failed.append(before)
        if row.result == FAILED:
            self.result = FAILED
        elif row.result == WITH_ISSUES and self.result == SUCCEEDED:
            self.result = WITH_ISSUES
        if self.cancellation.requested:
            self.result = CANCELED
        lines = self.log[self._sent :]
        self.channel.step(self.number, state="completed", result=row.result, lines=lines, issues=self._issues)
        if self.on_step:
            self.on_step(self, row)

    def _record(self, title: str) -> Failed:
        """What has to be known to run the step alone, should it fail."""
        rows, given = list(self.variables.items()), self.assignment.secrets
        plain = {name: value.text for name, value in rows if not value.secret}
        lost = sorted(name for name, value in rows if value.secret and name not in given)
        return Failed(self.assignment.number, self.number, title, list(self.path), plain, lost)

    def _outcome(self, step: Step) -> str:
        """Run a step if it is wanted, and say how it ended."""
        try:
            if str(step.raw.get("enabled", "true")).lower() == "false" or not self._wanted(step):
                return SKIPPED
            result = self._timed(step)
        except (PipelineError, ExpressionError) as error:
            self.say(f"##[error]{error}")
            result = FAILED
        if result == FAILED and str(step.raw.get("continueOnError", "false")).lower() == "true":
            return WITH_ISSUES
        return result

    def alone(self, number: int) -> str:
        """Run the step of a number once more, whatever its condition; how it ended. See `sandbox.agent.alone`."""
        self.number, self.step = number, tasks.with_defaults(self.assignment.job)[number - 1]
        try:
            result = self._timed(self.step)
        except (PipelineError, ExpressionError) as error:
            self.say(f"##[error]{error}")
            result = FAILED
        process.kill_orphans(self.mark)
        return result

    def _timed(self, step: Step) -> str:
        """Run a step with its retries, all of them within its timeout."""
        self.stop, too_long = Cancellation(), threading.Event()

        def end() -> None:
            too_long.set()
            self.stop.request()

        with ExitStack() as timers:
            # A step that begins after the cancellation is not stopped by it.
            if not self.cancellation.requested:
                timers.enter_context(self.cancellation.heard(self.stop.request))
            self._after(timers, step.timeout, end)
            result = self._tried(step)
            for number in range(step.retries):
                if result != FAILED or self.stop.requested:
                    break
                self.say(f"##[warning]try {number + 2} of {step.retries + 1}")
                self._completed = ""
                result = self._tried(step)
        if too_long.is_set():
            self.say("##[error]The task has timed out.")
            return FAILED
        # However it answered: the agent does not look at the exit code of a process that it has stopped.
        return CANCELED if self.stop.requested else result

    def _tried(self, step: Step) -> str:
        """Run a step once; what it says of its own result counts."""
        try:
            code = tasks.run(self, step)
            result = SUCCEEDED if code == 0 else FAILED
            if code:
                self.say(f"##[error]{step.task} exited with code {code}")
        except (tasks.TaskError, ChannelError) as error:
            self.say(f"##[error]{error}")
            result = FAILED
        return self._completed or result

    def _wanted(self, step: Step) -> bool:
        canceled = self.cancellation.requested
        return step_holds(step.condition, self.variables.plain(), failed=self.result == FAILED, canceled=canceled)

    def environment(self, step: Step, added: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a step: the agent's own, the plain variables, what task and step add by name."""
        own = {**self.machine.environ, "TF_BUILD": "True", process.LOOKUP: self.mark, **(added or {})}
        own.update(self.variables.environment())
        own.update({name: self.variables.expand(value) for name, value in step.env.items()})
        own["PATH"] = os.pathsep.join([*self.path, own.get("PATH", "")])
        return own

    def execute(
        self,
        argv: Sequence[str],
        step: Step,
        cwd: Path,
        added: Mapping[str, str] | None = None,
        *,
        fail_on_stderr: bool = False,
    ) -> int:
        """Run a process of a step. fail_on_stderr: it failed when it wrote an error output, whatever its exit code."""
        errors: list[str] = []
        try:
            code = process.run(
                argv,
                cwd=cwd,
                env=self.environment(step, added),
                on_line=self.output,
                on_error=errors.append if fail_on_stderr else None,
                cancellation=self.stop,
                patience=float(self.variables.get("PROCESS_SIGINT_TIMEOUT") or "7500") / 1000,
            )
        except OSError as error:  # such as a PATH of the run on which there is no bash
            raise tasks.TaskError(f"{argv[0]} cannot be started: {error.strerror}") from None
        if errors and code == 0:
            raise tasks.TaskError(f"{step.task} wrote to its error output, and failOnStderr is set")
        return code

    def output(self, line: str) -> None:
        """Take a line that a step printed: carry out its command, or log it."""
        title = self.variables.expand(self.step.title) if self.step else ""
        self.results.written.append((title, line))
        command = commands.find(line)
        if command is None:
            self.say(line)
        elif (handler := _HANDLERS.get(command.name)) is not None:
            try:
                handler(self, command)
            except (tasks.TaskError, ChannelError) as error:
                self.say(f"##[error]{error}")
                self._completed = FAILED
        else:
            self.say(f"##[warning]unknown command {command.name}")
        if self.on_line and self.step:
            self.on_line(self.assignment.stage, title, line)

    def say(self, line: str) -> None:
        """Log a line, masked."""
        self.log.append(self.variables.masks.hide(line))
        if len(self.log) - self._sent >= self.channel.batch:
            self.channel.step(self.number, lines=self.log[self._sent :])
            self._sent = len(self.log)

    def _set_variable(self, command: commands.Command) -> None:
        name = command.properties.get("variable", "")
        secret = command.properties.get("issecret", "").lower() == "true"
        if command.properties.get("isoutput", "").lower() == "true" and self.step:
            qualified = f"{self.step.name}.{name}"
            # A deployment job's outputs carry the job's name too.
            job = self.assignment.job
            self.outputs[f"{job.id}.{qualified}" if job.deployment else qualified] = command.value
            self.variables.set(qualified, command.value, secret=secret)
        else:
            self.variables.set(name, command.value, secret=secret)

    def _set_secret(self, command: commands.Command) -> None:
        self.variables.masks.add(command.value)

    def _upload_summary(self, command: commands.Command) -> None:
        file = Path(command.value)
        if not file.is_absolute() or not file.is_file():
            self.say(f"##[error]uploadsummary needs the absolute path of a file, not {command.value}")
            self._completed = FAILED
            return
        text = file.read_text(encoding="utf-8")
        self.results.summaries.append(text)
        self.channel.attach("Distributedtask.Core.Summary", file.name, text)

    def _issue(self, command: commands.Command) -> None:
        kind = command.properties.get("type", "")
        text = self.variables.masks.hide(command.value)
        self.results.issues.append((kind, text))
        self._issues.append({"type": kind, "message": text})
        for line in text.splitlines():
            self.say(f"##[{kind}]{line}")

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
