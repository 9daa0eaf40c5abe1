"""The tasks that the pipeline uses, done as the agent does them."""

from __future__ import annotations

import base64
import difflib
import json
import shlex
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


INPUTS = {
    "AWSShellScript@1": "awsCredentials regionName scriptType inlineScript",
    "Bash@3": "targetType filePath arguments script workingDirectory failOnStderr",
    "CmdLine@2": "script workingDirectory failOnStderr",
    "checkout": "",
    "UsePythonVersion@0": "versionSpec addToPath architecture",
    "Cache@2": "key path restoreKeys cacheHitVar",
    "PublishPipelineArtifact@1": "targetPath path artifact artifactName publishLocation artifactType",
    "DownloadPipelineArtifact@2": "buildType source artifact artifactName targetPath path downloadPath",
    "PublishTestResults@2": (
        "testResultsFormat testRunner testResultsFiles testRunTitle failTaskOnFailedTests mergeTestResults"
    ),
}
"""Inputs that this agent knows, by task: https://learn.microsoft.com/azure/devops/pipelines/tasks/reference."""
NOT_OF_CHECKOUT = frozenset(
    {"fetchFilter", "lfs", "sparseCheckoutDirectories", "sparseCheckoutPatterns", "submodules", "workspaceRepo"}
)
"""What this agent's checkout does not do."""


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
    """Run a step's task and give its exit code. Raises TaskError for a task that this agent does not know."""
    task = _TASKS.get(entry.task)
    if task is None:
        raise TaskError(f"this agent does not know the task {entry.task}")
    if str(entry.raw.get("target", "host")) != "host":
        raise TaskError("this agent runs every step on the machine itself: it does not know target")
    if why := _unknown_input(entry):
        raise TaskError(why)
    return task(job, entry) or 0


def _unknown_input(entry: Step) -> str:
    """Why the inputs of a task are not what it takes, or nothing; the keys of a shorthand are the lint's."""
    known = [name.lower() for name in INPUTS[entry.task].split()]
    for name, value in entry.inputs.items() if entry.kind in ("task", "checkout") else ():
        if entry.kind == "checkout" and name not in NOT_OF_CHECKOUT:
            continue
        if name.lower() in known or value.lower() in ("", "false"):
            continue
        near = difflib.get_close_matches(name.lower(), known, 1)
        return f"{entry.task} takes no input {name!r} here" + (f": is {near[0]!r} meant?" if near else "")
    return ""


def _input(job: JobRun, entry: Step, name: str, default: str = "") -> str:
    found = next((value for key, value in entry.inputs.items() if key.lower() == name.lower()), default)
    return job.variables.expand(found)


def _bash(job: JobRun, entry: Step) -> int:
    """The inline script goes into a file of its own, macros replaced, as the agent does it.

    https://learn.microsoft.com/azure/devops/pipelines/tasks/reference/bash-v3
    """
    folder = Path(job.folder("Build.SourcesDirectory"), _input(job, entry, "workingDirectory"))
    if not folder.is_dir():
        raise TaskError(f"the workingDirectory {folder} is not there")
    strict = _input(job, entry, "failOnStderr").lower() == "true"
    shell = ["bash", "--noprofile", "--norc"]
    if entry.task == "Bash@3" and entry.kind == "task" and _input(job, entry, "targetType", "filePath") != "inline":
        file = Path(folder, _input(job, entry, "filePath"))
        if not file.is_file():
            raise TaskError(f"Bash@3 runs the file of filePath, unless targetType is inline; {file} is no file")
        arguments = shlex.split(_input(job, entry, "arguments"))
        return job.execute([*shell, str(file), *arguments], entry, folder, fail_on_stderr=strict)
    script = job.folder("Agent.TempDirectory") / f"{job.mark}-{job.number}.sh"
    script.write_text(job.variables.expand(entry.script) + "\n", encoding="utf-8")
    try:
        return job.execute([*shell, str(script)], entry, folder, fail_on_stderr=strict)
    finally:
        script.unlink()


def _aws_shell_script(job: JobRun, entry: Step) -> int:
    """A script with the credentials of a service connection to AWS, by a role and an identity token of its own.

    https://docs.aws.amazon.com/vsts/latest/userguide/aws-shell.html
    """
    import boto3
    import botocore.exceptions
    from botocore import UNSIGNED
    from botocore.config import Config

    name, region = _input(job, entry, "awsCredentials"), _input(job, entry, "regionName")
    if _input(job, entry, "scriptType", "inline") != "inline":
        raise TaskError("this agent runs an inline script of AWSShellScript@1, no file")
    connection = job.assignment.connections.get(name)
    if connection is None or connection.get("useOIDC") != "true":
        raise TaskError(f"this agent takes a service connection to AWS with OIDC; {name or 'none'} is not one")
    client = boto3.client(
        "sts",
        region_name=region,
        endpoint_url=job.machine.environ.get("AWS_ENDPOINT_URL"),
        config=Config(signature_version=UNSIGNED),
    )
    try:
        session = client.assume_role_with_web_identity(
            RoleArn=connection["assumeRoleArn"],
            RoleSessionName=connection.get("roleSessionName") or "aws-vsts-tools",
            WebIdentityToken=job.channel.identity_token(
                job.variables.get("System.OidcRequestUri") or "", connection["id"]
            ),
        )["Credentials"]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise TaskError(f"the role of the service connection {name} could not be taken: {error}") from None
    for secret in (session["SecretAccessKey"], session["SessionToken"]):
        job.variables.masks.add(secret)
    script = job.folder("Agent.TempDirectory") / f"{job.mark}-{job.number}.sh"
    script.write_text(_input(job, entry, "inlineScript") + "\n", encoding="utf-8")
    added = {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
        "AWS_REGION": region,
    }
    try:
        return job.execute(["bash", str(script)], entry, job.folder("Build.SourcesDirectory"), added)
    finally:
        script.unlink()


def _checkout(job: JobRun, entry: Step) -> None:
    if entry.argument == "none":
        return
    # The commit of the run, not where its branch is by now.
    repository = job.assignment.repositories[entry.argument]
    url, commit = repository["url"], repository["version"]
    sources = _sources(job, entry, repository["name"])
    header = "Authorization: Basic " + base64.b64encode(f":{job.assignment.token}".encode()).decode()
    job.variables.masks.add(header.rpartition(" ")[2])
    # In the environment of git alone: on its command line everybody would see it.
    signed = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraheader", "GIT_CONFIG_VALUE_0": header}
    git = ["git", "-C", str(sources)]
    depth = _input(job, entry, "fetchDepth", "0")
    shallow = [f"--depth={depth}"] if depth != "0" else []
    commands = [
        ["git", "init", "--quiet", str(sources)],
        [*git, "remote", "add", "origin", url],
        [*git, "fetch", "--quiet", "--no-tags", *shallow, "origin", commit],
        [*git, "checkout", "--quiet", "--detach", commit],
    ]
    if _input(job, entry, "persistCredentials").lower() == "true":
        commands.append([*git, "config", f"http.{url}.extraheader", header])
    for command in commands:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**job.machine.environ, **signed}
        )
        if done.returncode:
            raise TaskError(f"checkout failed: {done.stderr.strip()}")
    job.say(f"checked out {commit}")


def _sources(job: JobRun, entry: Step, name: str) -> Path:
    """Where a repository is checked out: `path` below the workspace, else `s`, or `s/NAME` where there are several.

    https://learn.microsoft.com/azure/devops/pipelines/repos/multi-repo-checkout#checkout-path
    """
    top = job.folder("Agent.BuildDirectory")
    if path := _input(job, entry, "path"):
        place = (top / path).resolve()
        if not place.is_relative_to(top.resolve()) or place == top.resolve():
            raise TaskError(f"the path {path} of a checkout is not below Agent.BuildDirectory")
        return place
    several = sum(step.kind == "checkout" for step in job.assignment.job.steps) > 1
    sources = job.folder("Build.SourcesDirectory")
    return sources / name if several else sources


def _python(job: JobRun, entry: Step) -> None:
    found = job.machine.python
    job.path.insert(0, str(found))
    job.say(f"the Python of {found} stands in for {_input(job, entry, 'versionSpec')}")


def _cache(job: JobRun, entry: Step) -> None:
    """Restores what the machine has saved; saves nothing."""
    key = _input(job, entry, "key").split("|")[0].strip()
    path = Path(_input(job, entry, "path"))
    saved = job.machine.caches.get(key.partition("-")[0])
    if hit := _input(job, entry, "cacheHitVar"):
        job.variables.set(hit, "false" if saved is None else "true")
    if saved is None:
        job.say(f"cache {key}: miss; this agent saves nothing")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(saved, target_is_directory=True)
    job.say(f"cache {key}: hit, restored to {path}")


def publish(job: JobRun, source: Path, name: str) -> None:
    """Keep a file or folder as an artefact. Raises TaskError or ChannelError: a name is taken once in a run."""
    if not source.exists():
        raise TaskError(f"{source} does not exist: there is nothing to publish as {name}")
    count = job.channel.publish(name, source)
    job.say(f"published {name}: {count} files")


def _publish(job: JobRun, entry: Step) -> None:
    path = _input(job, entry, "publish") or _input(job, entry, "targetPath") or _input(job, entry, "path")
    name = _input(job, entry, "artifact") or _input(job, entry, "artifactName")
    publish(job, job.folder("Build.SourcesDirectory") / path, name)


def _download(job: JobRun, entry: Step) -> None:
    if entry.argument == "none":
        return
    if entry.argument not in ("current", entry.task) or _input(job, entry, "source", "current") != "current":
        raise TaskError("this agent downloads artefacts of the current run only")
    name = _input(job, entry, "artifact") or _input(job, entry, "artifactName")
    path = _input(job, entry, "targetPath") or _input(job, entry, "downloadPath") or _input(job, entry, "path")
    # The task puts one artefact into the folder itself, the shorthand into one of the artefact's name.
    flat = entry.kind == "task" and bool(name)
    for fetched in job.channel.fetch(name, Path(job.folder("Pipeline.Workspace"), path), flat=flat):
        job.say(f"downloaded {fetched}")


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
    job.results.tests += rows
    job.channel.attach("TestResults", title, json.dumps([{"name": name, "passed": passed} for _, name, passed in rows]))
    failed = sum(not passed for *_, passed in rows)
    job.say(f"{title}: {len(rows)} results, {failed} failed")
    if failed and _input(job, entry, "failTaskOnFailedTests").lower() == "true":
        raise TaskError("There are one or more test failures detected in result files.")


_TASKS: dict[str, Callable[[JobRun, Step], int | None]] = {
    "AWSShellScript@1": _aws_shell_script,
    "Bash@3": _bash,
    "CmdLine@2": _bash,
    "checkout": _checkout,
    "UsePythonVersion@0": _python,
    "Cache@2": _cache,
    "PublishPipelineArtifact@1": _publish,
    "DownloadPipelineArtifact@2": _download,
    "PublishTestResults@2": _tests,
}
