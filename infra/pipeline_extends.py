"""What the pipeline's own file extends, compared with the template that its runs have to extend."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

EXAMPLES = {
    "requiredTemplate": "pipelines/templates/run.yml",
    "requiredTemplateRepository": "app-one/app-one",
    "requiredTemplateRef": "refs/heads/trusted",
}
"""What this repository's file extends, by the key of the setting that requires it."""

_NEEDED = (
    "required_template",
    "required_template_repository",
    "required_template_ref",
    "pipeline_repository",
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
            repository(
                read["required_template_repository"], read["azure_dev_ops_project"], read["pipeline_repository"]
            ),
            extended.repository,
        ),
        ("requiredTemplateRef", read["required_template_ref"], extended.ref),
    )
    for key, wanted, found in rows:
        if wanted != found:  # letter by letter, as the service may compare them
            shown = found or "a file of its own commit, whatever that is"
            yield key, f"{file} extends {shown}, and its runs have to extend {wanted}", EXAMPLES[key]


def repository(chosen: str, project: str, pipeline_repository: str) -> str:
    """The required template's repository, PROJECT/REPOSITORY: the one that the setting names, else the pipeline's."""
    return chosen or f"{project}/{pipeline_repository}"
