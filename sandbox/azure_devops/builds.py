"""Builds: runs of pipelines, from being queued to their result; and the question whether a run may use what it names.

https://learn.microsoft.com/rest/api/azure/devops/build/builds and .../pipelines/runs (the same runs). The pipeline is
expanded when its run is queued. One that names a variable group that it may not use is refused then; the service, which
has somebody to ask, can also hold such a run until it is permitted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from azure_pipelines.documents import PipelineError
from azure_pipelines.model import read
from sandbox.azure_devops import (
    clock,
    definitions,
    git,
    identities,
    locations,
    orchestration,
    pools,
    projects,
    queue_time,
    repositories,
    runs,
    scopes,
    shapes,
    tokens,
    variable_groups,
)
from sandbox.azure_devops.errors import ServiceError, bad_argument, build
from sandbox.azure_devops.protocol import NO_CONTENT, Router
from sandbox.azure_devops.run_variables import may_use_group, named_groups, predefined, refused_group

if TYPE_CHECKING:
    from azure_pipelines.model import Pipeline
    from sandbox.azure_devops.protocol import Call, Reply
    from sandbox.azure_devops.store import Draft, Json

router = Router()

# The API takes its words in any case.
_RESULTS = {word.lower(): word for word in ("succeeded", "partiallySucceeded", "failed", "canceled")}
_FORBIDDEN = '"/:<>\\|?@*'


class NotRunnableError(Exception):
    """A pipeline cannot be queued; the message is the service's reason."""


@router.on(locations.BUILDS, "POST", "vso.build_execute", shape=shapes.BUILD)
def queue_build(call: Call) -> Json:
    """Queue a build: body `{"definition": {"id"}, "sourceBranch", "sourceVersion", "reason", "parameters", ...}`."""
    project = projects.of(call)
    body = call.body if isinstance(call.body, dict) else {}
    wanted = (body.get("definition") or {}).get("id") or call.query.get("definitionid")
    if not wanted:
        raise bad_argument("The definition of the build is missing: give definition.id.")
    definition = definitions.find(call.draft, project, wanted)
    try:
        return _wire(call, _queue(call, project, definition, body))
    except NotRunnableError as reason:
        raise build_refusal(str(reason)) from reason


def build_refusal(reason: str) -> ServiceError:
    """Return the error of a build that cannot be queued; the reason stands in its validation results."""
    message = f"An error occurred while loading the YAML build pipeline. {reason}"
    return ServiceError(
        400,
        "BuildRequestValidationFailedException",
        f"Could not queue the build because there were validation errors or warnings. {message}",
        namespace="Microsoft.TeamFoundation.Build.WebApi",
        properties={"ValidationResults": [{"result": "error", "message": message}]},
    )


@router.on(locations.RUNS, "POST", "vso.build_execute", shape=shapes.RUN)
def run_pipeline(call: Call) -> Json:
    """Run a pipeline: `{"resources": {"repositories": {"self": {"refName", "version"}}}, "templateParameters"}`."""
    project = projects.of(call)
    definition = definitions.find(call.draft, project, call.values["pipelineId"])
    body = call.body if isinstance(call.body, dict) else {}
    source = ((body.get("resources") or {}).get("repositories") or {}).get("self") or {}
    asked = {
        "sourceBranch": source.get("refName"),
        "sourceVersion": source.get("version"),
        "templateParameters": body.get("templateParameters"),
        "stagesToSkip": body.get("stagesToSkip"),
        "variables": body.get("variables"),
    }
    try:
        return _run(call, _queue(call, project, definition, asked))
    except NotRunnableError as reason:
        raise ServiceError(
            400,
            "PipelineValidationException",
            f"The pipeline is not valid. {reason}",
            namespace="Microsoft.Azure.Pipelines.WebApi",
        ) from reason


@router.on(locations.TRIGGERS, "POST", scopes.FULL_ACCESS, shape=shapes.TRIGGER)
def trigger(call: Call) -> Json:
    """Queue a run as the service does by itself on a push, for a pull request's policy, or by a schedule.

    No API of the service: body `{"reason", "sourceBranch", "requestedFor": a user's name, "stagesToSkip"}`.
    """
    project = projects.of(call)
    body = call.object()
    definition = definitions.find(call.draft, project, call.number("definitionId"))
    person = identities.by_name(call.draft, str(body.get("requestedFor") or "Developer"))
    if person is None:
        raise bad_argument(f"There is no user {body.get('requestedFor')}.")
    try:
        return _wire(call, _queue(call, project, definition, body, requester=person["id"]))
    except NotRunnableError as reason:
        raise build_refusal(str(reason)) from reason


@router.on(locations.BUILDS, "GET", "vso.build")
def get(call: Call) -> object:
    """Give a build by its id; or list them, newest first (`definitions`, `statusFilter`, `branchName`, `$top`)."""
    project = projects.of(call)
    if "buildId" in call.values:
        return _wire(call, runs.find(call.draft, project, call.number("buildId")))
    found = [one for one in call.draft.table("builds").values() if one["projectId"] == project["id"]]
    if wanted := call.query.get("definitions"):
        found = [one for one in found if str(one["definitionId"]) in wanted.split(",")]
    for field, key in (("status", "statusfilter"), ("sourceBranch", "branchname"), ("buildNumber", "buildnumber")):
        if value := call.query.get(key):
            found = [one for one in found if one[field] == value]
    return call.page(found[::-1], 1000, lambda one: _wire(call, one))


@router.on(locations.BUILDS, "PATCH", "vso.build_execute", shape=shapes.BUILD_CHANGE)
def update(call: Call) -> Json:
    """Change a build: `status` (inProgress, cancelling, completed), `result`, `buildNumber`.

    With its completion the run's token ends.
    """
    known = runs.find(call.draft, projects.of(call), call.number("buildId"))
    body = call.object()
    if known["status"] == "completed" and "status" in body:
        raise build(400, "BuildStatusInvalidChangeException", f"The build {known['buildNumber']} is already completed.")
    if "buildNumber" in body:
        known["buildNumber"] = _build_number(str(body["buildNumber"]))
    status, result = str(body.get("status") or "").lower(), str(body.get("result") or "").lower()
    if status == "completed" or result:
        if result not in _RESULTS:
            raise bad_argument(
                f"The result '{body.get('result')}' is not valid. Valid: {', '.join(_RESULTS.values())}."
            )
        known |= {"status": "completed", "result": _RESULTS[result], "finishTime": clock.now()}
        tokens.revoke_run(call.draft, known["id"])
    elif status == "cancelling":
        orchestration.cancel(call, known)
    elif status == "inprogress":
        known |= {"status": "inProgress", "startTime": known["startTime"] or clock.now()}
    elif status:
        raise bad_argument(
            f"The status '{body['status']}' is not valid here. Valid: inProgress, cancelling, completed."
        )
    known["lastChangedBy"], known["lastChangedDate"] = call.caller.identity_id, clock.now()
    return _wire(call, known)


@router.on(locations.STAGES, "PATCH", "vso.build_execute", shape=shapes.STAGE_CHANGE)
def update_stage(call: Call) -> Reply:
    """Run a stage again: `{"state": "retry", "forceRetryAllJobs"}`; without the flag only what did not succeed.

    https://learn.microsoft.com/rest/api/azure/devops/build/stages/update
    """
    known = runs.find(call.draft, projects.of(call), call.number("buildId"))
    name, body = call.values.get("stageRefName", ""), call.object()
    stage = next((one for one in known["stages"] if one["id"].lower() == name.lower()), None)
    if stage is None:
        raise build(404, "StageNotFoundException", f"The build {known['buildNumber']} has no stage {name}.")
    if str(body.get("state")).lower() not in ("retry", "1"):
        raise bad_argument(f"The state '{body.get('state')}' is not valid here. Valid: retry.")
    if stage["state"] != "completed" or known["status"] != "completed":
        raise build(400, "StageNotRetryableException", f"The stage {name} has not ended: it cannot be run again yet.")
    orchestration.retry(call, known, stage, every_job=bool(body.get("forceRetryAllJobs")))
    return NO_CONTENT


@router.on(locations.PIPELINES, "GET", "vso.build")
def pipelines(call: Call) -> object:
    """Give a pipeline by its id, or list the pipelines."""
    project = projects.of(call)
    if "pipelineId" in call.values:
        definition = definitions.find(call.draft, project, call.values["pipelineId"])
        repository = {"id": definition["repository"]["id"], "type": "azureReposGit"}
        configuration = {"type": "yaml", "path": definition["yaml"], "repository": repository, "variables": {}}
        return {**_pipeline(call, definition), "configuration": configuration}
    found = [one for one in call.draft.table("definitions").values() if one["projectId"] == project["id"]]
    return [_pipeline(call, one) for one in found]


@router.on(locations.RUNS, "GET", "vso.build")
def pipeline_runs(call: Call) -> object:
    """Give a run by its id, or list the runs of a pipeline."""
    project = projects.of(call)
    definition = definitions.find(call.draft, project, call.values["pipelineId"])
    if "runId" in call.values:
        return _run(call, runs.find(call.draft, project, call.number("runId")))
    found = [one for one in call.draft.table("builds").values() if one["definitionId"] == definition["id"]]
    return [_run(call, one) for one in found[::-1]]


def _queue(call: Call, project: Json, definition: Json, body: Json, requester: str = "") -> Json:
    if definition["queueStatus"] != "enabled":
        raise NotRunnableError(f"The pipeline {definition['name']} is {definition['queueStatus']}.")
    branch, version, pull_request = _source(call, definition, body)
    number = call.draft.next_id("build")
    now = clock.now()
    known: Json = {
        "id": number,
        "projectId": project["id"],
        "definitionId": definition["id"],
        "buildNumber": _next_number(call.draft, definition),
        "status": "notStarted",
        "result": None,
        "queueTime": now,
        "startTime": None,
        "finishTime": None,
        "sourceBranch": branch,
        "sourceVersion": version,
        "pullRequestId": pull_request,
        "reason": body.get("reason") or ("pullRequest" if pull_request else "manual"),
        "parameters": body.get("parameters"),
        "templateParameters": body.get("templateParameters") or {},
        "variables": _variables(project, definition, body),
        "requestedBy": requester or call.caller.identity_id,
        "lastChangedBy": call.caller.identity_id,
        "lastChangedDate": now,
        "stages": [],
    }
    pipeline = _expanded(call, definition, known)
    _check_groups(call, project, definition, pipeline)
    _check_pools(call, project, pipeline)
    skip = [str(name) for name in body.get("stagesToSkip") or []]
    if unknown := sorted(set(skip) - {stage.id for stage in pipeline.stages}):
        raise NotRunnableError(f"The pipeline has no stage {', '.join(unknown)} that could be skipped.")
    kept = {stage.id for stage in pipeline.stages if str(stage.raw.get("isSkippable", "true")).lower() == "false"}
    if refused := sorted(kept & set(skip)):
        raise NotRunnableError(f"The stages {', '.join(refused)} cannot be skipped: their isSkippable is false.")
    call.draft.table("builds")[str(number)] = known
    orchestration.begin(call.draft, known, pipeline, skip)
    orchestration.advance(call, known)
    return known


def _variables(project: Json, definition: Json, body: Json) -> dict[str, str]:
    try:
        return queue_time.given(project, definition, body)
    except queue_time.NotSettableError as refused:
        raise NotRunnableError(str(refused)) from refused


def _expanded(call: Call, definition: Json, known: Json) -> Pipeline:
    """Return the pipeline as this run has it, and note its repositories. Raises NotRunnableError."""
    sources = repositories.own(call, definition, known)
    try:
        file, chosen = definition["yaml"].lstrip("/"), known["templateParameters"]
        pipeline = read(sources, file, predefined(call, known), chosen, partial(repositories.declared, call, known))
        known["repositories"] = repositories.checked_out(call, known, pipeline, sources)
        known["extends"] = repositories.extended(pipeline, sources)
    except PipelineError as error:
        raise NotRunnableError(str(error)) from error
    known_stages = {stage.id for stage in pipeline.stages}
    for stage in pipeline.stages:
        for name in stage.depends_on:
            if name not in known_stages:
                raise NotRunnableError(f"Stage {stage.id} depends on unknown stage {name}.")
        jobs = {job.phase for job in stage.jobs}
        for job in stage.jobs:
            if job.deployment and not job.steps:
                raise NotRunnableError(f"The deployment {job.id} has no steps in strategy: runOnce: deploy.")
            for name in set(job.depends_on) - jobs:
                raise NotRunnableError(f"Stage {stage.id} job {job.phase} depends on unknown job {name}.")
    return pipeline


def _source(call: Call, definition: Json, body: Json) -> tuple[str, str, int | None]:
    """Return the branch, the commit and, for `refs/pull/N/merge`, the pull request of a run."""
    repository = call.draft.table("repositories").get(definition["repository"]["id"])
    if repository is None:
        raise NotRunnableError(f"The repository {definition['repository']['id']} does not exist.")
    branch = str(body.get("sourceBranch") or definition["repository"]["defaultBranch"])
    branch = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
    pull_request = None
    head = branch
    if branch.startswith("refs/pull/"):
        pull_request = call.draft.table("pullRequests").get(branch.split("/")[2])
        if pull_request is None or pull_request["repositoryId"] != repository["id"]:
            raise NotRunnableError(f"The pull request of {branch} does not exist in {repository['name']}.")
        # The service tests a merge commit that it makes; the source's head stands in for it here.
        head = pull_request["sourceRefName"]
    version = body.get("sourceVersion") or git.head(call.draft, repository, head)
    if not version or not git.storage(call.draft, repository).has(str(version)):
        raise NotRunnableError(
            f"Could not find the version '{version or ''}' of branch {branch} in repository {repository['name']}."
        )
    return branch, str(version), int(pull_request["id"]) if pull_request else None


def _check_groups(call: Call, project: Json, definition: Json, pipeline: Pipeline) -> None:
    names = named_groups(pipeline)
    linked = [variable_groups.by_id(call.draft, project, number) for number in definition["variableGroups"]]
    names |= {group["name"] for group in linked if group is not None}
    for name in sorted(names):
        if may_use_group(call.draft, project, definition["id"], name) is None:
            raise NotRunnableError(refused_group(name))


def _check_pools(call: Call, project: Json, pipeline: Pipeline) -> None:
    """Raises NotRunnableError for a pool that the project has no queue of, in the service's words."""
    levels = [pipeline.raw, *(stage.raw for stage in pipeline.stages), *(job.raw for _, job in pipeline.jobs())]
    for pool in (level.get("pool") for level in levels):
        name = str((pool.get("name") if isinstance(pool, dict) else pool) or "")
        # What a macro stands for is known when the job begins.
        if name and "$(" not in name and pools.by_name(call.draft, project, name) is None:
            raise NotRunnableError(
                f"Could not find a pool with name {name}. The pool does not exist or has not been authorized for use. "
                "For authorization details, refer to https://aka.ms/yamlauthz."
            )


def _next_number(draft: Draft, definition: Json) -> str:
    # The service's default format, date and a counter per day; a `name:` of the YAML is the agent's to set.
    day = datetime.now(UTC).strftime("%Y%m%d")
    counters = draft.table("buildNumbers").setdefault(str(definition["id"]), {})
    counters[day] = counters.get(day, 0) + 1
    return f"{day}.{counters[day]}"


def _build_number(number: str) -> str:
    if not number or len(number) > 255 or number.endswith(".") or any(char in number for char in _FORBIDDEN):
        raise build(
            400,
            "BuildNumberFormatException",
            f"The build number format {number} contains invalid character(s), is too long, or ends with '.'. The "
            "maximum length of a build number is 255 characters. Characters which are not allowed include '\"', "
            "'/', ':', '<', '>', '\\', '|', '?', '@', and '*'.",
        )
    return number


def _wire(call: Call, known: Json) -> Json:
    project = call.draft.table("projects")[known["projectId"]]
    definition = call.draft.table("definitions")[str(known["definitionId"])]
    queued_by = identities.reference(call.draft, known["requestedBy"], call.organization_url)
    url = f"{call.organization_url}/{project['id']}/_apis/build/Builds/{known['id']}"
    answer: Json = {
        "_links": {
            "self": {"href": url},
            "web": {"href": f"{call.organization_url}/{project['name']}/_build/results?buildId={known['id']}"},
        },
        "id": known["id"],
        "buildNumber": known["buildNumber"],
        "status": known["status"],
        "result": known["result"],
        "queueTime": known["queueTime"],
        "startTime": known["startTime"],
        "finishTime": known["finishTime"],
        "url": url,
        "uri": f"vstfs:///Build/Build/{known['id']}",
        "definition": definitions.reference(call, definition),
        "project": projects.reference(call, project),
        "sourceBranch": known["sourceBranch"],
        "sourceVersion": known["sourceVersion"],
        "queue": pools.wire(call.draft.table("queues")[str(definition["queueId"])]),
        "priority": "normal",
        "reason": known["reason"],
        "parameters": known["parameters"],
        "templateParameters": known["templateParameters"],
        "requestedFor": queued_by,
        "requestedBy": queued_by,
        "lastChangedDate": known["lastChangedDate"],
        "lastChangedBy": identities.reference(call.draft, known["lastChangedBy"], call.organization_url),
        "repository": {"id": definition["repository"]["id"], "type": "TfsGit"},
        "tags": [],
        "validationResults": [],
        "triggerInfo": _trigger(known),
        "retainedByRelease": False,
    }
    return {name: value for name, value in answer.items() if value is not None}


def _trigger(known: Json) -> dict[str, Any]:
    return {} if known["pullRequestId"] is None else {"pr.number": str(known["pullRequestId"])}


def _pipeline(call: Call, definition: Json) -> Json:
    project = call.draft.table("projects")[definition["projectId"]]
    url = (
        f"{call.organization_url}/{project['id']}/_apis/pipelines/{definition['id']}?revision={definition['revision']}"
    )
    return {
        "_links": {"self": {"href": url}},
        "url": url,
        "id": definition["id"],
        "revision": definition["revision"],
        "name": definition["name"],
        "folder": definition["path"],
    }


def _run(call: Call, known: Json) -> Json:
    definition = call.draft.table("definitions")[str(known["definitionId"])]
    project = call.draft.table("projects")[known["projectId"]]
    source = {
        "repository": {"id": definition["repository"]["id"], "type": "azureReposGit"},
        "refName": known["sourceBranch"],
        "version": known["sourceVersion"],
    }
    states = {"completed": "completed", "cancelling": "canceling"}
    answer: Json = {
        "id": known["id"],
        "name": known["buildNumber"],
        "state": states.get(known["status"], "inProgress"),
        "result": known["result"],
        "createdDate": known["queueTime"],
        "finishedDate": known["finishTime"],
        "url": f"{call.organization_url}/{project['id']}/_apis/pipelines/{definition['id']}/runs/{known['id']}",
        "pipeline": _pipeline(call, definition),
        "resources": {"repositories": {"self": source}},
        "templateParameters": known["templateParameters"],
    }
    return {name: value for name, value in answer.items() if value is not None}
