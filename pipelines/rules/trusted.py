"""The rules on whose code runs where: a job with rights runs steps, and a wiring, that no pull request changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure_pipelines.rules import at
from pipelines.rules.order import MAIN
from pipelines.rules.secrets import NEEDS
from pipelines.rules.structure import modules, scripts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azure_pipelines.model import Job, Stage
    from azure_pipelines.rules import Finding
    from pipelines.rules.declared import Context, Rule

ALIAS = "trusted"
"""The repository whose template the pipeline extends, and the folder of its checkout."""
OURS = "exec python3 "


def has_rights(stage: Stage, job: Job) -> bool:
    """Whether a job has a group, or a step that works with a credential or the run's token."""
    groups = any(row.group for row in (*stage.variables, *job.variables))
    return groups or any(NEEDS.get(module) for module in modules(job.steps))


def extends(context: Context) -> Iterator[Finding]:
    """The pipeline extends a template of the repository `trusted`, at a ref that no run can be of."""
    pipeline = context.pipeline
    entry = pipeline.repositories.get(ALIAS)
    if pipeline.extends is None or pipeline.extends.repository != ALIAS or entry is None:
        yield at("trusted", pipeline.raw, f"extend a template of the repository {ALIAS}: FILE@{ALIAS}")
        return
    ref, name = str(entry.get("ref", "")), str(entry.get("name", ""))
    if str(entry.get("type")) != "git" or not ref.startswith("refs/") or name.count("/") != 1:
        yield at("trusted", entry, f"{ALIAS} is of type git, PROJECT/REPOSITORY, with a whole ref")
    if ref == MAIN:
        yield at("trusted", entry, f"a run of {MAIN} can be of any commit: name a ref that no run is of")


def checkouts(context: Context) -> Iterator[Finding]:
    """A job with rights has both checkouts before anything else, and every step of ours is the trusted one's."""
    entry: Mapping[str, str] = context.pipeline.repositories.get(ALIAS) or {}
    # By no alias: that a pull request could declare to be something else.
    whole = f"git://{entry.get('name', '')}@{entry.get('ref', '')}"
    wanted = [("self", "s"), (whole, ALIAS)]
    for stage, job in context.pipeline.jobs():
        begun = [step for step in job.steps if (step.kind, step.argument) != ("download", "none")][:2]
        first = [(step.argument, step.inputs.get("path", "")) for step in begun if step.kind == "checkout"]
        if has_rights(stage, job) and first != wanted:
            yield at("trusted", job.raw, f"{job.id} has rights: it begins with the checkouts {wanted}, not {first}")


def steps(context: Context) -> Iterator[Finding]:
    """Steps of ours are `$(trusted)/pipelines STEP` in a job with rights, and `pipelines STEP` in any other."""
    for stage, job in context.pipeline.jobs():
        rights = has_rights(stage, job)
        folder = f"$({ALIAS})/pipelines " if rights else "pipelines "
        for step in scripts_of(job):
            if step.argument.startswith(OURS) and not step.argument.startswith(f"{OURS}{folder}"):
                why = "has rights, and a pull request may change what else lies there" if rights else "has no rights"
                yield at("trusted", step.raw, f"{step.title!r} runs {folder}STEP: {job.id} {why}")


ALL: tuple[Rule, ...] = (extends, checkouts, steps)
"""Every rule of this module."""
