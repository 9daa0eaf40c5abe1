"""The variables of a run, a stage and a job, as the service works them out before an agent gets them.

https://learn.microsoft.com/azure/devops/pipelines/process/variables and .../build/variables
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure_pipelines.expressions import Scope, evaluate, parse, text
from azure_pipelines.variables import Masks, Value, Variables
from sandbox.azure_devops import definitions, git, identities, oidc, permissions, variable_groups, variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from azure_pipelines.model import Job, Pipeline, Stage, Variable
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json


class RefusedError(Exception):
    """A run may not use what it names; the message is the service's."""


def refused_group(name: str) -> str:
    """Return the service's words for a variable group that a pipeline may not use, or that is not there."""
    return (
        f"Variable group {name} was not found or is not authorized for use. "
        "For authorization details, refer to https://aka.ms/yamlauthz."
    )


def may_use_group(draft: Draft, project: Json, definition_id: int, name: str) -> Json | None:
    """Return the variable group of a name if it is there and the pipeline may use it, else None."""
    group = variable_groups.by_name(draft, project, name)
    if group is None:
        return None
    number = str(group["id"])
    return group if permissions.allowed(draft, project["id"], variable_groups.TYPE, number, definition_id) else None


def plain(call: Call, build: Json, pipeline: Pipeline) -> dict[str, str]:
    """Return the variables that the condition of a stage sees: the pipeline's own and the service's, no group."""
    own = Variables(Masks())
    for entry in pipeline.variables:
        if not entry.group:
            own.set(entry.name, _value(entry.value, own, {}))
    own.update((name, Value(value)) for name, value in predefined(call, build).items())
    return own.plain()


def of_job(call: Call, build: Json, pipeline: Pipeline, stage: Stage, job: Job) -> Variables:
    """Return a job's variables, a later one wins: of the definition, set when the run was queued, of the YAML (the
    pipeline's, the stage's, the job's own, each group where it stands), the service's.

    Raises RefusedError where the pipeline may not use a group.
    """
    project = call.draft.table("projects")[build["projectId"]]
    definition = definitions.find(call.draft, project, build["definitionId"])
    names = runtime_names(build, stage, job)
    found = Variables(Masks())
    found.update(_values(call.draft, definition["variables"]))
    for number in definition["variableGroups"]:
        if (group := variable_groups.by_id(call.draft, project, number)) is not None:
            found.update(_values(call.draft, group["variables"]))
    found.update((name, Value(value)) for name, value in build.get("variables", {}).items())
    for entry in (*pipeline.variables, *stage.variables, *job.variables):
        if entry.group:
            found.update(_values(call.draft, _group(call, project, build, entry)["variables"]))
        else:
            found.set(entry.name, _value(entry.value, found, names))
    found.update((name, Value(value)) for name, value in predefined(call, build).items())
    return found


def _group(call: Call, project: Json, build: Json, entry: Variable) -> Json:
    group = may_use_group(call.draft, project, build["definitionId"], entry.group)
    if group is None:
        raise RefusedError(refused_group(entry.group))
    return group


def _values(draft: Draft, kept: Json) -> Iterable[tuple[str, Value]]:
    rows = variables.values(draft, kept)
    return [(name, Value(row["value"] or "", bool(row["isSecret"]))) for name, row in rows.items()]


def _value(value: str, found: Variables, names: Mapping[str, Any]) -> str:
    """Return a `$[ ]` value evaluated; any other as it is."""
    stripped = value.strip()
    if not (stripped.startswith("$[") and stripped.endswith("]")):
        return value
    return text(evaluate(parse(stripped[2:-1]), Scope({**names, "variables": found.plain()})))


def of_stage(row: Json) -> dict[str, str]:
    """Return `JOB.STEP.NAME` of every job of a stage, as `dependencies.STAGE.outputs` has them."""
    return {f"{job['id']}.{key}": value for job in row["jobs"] for key, value in job["outputs"].items()}


def runtime_names(build: Json, stage: Stage, job: Job) -> dict[str, Any]:
    """Return the named values of a job's condition and of `$[ ]`."""
    own = next(row for row in build["stages"] if row["id"] == stage.id)
    dependencies = {
        row["id"]: {"result": row["result"], "outputs": row["outputs"]}
        for row in own["jobs"]
        if row["id"] in job.depends_on
    }
    earlier = {
        row["id"]: {one["id"]: {"result": one["result"], "outputs": one["outputs"]} for one in row["jobs"]}
        for row in build["stages"]
        if row is not own and row["state"] == "completed"
    }
    return {"dependencies": dependencies, "stageDependencies": earlier}


def predefined(call: Call, build: Json) -> dict[str, str]:
    """Return the predefined variables that come from the service, not from the agent's machine."""
    project = call.draft.table("projects")[build["projectId"]]
    definition = definitions.find(call.draft, project, build["definitionId"])
    repository = git.wire(call, call.draft.table("repositories")[definition["repository"]["id"]])
    requester = identities.reference(call.draft, build["requestedBy"], call.organization_url)
    log = git.storage(call.draft, repository).log(build["sourceVersion"], 1)
    given = {
        "System.CollectionUri": f"{call.organization_url}/",
        "System.TeamFoundationCollectionUri": f"{call.organization_url}/",
        "System.TeamProject": project["name"],
        "System.TeamProjectId": project["id"],
        "System.DefinitionId": str(definition["id"]),
        "Build.BuildId": str(build["id"]),
        "Build.BuildNumber": build["buildNumber"],
        "Build.BuildUri": f"vstfs:///Build/Build/{build['id']}",
        "Build.DefinitionName": definition["name"],
        "Build.Reason": build["reason"][:1].upper() + build["reason"][1:],
        "Build.Repository.ID": repository["id"],
        "Build.Repository.Name": repository["name"],
        "Build.Repository.Provider": "TfsGit",
        "Build.Repository.Uri": repository["remoteUrl"],
        "Build.RequestedFor": requester["displayName"],
        "Build.RequestedForEmail": requester["uniqueName"],
        "Build.SourceBranch": build["sourceBranch"],
        "Build.SourceBranchName": build["sourceBranch"].rpartition("/")[2],
        "Build.SourceVersion": build["sourceVersion"],
        "System.PlanId": oidc.plan_of(build["id"]),
        "System.JobId": oidc.job_of(build["id"]),
        "System.OidcRequestUri": oidc.request_uri(call.organization_url, project, build["id"]),
        "Build.SourceVersionMessage": log[0].comment.splitlines()[0] if log and log[0].comment else "",
    }
    if build["pullRequestId"] is not None:
        request = call.draft.table("pullRequests")[str(build["pullRequestId"])]
        given |= {
            "System.PullRequest.IsFork": "True" if request.get("forkSource") else "False",
            "System.PullRequest.PullRequestId": str(request["id"]),
            "System.PullRequest.SourceBranch": request["sourceRefName"],
            "System.PullRequest.SourceCommitId": build["sourceVersion"],
            "System.PullRequest.TargetBranch": request["targetRefName"],
            "System.PullRequest.TargetBranchName": request["targetRefName"].removeprefix("refs/heads/"),
        }
    return given


def named_groups(pipeline: Pipeline) -> set[str]:
    """Return the names of all variable groups that a pipeline uses."""
    every = [pipeline.variables, *(stage.variables for stage in pipeline.stages)]
    every += [job.variables for _, job in pipeline.jobs()]
    return {entry.group for entries in every for entry in entries if entry.group}


def wire(found: Variables) -> list[Json]:
    """Return variables as an agent gets them, in their order."""
    return [{"name": name, "value": value.text, "isSecret": value.secret} for name, value in found.items()]
