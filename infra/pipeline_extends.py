"""What the pipeline's own file extends, compared with the template that its runs have to extend."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

EXAMPLES = {
    "requiredTemplate": "pipelines/templates/run.yml",
    "requiredTemplateRepository": "app-one/app-one",
    "requiredTemplateRef": "refs/heads/main",
}
"""What this repository's file extends, by the key of the setting that requires it."""

_NEEDED = (
    "required_template",
    "required_template_repository",
    "required_template_ref",
    "pipeline_repository",
    "pipeline_branch",
    "azure_dev_ops_project",
)


@dataclass(frozen=True)
class Extended:
    """A template: a file of a repository at a ref. Both are empty where it is of the run's own commit."""

    path: str
    repository: str
    ref: str


def of(document: Any) -> Extended | None:
    """The template that a pipeline's file extends, None where it extends none.

    Source: https://learn.microsoft.com/azure/devops/pipelines/process/templates#use-other-repositories
    """
    given = document.get("extends") if isinstance(document, dict) else None
    template = given.get("template") if isinstance(given, dict) else None
    if not isinstance(template, str):
        return None
    path, at, alias = template.partition("@")
    entry = repositories(document).get(alias.lower(), {}) if at else {}
    ref = entry.get("ref", "refs/heads/main") if at else ""
    return Extended(path.lstrip("/"), str(entry.get("name", alias)), str(ref))


def repositories(document: Any) -> dict[str, Mapping[str, Any]]:
    """The entries of `resources: repositories:` by alias, in small letters."""
    resources = document.get("resources") if isinstance(document, dict) else None
    entries = resources.get("repositories") if isinstance(resources, dict) else None
    listed = entries if isinstance(entries, list) else []
    return {str(one.get("repository")).lower(): one for one in listed if isinstance(one, dict)}


def mismatches(file: str, extended: Extended | None, read: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Key, rule and example for each setting that the file does not meet: no run of it could use what is protected.

    read: fields of the settings that are right by themselves.
    """
    if not all(name in read for name in _NEEDED) or not read["required_template"]:
        return
    if extended is None:
        rule = f"{file} extends no template, so none of its runs could use what is protected; extend it, or empty this"
        yield "requiredTemplate", rule, EXAMPLES["requiredTemplate"]
        return
    rows = (
        ("requiredTemplate", read["required_template"], extended.path),
        (
            "requiredTemplateRepository",
            read["required_template_repository"] or read["pipeline_repository"],
            extended.repository,
        ),
        ("requiredTemplateRef", read["required_template_ref"] or f"refs/heads/{read['pipeline_branch']}", extended.ref),
    )
    project = f"{read['azure_dev_ops_project']}/".lower()
    for key, wanted, found in rows:
        # A repository of the same project may be named without it, and names have no case.
        same = (text.lower().removeprefix(project) if "Repository" in key else text for text in (wanted, found))
        if len({*same}) > 1:
            shown = found or "a file of its own commit, whatever that is"
            yield key, f"{file} extends {shown}, and its runs have to extend {wanted}", EXAMPLES[key]
