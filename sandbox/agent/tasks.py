"""The tasks that the pipeline uses, done as the agent does them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from azure_pipelines.documents import Located
from azure_pipelines.model import Step, step

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure_pipelines.model import Job
    from sandbox.agent.job import JobRun


class TaskError(Exception):
    """A task that cannot do what it is asked for."""


def with_defaults(job: Job) -> list[Step]:
    """A job's steps with those that the service adds: a checkout for a job, all artefacts for a deployment."""
    kinds = {entry.kind for entry in job.steps}
    added: list[Step] = []
    if job.deployment:
        if "download" not in kinds:
            added = [step(Located({"download": "current", "displayName": "Download artifacts"}))]
    elif "checkout" not in kinds:
        added = [step(Located({"checkout": "self"}))]
    return [*added, *job.steps]


def run(job: JobRun, entry: Step) -> int:
    """Run a step's task and give its exit code. Raises TaskError for a task that this runner does not know."""
    task = _TASKS.get(entry.task)
    if task is None:
        raise TaskError(f"this runner does not know the task {entry.task}")
    return task(job, entry) or 0


def _input(job: JobRun, entry: Step, name: str, default: str = "") -> str:
    found = next((value for key, value in entry.inputs.items() if key.lower() == name.lower()), default)
    return job.variables.expand(found)


def _bash(job: JobRun, entry: Step) -> int:
    """The inline script goes into a file of its own, macros replaced, as the agent does it."""
    script = job.folder("Agent.TempDirectory") / f"{job.mark}-{len(job.run.results.steps)}.sh"
    text = entry.argument if entry.kind in ("bash", "script") else entry.inputs.get("script", "")
    script.write_text(job.variables.expand(text) + "\n", encoding="utf-8")
    folder = job.variables.expand(str(entry.raw.get("workingDirectory", ""))) or job.folder("Build.SourcesDirectory")
    shell = ["bash", "--noprofile", "--norc"]
    try:
        return job.execute([*shell, str(script)], entry, Path(folder))
    finally:
        script.unlink()


def _checkout(job: JobRun, entry: Step) -> None:
    if entry.argument == "none":
        return
    if entry.argument != "self":
        raise TaskError(f"this runner checks out `self` only, not {entry.argument}")
    sources = job.folder("Build.SourcesDirectory")
    # The run's commit, not where its branch is by now.
    commit = job.variables.get("Build.SourceVersion") or "HEAD"
    clone = ["git", "clone", "--quiet", "--no-hardlinks", "--no-checkout", str(job.run.machine.sources), str(sources)]
    for command in (clone, ["git", "-C", str(sources), "checkout", "--quiet", "--detach", commit]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise TaskError(f"checkout failed: {done.stderr.strip()}")
    job.say(f"checked out {commit}")


def _python(job: JobRun, entry: Step) -> None:
    found = job.run.machine.python
    job.path.insert(0, str(found))
    job.say(f"the Python of {found} stands in for {_input(job, entry, 'versionSpec')}")


def _cache(job: JobRun, entry: Step) -> None:
    """Restores what the machine has saved; saves nothing."""
    key = _input(job, entry, "key").split("|")[0].strip()
    path = Path(_input(job, entry, "path"))
    saved = job.run.machine.caches.get(key)
    if saved is None:
        job.say(f"cache {key}: miss; this runner saves nothing")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(saved, target_is_directory=True)
    job.say(f"cache {key}: hit, restored to {path}")


def publish(job: JobRun, source: Path, name: str) -> None:
    """Keep a file or folder as an artefact. Raises TaskError for a name that the run has already."""
    artifacts = job.run.results.artifacts
    if not name or name in artifacts:
        raise TaskError(f"artifact {name!r} already exists or has no name: artefacts of a run are never overwritten")
    if not source.exists():
        raise TaskError(f"{source} does not exist: there is nothing to publish as {name}")
    target = job.run.machine.ended / "artifacts" / name
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.mkdir(parents=True)
        shutil.copy2(source, target)
    artifacts[name] = target
    job.say(f"published {name}: {len([file for file in target.rglob('*') if file.is_file()])} files")


def _publish(job: JobRun, entry: Step) -> None:
    path = _input(job, entry, "publish") or _input(job, entry, "targetPath") or _input(job, entry, "path")
    name = _input(job, entry, "artifact") or _input(job, entry, "artifactName")
    publish(job, job.folder("Build.SourcesDirectory") / path, name)


def _download(job: JobRun, entry: Step) -> None:
    if entry.argument == "none":
        return
    artifacts = job.run.results.artifacts
    name = _input(job, entry, "artifact") or _input(job, entry, "artifactName")
    if name and name not in artifacts:
        raise TaskError(f"artifact {name!r} is not of this run; it has {', '.join(artifacts) or 'none'}")
    for wanted in [name] if name else artifacts:
        shutil.copytree(artifacts[wanted], job.folder("Pipeline.Workspace") / wanted)
        job.say(f"downloaded {wanted}")


def _tests(job: JobRun, entry: Step) -> None:
    file = job.folder("Build.SourcesDirectory") / _input(job, entry, "testResultsFiles")
    if not file.is_file():
        job.say(f"##[warning]no test results: {file} is not there")
        return
    title = _input(job, entry, "testRunTitle")
    cases = list(ElementTree.parse(file).iter("testcase"))  # noqa: S314 (our own steps wrote it)
    rows = [
        (title, case.get("name", ""), case.find("failure") is None and case.find("error") is None) for case in cases
    ]
    job.run.results.tests += rows
    job.say(f"{title}: {len(rows)} results, {sum(not passed for *_, passed in rows)} failed")


_TASKS: dict[str, Callable[[JobRun, Step], int | None]] = {
    "Bash@3": _bash,
    "CmdLine@2": _bash,
    "checkout": _checkout,
    "UsePythonVersion@0": _python,
    "Cache@2": _cache,
    "PublishPipelineArtifact@1": _publish,
    "DownloadPipelineArtifact@2": _download,
    "PublishTestResults@2": _tests,
}
