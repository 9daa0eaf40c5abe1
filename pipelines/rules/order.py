"""The rules on what may run when: not for a fork, on main alone, after the checks, and only as approved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure_pipelines.expressions import ExpressionError, Scope, evaluate, truth
from azure_pipelines.rules import at, parsed
from pipelines.rules.structure import modules, option, secrets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from azure_pipelines.model import Job, Stage, Step
    from azure_pipelines.rules import Finding
    from pipelines.rules.declared import Context, Rule

MAIN = "refs/heads/main"
OTHERS = (
    "refs/heads/topic",
    "refs/heads/main-2",
    "refs/heads/topic/main",
    "refs/heads/topic/refs/heads/main",
    "refs/pull/1/merge",
    "refs/tags/main",
)
"""Branches that are not main, some of which look like it."""

ENDS = ("succeeded", "failed", "canceled")
"""How what comes before a job can end."""

APPLIES = ("pipelines.preview", "pipelines.approved", "pipelines.gate", "pipelines.deploy")
"""What a deployment does, in this order, with nothing of it left out."""


def runs(context: Context, stage: Stage, job: Job, ended: str, **variables: str) -> bool:
    """Whether a job would run. ended: how all before it did, `succeeded`, `failed` or `canceled`.

    variables: named with _ for the dot. A condition that cannot be evaluated is reported by another rule.
    """
    changed = {name.replace("_", ".").lower(): value for name, value in variables.items()}
    given = context.lowered | changed
    before = {name: {"result": ended.capitalize(), "outputs": {}} for name in stage.depends_on}
    names: Mapping[str, Any] = {"variables": given, "dependencies": before, "stageDependencies": {}}
    # A job asks of the jobs that it depends on, which are of its own stage, and of the whole run being cancelled.
    of_job = ended if job.depends_on or ended == "canceled" else "succeeded"
    rows = ((parsed(stage.condition), ended), (parsed(job.condition), of_job))
    try:
        return all(truth(evaluate(node, Scope(names, _status(state)))) for node, state in rows if node)
    except ExpressionError:
        return False


def _status(ended: str) -> dict[str, Callable[..., bool]]:
    return {
        "always": lambda *_: True,
        "canceled": lambda *_: ended == "canceled",
        "succeeded": lambda *_: ended == "succeeded",
        "failed": lambda *_: ended == "failed",
        "succeededorfailed": lambda *_: ended != "canceled",
    }


def forks(context: Context) -> Iterator[Finding]:
    """In a pull request's run, a job that has a group or a secret does not run for a fork, and does for others."""
    if not context.pull_request:
        return
    for stage, job in context.pipeline.jobs():
        groups = any(entry.group for entry in (*stage.variables, *job.variables))
        if not groups and not any(secrets_of(step, context.declared) for step in job.steps):
            continue
        if any(_started(context, stage, job, "True")):
            yield at("fork", job.raw, f"{job.id} would give secrets to a fork: guard it with System.PullRequest.IsFork")
        if not any(_started(context, stage, job, "False")):
            yield at("fork", job.raw, f"{job.id} would run for no pull request at all")


def _started(context: Context, stage: Stage, job: Job, fork: str) -> Iterator[bool]:
    """Whether a job would run, for each way in which what comes before it ends, and each place of the repository."""
    for ended in ENDS:
        for provider in ("TfsGit", "GitHub"):
            given = {"System_PullRequest_IsFork": fork, "Build_Repository_Provider": provider}
            yield runs(context, stage, job, ended, **given)


def only_main(context: Context) -> Iterator[Finding]:
    """A stack is updated in a deployment job, in a run of main alone, and after nothing that failed."""
    for stage, job in context.pipeline.jobs():
        updates = "pipelines.deploy" in modules(job.steps)
        if updates and not job.deployment:
            yield at("main", job.raw, f"{job.id} updates a stack without an environment: nobody would be asked")
        places = {stack.environment for stack in context.declared.stacks.values()}
        if not updates and job.environment not in places:
            continue
        for branch in OTHERS:
            if runs(context, stage, job, "succeeded", Build_SourceBranch=branch):
                yield at("main", stage.raw, f"{stage.id} would deploy {branch}: it is for main alone")
        for ended in ("failed", "canceled"):
            if runs(context, stage, job, ended, Build_SourceBranch=MAIN):
                yield at("main", stage.raw, f"{stage.id} would deploy although what came before was {ended}")
        if not runs(context, stage, job, "succeeded", Build_SourceBranch=MAIN):
            yield at("main", stage.raw, f"{stage.id} would not even deploy main")


def approved(context: Context) -> Iterator[Finding]:
    """Before an update come a preview, its comparison with the approved one, and the gate, each on success only."""
    for _, job in context.pipeline.jobs():
        found = [step for step in job.steps if set(modules([step])) & set(APPLIES)]
        if "pipelines.deploy" not in modules(found):
            continue
        if tuple(modules(found)) != APPLIES:
            yield at("approved", job.raw, f"{job.id} runs {modules(found)}, not {list(APPLIES)}")
            continue
        for step in found:
            if "condition" in step.raw:
                yield at("approved", step.raw, f"{step.title!r} has a condition: it runs when all before it succeeded")
        yield from _handed_on(*found)


def _handed_on(preview: Step, compared: Step, gate: Step, update: Step) -> Iterator[Finding]:
    """Each step works on what the one before it made."""
    now = f"{option(preview, '--report')}/report.json"
    if option(compared, "--now") != now or option(gate, "--plan") != now:
        yield at("approved", compared.raw, f"compare and judge {now}, which was previewed now")
    if option(compared, "--approved") in ("", now):
        yield at("approved", compared.raw, "compare with the report that was approved")
    if not option(update, "--state") or option(update, "--state") != option(preview, "--state"):
        yield at("approved", update.raw, "hand --state from the preview to the update, to see what came between")
    if not option(update, "--previewed") or option(update, "--previewed") != option(preview, "--events"):
        yield at(
            "approved", update.raw, "hand --events of the preview to the update as --previewed, to see what it did"
        )


def refused_on_main(context: Context) -> Iterator[Finding]:
    """On main, a plan beyond the pipeline's rights is refused, before anybody is asked to approve it."""
    if context.predefined["Build.SourceBranch"] != MAIN:
        return
    for _, _, step in context.pipeline.steps():
        if modules([step]) == ["pipelines.gate"] and option(step, "--mode") != "refuse":
            yield at("main", step.raw, "on main the gate refuses: --mode refuse")


def checked_first(context: Context) -> Iterator[Finding]:
    """Every run but the nightly one makes all checks, and a deployment waits for them."""
    if context.predefined["Build.Reason"] == "Schedule":
        return
    checks = {
        stage.id: step
        for stage, _, step in context.pipeline.steps()
        if modules([step]) == ["pipelines.checks"] and "condition" not in step.raw
    }
    if not checks:
        yield at("checks", context.pipeline.raw, "no step runs pipelines.checks")
    for step in checks.values():
        if option(step, "--only") or option(step, "--tests") or "--no-tests" in step.argument:
            yield at("checks", step.raw, "all checks are made: --only, --tests and --no-tests are for a workstation")
    for stage, job in context.pipeline.jobs():
        if job.deployment and not set(context.pipeline.before(stage)) & set(checks):
            yield at("checks", stage.raw, f"{stage.id} does not wait for the checks")


ALL: tuple[Rule, ...] = (
    forks,
    only_main,
    approved,
    refused_on_main,
    checked_first,
)
"""Every rule of this module."""
