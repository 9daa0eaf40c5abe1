"""The lint's own rules, which hold for every pipeline: each a function from an expanded pipeline to its findings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from azure_pipelines import slips
from azure_pipelines.expressions import STATUS, ExpressionError, Node, asked_whether_set, calls, parse, paths
from azure_pipelines.model import reach

if TYPE_CHECKING:
    from azure_pipelines.documents import Located
    from azure_pipelines.model import Job, Pipeline, Stage, Step, Variable

SYSTEM = frozenset(Path(__file__).with_name("system-variables.txt").read_text(encoding="utf-8").lower().splitlines())
"""Variables of the service that we know. A wrong name in a condition is silently empty: an unknown one is a finding."""

MACRO = re.compile(r"\$\(([^()\s]+)\)")
_SET = re.compile(r"task\.setvariable\s+([^\]]*)\]", re.IGNORECASE)
_CRON = (
    ("minutes", 0, 59, ()),
    ("hours", 0, 23, ()),
    ("days", 1, 31, ()),
    ("months", 1, 12, ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    ("days of the week", 0, 6, ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
)
"""Fields of a schedule: https://learn.microsoft.com/azure/devops/pipelines/process/scheduled-triggers#cron-syntax."""


@dataclass(frozen=True)
class Finding:
    """One defect: the rule's name, where, and what to do."""

    rule: str
    file: str
    line: int
    message: str

    def __str__(self) -> str:
        """As a compiler would print it."""
        return f"{self.file}:{self.line}: {self.rule}: {self.message}"


@dataclass(frozen=True)
class Context:
    """One expanded pipeline to check.

    root: the checkout. predefined: the variables that its templates saw. chosen: the value of each parameter of the
    queued run. groups: the names that each variable group holds, by its name in lower case; one that is not listed may
    hold any name. defined: names in lower case that are defined outside of the YAML.
    """

    root: Path
    pipeline: Pipeline
    predefined: Mapping[str, str]
    chosen: Mapping[str, str]
    groups: Mapping[str, frozenset[str]]
    defined: frozenset[str]

    @property
    def pull_request(self) -> bool:
        """Whether it is of a pull request, perhaps of a fork, whoever starts it."""
        branch, reason = self.predefined["Build.SourceBranch"], self.predefined["Build.Reason"]
        return reason == "PullRequest" or branch.startswith("refs/pull/")

    def names(self, *scopes: Iterable[Variable]) -> frozenset[str] | None:
        """The names in lower case that are defined for the whole pipeline and in scopes; None where any may be."""
        everywhere = self._everywhere
        return None if everywhere is None else self._with(everywhere, (entry for scope in scopes for entry in scope))

    @cached_property
    def _everywhere(self) -> frozenset[str] | None:
        return self._with(SYSTEM | self.defined, self.pipeline.variables)

    def _with(self, names: frozenset[str], entries: Iterable[Variable]) -> frozenset[str] | None:
        found = set(names)
        for entry in entries:
            found.add(entry.name.lower())
            if entry.group:
                held = self.groups.get(entry.group.lower())
                if held is None:
                    return None
                found |= {name.lower() for name in held}
        return frozenset(found)


Rule = Callable[[Context], Iterable[Finding]]


def at(rule: str, raw: Located, message: str) -> Finding:
    """A finding at a place in a file."""
    return Finding(rule, raw.file, raw.line, message)


def parsed(text: str) -> Node | None:
    """A condition's or runtime value's tree, None where `conditions` reports it."""
    try:
        return parse(text)
    except ExpressionError:
        return None


def depends_on(context: Context) -> Iterator[Finding]:
    """Every dependsOn names a stage, or a job of the stage, that comes to be, and there is no circle."""
    stages = {stage.id: stage.depends_on for stage in context.pipeline.stages}
    for stage in context.pipeline.stages:
        yield from _dependencies(stage.id, stage.depends_on, stages, stage.raw, "stage")
        jobs = {job.phase: job.depends_on for job in stage.jobs}
        for job in stage.jobs:
            yield from _dependencies(job.phase, job.depends_on, jobs, job.raw, "job")


def _dependencies(
    own: str, names: tuple[str, ...], known: dict[str, tuple[str, ...]], raw: Located, kind: str
) -> Iterator[Finding]:
    for name in names:
        if name not in known:
            yield at("depends-on", raw, f"{own} depends on the {kind} {name}, which is not there")
    if own in reach(names, known):
        yield at("depends-on", raw, f"{own} depends on itself by a circle")


def unique(context: Context) -> Iterator[Finding]:
    """Stages, jobs of a stage and named steps of a job have a name each of its own, of letters, digits and _."""
    stages = context.pipeline.stages
    groups = [[(stage.id, stage.raw) for stage in stages]]
    groups += [[(job.id, job.raw) for job in stage.jobs] for stage in stages]
    groups += [[(step.name, step.raw) for step in job.steps if step.name] for _, job in context.pipeline.jobs()]
    for rows in groups:
        names = [name.lower() for name, _ in rows]
        for name, raw in rows:
            if names.count(name.lower()) > 1:
                yield at("unique", raw, f"{name} is there twice")
            if not re.fullmatch(r"[A-Za-z_]\w*", name):
                yield at("unique", raw, f"{name!r} is no name: letters, digits and _ only")


def deployments(context: Context) -> Iterator[Finding]:
    """A deployment job has an environment, and a strategy with steps."""
    for _, job in context.pipeline.jobs():
        if not job.deployment:
            continue
        if not job.steps:
            yield at(
                "deployment", job.raw, f"{job.id} has no strategy with steps: add strategy: runOnce: deploy: steps:"
            )
        if not job.environment:
            yield at("deployment", job.raw, f"{job.id} has no environment: approvals and the lock would not apply")


def conditions(context: Context) -> Iterator[Finding]:
    """Conditions and runtime values parse, ask how earlier work ended, and read variables that are there."""
    rows: list[tuple[str, Located, frozenset[str] | None]] = []
    for stage in context.pipeline.stages:
        rows.append((stage.condition, stage.raw, context.names()))
        for job in stage.jobs:
            names = _with_set_by_steps(context.names(stage.variables, job.variables), job)
            rows.append((job.condition, job.raw, names))
            rows += [(step.condition, step.raw, names) for step in job.steps]
    for text, raw, known in rows:
        try:
            why_not, read = _by_itself(text)
        except ExpressionError as error:
            yield at("condition", raw, f"the condition does not parse: {error}")
            continue
        for rule, why in why_not:
            yield at(rule, raw, why)
        for name in read:
            if known is not None and name.lower() not in known:
                yield at("condition", raw, f"no variable {name} is defined: it would be empty")


@lru_cache(maxsize=1000)
def _by_itself(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """What is wrong with a condition wherever it stands, by the rule's name, and the variables that it reads.

    Kept for each text: most steps have the same. Raises ExpressionError for one that does not parse.
    """
    node = parse(text)
    found = [("never", f"the condition {text!r} never holds: {why}") for why in slips.never(node)]
    if "counter" in calls(node):
        found.append(("condition", f"{text!r}: counter() is for the value of a variable in $[ ] only"))
    if not calls(node) & STATUS:
        found.append(("condition", f"{text!r} runs whatever failed before: begin with and(succeeded(), ...)"))
    read = [path for path in paths(node) if path[0] == "variables" and len(path) > 1]
    return found, [path[1] for path in read if path not in asked_whether_set(node)]


def keys(context: Context) -> Iterator[Finding]:
    """Every key of the pipeline, its stages, jobs and steps is one of the language."""
    rows = [(context.pipeline.raw, slips.PIPELINE)]
    rows += [(stage.raw, slips.STAGE) for stage in context.pipeline.stages if stage.raw is not context.pipeline.raw]
    rows += [(job.raw, slips.DEPLOYMENT if job.deployment else slips.JOB) for _, job in context.pipeline.jobs()]
    rows += [(step.raw, slips.of_step(step)) for _, _, step in context.pipeline.steps()]
    for raw, level in rows:
        for why in slips.unexpected(raw, level):
            yield at("key", raw, why)


def macros(context: Context) -> Iterator[Finding]:
    """Every $(X) is defined: by a group, a variable, a step of the job, or the system.

    In a script only a name with a dot is looked up: `$(date)` is the shell's.
    """
    for name, raw, in_script in unmatched(context):
        if not in_script or "." in name:
            yield at("macro", raw, f"$({name}) is defined nowhere: it would stay as it is")


def unmatched(context: Context) -> Iterator[tuple[str, Located, bool]]:
    """Each name in a macro that is defined nowhere, where it stands, and whether that is a script."""
    for stage, job in context.pipeline.jobs():
        known = _with_set_by_steps(context.names(stage.variables, job.variables), job)
        if known is None:
            continue
        rows = [(row.value, row.raw, False) for row in (*context.pipeline.variables, *stage.variables, *job.variables)]
        for step in job.steps:
            script = step.script
            rows += [(text, step.raw, text == script) for text in step.texts if "$(" in text]
        for text, raw, in_script in rows:
            for name in MACRO.findall(text):
                if name.lower() not in known:
                    yield name, raw, in_script


def _with_set_by_steps(names: frozenset[str] | None, job: Job) -> frozenset[str] | None:
    """The names, and those that scripts of the job set by a logging command."""
    if names is None:
        return None
    found = set(names)
    for step in job.steps:
        for name, _ in set_by(step):
            found |= {name.lower(), f"{step.name}.{name}".lower()}
    return frozenset(found)


def set_by(step: Step) -> Iterator[tuple[str, bool]]:
    """The variables that a script sets by a logging command, and whether each is an output."""
    for text in _SET.findall(step.script):
        pairs = (part.partition("=") for part in text.split(";"))
        given = {key.strip().lower(): value.strip() for key, _, value in pairs}
        if "variable" in given:
            yield given["variable"], given.get("isoutput", "").lower() == "true"


def results(context: Context) -> Iterator[Finding]:
    """A condition reads of stages and jobs alone that are depended on, for of no other there is anything."""
    for stage in context.pipeline.stages:
        for path in _dependencies_of(parsed(stage.condition)):
            if path[1].lower() not in map(str.lower, stage.depends_on):
                yield at("output", stage.raw, f"{stage.id} does not depend on {path[1]}: what it gives is empty here")
    for stage, job in context.pipeline.jobs():
        for path in _dependencies_of(parsed(job.condition)):
            if why := _missing_here(path, job, stage):
                yield at("output", job.raw, f"{job.condition}: {why}")


def outputs(context: Context) -> Iterator[Finding]:
    """What earlier stages and jobs gave is of one that is depended on, of a job and a named step that are there."""
    stages = {stage.id: stage for stage in context.pipeline.stages}
    for stage, job in context.pipeline.jobs():
        for variable in (*stage.variables, *job.variables):
            value = variable.value.strip()
            if not value.startswith("$["):
                continue
            node = parsed(value[2:-1])
            if node is None:
                yield at("condition", variable.raw, f"{value!r} does not parse")
                continue
            for path in paths(node):
                why = _missing_output(path, stage, stages) if path[0] == "stageDependencies" else ""
                # A stage's variables are worked out for each of its jobs, of which some may depend on it.
                if variable in job.variables and path in _dependencies_of(node):
                    why = _missing_here(path, job, stage)
                if why:
                    yield at("output", variable.raw, f"{value}: {why}")


def _dependencies_of(node: Node | None) -> list[tuple[str, ...]]:
    found = paths(node) if node is not None else []
    return [path for path in found if path[0].lower() == "dependencies" and len(path) > 2]


def _missing_here(path: tuple[str, ...], job: Job, stage: Stage) -> str:
    """Why what a path reads of a job of the same stage is not there, or nothing."""
    if path[1].lower() not in map(str.lower, job.depends_on):
        return f"{job.id} does not depend on {path[1]}: what it gives is empty here"
    found = [entry for entry in stage.jobs if entry.phase.lower() == path[1].lower()]
    return _missing_step(found, path[3]) if found and len(path) == 4 and path[2] == "outputs" else ""


def _missing_output(path: tuple[str, ...], asking: Stage, stages: dict[str, Stage]) -> str:
    """Why what a path reads of another stage's job is not there, or nothing: only of those that it waits for itself."""
    if len(path) != 5 - (path[3:] == ("result",)) or path[3] not in ("outputs", "result"):
        return "it should be stageDependencies.STAGE.JOB.outputs['STEP.NAME']"
    stage, job = path[1:3]
    if stage not in asking.depends_on:
        return f"{asking.id} does not depend on {stage}: add it to dependsOn, or it is empty here"
    found = [entry for entry in stages[stage].jobs if entry.phase == job] if stage in stages else []
    if not found:
        return f"{stage} has no job {job}"
    return _missing_step(found, path[4]) if path[3] == "outputs" else ""


def _missing_step(legs: list[Job], output: str) -> str:
    """Why a job (its legs) has no such output: STEP.NAME, behind its own name that of a leg or of a deployment."""
    found = legs[0]
    if found.leg:
        leg, _, output = output.partition(".")
        if leg.lower() not in (one.leg.lower() for one in legs):
            known = ", ".join(one.leg for one in legs)
            return f"an output of {found.phase} begins with the name of a leg: {known}"
    step, _, name = output.rpartition(".")
    if found.deployment:
        job, _, step = step.rpartition(".")
        if job.lower() != found.id.lower():
            return f"an output of the deployment {found.id} begins with its name: '{found.id}.STEP.NAME'"
    entry = next((entry for entry in found.steps if step and entry.name == step), None)
    if entry is None:
        return f"{found.phase} has no step of the name {step!r}"
    if not entry.script:
        return ""  # what a task sets is not to be seen here
    names = {given for given, is_output in set_by(entry) if is_output}
    return "" if name in names or not _tells_all(entry) else f"the step {step} sets no output {name!r}"


def _tells_all(step: Step) -> bool:
    """Whether a script says itself what it sets: one that runs another program may set more."""
    return all(line.strip().startswith("echo ") for line in step.script.splitlines() if line.strip())


def checkouts(context: Context) -> Iterator[Finding]:
    """A checkout names a repository that is declared, or names it whole."""
    for _, job, step in context.pipeline.steps():
        if step.kind != "checkout" or step.argument in ("self", "none") or "://" in step.argument:
            continue
        if step.argument.lower() not in context.pipeline.repositories:
            yield at(
                "checkout",
                step.raw,
                f"{job.id} checks out {step.argument}, which resources: repositories: does not declare",
            )
    for _, job in context.pipeline.jobs():
        named = [step.argument for step in job.steps if step.kind == "checkout"]
        if "none" in named and len(named) > 1:
            yield at("checkout", job.raw, f"{job.id} has checkout: none beside another checkout")


def schedules(context: Context) -> Iterator[Finding]:
    """A schedule has five fields, each within its range; a wrong one would never start, and nobody would hear of it."""
    for entry in context.pipeline.raw.get("schedules") or []:
        fields = str(entry.get("cron", "")).split()
        if len(fields) != len(_CRON):
            yield at("schedule", entry, f"cron: {entry.get('cron')!r} has {len(fields)} fields, not {len(_CRON)}")
            continue
        for text, (name, low, high, words) in zip(fields, _CRON, strict=True):
            if not _is_field(text, low, high, words):
                yield at("schedule", entry, f"cron: {text!r} is none of {name} ({low} to {high})")


def _is_field(text: str, low: int, high: int, words: Sequence[str]) -> bool:
    for part in text.lower().split(","):
        span, _, every = part.partition("/")
        if "/" in part and not (every.isdigit() and int(every) > 0):
            return False
        if span == "*":
            continue
        ends = [str(low + words.index(end[:3])) if end[:3] in words else end for end in span.split("-")]
        if len(ends) > 2 or not all(end.isdigit() and low <= int(end) <= high for end in ends):
            return False
        if int(ends[0]) > int(ends[-1]):
            return False
    return True


ALL: tuple[Rule, ...] = (
    depends_on,
    unique,
    keys,
    deployments,
    conditions,
    macros,
    results,
    outputs,
    checkouts,
    schedules,
)
"""Every rule of this module."""
