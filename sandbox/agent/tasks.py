"""The tasks that the pipeline uses, done as the agent does them."""

from __future__ import annotations

import base64
import json
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
    """Run a step's task and give its exit code. Raises TaskError for a task that this agent does not know."""
    task = _TASKS.get(entry.task)
    if task is None:
        raise TaskError(f"this agent does not know the task {entry.task}")
    return task(job, entry) or 0


def _input(job: JobRun, entry: Step, name: str, default: str = "") -> str:
    found = next((value for key, value in entry.inputs.items() if key.lower() == name.lower()), default)
    return job.variables.expand(found)


def _bash(job: JobRun, entry: Step) -> int:
    """The inline script goes into a file of its own, macros replaced, as the agent does it."""
    script = job.folder("Agent.TempDirectory") / f"{job.mark}-{job.number}.sh"
    text = entry.argument if entry.kind in ("bash", "script") else entry.inputs.get("script", "")
    script.write_text(job.variables.expand(text) + "\n", encoding="utf-8")
    folder = job.variables.expand(str(entry.raw.get("workingDirectory", ""))) or job.folder("Build.SourcesDirectory")
    shell = ["bash", "--noprofile", "--norc"]
    try:
        return job.execute([*shell, str(script)], entry, Path(folder))
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
    if entry.argument != "self":
        raise TaskError(f"this agent checks out `self` only, not {entry.argument}")
    sources = job.folder("Build.SourcesDirectory")
    # The run's commit, not where its branch is by now.
    url, commit = job.assignment.repository
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


def _python(job: JobRun, entry: Step) -> None:
    found = job.machine.python
    job.path.insert(0, str(found))
    job.say(f"the Python of {found} stands in for {_input(job, entry, 'versionSpec')}")


def _cache(job: JobRun, entry: Step) -> None:
    """Restores what the machine has saved; saves nothing."""
    key = _input(job, entry, "key").split("|")[0].strip()
    path = Path(_input(job, entry, "path"))
    saved = job.machine.caches.get(key.partition("-")[0])
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
    name = _input(job, entry, "artifact") or _input(job, entry, "artifactName")
    for fetched in job.channel.fetch(name, job.folder("Pipeline.Workspace")):
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
    job.say(f"{title}: {len(rows)} results, {sum(not passed for *_, passed in rows)} failed")


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
