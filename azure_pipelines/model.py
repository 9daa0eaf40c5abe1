"""An expanded pipeline as stages, jobs and steps, with the service's defaults filled in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from azure_pipelines.documents import Located, PipelineError
from azure_pipelines.expand import Expander, File, Opener, Shared, unknown
from azure_pipelines.expressions import text

if TYPE_CHECKING:
    from pathlib import Path

    from azure_pipelines.documents import Sources

SHORTHANDS = {
    "bash": "Bash@3",
    "script": "CmdLine@2",
    "publish": "PublishPipelineArtifact@1",
    "download": "DownloadPipelineArtifact@2",
    "checkout": "checkout",
    "task": "",
}
"""Keys that make a mapping a step, with the task that each stands for."""

MOST_SLICES = 99
"""Jobs that `parallel` makes, at most."""

SCRIPTS = ("bash", "script")
"""Those whose value is a script."""


@dataclass(frozen=True)
class Variable:
    """A variable, or a group where `group` is set."""

    name: str
    value: str
    group: str
    raw: Located


@dataclass(frozen=True)
class Step:
    """One step. kind: its key (`bash`, `task`, ...); task: what runs it; argument: the key's value."""

    kind: str
    task: str
    argument: str
    raw: Located

    @property
    def name(self) -> str:
        """The reference name, by which other jobs read its outputs."""
        return str(self.raw.get("name", ""))

    @property
    def title(self) -> str:
        """What the log calls it."""
        return str(self.raw.get("displayName") or self.argument or self.task)

    @property
    def condition(self) -> str:
        """The condition, with the default."""
        return str(self.raw.get("condition") or "succeeded()")

    @property
    def retries(self) -> int:
        """How often the step is tried again when it fails, at most 10. Raises PipelineError for what is no number."""
        return min(whole(self.raw, "retryCountOnTaskFailure", 0, f"{self.raw.file}:{self.raw.line}"), 10)

    @property
    def timeout(self) -> int:
        """Minutes after which it fails, 0 for never. Raises PipelineError for what is no number."""
        return whole(self.raw, "timeoutInMinutes", 0, f"{self.raw.file}:{self.raw.line}")

    @cached_property
    def env(self) -> Mapping[str, str]:
        """Variables that are mapped into the environment."""
        return {key: str(value) for key, value in (self.raw.get("env") or {}).items()}

    @cached_property
    def script(self) -> str:
        """The inline script that the step runs, empty for any other step."""
        if self.kind in SCRIPTS:
            return self.argument
        return self.inputs.get("script", "") if self.kind == "task" else ""

    @cached_property
    def inputs(self) -> Mapping[str, str]:
        """A task's inputs; for a shorthand its other keys."""
        given = self.raw.get("inputs") or {key: value for key, value in self.raw.items() if not isinstance(value, dict)}
        return {str(key): str(value) for key, value in given.items()}

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Every text in it, keys left out."""
        return tuple(texts(self.raw))


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


@dataclass(frozen=True)
class Job:
    """One job; a deployment job where `environment` is set.

    id: its own; a leg of a matrix has PHASE_LEG. phase: the name by which others wait for it and ask of it; leg: its
    name in a matrix, empty where there is none; position: its number among `total` legs, from 1. depends_on: phases of
    the stage. timeout: minutes after which it is cancelled (0: never); cancel_timeout: minutes that are left then for
    steps that run in any case.
    """

    id: str
    phase: str
    leg: str
    position: int
    total: int
    timeout: int
    cancel_timeout: int
    steps: tuple[Step, ...]
    depends_on: tuple[str, ...]
    condition: str
    variables: tuple[Variable, ...]
    deployment: bool
    environment: str
    raw: Located


@dataclass(frozen=True)
class Stage:
    """One stage."""

    id: str
    jobs: tuple[Job, ...]
    depends_on: tuple[str, ...]
    condition: str
    variables: tuple[Variable, ...]
    raw: Located

    def before(self, job: Job) -> tuple[Job, ...]:
        """The jobs that a job waits for, near and far, in their order."""
        found = reach(job.depends_on, {one.phase: one.depends_on for one in self.jobs})
        return tuple(one for one in self.jobs if one.phase in found)


@dataclass(frozen=True)
class Pipeline:
    """A whole pipeline. extends: the template that its file extends, of which nothing is left in `raw`."""

    name: str
    stages: tuple[Stage, ...]
    variables: tuple[Variable, ...]
    raw: Located = field(repr=False)
    extends: File | None = None

    @property
    def repositories(self) -> Mapping[str, Located]:
        """The other repositories that it declares, by their aliases in small letters."""
        resources = self.raw.get("resources")
        entries = resources.get("repositories") if isinstance(resources, Mapping) else None
        return {str(entry["repository"]).lower(): entry for entry in entries or ()}

    def before(self, stage: Stage) -> tuple[str, ...]:
        """The stages that a stage waits for, near and far, in their order."""
        found = reach(stage.depends_on, {one.id: one.depends_on for one in self.stages})
        return tuple(one.id for one in self.stages if one.id in found)

    def jobs(self) -> Iterator[tuple[Stage, Job]]:
        """Every job with its stage."""
        for stage in self.stages:
            for job in stage.jobs:
                yield stage, job

    def steps(self) -> Iterator[tuple[Stage, Job, Step]]:
        """Every step with its job and stage."""
        for stage, job in self.jobs():
            for step in job.steps:
                yield stage, job, step


def reach(names: Iterable[str], waits: Mapping[str, Iterable[str]]) -> set[str]:
    """All names that are waited for, near and far. waits: by name, those that it waits for itself."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(waits.get(name, ()))
    return found


def read(
    sources: Path | Sources,
    file: str,
    predefined: Mapping[str, str],
    parameters: Mapping[str, Any],
    opener: Opener | None = None,
    shared: Shared | None = None,
) -> Pipeline:
    """Expand a file and read it as a pipeline. Raises PipelineError.

    opener: of other repositories. shared: parts that several pipelines of the same sources have in common (`Expander`).
    """
    expander = Expander(sources, predefined, opener or unknown, shared)
    pipeline = build(expander.pipeline(file, parameters))
    return replace(pipeline, extends=expander.extended)


def build(document: Located) -> Pipeline:
    """The pipeline of an expanded document."""
    stages = document.get("stages")
    if stages is None:
        jobs = document.get("jobs") or [_located({"job": "job", "steps": document.get("steps") or []}, document)]
        stages = [_located({"stage": "stage", "jobs": jobs}, document)]
    built: list[Stage] = []
    for raw in stages:
        if "stage" not in raw:
            raise PipelineError(f"{raw.file}:{raw.line}: an entry of stages is no stage")
        before = (built[-1].id,) if built else ()
        built.append(_stage(raw, before))
    return Pipeline(str(document.get("name", "")), tuple(built), _variables(document), document)


def _located(content: dict[str, Any], origin: Located) -> Located:
    found = Located(content)
    found.file, found.line = origin.file, origin.line
    return found


def _stage(raw: Located, before: tuple[str, ...]) -> Stage:
    jobs = tuple(made for one in raw.get("jobs") or [] for made in _legs(one))
    condition = str(raw.get("condition") or "succeeded()")
    return Stage(str(raw["stage"]), jobs, _names(raw, before), condition, _variables(raw), raw)


def _legs(raw: Located) -> Iterator[Job]:
    """A job once for each leg of its matrix with the leg's variables after its own, or `parallel` times; else itself.

    Source: https://learn.microsoft.com/azure/devops/pipelines/yaml-schema/jobs-job-strategy
    """
    strategy = raw.get("strategy")
    if "job" not in raw or not isinstance(strategy, Mapping) or not {"matrix", "parallel"} & strategy.keys():
        yield job(raw)
        return
    where = f"{raw.file}:{raw.line}"
    more = sorted(set(strategy) - {"maxParallel"})
    if len(more) > 1:
        raise PipelineError(
            f"{where}: the strategy of job {raw['job']} is one of matrix and parallel: {', '.join(more)}"
        )
    whole(strategy, "maxParallel", 0, where)
    rest = _located({key: value for key, value in raw.items() if key != "strategy"}, raw)
    legs = _matrix(raw, strategy) if "matrix" in strategy else _slices(strategy, where)
    for position, (name, values) in enumerate(legs.items(), 1):
        given = [_located({"name": key, "value": value}, raw) for key, value in values.items()]
        one = job(_located({**rest, "variables": [*_as_list(raw), *given]}, raw))
        yield replace(one, id=f"{one.phase}_{name}", leg=name, position=position, total=len(legs))


def _as_list(raw: Located) -> list[Located]:
    declared = raw.get("variables") or []
    if isinstance(declared, Mapping):
        return [_located({"name": key, "value": value}, raw) for key, value in declared.items()]
    return list(declared)


def _matrix(raw: Located, strategy: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    matrix = strategy["matrix"]
    if not isinstance(matrix, Mapping) or not matrix or not all(isinstance(leg, Mapping) for leg in matrix.values()):
        raise PipelineError(f"{raw.file}:{raw.line}: the matrix of job {raw['job']} is not legs with their variables")
    return matrix


def _slices(strategy: Mapping[str, Any], where: str) -> Mapping[str, Mapping[str, Any]]:
    """The service names them Job1, Job2, ..."""
    total = whole(strategy, "parallel", 1, where)
    if not 1 <= total <= MOST_SLICES:
        raise PipelineError(f"{where}: parallel is {total}, not 1 to {MOST_SLICES}")
    return {f"Job{number}": {} for number in range(1, total + 1)}


def whole(raw: Mapping[str, Any], key: str, default: int, where: str) -> int:
    """The whole number, 0 or more, that stands under a key. Raises PipelineError for anything else."""
    given = str(raw.get(key, default))
    if not (given.isascii() and given.isdecimal()):
        raise PipelineError(f"{where}: {key} is {given!r}, no whole number")
    return int(given)


def job(raw: Located) -> Job:
    """A job of its mapping. Raises PipelineError for a mapping that is none."""
    deployment = "deployment" in raw
    if not deployment and "job" not in raw:
        raise PipelineError(f"{raw.file}:{raw.line}: an entry of jobs is no job")
    if not deployment and raw.get("strategy"):
        kinds = ", ".join(raw["strategy"])
        raise PipelineError(f"{raw.file}:{raw.line}: the strategy {kinds} of job {raw['job']} is not known here")
    environment = raw.get("environment") or ""
    name = str(raw["deployment" if deployment else "job"])
    where = f"{raw.file}:{raw.line}"
    return Job(
        id=name,
        phase=name,
        leg="",
        position=1,
        total=1,
        timeout=whole(raw, "timeoutInMinutes", 60, where),
        cancel_timeout=whole(raw, "cancelTimeoutInMinutes", 5, where),
        steps=tuple(step(entry) for entry in _entries(raw)),
        depends_on=_names(raw, ()),
        condition=str(raw.get("condition") or "succeeded()"),
        variables=_variables(raw),
        deployment=deployment,
        environment=str(environment.get("name", "") if isinstance(environment, Mapping) else environment),
        raw=raw,
    )


def _entries(raw: Located) -> list[Located]:
    """A job's steps; a deployment's are those of `deploy` in its runOnce strategy.

    Raises PipelineError for any other hook (on: failure, preDeploy, ...): its steps would run where nobody looks.
    """
    if "deployment" not in raw:
        return list(raw.get("steps") or [])
    strategy = raw.get("strategy") or {}
    kinds = ", ".join(strategy) if isinstance(strategy, Mapping) else str(strategy)
    if kinds not in ("", "runOnce"):
        raise PipelineError(
            f"{raw.file}:{raw.line}: the strategy {kinds} of deployment {raw['deployment']} is not known here"
        )
    hooks = strategy.get("runOnce") if isinstance(strategy, Mapping) else None
    for name in hooks or ():
        if name != "deploy":
            raise PipelineError(f"{raw.file}:{raw.line}: runOnce has {name!r}: only deploy is known here")
    return list(((hooks or {}).get("deploy") or {}).get("steps") or [])


def step(raw: Located) -> Step:
    """A step of its mapping. Raises PipelineError for a mapping that is none."""
    kinds = [kind for kind in SHORTHANDS if kind in raw]
    if len(kinds) != 1:
        raise PipelineError(f"{raw.file}:{raw.line}: an entry of steps is no step that is known here")
    argument = str(raw[kinds[0]])
    return Step(kinds[0], SHORTHANDS[kinds[0]] or argument, argument, raw)


def _names(raw: Located, default: tuple[str, ...]) -> tuple[str, ...]:
    if "dependsOn" not in raw:
        return default
    value = raw["dependsOn"]
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(str(name) for name in value or ())


def _variables(raw: Located) -> tuple[Variable, ...]:
    declared = raw.get("variables") or []
    if isinstance(declared, Mapping):
        return tuple(Variable(name, text(value), "", raw) for name, value in declared.items())
    return tuple(
        Variable(text(entry.get("name")), text(entry.get("value")), text(entry.get("group")), entry)
        for entry in declared
    )
