"""The rules on what may stand in a pipeline at all: keys, variables, how it starts, and what must be there.

What is not listed here is refused: a key that nobody looked at could let a failure pass, or run something unseen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from azure_pipelines.expressions import paths
from azure_pipelines.model import SHORTHANDS
from azure_pipelines.rules import at, parsed
from pipelines.rules.order import MAIN, runs
from pipelines.rules.secrets import LITERALS, meanings
from pipelines.rules.structure import modules, option
from pipelines.rules.surroundings import FIXED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from azure_pipelines.documents import Located
    from azure_pipelines.model import Job, Stage
    from azure_pipelines.rules import Finding
    from pipelines.rules.declared import Context, Rule

ROOT = frozenset(
    {"lockBehavior", "name", "parameters", "pool", "pr", "resources", "schedules", "stages", "trigger", "variables"}
)
STAGE = frozenset(
    {"condition", "dependsOn", "displayName", "isSkippable", "jobs", "lockBehavior", "stage", "variables"}
)
JOB = frozenset(
    {"cancelTimeoutInMinutes", "condition", "dependsOn", "displayName", "job", "steps", "timeoutInMinutes", "variables"}
)
DEPLOYMENT = JOB - {"job", "steps"} | {"deployment", "environment", "strategy"}
STEP = frozenset({"condition", "displayName", "env", "name"})
OF_KIND: Mapping[str, frozenset[str]] = {
    "task": frozenset({"inputs"}),
    "checkout": frozenset({"clean", "fetchDepth", "path", "persistCredentials"}),
    "publish": frozenset({"artifact"}),
    "download": frozenset({"artifact"}),
}
"""Keys that may stand at each level; `continueOnError`, `enabled`, `workingDirectory`, `pool` and others are not."""

VARIABLES = frozenset(
    {
        "DOCKER_CONFIG",
        "PROCESS_SIGINT_TIMEOUT",
        "PROCESS_SIGTERM_TIMEOUT",
        "PULUMI_CREDENTIALS_PATH",
        "PULUMI_HOME",
        "PULUMI_SKIP_UPDATE_CHECK",
        "UV_CACHE_DIR",
        "approved",
        "now",
        "pluginArchives",
        "private",
        "pulumiVersion",
        "pythonVersion",
        "release",
        "report",
        "trusted",
        *FIXED,
    }
)
"""Variables that the YAML may define. Each is in the environment of every step, where BASH_ENV would be a script."""

STARTS: Mapping[str, Any] = {
    "trigger": {"batch": "true", "branches": {"include": ["main"]}},
    "pr": {"branches": {"include": ["main"]}},
}
"""What starts the pipeline, beside its schedule."""

RELEASES = ("pipelines.deploy", "pipelines.scan_gate", "pipelines.release")
"""An update and what follows it, in this order."""

LOGOUT = 30
"""Seconds that the cleanup's logout may take (pipelines/registry.py)."""


def keys(context: Context) -> Iterator[Finding]:
    """Only keys that were reviewed."""
    yield from _others("pipeline", context.pipeline.raw, ROOT)
    for stage in context.pipeline.stages:
        yield from _others("stage", stage.raw, STAGE)
        for job in stage.jobs:
            yield from _others("job", job.raw, DEPLOYMENT if job.deployment else JOB)
            strategy = job.raw.get("strategy") or {}
            yield from _others("strategy", job.raw, frozenset({"runOnce"}), strategy)
            hook = (strategy.get("runOnce") or {}).get("deploy") or {}
            yield from _others("hook", job.raw, frozenset({"steps"}), hook)
            for step in job.steps:
                yield from _others("step", step.raw, STEP | {step.kind} | OF_KIND.get(step.kind, frozenset()))


def _others(kind: str, raw: Located, known: frozenset[str], found: Iterable[str] | None = None) -> Iterator[Finding]:
    for key in raw if found is None else found:
        if key not in known:
            yield at("key", raw, f"{key} is not on the list of keys that a {kind} may have")


def environment(context: Context) -> Iterator[Finding]:
    """A step's environment has credentials, what its script reads, and variables of the list; nothing a shell obeys."""
    pipeline = context.pipeline
    rows = [*pipeline.variables]
    for stage, job in pipeline.jobs():
        rows += [*stage.variables, *job.variables]
    for row in rows:
        if row.name and row.name not in VARIABLES:
            yield at("variable", row.raw, f"{row.name} is not on the list of variables: every step would have it")
    known = {*meanings(context.declared), *LITERALS}
    for _, _, step in pipeline.steps():
        for name in step.env:
            if name not in known and f'"${name}"' not in step.argument:
                yield at(
                    "variable", step.raw, f"{name} in the environment of {step.title!r}: its script has no use of it"
                )


def starts(context: Context) -> Iterator[Finding]:
    """Every push to main and every pull request to it starts a run, and every night does, changes or not."""
    raw = context.pipeline.raw
    for key, expected in STARTS.items():
        if raw.get(key) != expected:
            yield at("starts", raw, f"{key}: {raw.get(key)} should be {expected}")
    entries = raw.get("schedules") or []
    if not entries:
        yield at("starts", raw, "there is no schedule: nobody would look for drift")
    for entry in entries:
        if entry.get("branches") != {"include": ["main"]} or entry.get("always") != "true" or entry.get("batch"):
            yield at("starts", entry, "a schedule is of main alone, with always: 'true'")


def nightly(context: Context) -> Iterator[Finding]:
    """A scheduled run looks for drift of every stack, and does nothing else; no other run does."""
    scheduled = context.predefined["Build.Reason"] == "Schedule"
    looked: set[str] = set()
    for stage, job in context.pipeline.jobs():
        found = [step for step in job.steps if "pipelines.drift" in modules([step])]
        if bool(found) != scheduled:
            yield at("nightly", stage.raw, f"{stage.id} belongs into {'no' if scheduled else 'a'} scheduled run")
        if runs(context, stage, job, "succeeded"):
            looked |= {option(step, "--stack") for step in found if "condition" not in step.raw}
    if scheduled and looked != set(context.declared.stacks):
        yield at("nightly", context.pipeline.raw, f"drift is looked for in {sorted(looked)}, not in every stack")


def cancelled(context: Context) -> Iterator[Finding]:
    """A cancelled job has time for both signals and for the cleanup; the service's default is 5 minutes."""
    for stage, job in context.pipeline.jobs():
        values = {row.name: row.value for row in (*context.pipeline.variables, *stage.variables, *job.variables)}
        times = [values.get(f"PROCESS_{name}_TIMEOUT", "") for name in ("SIGINT", "SIGTERM")]
        minutes = str(job.raw.get("cancelTimeoutInMinutes", "5"))
        if not all(text.isdecimal() for text in (*times, minutes)):
            yield at("cancel", job.raw, f"{job.id}: the time for each signal and for the job's end is a number")
        elif int(minutes) * 60 <= sum(map(int, times)) / 1000 + LOGOUT:
            yield at("cancel", job.raw, f"{job.id} is killed in the middle: raise cancelTimeoutInMinutes: {minutes}")


def after_failures(context: Context) -> Iterator[Finding]:
    """What has a group waits for the checks, and does not run when they failed or the run was cancelled."""
    checks = {stage.id for stage, _, step in context.pipeline.steps() if "pipelines.checks" in modules([step])}
    for stage, job in context.pipeline.jobs():
        if not any(row.group for row in (*stage.variables, *job.variables)):
            continue
        if context.predefined["Build.Reason"] != "Schedule" and not set(context.pipeline.before(stage)) & checks:
            yield at("checks", stage.raw, f"{stage.id} has a group and does not wait for the checks")
        for ended in ("failed", "canceled"):
            if runs(context, stage, job, ended, System_PullRequest_IsFork="False"):
                yield at(
                    "checks", stage.raw, f"{stage.id} would run with a group although what came before was {ended}"
                )


def judged(context: Context) -> Iterator[Finding]:
    """Every preview is judged by the gate, and on main every stack is deployed."""
    deployed = set()
    for _, job in context.pipeline.jobs():
        deployed |= {option(step, "--stack") for step in job.steps if "pipelines.deploy" in modules([step])}
        for place, step in enumerate(job.steps):
            if "pipelines.preview" not in modules([step]):
                continue
            plan = f"{option(step, '--report')}/report.json"
            after = [row for row in job.steps[place + 1 :] if modules([row]) == ["pipelines.gate"]]
            if not any(option(row, "--plan") == plan and "condition" not in row.raw for row in after):
                yield at("judged", step.raw, f"{step.title!r} has no gate after it that judges {plan} in any case")
    way = context.predefined
    on_main = way["Build.SourceBranch"] == MAIN and way["Build.Reason"] != "Schedule"
    if on_main and deployed != set(context.declared.stacks):
        yield at("judged", context.pipeline.raw, f"main deploys {sorted(deployed)}, not every stack")


def released(context: Context) -> Iterator[Finding]:
    """After an update come the scan gate, of the image it pushed and at the stack's own bar, and the summary."""
    for _, job in context.pipeline.jobs():
        found = {name: step for step in job.steps for name in modules([step])}
        update, scan = found.get("pipelines.deploy"), found.get("pipelines.scan_gate")
        if update is None:
            continue
        order = tuple(name for name in modules(job.steps) if name in RELEASES)
        if order != RELEASES or scan is None:
            yield at("released", job.raw, f"{job.id} runs {list(order)}, not {list(RELEASES)}")
            continue
        for step in (scan, found["pipelines.release"]):
            if "condition" in step.raw:
                yield at("released", step.raw, f"{step.title!r} has a condition: it runs when all before it succeeded")
            if option(step, "--outputs") != option(update, "--outputs"):
                yield at("released", step.raw, f"{step.title!r} looks at other --outputs than the update has written")
        stack = context.declared.stacks.get(option(update, "--stack"))
        if stack is None:
            continue  # a finding of `groups`
        if option(scan, "--severity") != stack.severity:
            yield at("released", scan.raw, f"--severity {option(scan, '--severity')} is not the stack's")
        if option(scan, "--stricter") != context.chosen.get("stricter"):
            yield at("released", scan.raw, f"--stricter {option(scan, '--stricter')} is not what was chosen")
        if option(scan, "--findings") != stack.findings:
            yield at("released", scan.raw, f"--findings {option(scan, '--findings')} is not what the stack says")


def fetched(context: Context) -> Iterator[Finding]:
    """What is compared with is what the same stack's preview published and named."""
    stages = {stage.id: stage for stage in context.pipeline.stages}
    for stage, job in context.pipeline.jobs():
        yield from _named(job)
        stack = next(filter(None, (option(step, "--stack") for step in job.steps)), "")
        for place, step in enumerate(job.steps):
            if modules([step]) != ["pipelines.approved"]:
                continue
            downloads = [row for row in job.steps if row.kind == "download" or row.task == SHORTHANDS["download"]]
            names = [row.inputs.get("artifact", "") for row in downloads if row.argument == "current"]
            expected = [f"$(Pipeline.Workspace)/{name}/report.json" for name in names]
            if [option(step, "--approved")] != expected or len(downloads) != 1 or downloads[0] not in job.steps[:place]:
                yield at("fetched", step.raw, "download the one artefact that --approved names, before this step")
            elif "condition" in downloads[0].raw or not _of_preview(names[0], stage, job, stack, stages):
                yield at("fetched", downloads[0].raw, f"{names[0]} is not what this stack's preview has named")


def _of_preview(name: str, stage: Stage, job: Job, stack: str, stages: dict[str, Stage]) -> bool:
    values = {f"$({row.name})": row.value.strip() for row in (*stage.variables, *job.variables)}
    node = parsed(values.get(name, "")[2:-1])
    for path in paths(node) if node else ():
        source = stages.get(path[1]) if path[0] == "stageDependencies" and len(path) == 5 else None
        if source is not None:
            previews = [row for inner in source.jobs for row in inner.steps if "pipelines.preview" in modules([row])]
            return {option(row, "--stack") for row in previews} == {stack}
    return False


def _named(job: Job) -> Iterator[Finding]:
    """A step that names an artefact for others names one that its job has published."""
    published: set[str] = set()
    for step in job.steps:
        if step.kind == "publish" and "condition" not in step.raw:
            published.add(step.inputs.get("artifact", ""))
        found = re.search(r"variable=(\w+);isOutput=true\](\S+?)\"", step.argument)
        if found and found[2] not in published:
            yield at("fetched", step.raw, f"{found[2]} is no artefact that {job.id} has published before")


ALL: tuple[Rule, ...] = (
    keys,
    environment,
    starts,
    nightly,
    cancelled,
    after_failures,
    judged,
    released,
    fetched,
)
"""Every rule of this module."""
