"""The rules of our lint, each a function from an expanded pipeline to its findings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.pipeline.runner.documents import load
from tests.pipeline.runner.expressions import STATUS, ExpressionError, Node, calls, parse, paths

if TYPE_CHECKING:
    from tests.pipeline.runner.documents import Located
    from tests.pipeline.runner.model import Job, Pipeline, Stage, Step

TASKS = frozenset(
    {
        "Bash@3",
        "Cache@2",
        "CmdLine@2",
        "DownloadPipelineArtifact@2",
        "PublishPipelineArtifact@1",
        "PublishTestResults@2",
        "UsePythonVersion@0",
        "checkout",
    }
)
"""Tasks that may be used, with their major version. One of the marketplace would be added here after a review."""

SYSTEM = frozenset(Path(__file__).with_name("system-variables.txt").read_text(encoding="utf-8").lower().splitlines())
"""Variables of the service that we know. A wrong name in a condition is silently empty: an unknown one is a finding."""

_MACRO = re.compile(r"\$\(([^()\s]+)\)")
_TAG_TEXT = re.compile(r"[A-Za-z0-9_.-]*")
_MODULE = re.compile(r"python3? -m ([\w.]+)")


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
class Declared:
    """What is defined outside of the YAML.

    group: the variable group that the program declares, with its group_names. own_names: names in the group of the
    state. secrets: the secret ones of all.
    """

    group: str
    group_names: frozenset[str]
    own_names: frozenset[str]
    secrets: frozenset[str]

    def is_secret(self, name: str) -> bool:
        """Whether a variable is secret; names have no case."""
        return name.lower() in {secret.lower() for secret in self.secrets}


@dataclass(frozen=True)
class Context:
    """One expanded pipeline to check. pull_request: whether a pull request, perhaps of a fork, starts it."""

    root: Path
    pipeline: Pipeline
    declared: Declared
    pull_request: bool


Rule = Callable[[Context], Iterable[Finding]]
ALL: list[Rule] = []


def _rule(function: Rule) -> Rule:
    ALL.append(function)
    return function


def _at(rule: str, raw: Located, message: str) -> Finding:
    return Finding(rule, raw.file, raw.line, message)


def _parsed(text: str) -> Node | None:
    """A condition's or runtime value's tree, None where `conditions` reports it."""
    try:
        return parse(text)
    except ExpressionError:
        return None


def _is_always(step: Step) -> bool:
    node = _parsed(step.condition)
    return node is not None and calls(node) == {"always"}


def _secrets(step: Step, declared: Declared) -> set[str]:
    """Secrets that a step maps into its environment."""
    return {name for value in step.env.values() for name in _MACRO.findall(value) if declared.is_secret(name)}


def _scripts(context: Context) -> Iterator[tuple[Stage, Job, Step]]:
    return (row for row in context.pipeline.steps() if row[2].kind in ("bash", "script"))


@_rule
def depends_on(context: Context) -> Iterator[Finding]:
    """Every dependsOn names a stage, or a job of the stage, that comes to be, and there is no circle."""
    stages = {stage.id: stage.depends_on for stage in context.pipeline.stages}
    for stage in context.pipeline.stages:
        yield from _dependencies(stage.id, stage.depends_on, stages, stage.raw, "stage")
        jobs = {job.id: job.depends_on for job in stage.jobs}
        for job in stage.jobs:
            yield from _dependencies(job.id, job.depends_on, jobs, job.raw, "job")


def _dependencies(
    own: str, names: tuple[str, ...], known: dict[str, tuple[str, ...]], raw: Located, kind: str
) -> Iterator[Finding]:
    for name in names:
        if name not in known:
            yield _at("depends-on", raw, f"{own} depends on the {kind} {name}, which is not there")
    seen, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(known.get(name, ()))
    if own in seen:
        yield _at("depends-on", raw, f"{own} depends on itself by a circle")


@_rule
def unique(context: Context) -> Iterator[Finding]:
    """Stages, jobs of a stage and named steps of a job have a name each of its own, of letters, digits and _."""
    stages = context.pipeline.stages
    groups = [[(stage.id, stage.raw) for stage in stages]]
    groups += [[(job.id, job.raw) for job in stage.jobs] for stage in stages]
    groups += [[(step.name, step.raw) for step in job.steps if step.name] for _, job in context.pipeline.jobs()]
    for rows in groups:
        names = [name for name, _ in rows]
        for name, raw in rows:
            if names.count(name) > 1:
                yield _at("unique", raw, f"{name} is there twice")
            if not re.fullmatch(r"[A-Za-z_]\w*", name):
                yield _at("unique", raw, f"{name!r} is no name: letters, digits and _ only")


@_rule
def deployments(context: Context) -> Iterator[Finding]:
    """A deployment job has an environment, a strategy with steps, and a stage whose lock runs one after another."""
    for stage, job in context.pipeline.jobs():
        if not job.deployment:
            continue
        if not job.steps:
            yield _at(
                "deployment", job.raw, f"{job.id} has no strategy with steps: add strategy: runOnce: deploy: steps:"
            )
        if not job.environment:
            yield _at("deployment", job.raw, f"{job.id} has no environment: approvals and the lock would not apply")
        lock = stage.raw.get("lockBehavior") or context.pipeline.raw.get("lockBehavior")
        if lock != "sequential":
            yield _at(
                "deployment", stage.raw, f"{stage.id} needs lockBehavior: sequential, else waiting runs are cancelled"
            )
        if job.steps and not any(step.kind == "checkout" and step.argument == "self" for step in job.steps):
            yield _at("deployment", job.raw, f"{job.id} uses the repository and has no checkout: a deployment has none")


@_rule
def conditions(context: Context) -> Iterator[Finding]:
    """Conditions and runtime values parse, ask how earlier work ended, and read variables that are there."""
    rows: list[tuple[str, Located, frozenset[str]]] = []
    root = _names(context, ())
    for stage in context.pipeline.stages:
        rows.append((stage.condition, stage.raw, root))
        names = _names(context, stage.variables)
        for job in stage.jobs:
            inner = names | _names(context, job.variables)
            rows.append((job.condition, job.raw, inner))
            rows += [(step.condition, step.raw, inner) for step in job.steps]
    for text, raw, names in rows:
        try:
            node = parse(text)
        except ExpressionError as error:
            yield _at("condition", raw, f"the condition does not parse: {error}")
            continue
        if not calls(node) & STATUS:
            yield _at("condition", raw, f"{text!r} runs whatever failed before: begin with and(succeeded(), ...)")
        yield from _unknown_variables(node, raw, names)


def _unknown_variables(node: Node, raw: Located, names: frozenset[str]) -> Iterator[Finding]:
    for path in paths(node):
        if path[0] == "variables" and len(path) > 1 and path[1].lower() not in names:
            yield _at("condition", raw, f"no variable {path[1]} is defined: it would be empty")


def _names(context: Context, declared: Iterable[object]) -> frozenset[str]:
    """Lower-case names of the variables that a scope sees; a group stands for all names of groups."""
    entries = [*context.pipeline.variables, *declared]
    found = set(SYSTEM)
    for entry in entries:
        if getattr(entry, "group", ""):
            found |= {name.lower() for name in context.declared.group_names | context.declared.own_names}
        else:
            found.add(str(getattr(entry, "name", "")).lower())
    return frozenset(found)


@_rule
def macros(context: Context) -> Iterator[Finding]:
    """Every $(X) is defined: by the group, a variable, a step before it, or the system."""
    for stage, job in context.pipeline.jobs():
        names = _names(context, [*stage.variables, *job.variables])
        for variable in (*context.pipeline.variables, *stage.variables, *job.variables):
            yield from _undefined(variable.value, variable.raw, names)
        for step in job.steps:
            for text in _texts(step.raw):
                yield from _undefined(text, step.raw, names)


def _undefined(text: str, raw: Located, names: frozenset[str]) -> Iterator[Finding]:
    for name in _MACRO.findall(text):
        if name.lower() not in names:
            yield _at("macro", raw, f"$({name}) is defined nowhere: it would stay as it is")


def _texts(raw: object) -> Iterator[str]:
    if isinstance(raw, str):
        yield raw
    elif isinstance(raw, dict):
        for value in raw.values():
            yield from _texts(value)
    elif isinstance(raw, list):
        for value in raw:
            yield from _texts(value)


@_rule
def group_names(context: Context) -> Iterator[Finding]:
    """Names mapped from a group are the program's, letter by letter; no group stands where every job would get it."""
    known = {name.lower(): name for name in context.declared.group_names | context.declared.own_names}
    for _, _, step in context.pipeline.steps():
        for text in _texts(step.raw):
            for name in _MACRO.findall(text):
                if known.get(name.lower(), name) != name:
                    yield _at("group-names", step.raw, f"$({name}) is {known[name.lower()]} in the program")
    for entry in context.pipeline.variables:
        if entry.group:
            yield _at("group-names", entry.raw, f"the group {entry.group} stands at the top: give it to the stages")


@_rule
def secrets_stay_in_env(context: Context) -> Iterator[Finding]:
    """No secret stands in a script, an input, a name or a variable: it is mapped into the environment of its step."""
    for stage, job in context.pipeline.jobs():
        for variable in (*context.pipeline.variables, *stage.variables, *job.variables):
            yield from _in_text(variable.value, variable.raw, "a variable", context)
        for step in job.steps:
            rest = {key: value for key, value in step.raw.items() if key != "env"}
            for text in _texts(rest):
                yield from _in_text(text, step.raw, f"the step {step.title!r}", context)


def _in_text(text: str, raw: Located, where: str, context: Context) -> Iterator[Finding]:
    for name in _MACRO.findall(text):
        if context.declared.is_secret(name):
            yield _at("secret", raw, f"$({name}) stands in {where}: map it with env:")


@_rule
def secrets_by_name(context: Context) -> Iterator[Finding]:
    """A secret goes into the variable of its own meaning, and only into a step that runs one of our entry points."""
    for _, _, step in context.pipeline.steps():
        used = _secrets(step, context.declared)
        if used and not (step.kind == "bash" and _MODULE.search(step.argument)):
            yield _at(
                "secret", step.raw, f"{', '.join(sorted(used))} is mapped into a step that is no entry point of ours"
            )


@_rule
def cleanup(context: Context) -> Iterator[Finding]:
    """A job that touches a secret ends with the cleanup, under always(), so that a cancelled run is cleaned too."""
    for _, job in context.pipeline.jobs():
        touches = [step for step in job.steps if _secrets(step, context.declared)]
        if not touches:
            continue
        last = job.steps[-1]
        if "pipelines.cleanup" not in last.argument:
            yield _at("cleanup", job.raw, f"{job.id} uses secrets and does not end with the cleanup")
        elif not _is_always(last):
            yield _at("cleanup", last.raw, "the cleanup needs condition: always()")


@_rule
def logins(context: Context) -> Iterator[Finding]:
    """Every login has its logout under always() after it; a docker logout names its registry."""
    for _, job in context.pipeline.jobs():
        for place, step in enumerate(job.steps):
            text = step.argument if step.kind in ("bash", "script") else step.inputs.get("script", "")
            if re.search(r"docker\s+logout\s*($|[;&|\n])", text):
                yield _at("login", step.raw, "docker logout without its registry logs out of Docker Hub")
            if re.search(r"docker\s+login\b", text):
                yield _at("login", step.raw, "use python3 -m pipelines.registry login: it masks the token")
            if "pipelines.registry login" not in text:
                continue
            after = job.steps[place + 1 :]
            if not any(_logs_out(later) and _is_always(later) for later in after):
                yield _at("login", step.raw, "this login has no logout under always() after it")


def _logs_out(step: Step) -> bool:
    return "pipelines.cleanup" in step.argument or "pipelines.registry logout" in step.argument


@_rule
def forks(context: Context) -> Iterator[Finding]:
    """In a pull request's run, a job that has a group or a secret does not run for a fork."""
    if not context.pull_request:
        return
    for stage, job in context.pipeline.jobs():
        groups = any(entry.group for entry in (*stage.variables, *job.variables))
        if not groups and not any(_secrets(step, context.declared) for step in job.steps):
            continue
        guards = [_parsed(text) for text in (stage.condition, job.condition)]
        read = {path[1].lower() for node in guards if node for path in paths(node) if len(path) > 1}
        if "system.pullrequest.isfork" not in read:
            yield _at(
                "fork", job.raw, f"{job.id} would give secrets to a fork: guard it with System.PullRequest.IsFork"
            )


@_rule
def scripts(context: Context) -> Iterator[Finding]:
    """YAML only wires: a script is one line; one that runs an entry point runs it by exec, and the module is there."""
    for _, _, step in _scripts(context):
        if len(step.argument.strip().splitlines()) > 1:
            yield _at("script", step.raw, "a script of several lines belongs into an entry point under pipelines/")
        for module in _MODULE.findall(step.argument):
            file = context.root / (module.replace(".", "/") + ".py")
            if not file.is_file() and not (context.root / module.replace(".", "/") / "__main__.py").is_file():
                yield _at("script", step.raw, f"there is no module {module}")
        if _MODULE.search(step.argument) and not step.argument.startswith("exec "):
            yield _at("script", step.raw, "begin with exec: a cancelled run's signal reaches the shell alone")


@_rule
def tasks(context: Context) -> Iterator[Finding]:
    """Only tasks that were reviewed, with their major version."""
    for _, _, step in context.pipeline.steps():
        if step.task not in TASKS:
            yield _at("task", step.raw, f"{step.task} is not on the list of reviewed tasks (with its version)")


@_rule
def artifacts(context: Context) -> Iterator[Finding]:
    """Nothing of the job's private folder is published; an artefact's name differs from attempt to attempt."""
    for _, _, step in context.pipeline.steps():
        if step.task != "PublishPipelineArtifact@1":
            continue
        path = step.argument if step.kind == "publish" else step.inputs.get("targetPath", "")
        if "$(private)" in path.lower() or "$(agent.tempdirectory)" in path.lower():
            yield _at("artifact", step.raw, f"{path} holds raw plans and credentials: it is never published")
        name = step.inputs.get("artifact") or step.inputs.get("artifactName", "")
        if "Attempt)" not in name:
            yield _at(
                "artifact", step.raw, f"{name!r} exists already when the job runs again: add $(System.JobAttempt)"
            )


@_rule
def outputs(context: Context) -> Iterator[Finding]:
    """Outputs of earlier jobs are of a stage that is depended on, of a job and a named step that are there."""
    stages = {stage.id: stage for stage in context.pipeline.stages}
    for stage, job in context.pipeline.jobs():
        reach = _ancestors(stage, stages)
        for variable in (*stage.variables, *job.variables):
            value = variable.value.strip()
            if not value.startswith("$["):
                continue
            node = _parsed(value[2:-1])
            if node is None:
                yield _at("condition", variable.raw, f"{value!r} does not parse")
                continue
            for path in paths(node):
                if path[0] == "stageDependencies" and (why := _missing_output(path, reach, stages)):
                    yield _at("output", variable.raw, f"{value}: {why}")


def _ancestors(stage: Stage, stages: dict[str, Stage]) -> set[str]:
    found: set[str] = set()
    todo = list(stage.depends_on)
    while todo:
        name = todo.pop()
        if name not in found and name in stages:
            found.add(name)
            todo.extend(stages[name].depends_on)
    return found


def _missing_output(path: tuple[str, ...], reach: set[str], stages: dict[str, Stage]) -> str:
    if len(path) != 5 or path[3] != "outputs":
        return "it should be stageDependencies.STAGE.JOB.outputs['STEP.NAME']"
    _, stage, job, _, output = path
    if stage not in reach:
        return f"the stage does not depend on {stage}"
    found = next((entry for entry in stages[stage].jobs if entry.id == job), None)
    if found is None:
        return f"{stage} has no job {job}"
    step = output.split(".")[-2] if "." in output else ""
    return "" if step in {entry.name for entry in found.steps} else f"{job} has no step of the name {step!r}"


@_rule
def checkouts(context: Context) -> Iterator[Finding]:
    """A checkout leaves no credential in .git/config, and no step that could fail is waved through."""
    for _, _, step in context.pipeline.steps():
        if step.kind == "checkout" and step.argument != "none" and _flag(step, "persistCredentials") is not False:
            yield _at("checkout", step.raw, "add persistCredentials: 'false': the token would stay in .git/config")
        if _flag(step, "continueOnError"):
            yield _at("checkout", step.raw, f"{step.title!r} may fail unseen: remove continueOnError")


def _flag(step: Step, name: str) -> bool | None:
    value = str(step.raw.get(name, "")).lower()
    return None if value not in ("true", "false") else value == "true"


@_rule
def build_number(context: Context) -> Iterator[Finding]:
    """The build number becomes a Docker tag, so its constant text has only characters of one."""
    name = re.sub(r"\$\((Date:[\w.-]+|Rev:[\w.-]+|[\w.]+)\)", "", context.pipeline.name)
    if not context.pipeline.name or not _TAG_TEXT.fullmatch(name):
        yield _at("build-number", context.pipeline.raw, f"name: {context.pipeline.name!r} makes no legal Docker tag")


@_rule
def queue_time(context: Context) -> Iterator[Finding]:
    """Whoever queues a run chooses among values: free text could name another environment, or hold a command."""
    file = context.pipeline.raw.file
    for entry in load(context.root / file, file).get("parameters") or []:
        kind, name = entry.get("type", "string"), entry["name"]
        if kind not in ("string", "boolean", "number"):
            yield _at("queue-time", entry, f"{name} is of type {kind}: pass it to a template as a literal")
        elif kind == "string" and not entry.get("values"):
            yield _at(
                "queue-time", entry, f"{name} is free text: give it values, or pass it to a template as a literal"
            )


@_rule
def free_text(context: Context) -> Iterator[Finding]:
    """Free text is no part of a script: who the operators are comes as a variable that the shell does not read."""
    for _, _, step in _scripts(context):
        for text in re.findall(r"--operators\s+(\S+)", step.argument):
            if text != '"$OPERATORS"' or not step.env.get("OPERATORS"):
                yield _at("free-text", step.raw, 'write --operators "$OPERATORS" and map the text with env:')
