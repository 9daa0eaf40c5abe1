"""The variables of a run, a stage and a job, as the service works them out before an agent gets them.

https://learn.microsoft.com/azure/devops/pipelines/process/variables and .../build/variables
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure_pipelines.conditions import worst
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
    """Return the variables that the condition of a stage sees, a later one wins: of the definition, set when the run
    was queued, the pipeline's own and the service's; no group.
    """
    own = Variables(Masks())
    project = call.draft.table("projects")[build["projectId"]]
    definition = definitions.find(call.draft, project, build["definitionId"])
    own.update((name, value) for name, value in _values(call.draft, definition["variables"]) if not value.secret)
    own.update((name, Value(value)) for name, value in build.get("variables", {}).items())
    for entry in pipeline.variables:
        if not entry.group:
            own.set(entry.name, _value(call, build, entry.value, own, {}))
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
            found.set(entry.name, _value(call, build, entry.value, found, names))
    found.update((name, Value(value)) for name, value in {**predefined(call, build), **of_place(stage, job)}.items())
    return found


def _group(call: Call, project: Json, build: Json, entry: Variable) -> Json:
    group = may_use_group(call.draft, project, build["definitionId"], entry.group)
    if group is None:
        raise RefusedError(refused_group(entry.group))
    return group


def _values(draft: Draft, kept: Json) -> Iterable[tuple[str, Value]]:
    rows = variables.values(draft, kept)
    return [(name, Value(row["value"] or "", bool(row["isSecret"]))) for name, row in rows.items()]


def _value(call: Call, build: Json, value: str, found: Variables, names: Mapping[str, Any]) -> str:
    """Return a `$[ ]` value evaluated; any other as it is."""
    stripped = value.strip()
    if not (stripped.startswith("$[") and stripped.endswith("]")):
        return value

    def count(prefix: str, seed: int) -> int:
        """The next number of a prefix in the pipeline; a run has one, however often it is asked for."""
        given: dict[str, int] = build.setdefault("counters", {})
        if prefix not in given:
            last = call.draft.table("counters").setdefault(str(build["definitionId"]), {})
            last[prefix] = given[prefix] = last.get(prefix, seed - 1) + 1
        return given[prefix]

    scope = Scope({**names, "variables": found.plain()}, counter=count)
    return text(evaluate(parse(stripped[2:-1]), scope))


def of_stage(row: Json) -> dict[str, str]:
    """Return `JOB.STEP.NAME` of every job of a stage, as `dependencies.STAGE.outputs` has them."""
    return {f"{phase}.{key}": value for phase, job in _phases(row).items() for key, value in job["outputs"].items()}


def _phases(row: Json) -> dict[str, Json]:
    """Return result and outputs of the jobs of a stage; the legs of a matrix are one, `LEG.STEP.NAME` its outputs."""
    found: dict[str, list[Json]] = {}
    for job in row["jobs"]:
        found.setdefault(job["phase"], []).append(job)
    return {
        phase: {
            "result": worst(job["result"] for job in legs),
            "outputs": {
                f"{job['leg']}.{key}" if job["leg"] else key: value
                for job in legs
                for key, value in job["outputs"].items()
            },
        }
        for phase, legs in found.items()
        if all(job["result"] for job in legs)
    }


def runtime_names(build: Json, stage: Stage, job: Job) -> dict[str, Any]:
    """Return the named values of a job's condition and of `$[ ]`: of what job and stage depend on themselves."""
    rows = {row["id"]: row for row in build["stages"]}
    own = _phases(rows[stage.id])
    return {
        "dependencies": {name: own[name] for name in job.depends_on if name in own},
        "stageDependencies": {name: _phases(rows[name]) for name in stage.depends_on if name in rows},
    }


def of_place(stage: Stage, job: Job) -> dict[str, str]:
    """Return the predefined variables that say which job of which stage it is."""
    names = {
        "System.StageName": stage.id,
        "System.PhaseName": job.phase,
        "System.JobName": job.leg or job.phase,
        "System.JobDisplayName": f"{job.raw.get('displayName') or job.phase} {job.leg}".rstrip(),
    }
    if job.leg:
        names |= {"System.JobPositionInPhase": str(job.position), "System.TotalJobsInPhase": str(job.total)}
    return names


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
    # Of a run that the pull request started; one of its branch that somebody queues by hand has none of these.
    if build["pullRequestId"] is not None and str(build["reason"]).lower() == "pullrequest":
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
