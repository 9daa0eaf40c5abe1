"""The rules on secrets: which stage gets which group, which step which secret, and what may leave a job."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from azure_pipelines import documents
from azure_pipelines.documents import Located
from azure_pipelines.expressions import paths
from azure_pipelines.lint import CHOSEN, NOT_CHOSEN
from azure_pipelines.model import SHORTHANDS
from azure_pipelines.rules import MACRO, at, parsed
from pipelines.rules.declared import CONNECTION, ROLE, USERS
from pipelines.rules.structure import modules, option, scripts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from azure_pipelines.model import Job, Stage, Variable
    from azure_pipelines.rules import Finding
    from pipelines.rules.declared import Context, Declared, Rule

_KEY = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"})
_TOKEN = frozenset(
    {
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "OIDC_CONNECTION",
        "SYSTEM_ACCESSTOKEN",
        "SYSTEM_OIDCREQUESTURI",
    }
)
_ENGINE = frozenset({"PULUMI_ACCESS_TOKEN", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE"})
AWS = "AWS"
"""Stands for what a run shows to AWS: a key, or an identity token."""
NEEDS: Mapping[str, frozenset[str]] = {
    "pipelines.comment": frozenset({"SYSTEM_ACCESSTOKEN", "SYSTEM_COLLECTIONURI"}),
    "pipelines.deploy": _ENGINE | {AWS},
    "pipelines.drift": _ENGINE | {AWS, "KEY_USERS"},
    "pipelines.preview": _ENGINE | {AWS},
    "pipelines.queue_time": frozenset({"SYSTEM_ACCESSTOKEN", "SYSTEM_COLLECTIONURI"}),
    "pipelines.registry": frozenset({AWS, "AWS_ACCOUNT_NUMBER"}),
    "pipelines.scan_gate": frozenset({AWS}),
}
"""What each entry point works with; every other one needs none of it and gets none."""


def needs(module: str, identity: str) -> frozenset[str]:
    """The variables that an entry point works with, by what runs show to AWS (`key` or `oidc`)."""
    named = NEEDS.get(module, frozenset())
    return (named - {AWS}) | (_TOKEN if identity == "oidc" else _KEY) if AWS in named else named


PUSHES = frozenset({"pipelines.deploy", "pipelines.registry", "pipelines.scan_gate"})
"""The entry points that work with the group that pushes; all others get the reader's."""

REPORTS = frozenset({"drift", "plan", "release"})
"""Folders below Build.ArtifactStagingDirectory that may be published: reports are written there and nothing else."""

CACHES = frozenset({"$(uv_cache_dir)", "$(pluginarchives)"})
"""What is kept between runs, of pull requests too."""

PRIVATE = ("--private", "--outputs", "--state")
"""Options of our entry points that name what nobody else may read."""

_TEMPLATE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_DIRECTIVE = re.compile(r"^\s*(?:if|elseif|else|insert|each\s+\w+\s+in)\b")
_RUNTIME = re.compile(r"\$\[(.*)\]", re.DOTALL)


def meanings(declared: Declared) -> Mapping[str, str]:
    """The variables of a step's environment that are mapped from another, and from which."""
    return {
        "AWS_ACCESS_KEY_ID": declared.access_key,
        "AWS_SECRET_ACCESS_KEY": declared.secret_key,
        "AWS_ACCOUNT_NUMBER": declared.account,
        "AWS_ROLE_ARN": ROLE,
        "KEY_USERS": USERS,
        "OIDC_CONNECTION": CONNECTION,
        "PULUMI_ACCESS_TOKEN": "Pulumi.AccessToken",
        "PULUMI_BACKEND_URL": "Pulumi.Backend",
        "SYSTEM_ACCESSTOKEN": "System.AccessToken",
        # By the service's own names: a variable of a run could stand in the environment under the same capitals, and
        # what answers there is shown the token.
        "SYSTEM_COLLECTIONURI": "System.CollectionUri",
        "SYSTEM_OIDCREQUESTURI": "System.OidcRequestUri",
    }


LITERALS = {
    "AWS_WEB_IDENTITY_TOKEN_FILE": "$(private)/identity",
    "PIPELINE_IDENTITY": "oidc",
    "PULUMI_CONFIG_PASSPHRASE": "",
}
"""The variables of a step's environment that always have one value: a file, a word, an empty passphrase."""


def stacks(context: Context) -> Iterator[Finding]:
    """What the pipeline lists is what the foundation declares, its groups are three, and its stack is an image's."""
    for name, stack in context.declared.stacks.items():
        if stack.settings["declares"] != "image":
            yield at(
                "stacks",
                stack.raw,
                f"{name} declares {stack.settings['declares']}: whoever may write its state could become the operator; "
                "list a stack whose app-one:declares is image",
            )
        listed = {
            "variableGroupName": stack.group,
            "pipelineEnvironment": stack.environment,
            "readerName": stack.reader,
            "stateName": stack.state,
            "pushRoleName": stack.connection,
        }
        for key, text in listed.items():
            if text != stack.foundation[key]:
                yield at(
                    "stacks", stack.raw, f"{name} lists {text!r}; the foundation's {key} is {stack.foundation[key]!r}"
                )
        if len({stack.group, stack.reader, stack.state}) != 3:
            yield at("stacks", stack.raw, f"{name}: group, reader and state are three different groups")
        if stack.identity not in ("key", "oidc"):
            yield at("stacks", stack.raw, f"{name}: identity is key or oidc, not {stack.identity}")
        if stack.preview in (stack.environment, stack.group, stack.reader):
            yield at("stacks", stack.raw, f"{name}: preview names an environment of its own, or is empty")
        own = {key: (stack.settings[key], stack.foundation[key]) for key in SHARED}
        for key, (here, there) in own.items():
            if here != there:
                yield at("stacks", stack.raw, f"{name}'s {key} is {here!r}, its foundation's is {there!r}")


SHARED = ("repositoryName",)
"""Settings that an image's stack and its foundation have in common."""


def groups(context: Context) -> Iterator[Finding]:
    """A stage has the groups of its stack and no others: the reader's, but where it pushes; none without a stack.

    A stage that only comments or builds has none. In a pull request's run only a stage behind the environment of
    previews has any.
    """
    for stage in context.pipeline.stages:
        steps = [step for job in stage.jobs for step in job.steps]
        names = {option(step, "--stack") for step in steps} - {""}
        if len(names) > 1 or not names <= set(context.declared.stacks):
            yield at("groups", stage.raw, f"{stage.id} works on {sorted(names)}: it should be one stack of the list")
            continue
        expected: set[str] = set()
        for stack in (context.declared.stacks[name] for name in names):
            if not any(AWS in NEEDS.get(module, ()) for module in modules(steps)):
                continue
            pushes = bool(PUSHES & set(modules(steps)))
            expected = {stack.group if pushes else stack.reader, stack.state}
            place = stack.environment if pushes else stack.preview
            for job in stage.jobs:
                if job.deployment and job.environment != place:
                    yield at("groups", job.raw, f"{job.id} deploys to {job.environment}, not {place}")
                if context.pull_request and not job.deployment:
                    yield at("groups", job.raw, f"{job.id} gives a pull request credentials without an approval")
            yield from _connections(stage, stack.connection if pushes else stack.reader, stack.identity)
        given = [entry.group for entry in _declared(stage) if entry.group]
        if sorted(given) != sorted(expected):
            yield at("groups", stage.raw, f"{stage.id} has the groups {given}, it needs {sorted(expected)}")
    for entry in context.pipeline.variables:
        if entry.group:
            yield at("groups", entry.raw, f"the group {entry.group} stands at the top: give it to the stages")


def _connections(stage: Stage, name: str, identity: str) -> Iterator[Finding]:
    """A job with identity tokens names the one connection that it uses, before any step needs it; others name none."""
    for job in stage.jobs:
        named = [step.inputs.get("awsCredentials", "") for step in job.steps if step.task == CONNECTS]
        if named != ([name] if identity == "oidc" else []):
            yield at("groups", job.raw, f"{job.id} uses the service connections {named}")


CONNECTS = "AWSShellScript@1"
"""The task that names a service connection; it runs nothing of ours."""


def _declared(stage: Stage) -> Iterator[Variable]:
    yield from stage.variables
    for job in stage.jobs:
        yield from job.variables


def names_of_groups(context: Context) -> Iterator[Finding]:
    """Names mapped from a group are the program's, letter by letter."""
    known = {name.lower(): name for name in context.declared.group_names | context.declared.own_names}
    for _, _, step in context.pipeline.steps():
        for text in step.texts:
            for name in MACRO.findall(text):
                if known.get(name.lower(), name) != name:
                    yield at("group-names", step.raw, f"$({name}) is {known[name.lower()]} in the program")


def secrets_by_name(context: Context) -> Iterator[Finding]:
    """A step gets what its entry point needs, each from the variable of its own meaning, and nothing else."""
    meaning = meanings(context.declared)
    for stage, _, step in context.pipeline.steps():
        stack = context.declared.stacks.get(_stack_of(stage))
        identity = stack.identity if stack else "key"
        needed = {name for module in modules([step]) for name in needs(module, identity)}
        if needed & _TOKEN - {"SYSTEM_ACCESSTOKEN"}:
            needed |= {"PIPELINE_IDENTITY"}
        given = set(step.env) & {*meaning, *LITERALS}
        for name in sorted(needed - given):
            yield at("secret", step.raw, f"{step.title!r} needs {name}: {_wanted(name, meaning)}")
        for name in sorted(given - needed):
            yield at("secret", step.raw, f"{step.title!r} has no need of {name}")
        for name, value in step.env.items():
            if name in given and value != _wanted(name, meaning):
                yield at("secret", step.raw, f"{name} is {_wanted(name, meaning)!r}, not {value!r}")
            if name not in meaning and any(context.declared.is_secret(found) for found in MACRO.findall(value)):
                yield at("secret", step.raw, f"{value} in {name}: no entry point reads a secret there")


def _wanted(name: str, meaning: Mapping[str, str]) -> str:
    return LITERALS[name] if name in LITERALS else f"$({meaning[name]})"


def _stack_of(stage: Stage) -> str:
    """The stack that a stage works on; empty where there is none."""
    return next(filter(None, (option(step, "--stack") for job in stage.jobs for step in job.steps)), "")


def secrets_stay_in_env(context: Context) -> Iterator[Finding]:
    """A secret stands nowhere but as `NAME: $(X)` in a step's env: in no script, input, variable or expression."""
    yield from _macros(context.pipeline.raw, context)
    # Expressions of templates are gone when they are expanded.
    for file, content in context.declared.files.items():
        for place, text, path in _variables_read(content, file):
            if len(path) != 2:
                yield at("secret", place, f"{text!r} reads variables by no name that we could look up")
            elif context.declared.is_secret(path[1]):
                yield at("secret", place, f"{text!r} reads the secret {path[1]}: map it with env:")


def _macros(node: object, context: Context, place: Located | None = None) -> Iterator[Finding]:
    if isinstance(node, str):
        for name in MACRO.findall(node) if "$(" in node else ():
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


@lru_cache(maxsize=1000)
def _variables_read(text: str, file: str) -> tuple[tuple[Located, str, tuple[str, ...]], ...]:
    """Where a file's expressions read variables: the mapping, the expression, and the path, which begins `variables`.

    Kept for each text: the lint asks anew in each way in which a run can start.
    """
    return tuple(_expressions(documents.value(text, file)))


def _expressions(
    node: object, place: Located | None = None, key: str = ""
) -> Iterator[tuple[Located, str, tuple[str, ...]]]:
    if isinstance(node, str) and place is not None:
        found = [*_TEMPLATE.findall(node), *_RUNTIME.findall(node)]
        found += [node] if key == "condition" and "${{" not in node else []
        for text in found:
            # What does not parse is a finding of another rule.
            tree = parsed(_DIRECTIVE.sub("", text))
            for path in paths(tree) if tree else ():
                if path[0].lower() == "variables":
                    yield place, text.strip(), path
    elif isinstance(node, dict):
        here = node if isinstance(node, Located) and node.file else place
        for name, entry in node.items():
            yield from _expressions(name, here)
            yield from _expressions(entry, here, name)
    elif isinstance(node, list):
        for entry in node:
            yield from _expressions(entry, place)


def resolver(context: Context, stage: Stage, job: Job) -> Callable[[str], str]:
    """What gives a text of a job, in lower case, with the pipeline's own variables replaced.

    Variables of the system and of groups stay.
    """
    entries = (*context.pipeline.variables, *stage.variables, *job.variables)
    own = {entry.name.lower(): entry.value.lower() for entry in entries if entry.name}

    def resolved(text: str) -> str:
        text = text.lower()
        for _ in range(10):
            before, text = text, MACRO.sub(lambda match: own.get(match[1], match[0]), text)
            if text == before:
                break
        return text

    return resolved


def artifacts(context: Context) -> Iterator[Finding]:
    """Only folders of reports leave a job, in artefacts that differ from attempt to attempt."""
    allowed = {f"$(build.artifactstagingdirectory)/{name}" for name in REPORTS}
    for stage, job, step in context.pipeline.steps():
        if step.task == "PublishTestResults@2" and not re.fullmatch(r"[^*?]+\.xml", step.inputs["testResultsFiles"]):
            yield at("artifact", step.raw, f"{step.inputs['testResultsFiles']}: name one file of results")
        if step.task != "PublishPipelineArtifact@1":
            continue
        path = step.argument if step.kind == "publish" else step.inputs.get("targetPath", "")
        if resolver(context, stage, job)(path) not in allowed:
            yield at("artifact", step.raw, f"{path} is no folder of reports: it may hold raw plans or credentials")
        name = step.inputs.get("artifact") or step.inputs.get("artifactName", "")
        if "Attempt)" not in name:
            yield at("artifact", step.raw, f"{name!r} exists already when the job runs again: add $(System.JobAttempt)")


def private(context: Context) -> Iterator[Finding]:
    """What nobody else may read is written into the job's private folder, which the cleanup removes."""
    for stage, job in context.pipeline.jobs():
        resolved = resolver(context, stage, job)
        for step in job.steps:
            texts_of = [option(step, name) for name in PRIVATE]
            if modules([step]):
                texts_of += ["$(DOCKER_CONFIG)", "$(PULUMI_CREDENTIALS_PATH)"]
            for text in filter(None, texts_of):
                if not re.fullmatch(r"\$\(agent\.tempdirectory\)/app-one(/\w[\w.-]*)*", resolved(text)):
                    yield at("private", step.raw, f"{text} is not below $(private), which the cleanup removes")


def free_text(context: Context) -> Iterator[Finding]:
    """A script holds no text that somebody chooses: of a branch, of a commit, of a group, or a literal with blanks."""
    for stage, job in context.pipeline.jobs():
        resolved = resolver(context, stage, job)
        entries = (*context.pipeline.variables, *stage.variables, *job.variables)
        outputs = {entry.name.lower() for entry in entries if entry.value.strip().startswith("$[")}
        for step in scripts_of(job):
            for name in MACRO.findall(resolved(step.argument)):
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
