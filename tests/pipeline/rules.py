"""The rules of our lint on what a pipeline is built of, each a function from an expanded pipeline to its findings.

Rules on who gets which secret are in `rules_secrets`, those on what may run when in `rules_order`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.pipeline.runner.documents import load
from tests.pipeline.runner.expressions import STATUS, ExpressionError, Node, calls, parse, paths
from tests.pipeline.runner.model import SHORTHANDS

if TYPE_CHECKING:
    from tests.pipeline.runner.documents import Located
    from tests.pipeline.runner.model import Job, Pipeline, Stage, Step, Variable

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

MACRO = re.compile(r"\$\(([^()\s]+)\)")
_TAG_TEXT = re.compile(r"[A-Za-z0-9_.-]*")
_MODULE = re.compile(r"python3? -m ([\w.]+)")
_WORD = r"(?:[\w./:=@-]|\$\([\w.]+\))+"
_ENTRY_POINT = re.compile(rf'exec python3 -m [\w.]+(?: {_WORD}| "\$([A-Z_]+)")*')
_OUTPUT = re.compile(rf'echo "##vso\[task\.setvariable variable=\w+;isOutput=true\]{_WORD}"')
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
class Stack:
    """One stack: its entry in the pipeline's list, and the names that its settings give the program.

    group, reader, preview, state, environment: as the pipeline lists them. raw: the entry. settings: the program's.
    """

    group: str
    reader: str
    preview: str
    state: str
    environment: str
    raw: Located
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Declared:
    """What is defined outside of the YAML.

    access_key, secret_key, account: names in the group that the program declares. state: names in the group of the
    state, and whether each is secret. stacks: by the name that pulumi has for them. literals: texts that the root file
    hands to its templates and that a shell would not take as one word.
    """

    access_key: str
    secret_key: str
    account: str
    state: Mapping[str, bool]
    stacks: Mapping[str, Stack]
    literals: frozenset[str]

    @property
    def group_names(self) -> frozenset[str]:
        """Names in the program's group."""
        return frozenset({self.access_key, self.secret_key, self.account})

    @property
    def own_names(self) -> frozenset[str]:
        """Names in the group of the state."""
        return frozenset(self.state)

    @property
    def secrets(self) -> frozenset[str]:
        """Secret names of both, and the run's own token."""
        of_state = {name for name, secret in self.state.items() if secret}
        return frozenset({self.access_key, self.secret_key, "System.AccessToken"} | of_state)

    def is_secret(self, name: str) -> bool:
        """Whether a variable is secret; names have no case."""
        return name.lower() in {secret.lower() for secret in self.secrets}

    def names_of(self, group: str) -> frozenset[str]:
        """Names that a group holds; none of one that no stack lists."""
        rows = self.stacks.values()
        found: set[str] = set()
        if any(group in (row.group, row.reader) for row in rows):
            found |= self.group_names
        if any(group == row.state for row in rows):
            found |= self.own_names
        return frozenset(found)


@dataclass(frozen=True)
class Context:
    """One expanded pipeline to check. predefined: the variables that its templates saw."""

    root: Path
    pipeline: Pipeline
    declared: Declared
    predefined: Mapping[str, str]

    @property
    def pull_request(self) -> bool:
        """Whether a pull request, perhaps of a fork, starts it."""
        return self.predefined["Build.Reason"] == "PullRequest"


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


def _is_always(step: Step) -> bool:
    node = parsed(step.condition)
    return node is not None and calls(node) == {"always"}


def secrets_of(step: Step, declared: Declared) -> set[str]:
    """Secrets that a step maps into its environment."""
    return {name for value in step.env.values() for name in MACRO.findall(value) if declared.is_secret(name)}


def modules(steps: Iterable[Step]) -> list[str]:
    """The modules that steps run, in their order."""
    return [found for step in steps if step.kind in ("bash", "script") for found in _MODULE.findall(step.argument)]


def option(step: Step, name: str) -> str:
    """The value of an option in a step's script, empty where it has none."""
    found = re.search(rf"{name} (\S+)", step.argument)
    return found[1] if found else ""


def scripts_of(context: Context) -> Iterator[tuple[Stage, Job, Step]]:
    """The steps that are scripts."""
    return (row for row in context.pipeline.steps() if row[2].kind in ("bash", "script"))


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
            yield at("depends-on", raw, f"{own} depends on the {kind} {name}, which is not there")
    seen, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(known.get(name, ()))
    if own in seen:
        yield at("depends-on", raw, f"{own} depends on itself by a circle")


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
                yield at("unique", raw, f"{name} is there twice")
            if not re.fullmatch(r"[A-Za-z_]\w*", name):
                yield at("unique", raw, f"{name!r} is no name: letters, digits and _ only")


def deployments(context: Context) -> Iterator[Finding]:
    """A deployment job has an environment, a strategy with steps, and a stage whose lock runs one after another."""
    for stage, job in context.pipeline.jobs():
        if not job.deployment:
            continue
        if not job.steps:
            yield at(
                "deployment", job.raw, f"{job.id} has no strategy with steps: add strategy: runOnce: deploy: steps:"
            )
        if not job.environment:
            yield at("deployment", job.raw, f"{job.id} has no environment: approvals and the lock would not apply")
        lock = stage.raw.get("lockBehavior") or context.pipeline.raw.get("lockBehavior")
        if lock != "sequential":
            yield at(
                "deployment", stage.raw, f"{stage.id} needs lockBehavior: sequential, else waiting runs are cancelled"
            )
        if job.steps and not any(step.kind == "checkout" and step.argument == "self" for step in job.steps):
            yield at("deployment", job.raw, f"{job.id} uses the repository and has no checkout: a deployment has none")


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
            yield at("condition", raw, f"the condition does not parse: {error}")
            continue
        if not calls(node) & STATUS:
            yield at("condition", raw, f"{text!r} runs whatever failed before: begin with and(succeeded(), ...)")
        yield from _unknown_variables(node, raw, names)


def _unknown_variables(node: Node, raw: Located, names: frozenset[str]) -> Iterator[Finding]:
    for path in paths(node):
        if path[0] == "variables" and len(path) > 1 and path[1].lower() not in names:
            yield at("condition", raw, f"no variable {path[1]} is defined: it would be empty")


def _names(context: Context, declared: Iterable[Variable]) -> frozenset[str]:
    """Lower-case names of the variables that a scope sees."""
    entries = [*context.pipeline.variables, *declared]
    found = set(SYSTEM)
    for entry in entries:
        found.add(entry.name.lower())
        found |= {name.lower() for name in context.declared.names_of(entry.group)}
    return frozenset(found)


def macros(context: Context) -> Iterator[Finding]:
    """Every $(X) is defined: by the group, a variable, a step before it, or the system."""
    for stage, job in context.pipeline.jobs():
        names = _names(context, [*stage.variables, *job.variables])
        for variable in (*context.pipeline.variables, *stage.variables, *job.variables):
            yield from _undefined(variable.value, variable.raw, names)
        for step in job.steps:
            for text in texts(step.raw):
                yield from _undefined(text, step.raw, names)


def _undefined(text: str, raw: Located, names: frozenset[str]) -> Iterator[Finding]:
    for name in MACRO.findall(text):
        if name.lower() not in names:
            yield at("macro", raw, f"$({name}) is defined nowhere: it would stay as it is")


def texts(raw: object) -> Iterator[str]:
    """Every text in a value, keys left out."""
    if isinstance(raw, str):
        yield raw
    elif isinstance(raw, dict):
        for value in raw.values():
            yield from texts(value)
    elif isinstance(raw, list):
        for value in raw:
            yield from texts(value)


def cleanup(context: Context) -> Iterator[Finding]:
    """A job that touches a secret ends with the cleanup, under always(), so that a cancelled run is cleaned too."""
    for _, job in context.pipeline.jobs():
        touches = [step for step in job.steps if secrets_of(step, context.declared)]
        if not touches:
            continue
        last = job.steps[-1]
        if "pipelines.cleanup" not in last.argument:
            yield at("cleanup", job.raw, f"{job.id} uses secrets and does not end with the cleanup")
        elif not _is_always(last):
            yield at("cleanup", last.raw, "the cleanup needs condition: always()")


def logins(context: Context) -> Iterator[Finding]:
    """Every login has its logout under always() after it; a docker logout names its registry."""
    for _, job in context.pipeline.jobs():
        for place, step in enumerate(job.steps):
            text = step.argument if step.kind in ("bash", "script") else step.inputs.get("script", "")
            if re.search(r"docker\s+logout\s*($|[;&|\n])", text):
                yield at("login", step.raw, "docker logout without its registry logs out of Docker Hub")
            if re.search(r"docker\s+login\b", text):
                yield at("login", step.raw, "use python3 -m pipelines.registry login: it masks the token")
            if "pipelines.registry login" not in text:
                continue
            after = job.steps[place + 1 :]
            if not any(_logs_out(later) and _is_always(later) for later in after):
                yield at("login", step.raw, "this login has no logout under always() after it")


def _logs_out(step: Step) -> bool:
    return "pipelines.cleanup" in step.argument or "pipelines.registry logout" in step.argument


def scripts(context: Context) -> Iterator[Finding]:
    """YAML only wires: a script runs one entry point by exec with plain words, or names an output, and is one line."""
    for _, _, step in scripts_of(context):
        entry = _ENTRY_POINT.fullmatch(step.argument.strip())
        if not entry and not _OUTPUT.fullmatch(step.argument.strip()):
            yield at(
                "script",
                step.raw,
                'write exec python3 -m MODULE and plain words or "$NAME": what a shell would do belongs into an entry '
                "point under pipelines/, and by exec a cancelled run's signal reaches it",
            )
        for name in re.findall(r'"\$(\w+)"', step.argument):
            if name not in step.env:
                yield at("script", step.raw, f"${name} is not mapped with env:")
        for module in modules([step]):
            file = context.root / (module.replace(".", "/") + ".py")
            if not file.is_file() and not (context.root / module.replace(".", "/") / "__main__.py").is_file():
                yield at("script", step.raw, f"there is no module {module}")


def tasks(context: Context) -> Iterator[Finding]:
    """Only tasks that were reviewed, with their major version."""
    for _, _, step in context.pipeline.steps():
        if step.task not in TASKS:
            yield at("task", step.raw, f"{step.task} is not on the list of reviewed tasks (with its version)")
        if step.kind == "task" and step.task in (SHORTHANDS["bash"], SHORTHANDS["script"]):
            yield at("task", step.raw, f"write bash: instead of task: {step.task}, so that its script is looked at")


def outputs(context: Context) -> Iterator[Finding]:
    """Outputs of earlier jobs are of a stage that is depended on, of a job and a named step that are there."""
    stages = {stage.id: stage for stage in context.pipeline.stages}
    for stage, job in context.pipeline.jobs():
        reach = ancestors(stage, stages)
        for variable in (*stage.variables, *job.variables):
            value = variable.value.strip()
            if not value.startswith("$["):
                continue
            node = parsed(value[2:-1])
            if node is None:
                yield at("condition", variable.raw, f"{value!r} does not parse")
                continue
            for path in paths(node):
                if path[0] == "stageDependencies" and (why := _missing_output(path, reach, stages)):
                    yield at("output", variable.raw, f"{value}: {why}")


def ancestors(stage: Stage, stages: dict[str, Stage]) -> set[str]:
    """The stages that a stage waits for, near and far."""
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


def checkouts(context: Context) -> Iterator[Finding]:
    """A checkout leaves no credential in .git/config, and no step that could fail is waved through."""
    for _, _, step in context.pipeline.steps():
        if step.kind == "checkout" and step.argument != "none" and _flag(step, "persistCredentials") is not False:
            yield at("checkout", step.raw, "add persistCredentials: 'false': the token would stay in .git/config")
        if _flag(step, "continueOnError"):
            yield at("checkout", step.raw, f"{step.title!r} may fail unseen: remove continueOnError")
        if _flag(step, "enabled") is False:
            yield at("checkout", step.raw, f"{step.title!r} is switched off: remove it, or enabled")


def _flag(step: Step, name: str) -> bool | None:
    value = str(step.raw.get(name, "")).lower()
    return None if value not in ("true", "false") else value == "true"


def build_number(context: Context) -> Iterator[Finding]:
    """The build number becomes a Docker tag, so its constant text has only characters of one."""
    name = re.sub(r"\$\((Date:[\w.-]+|Rev:[\w.-]+|[\w.]+)\)", "", context.pipeline.name)
    if not context.pipeline.name or not _TAG_TEXT.fullmatch(name):
        yield at("build-number", context.pipeline.raw, f"name: {context.pipeline.name!r} makes no legal Docker tag")


def queue_time(context: Context) -> Iterator[Finding]:
    """Whoever queues a run chooses among values: free text could name another environment, or hold a command."""
    file = context.pipeline.raw.file
    for entry in load(context.root / file, file).get("parameters") or []:
        kind, name = entry.get("type", "string"), entry["name"]
        if kind not in ("string", "boolean", "number"):
            yield at("queue-time", entry, f"{name} is of type {kind}: pass it to a template as a literal")
        elif kind == "string" and not entry.get("values"):
            yield at("queue-time", entry, f"{name} is free text: give it values, or pass it to a template as a literal")


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
    deployments,
    conditions,
    macros,
    cleanup,
    logins,
    scripts,
    tasks,
    outputs,
    checkouts,
    build_number,
    queue_time,
    schedules,
)
"""Every rule of this module."""
