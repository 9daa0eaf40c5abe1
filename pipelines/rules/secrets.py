"""The rules on secrets: which stage gets which group, which step which secret, and what may leave a job."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from azure_pipelines.documents import Located, load
from azure_pipelines.expressions import paths
from azure_pipelines.lint import CHOSEN, NOT_CHOSEN
from azure_pipelines.model import SHORTHANDS
from azure_pipelines.rules import MACRO, at, parsed, texts
from pipelines.rules.structure import modules, option, scripts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azure_pipelines.model import Job, Stage, Variable
    from azure_pipelines.rules import Finding
    from pipelines.rules.declared import Context, Declared, Rule

_AWS = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"})
_ENGINE = _AWS | {
    "AZDO_ORG_SERVICE_URL",
    "AZDO_PERSONAL_ACCESS_TOKEN",
    "PULUMI_ACCESS_TOKEN",
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE",
}
NEEDS: Mapping[str, frozenset[str]] = {
    "pipelines.comment": frozenset({"SYSTEM_ACCESSTOKEN"}),
    "pipelines.deploy": _ENGINE,
    "pipelines.drift": _ENGINE,
    "pipelines.preview": _ENGINE,
    "pipelines.registry": _AWS | {"AWS_ACCOUNT_NUMBER"},
    "pipelines.scan_gate": _AWS,
}
"""The credentials that each entry point works with; every other one needs none and gets none."""

READS_ONLY = "pipelines.drift"
"""The entry point that works with the group whose key only reads."""

REPORTS = frozenset({"drift", "plan", "release"})
"""Folders below Build.ArtifactStagingDirectory that may be published: reports are written there and nothing else."""

CACHES = frozenset({"$(uv_cache_dir)", "$(pulumi_home)/plugins"})
"""What is kept between runs, of pull requests too."""

PRIVATE = ("--private", "--outputs", "--state")
"""Options of our entry points that name what nobody else may read."""

_TEMPLATE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_DIRECTIVE = re.compile(r"^\s*(?:if|elseif|else|insert|each\s+\w+\s+in)\b")
_RUNTIME = re.compile(r"\$\[(.*)\]", re.DOTALL)


def meanings(declared: Declared) -> Mapping[str, str]:
    """The variables that hold credentials in a step's environment, and the name that each is mapped from."""
    return {
        "AWS_ACCESS_KEY_ID": declared.access_key,
        "AWS_SECRET_ACCESS_KEY": declared.secret_key,
        "AWS_ACCOUNT_NUMBER": declared.account,
        "AZDO_ORG_SERVICE_URL": "System.CollectionUri",
        "AZDO_PERSONAL_ACCESS_TOKEN": "System.AccessToken",
        "PULUMI_ACCESS_TOKEN": "Pulumi.AccessToken",
        "PULUMI_BACKEND_URL": "Pulumi.Backend",
        "PULUMI_CONFIG_PASSPHRASE": "Pulumi.Passphrase",
        "SYSTEM_ACCESSTOKEN": "System.AccessToken",
    }


def stacks(context: Context) -> Iterator[Finding]:
    """What the pipeline lists of a stack is what the program declares of it, and its three groups are three."""
    for name, stack in context.declared.stacks.items():
        for key, listed in (("variableGroupName", stack.group), ("pipelineEnvironment", stack.environment)):
            if listed != stack.settings[key]:
                yield at(
                    "stacks", stack.raw, f"{name} lists {listed!r}; the program's {key} is {stack.settings[key]!r}"
                )
        if len({stack.group, stack.reader, stack.state}) != 3:
            yield at("stacks", stack.raw, f"{name}: group, reader and state are three different groups")
        if stack.preview not in (stack.group, stack.reader):
            yield at("stacks", stack.raw, f"{name}: preview is {stack.group} or {stack.reader}, not {stack.preview}")
        names = [stack.settings[key] for key in ("accessKeyVariable", "secretKeyVariable", "accountVariable")]
        if set(names) != context.declared.group_names:
            yield at(
                "stacks", stack.raw, f"{name}'s group holds other names than those that the templates map: {names}"
            )


def groups(context: Context) -> Iterator[Finding]:
    """A stage has the groups of its stack and no others: the reader's where it only reads; none without a stack.

    A stage that only comments has none.
    In a pull request's run it has the stack's group of previews.
    """
    for stage in context.pipeline.stages:
        steps = [step for job in stage.jobs for step in job.steps]
        names = {option(step, "--stack") for step in steps} - {""}
        if len(names) > 1 or not names <= set(context.declared.stacks):
            yield at("groups", stage.raw, f"{stage.id} works on {sorted(names)}: it should be one stack of the list")
            continue
        expected: set[str] = set()
        for stack in (context.declared.stacks[name] for name in names):
            usual = stack.preview if context.pull_request else stack.group
            needed = {name for module in modules(steps) for name in NEEDS.get(module, ())}
            if needed <= {"SYSTEM_ACCESSTOKEN"}:
                continue
            expected = {stack.reader if READS_ONLY in modules(steps) else usual, stack.state}
            for job in stage.jobs:
                if job.deployment and job.environment != stack.environment:
                    yield at("groups", job.raw, f"{job.id} deploys to {job.environment}, not {stack.environment}")
        given = [entry.group for entry in _declared(stage) if entry.group]
        if sorted(given) != sorted(expected):
            yield at("groups", stage.raw, f"{stage.id} has the groups {given}, it needs {sorted(expected)}")
    for entry in context.pipeline.variables:
        if entry.group:
            yield at("groups", entry.raw, f"the group {entry.group} stands at the top: give it to the stages")


def _declared(stage: Stage) -> Iterator[Variable]:
    yield from stage.variables
    for job in stage.jobs:
        yield from job.variables


def names_of_groups(context: Context) -> Iterator[Finding]:
    """Names mapped from a group are the program's, letter by letter."""
    known = {name.lower(): name for name in context.declared.group_names | context.declared.own_names}
    for _, _, step in context.pipeline.steps():
        for text in texts(step.raw):
            for name in MACRO.findall(text):
                if known.get(name.lower(), name) != name:
                    yield at("group-names", step.raw, f"$({name}) is {known[name.lower()]} in the program")


def secrets_by_name(context: Context) -> Iterator[Finding]:
    """A step gets the credentials that its entry point needs, each from the variable of its own meaning, no others."""
    meaning = meanings(context.declared)
    for _, _, step in context.pipeline.steps():
        needed = {name for module in modules([step]) for name in NEEDS.get(module, ())}
        given = set(step.env) & set(meaning)
        for name in sorted(needed - given):
            yield at("secret", step.raw, f"{step.title!r} needs {name}: $({meaning[name]})")
        for name in sorted(given - needed):
            yield at("secret", step.raw, f"{step.title!r} has no need of {name}")
        for name, value in step.env.items():
            if name in meaning and value != f"$({meaning[name]})":
                yield at("secret", step.raw, f"{name} is $({meaning[name]}), not {value}")
            if name not in meaning and any(context.declared.is_secret(found) for found in MACRO.findall(value)):
                yield at("secret", step.raw, f"{value} in {name}: no entry point reads a secret there")


def secrets_stay_in_env(context: Context) -> Iterator[Finding]:
    """A secret stands nowhere but as `NAME: $(X)` in a step's env: in no script, input, variable or expression."""
    yield from _macros(context.pipeline.raw, context)
    # Expressions of templates are gone when they are expanded.
    templates = sorted(context.root.glob("pipelines/templates/*.yml"))
    for file in (context.pipeline.raw.file, *(str(path.relative_to(context.root)) for path in templates)):
        yield from _expressions(load(context.root, file), context)


def _macros(node: object, context: Context, place: Located | None = None) -> Iterator[Finding]:
    if isinstance(node, str):
        for name in MACRO.findall(node):
            if place is not None and context.declared.is_secret(name):
                yield at("secret", place, f"$({name}) stands in {node[:60]!r}: map it with env:")
    elif isinstance(node, dict):
        here = node if isinstance(node, Located) and node.file else place
        for key, value in node.items():
            if key != "env" or not set(SHORTHANDS) & set(node):
                yield from _macros(value, context, here)
    elif isinstance(node, list):
        for value in node:
            yield from _macros(value, context, place)


def _expressions(node: object, context: Context, place: Located | None = None, key: str = "") -> Iterator[Finding]:
    if isinstance(node, str) and place is not None:
        found = [*_TEMPLATE.findall(node), *_RUNTIME.findall(node)]
        found += [node] if key == "condition" and "${{" not in node else []
        for text in found:
            # What does not parse is a finding of another rule.
            tree = parsed(_DIRECTIVE.sub("", text))
            for path in paths(tree) if tree else ():
                if path[0].lower() == "variables" and len(path) != 2:
                    yield at("secret", place, f"{text.strip()!r} reads variables by no name that we could look up")
                elif path[0].lower() == "variables" and context.declared.is_secret(path[1]):
                    yield at("secret", place, f"{text.strip()!r} reads the secret {path[1]}: map it with env:")
    elif isinstance(node, dict):
        here = node if isinstance(node, Located) and node.file else place
        for name, value in node.items():
            yield from _expressions(name, context, here)
            yield from _expressions(value, context, here, name)
    elif isinstance(node, list):
        for value in node:
            yield from _expressions(value, context, place)


def resolved(text: str, context: Context, stage: Stage, job: Job) -> str:
    """The text, in lower case, with the pipeline's own variables replaced; those of the system and of groups stay."""
    entries = (*context.pipeline.variables, *stage.variables, *job.variables)
    own = {entry.name.lower(): entry.value.lower() for entry in entries if entry.name}
    for _ in range(10):
        text = MACRO.sub(lambda match: own.get(match[1].lower(), match[0]), text.lower())
    return text


def artifacts(context: Context) -> Iterator[Finding]:
    """Only folders of reports leave a job, in artefacts that differ from attempt to attempt; caches hold no secret."""
    allowed = {f"$(build.artifactstagingdirectory)/{name}" for name in REPORTS}
    for stage, job, step in context.pipeline.steps():
        if step.task == "Cache@2" and step.inputs.get("path", "").lower() not in CACHES:
            yield at("artifact", step.raw, f"{step.inputs.get('path')} is no cache that may outlive the job")
        if step.task == "PublishTestResults@2" and not re.fullmatch(r"[^*?]+\.xml", step.inputs["testResultsFiles"]):
            yield at("artifact", step.raw, f"{step.inputs['testResultsFiles']}: name one file of results")
        if step.task != "PublishPipelineArtifact@1":
            continue
        path = step.argument if step.kind == "publish" else step.inputs.get("targetPath", "")
        if resolved(path, context, stage, job) not in allowed:
            yield at("artifact", step.raw, f"{path} is no folder of reports: it may hold raw plans or credentials")
        name = step.inputs.get("artifact") or step.inputs.get("artifactName", "")
        if "Attempt)" not in name:
            yield at("artifact", step.raw, f"{name!r} exists already when the job runs again: add $(System.JobAttempt)")


def private(context: Context) -> Iterator[Finding]:
    """What nobody else may read is written into the job's private folder, which the cleanup removes."""
    for stage, job, step in context.pipeline.steps():
        texts_of = [option(step, name) for name in PRIVATE]
        if modules([step]):
            texts_of += ["$(DOCKER_CONFIG)", "$(PULUMI_CREDENTIALS_PATH)"]
        for text in filter(None, texts_of):
            if not re.fullmatch(
                r"\$\(agent\.tempdirectory\)/app-one(/\w[\w.-]*)*", resolved(text, context, stage, job)
            ):
                yield at("private", step.raw, f"{text} is not below $(private), which the cleanup removes")


def free_text(context: Context) -> Iterator[Finding]:
    """A script holds no text that somebody chooses: of a branch, of a commit, of a group, or a literal with blanks."""
    for stage, job, step in scripts_of(context):
        entries = (*context.pipeline.variables, *stage.variables, *job.variables)
        outputs = {entry.name.lower() for entry in entries if entry.value.strip().startswith("$[")}
        for name in MACRO.findall(resolved(step.argument, context, stage, job)):
            if name not in NOT_CHOSEN | outputs:
                yield at("free-text", step.raw, f'$({name}) in a script: map it with env: and write "$NAME"')
        for literal in (*context.declared.literals, CHOSEN):
            if literal in step.argument:
                yield at("free-text", step.raw, f'{literal!r} in a script: map it with env: and write "$NAME"')


ALL: tuple[Rule, ...] = (
    stacks,
    groups,
    names_of_groups,
    secrets_by_name,
    secrets_stay_in_env,
    artifacts,
    private,
    free_text,
)
"""Every rule of this module."""
