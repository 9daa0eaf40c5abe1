"""What a pipeline's YAML asks the service for: the variable groups that it names, in the file and in its templates.

Templates are not expanded (a test that plays the agent does that): a group that stands under a condition, or whose name
is an expression, is not known here and is judged when the run asks for it.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class PipelineYamlError(Exception):
    """The YAML cannot be used; the message is the service's."""


def variable_group_names(file: str, read: Callable[[str], str | None]) -> set[str]:
    """Return the names of the groups of a pipeline.

    file: its path in the repository, with a leading slash; read: gives the text of a path there, None without a file.
    Raises PipelineYamlError when a file is missing or no YAML.
    """
    names: set[str] = set()
    waiting, seen = [file], {file}
    while waiting:
        path = waiting.pop()
        text = read(path)
        if text is None:
            raise PipelineYamlError(f"File {path} not found in repository")
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" (Line: {mark.line + 1}, Col: {mark.column + 1})" if mark else ""
            raise PipelineYamlError(f"{path}{where}: {getattr(error, 'problem', error)}") from error
        for mapping in _mappings(document):
            names |= _groups(mapping.get("variables"))
            template = mapping.get("template")
            if isinstance(template, str) and _is_local(template):
                target = posixpath.normpath(posixpath.join(posixpath.dirname(path), template.removesuffix("@self")))
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
    return names


def _mappings(value: Any) -> Iterator[dict[Any, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _mappings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _mappings(item)


def _groups(variables: Any) -> set[str]:
    entries = variables if isinstance(variables, list) else []
    groups = {entry.get("group") for entry in entries if isinstance(entry, dict)}
    return {group for group in groups if isinstance(group, str) and "$" not in group}


def _is_local(template: str) -> bool:
    return "$" not in template and ("@" not in template or template.endswith("@self"))
