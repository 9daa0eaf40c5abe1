"""The rules on what our pipeline is built of, each a function from an expanded pipeline to its findings.

Rules on who gets which secret are in `secrets`, those on what may run when in `order`, those on what may stand there at
all, and what must, in `shape`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from azure_pipelines.documents import load
from azure_pipelines.expressions import calls
from azure_pipelines.model import SHORTHANDS
from azure_pipelines.rules import MACRO, at, parsed, unmatched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from azure_pipelines.model import Job, Step
    from azure_pipelines.rules import Finding
    from pipelines.rules.declared import Context, Declared, Rule

TASKS = frozenset(
    {
        "AWSShellScript@1",
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

_TAG_TEXT = re.compile(r"[A-Za-z0-9_.-]*")
_MODULE = re.compile(r"python3 (?:\$\(trusted\)/)?(pipelines) (\w+)")
_WORD = r"(?:[\w./:=@-]|\$\([\w.]+\))+"
_ENTRY_POINT = re.compile(rf'exec python3 (?:\$\(trusted\)/)?pipelines \w+(?: {_WORD}| "\$([A-Z_]+)")*')
_OUTPUT = re.compile(rf'echo "##vso\[task\.setvariable variable=\w+;isOutput=true\]{_WORD}"')


def _is_always(step: Step) -> bool:
    node = parsed(step.condition)
    return node is not None and calls(node) == {"always"}


def secrets_of(step: Step, declared: Declared) -> set[str]:
    """Secrets that a step maps into its environment."""
    return {name for value in step.env.values() for name in MACRO.findall(value) if declared.is_secret(name)}


def modules(steps: Iterable[Step]) -> list[str]:
    """The modules that steps run, in their order, such as pipelines.preview."""
    scripts = (step.argument for step in steps if step.kind in ("bash", "script"))
    return [module for script in scripts for module in _modules(script)]


@lru_cache(maxsize=1000)
def _modules(script: str) -> list[str]:
    return [".".join(found) for found in _MODULE.findall(script)]


def option(step: Step, name: str) -> str:
    """The value of an option in a step's script, empty where it has none."""
    return _option(step.argument, name)


@lru_cache(maxsize=10_000)
def _option(script: str, name: str) -> str:
    found = re.search(rf"{name} (\S+)", script)
    return found[1] if found else ""


def scripts_of(job: Job) -> list[Step]:
    """The steps that are scripts."""
    return [step for step in job.steps if step.kind in ("bash", "script")]


def deployments(context: Context) -> Iterator[Finding]:
    """A deployment job uses the repository, in a stage whose lock runs one after another."""
    for stage, job in context.pipeline.jobs():
        if not job.deployment:
            continue
        lock = stage.raw.get("lockBehavior") or context.pipeline.raw.get("lockBehavior")
        if lock != "sequential":
            yield at(
                "deployment", stage.raw, f"{stage.id} needs lockBehavior: sequential, else waiting runs are cancelled"
            )
        if job.steps and not any(step.kind == "checkout" and step.argument == "self" for step in job.steps):
            yield at("deployment", job.raw, f"{job.id} uses the repository and has no checkout: a deployment has none")


def macros(context: Context) -> Iterator[Finding]:
    """Every $(X) in a script is defined too: no script of ours has a shell's substitution."""
    for name, raw, in_script in unmatched(context):
        if in_script and "." not in name:
            yield at("macro", raw, f"$({name}) is defined nowhere: it would stay as it is")


def cleanup(context: Context) -> Iterator[Finding]:
    """A job that touches a secret ends with the cleanup, under always(), so that a cancelled run is cleaned too."""
    for _, job in context.pipeline.jobs():
        touches = [step for step in job.steps if secrets_of(step, context.declared)]
        if not touches:
            continue
        last = job.steps[-1]
        if "pipelines.cleanup" not in modules([last]):
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
                yield at("login", step.raw, "use the step registry login: it masks the token")
            if "pipelines registry login" not in text:
                continue
            after = job.steps[place + 1 :]
            if not any(_logs_out(later) and _is_always(later) for later in after):
                yield at("login", step.raw, "this login has no logout under always() after it")


def _logs_out(step: Step) -> bool:
    return "pipelines.cleanup" in modules([step]) or "pipelines registry logout" in step.argument


def scripts(context: Context) -> Iterator[Finding]:
    """YAML only wires: a script runs one entry point by exec with plain words, or names an output, and is one line."""
    for step in (step for _, job in context.pipeline.jobs() for step in scripts_of(job)):
        entry = _ENTRY_POINT.fullmatch(step.argument.strip())
        if not entry and not _OUTPUT.fullmatch(step.argument.strip()):
            yield at(
                "script",
                step.raw,
                'write exec python3 pipelines STEP and plain words or "$NAME": what a shell would do belongs into an '
                "entry point under pipelines/, and by exec a cancelled run's signal reaches it",
            )
        for name in re.findall(r'"\$(\w+)"', step.argument):
            if name not in step.env:
                yield at("script", step.raw, f"${name} is not mapped with env:")
        for module in modules([step]):
            if not (context.root / (module.replace(".", "/") + ".py")).is_file():
                yield at("script", step.raw, f"there is no module {module}")


def tasks(context: Context) -> Iterator[Finding]:
    """Only tasks that were reviewed, with their major version."""
    for _, _, step in context.pipeline.steps():
        if step.task not in TASKS:
            yield at("task", step.raw, f"{step.task} is not on the list of reviewed tasks (with its version)")
        if step.kind == "task" and step.task in (SHORTHANDS["bash"], SHORTHANDS["script"]):
            yield at("task", step.raw, f"write bash: instead of task: {step.task}, so that its script is looked at")


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
    for entry in load(context.root, file).get("parameters") or []:
        kind, name = entry.get("type", "string"), entry["name"]
        if kind not in ("string", "boolean", "number"):
            yield at("queue-time", entry, f"{name} is of type {kind}: pass it to a template as a literal")
        elif kind == "string" and not entry.get("values"):
            yield at("queue-time", entry, f"{name} is free text: give it values, or pass it to a template as a literal")


ALL: tuple[Rule, ...] = (
    deployments,
    macros,
    cleanup,
    logins,
    scripts,
    tasks,
    checkouts,
    build_number,
    queue_time,
)
"""Every rule of this module."""
