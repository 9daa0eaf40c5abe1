"""The repositories of a run: the pipeline's own, those that its YAML declares, and those that a checkout names.

Each is at one commit, that of its ref when the run is queued, whatever is pushed while the run goes on.

https://learn.microsoft.com/azure/devops/pipelines/repos/multi-repo-checkout and
https://learn.microsoft.com/azure/devops/pipelines/yaml-schema/resources-repositories-repository
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure_pipelines.documents import PipelineError
from azure_pipelines.expand import SELF
from sandbox.azure_devops import git

if TYPE_CHECKING:
    from azure_pipelines.documents import Located
    from azure_pipelines.model import Pipeline, Step
    from sandbox.azure_devops.git_storage import Bare
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Json

_INLINE = re.compile(r"git://(?:(?P<project>[^/@]+)/)?(?P<name>[^/@]+)(?:@(?P<ref>.+))?")
_DEFAULT_REF = "refs/heads/main"


@dataclass(frozen=True)
class Committed:
    """The files of a repository at a commit (`azure_pipelines.documents.Sources`).

    name: with its project, `project/repository`. ref: whole, such as refs/heads/main.
    """

    bare: Bare
    name: str
    url: str
    ref: str
    commit: str

    def text(self, name: str) -> str:
        """Return a file's text. Raises PipelineError in the service's words."""
        blob = self.bare.blob(self.commit, name)
        if blob is None:
            where = f"{self.url} branch {self.ref} version {self.commit}"
            raise PipelineError(f"File /{name} not found in repository {where}.")
        return self.bare.content(blob).decode(errors="replace")


def own(call: Call, definition: Json, run: Json) -> Committed:
    """Return the pipeline's own repository at the commit of a run."""
    repository = call.draft.table("repositories")[definition["repository"]["id"]]
    return _at(call, repository, run["sourceBranch"], run["sourceVersion"])


def declared(call: Call, run: Json, entry: Located) -> Committed:
    """Return the files of a declared repository. Raises PipelineError in the service's words."""
    alias, kind = entry["repository"], str(entry.get("type", "git"))
    if kind != "git":
        raise PipelineError(
            f"The repository {alias} is of type {kind}; only repositories of this organisation are known"
        )
    project, _, name = str(entry.get("name") or alias).rpartition("/")
    return _found(call, run, project, name, str(entry.get("ref") or _DEFAULT_REF))


def _found(call: Call, run: Json, project: str, name: str, ref: str) -> Committed:
    project = project or call.draft.table("projects")[run["projectId"]]["name"]
    ref = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
    repository = git.by_name(call.draft, project, name)
    commit = git.head(call.draft, repository, ref) if repository else None
    if repository is None or commit is None:
        raise PipelineError(
            f"The repository {name} in project {project} could not be retrieved at {ref}. "
            "Verify the name and credentials being used."
        )
    return _at(call, repository, ref, commit)


def _at(call: Call, repository: Json, ref: str, commit: str) -> Committed:
    project = call.draft.table("projects")[repository["projectId"]]["name"]
    url = git.wire(call, repository)["remoteUrl"]
    return Committed(git.storage(call.draft, repository), f"{project}/{repository['name']}", url, ref, commit)


def checked_out(call: Call, run: Json, pipeline: Pipeline, self_: Committed) -> dict[str, Json]:
    """Return what checkouts name besides `self` and `none`, each as an agent is given it. Raises PipelineError."""
    named = {SELF: self_}
    for _, job, step in pipeline.steps():
        if step.kind != "checkout" or step.argument in (SELF, "none") or step.argument in named:
            continue
        named[step.argument] = _named(call, run, pipeline, step, job.id)
    return {
        argument: {"name": one.name.rpartition("/")[2], "url": one.url, "version": one.commit}
        for argument, one in named.items()
    }


def _named(call: Call, run: Json, pipeline: Pipeline, step: Step, job: str) -> Committed:
    if inline := _INLINE.fullmatch(step.argument):
        return _found(call, run, inline["project"] or "", inline["name"], inline["ref"] or _DEFAULT_REF)
    entry = pipeline.repositories.get(step.argument.lower())
    if entry is None:
        raise PipelineError(
            f"Job {job}: the checkout names the repository {step.argument}, which resources: repositories: does not "
            "declare."
        )
    return declared(call, run, entry)


def extended(pipeline: Pipeline, self_: Committed) -> Json | None:
    """Return what the pipeline extends, as it names it and a required template check would; None for nothing."""
    file = pipeline.extends
    if file is None:
        return None
    entry = pipeline.repositories.get(file.repository.lower())
    return {
        "repositoryType": str(entry.get("type", "git")) if entry else "git",
        "repositoryName": str(entry.get("name") or file.repository) if entry else self_.name,
        "repositoryRef": str(entry.get("ref") or _DEFAULT_REF) if entry else self_.ref,
        "templatePath": str(file.path),
    }
