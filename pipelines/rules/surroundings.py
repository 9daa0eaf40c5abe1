"""The rules on what a job finds around it: caches of other jobs, and variables that programs obey."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure_pipelines.rules import at
from pipelines.rules.order import MAIN, runs
from pipelines.rules.secrets import AWS, CACHES, NEEDS, PUSHES
from pipelines.rules.structure import modules
from pipelines.surroundings import EMPTY, UNSETTABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azure_pipelines.model import Job
    from azure_pipelines.rules import Finding
    from pipelines.rules.declared import Context, Rule

FIXED: Mapping[str, str] = {"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true", **dict.fromkeys(EMPTY, "")}
"""Variables that every job has with this value, by the YAML: it wins over what somebody sets when a run is queued."""


def rights(context: Context, job: Job) -> str:
    """What a job may do, as the first part of its caches' keys says it."""
    needed = {name for module in modules(job.steps) for name in NEEDS.get(module, ())}
    if not needed:
        return "none"
    if context.pull_request:
        return "pull-request"
    return "push" if PUSHES & set(modules(job.steps)) else "reader" if AWS in needed else "comment"


def caches(context: Context) -> Iterator[Finding]:
    """No cache crosses from a job into one with other rights: whoever may write it runs code where it is restored."""
    for _, job, step in context.pipeline.steps():
        if step.task != "Cache@2":
            continue
        if step.inputs.get("path", "").lower() not in CACHES:
            yield at("cache", step.raw, f"{step.inputs.get('path')} is no cache that may outlive the job")
        first, wanted = step.inputs.get("key", "").split("|")[0].strip(), rights(context, job)
        if context.pull_request and wanted != "none":
            yield at(
                "cache", step.raw, f"{job.id} has rights: it restores nothing that the pull request's checks may write"
            )
        if not first.endswith(f"-{wanted}") or "$" in first:
            yield at(
                "cache", step.raw, f"the key of {step.title!r} begins with {first}: its first part ends in -{wanted}"
            )
        for name in step.inputs:
            if name.lower() not in ("key", "path"):
                yield at("cache", step.raw, f"{name} of {step.title!r} could restore what another job has saved")


def fixed(context: Context) -> Iterator[Finding]:
    """Every job has the variables of `FIXED` with their values."""
    found = {name: [row.value for row in context.pipeline.variables if row.name == name] for name in FIXED}
    for _, job in context.pipeline.jobs():
        for name, value in FIXED.items():
            if found[name] != [value]:
                yield at("fixed", job.raw, f"{job.id} needs {name}: {value!r} among the pipeline's variables")
    for stage in context.pipeline.stages:
        for row in (*stage.variables, *(row for job in stage.jobs for row in job.variables)):
            if row.name in FIXED:
                yield at("fixed", row.raw, f"{row.name} stands among the pipeline's variables, and nowhere else")


def machine(context: Context) -> Iterator[Finding]:
    """No job with a group starts where somebody set for the run what only the machine can say (`UNSETTABLE`)."""
    usual = {"Build_SourceBranch": MAIN, "System_PullRequest_IsFork": "False"}
    for stage, job in context.pipeline.jobs():
        if not any(row.group for row in (*stage.variables, *job.variables)):
            continue
        for name in UNSETTABLE:
            if runs(context, stage, job, "succeeded", **usual, **{name: "/theirs"}):
                yield at("machine", stage.raw, f"{stage.id} would run with the {name} of whoever queued it")


ALL: tuple[Rule, ...] = (caches, fixed, machine)
"""Every rule of this module."""
