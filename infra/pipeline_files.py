"""What the pipeline's own files hold by name, compared with the settings that declare it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from infra import lifecycle, pipeline_extends

_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C reads ten times as fast; PyYAML has it where it was built with libyaml. Every run reads all files."""

VARIABLES = {
    "accessKeyVariable": "access_key_variable",
    "secretKeyVariable": "secret_key_variable",
    "accountVariable": "account_variable",
}
"""Field by key of the settings whose values the files read as `$(NAME)`."""

CREDENTIALS = {"accessKeyVariable": "AWS_ACCESS_KEY_ID", "secretKeyVariable": "AWS_SECRET_ACCESS_KEY"}
"""As what the files hand such a value to a step, where they do."""

NAMES = {"variableGroupName": "variable_group_name", "pipelineEnvironment": "pipeline_environment"}
"""Field by key of the settings whose values stand in the files as they are."""

DEFAULTS = {
    "variableGroupName": "app-one",
    "pipelineEnvironment": "app-one-dev",
    "accessKeyVariable": "App-One.AccessKey",
    "secretKeyVariable": "App-One.SecretKey",
    "accountVariable": "aws_account_number",
}
"""What this repository's files hold."""


def mismatches(project: Path, read: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Key, rule and example for each setting whose value the files do not hold.

    project: the program's folder. read: fields of the settings that are right by themselves. Where `pipelineYaml` is
    not in this folder, or is no YAML, nothing can be compared: the lint of the repository that holds it does that.
    """
    start = read.get("pipeline_yaml")
    found = list(_files(project, start, _own(read))) if start else []
    if not found:
        return
    documents = [document for _, document in found]
    extended = pipeline_extends.of(documents[0])
    if extended and len(found) == 1:  # what it extends is not here, and its lint compares the rest
        yield from pipeline_extends.mismatches(str(start), extended, read)
        return
    files, whole = f"{start} and its templates", "\n".join(text for text, _ in found)
    for key, name in VARIABLES.items():
        value = read.get(name)
        variable = CREDENTIALS.get(key)
        handed = set(re.findall(rf"\b{variable}:\s*[\"']?\$\(([^()]+)\)", whole)) if variable else set()
        if value is not None and (value not in handed if handed else f"$({value})" not in whole):
            read_as = f"$({value}) as {variable}" if handed else f"$({value})"
            yield key, f"{files} never read {read_as}; keep the default, or write the name into them", DEFAULTS[key]
    # Resources have names of their own.
    named = {_pattern(text) for text in _scalars([_without_resources(one) for one in documents])} - {None}
    for key, name in NAMES.items():
        value = read.get(name)
        if value is None or re.escape(value) in named:  # most stand there as they are: nothing is to be compiled
            continue
        if not any(re.fullmatch(one, value, re.IGNORECASE) for one in named if one):
            yield (
                key,
                f"{files} name no {value}; keep the default, or write it into them",
                DEFAULTS[key],
            )
    number = build_number(documents[0])
    if "protected_tags" in read and not lifecycle.protects(read["protected_tags"], number):
        yield (
            "protectedTags",
            f"the images of {start}, tagged as {number}, would expire after enough pushes",
            '["*"], or a pattern that they fit',
        )
    branch = read.get("pipeline_branch")
    if branch is not None and not re.search(rf"refs/heads/{re.escape(branch)}(?![\w./-])", whole):
        yield (
            "pipelineBranch",
            f"{files} deploy no refs/heads/{branch}; keep the default, or write the branch into them",
            "main",
        )
    yield from pipeline_extends.mismatches(str(start), extended, read)


def build_number(document: Any) -> str:
    """A build number as a pipeline's `name` gives one; a variable in it is `x`.

    Source: https://learn.microsoft.com/azure/devops/pipelines/process/run-number
    """
    name = document.get("name") if isinstance(document, dict) else None
    text = name if isinstance(name, str) else "$(Date:yyyyMMdd).$(Rev:r)"
    day = {"yyyy": "2026", "yy": "26", "MM": "11", "dd": "27", "HH": "12", "mm": "30", "ss": "00"}
    text = re.sub(
        r"\$\(Date:([^()]*)\)", lambda found: re.sub("|".join(day), lambda part: day[part[0]], found[1]), text
    )
    text = re.sub(r"\$\(Rev:([^()]*?)r+\)", r"\g<1>1", text)
    return re.sub(r"\$\([^()]*\)", "x", text)


def _own(read: Mapping[str, Any]) -> str:
    return f"{read.get('azure_dev_ops_project')}/{read.get('pipeline_repository')}".lower()


def _without_resources(document: Any) -> Any:
    if not isinstance(document, dict):
        return document
    return {key: value for key, value in document.items() if key != "resources"}


def _files(project: Path, start: str, repository: str) -> Iterator[tuple[str, Any]]:
    """Text and document of a file and of every template that it leads to; a template's path is from its file.

    repository: this one, project/repository in small letters; a template of it at a ref is read as it is here.
    """
    todo, seen = [Path(start)], set()
    ours: set[str] = set()
    while todo:
        path = todo.pop()
        try:
            text = (project / path).read_text(encoding="utf-8")
            document = yaml.load(text, _LOADER)  # noqa: S506 (a SafeLoader)
        except (OSError, ValueError, yaml.YAMLError):
            continue
        seen.add(path)
        yield text, document
        ours |= {
            alias
            for alias, entry in pipeline_extends.repositories(document).items()
            if str(entry.get("name")).lower() in (repository, repository.rpartition("/")[2])
        }
        for name, _, alias in (one.partition("@") for one in _templates(document)):
            # Another repository's is not here; a leading slash, or a repository, begins at the repository's top.
            below = Path(name.lstrip("/")) if alias or name.startswith("/") else path.parent / name
            if (not alias or alias.lower() in ours) and below not in seen and below not in todo:
                todo.append(below)


def _scalars(node: Any) -> Iterator[str]:
    """Every text that is a value."""
    if isinstance(node, dict | list):
        for value in node.values() if isinstance(node, dict) else node:
            yield from _scalars(value)
    elif isinstance(node, str):
        yield node


def _pattern(text: str) -> str | None:
    """What a value can become, where expressions and variables are a part of it; None where they are all of it."""
    fixed = re.split(r"\$\{\{.*?\}\}|\$\([^()]*\)", text)
    return ".*".join(map(re.escape, fixed)) if any(fixed) else None


def _templates(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "template" and isinstance(value, str) and "${{" not in value:
                yield value
            else:
                yield from _templates(value)
    elif isinstance(node, list):
        for value in node:
            yield from _templates(value)
