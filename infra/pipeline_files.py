"""What the pipeline's own files hold by name, compared with the settings that declare it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

VARIABLES = {
    "accessKeyVariable": "access_key_variable",
    "secretKeyVariable": "secret_key_variable",
    "accountVariable": "account_variable",
}
"""Field by key of the settings whose values the files read as `$(NAME)`."""

DEFAULTS = {
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
    texts = dict(_texts(project, start)) if start else {}
    if not texts:
        return
    whole = "\n".join(texts.values())
    for key, name in VARIABLES.items():
        value = read.get(name)
        if value is not None and f"$({value})" not in whole:
            yield (
                key,
                f"{start} and its templates never read $({value}); keep the default, or write the name into them",
                DEFAULTS[key],
            )
    branch = read.get("pipeline_branch")
    if branch is not None and not re.search(rf"refs/heads/{re.escape(branch)}(?![\w./-])", whole):
        yield (
            "pipelineBranch",
            f"{start} and its templates deploy no refs/heads/{branch}; keep the default, or write the branch into them",
            "main",
        )


def _texts(project: Path, start: str) -> Iterator[tuple[str, str]]:
    """A file and every template that it leads to, by path from the project's folder; a template's is from its file."""
    todo, seen = [Path(start)], set()
    while todo:
        path = todo.pop()
        try:
            text = (project / path).read_text(encoding="utf-8")
            found = list(_templates(yaml.safe_load(text)))
        except (OSError, ValueError, yaml.YAMLError):
            continue
        seen.add(path)
        yield path.as_posix(), text
        for name in found:
            # Another repository's (`file@repository`) is not here; a leading slash begins at the repository's top.
            below = Path(name[1:]) if name.startswith("/") else path.parent / name
            if "@" not in name and below not in seen and below not in todo:
                todo.append(below)


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
