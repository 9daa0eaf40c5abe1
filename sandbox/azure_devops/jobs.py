"""How the sandbox's agent takes jobs and tells of them. The service's own protocol with its agents is not documented.

All below `{org}/_apis/sandbox/agent`, with the operator's token for `POST requests` and `cancellations` (an agent of
the organisation's pool) and the job's own for the rest. The api-version is "7.1-preview".

- `POST requests {"build"}`: take the next queued job, of one build if it is named. Answers 200 with the job; 204 when
  there is none: then the request has waited for one. For a build it answers at once when nothing can come any more, or
  not before a person decides: `{"job": null, "status", "approvals"}`.
- `PUT requests/{job}` with the operator's token: a job that has ended, once more, for one step that is run alone: with
  its secrets and a token of its own, which `DELETE requests/{job}` revokes, or the next hour.
- `PATCH requests/{job} {"result", "outputs", "issues"}`: the job has ended.
- `GET cancellations/{job}`: waits until the run is cancelled (`{"canceled": true}`) or the job has ended.
- `POST steps/{job} {"name", "state", "result", "lines", "issues"}`: what is new of a step, by the number that it has.
- `POST attachments/{job} {"type", "name", "content"}`: a summary, a test result.
- `POST artifacts/{job} {"name", "files": {path: base64}}`, `GET artifacts/{job}?name=`: an artefact in and out.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from azure_pipelines.conditions import CANCELED, FAILED, SKIPPED, SUCCEEDED, WITH_ISSUES
from sandbox.azure_devops import (
    approvals,
    clock,
    identities,
    locations,
    orchestration,
    run_variables,
    scopes,
    service_endpoints,
    tokens,
)
from sandbox.azure_devops.errors import ServiceError, bad_argument, build
from sandbox.azure_devops.protocol import Reply, Router

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Json

router = Router()
NOTHING_YET = Reply(204, wait=True)
_RESULTS = (SUCCEEDED, WITH_ISSUES, FAILED, CANCELED, SKIPPED)


@router.on(locations.AGENT_REQUESTS, "POST", scopes.FULL_ACCESS)
def take(call: Call) -> object:
    """Take the next job that waits for an agent."""
    wanted = call.object().get("build")
    runs = orchestration.unfinished(call.draft)
    if wanted is not None:
        known = call.draft.table("builds").get(str(wanted))
        if known is None:
            raise build(404, "BuildNotFoundException", f"The requested build {wanted} could not be found.")
        runs = [known] if known["status"] != "completed" else []
    for run in runs:
        for stage, job in orchestration.queued(run):
            return {"job": _begin(call, run, stage, job)}
    if wanted is None:
        return NOTHING_YET
    asked = [approvals.wire(call, one) for one in approvals.pending(call.draft, int(wanted))]
    if runs and not asked:
        return NOTHING_YET
    return {"job": None, "status": known["status"] if known else "", "approvals": asked}


def _begin(call: Call, run: Json, stage: Json, job: Json) -> Json:
    now = clock.now()
    run |= {
        "status": "inProgress" if run["status"] == "notStarted" else run["status"],
        "startTime": run["startTime"] or now,
    }
    job |= {"state": orchestration.RUNNING, "startTime": now, "number": call.draft.next_id("job")}
    return _given(call, run, stage, job, timedelta(hours=48))


def _given(call: Call, run: Json, stage: Json, job: Json, lasts: timedelta) -> Json:
    """Return a job as an agent gets it, with a token that lasts for a while."""
    project = call.draft.table("projects")[run["projectId"]]
    pipeline = orchestration.pipeline_of(call.draft, run)
    of_stage = next(one for one in pipeline.stages if one.id == stage["id"])
    of_job = next(one for one in of_stage.jobs if one.id == job["id"])
    token = tokens.issue(
        call.draft,
        name=f"build {run['id']}",
        scope=" ".join(sorted(scopes.RUN_SCOPES)),
        identity=identities.build_service(project),
        valid_to=datetime.now(UTC) + lasts,
        build=run["id"],
    )
    variables = run_variables.of_job(call, run, pipeline, of_stage, of_job)
    checkouts = {"self", *(step.argument for step in of_job.steps if step.kind == "checkout")}
    return {
        "id": job["number"],
        "build": {name: run[name] for name in ("id", "buildNumber", "sourceBranch", "sourceVersion", "reason")},
        "project": project["name"],
        "stage": stage["id"],
        "stageAttempt": stage["attempt"],
        "job": of_job.raw,
        "name": of_job.id,
        "connections": {name: _connection(call, project, name) for name in service_endpoints.named_in(of_job)},
        "jobAttempt": job["attempt"],
        "variables": run_variables.wire(variables),
        "accessToken": token["token"],
        "repositories": {name: one for name, one in run["repositories"].items() if name in checkouts},
    }


def _connection(call: Call, project: Json, name: str) -> dict[str, str]:
    """A service connection that the stage's checks have let pass, with its secrets."""
    found = service_endpoints.by_name(call.draft, project, name)
    if found is None:  # deleted while the job was waiting
        raise build(404, "ServiceEndpointNotFoundException", service_endpoints.refused(name))
    return {"id": found["id"], **service_endpoints.parameters(call.draft, found)}


@router.on(locations.AGENT_REQUESTS, "PUT", scopes.FULL_ACCESS)
def once_more(call: Call) -> Json:
    """Give a job that has ended once more, for a step of it that is run alone; nothing of the run changes."""
    run, stage, job = _of(call)
    if run["status"] != orchestration.COMPLETED:
        raise build(400, "BuildInProgressException", f"The build {run['id']} is not completed.")
    return {"job": _given(call, run, stage, job, timedelta(hours=1))}


@router.on(locations.AGENT_REQUESTS, "DELETE", scopes.FULL_ACCESS)
def forget(call: Call) -> Json:
    """Revoke the token of a job that was given once more."""
    run, _, _ = _of(call)
    if run["status"] == orchestration.COMPLETED:
        tokens.revoke_run(call.draft, run["id"])
    return {}


@router.on(locations.AGENT_REQUESTS, "PATCH", "vso.build_execute")
def finish(call: Call) -> Json:
    """Note how a job ended, and let the run go on."""
    run, _, job = _of(call)
    body = call.object()
    if body.get("result") not in _RESULTS:
        raise bad_argument(f"The result '{body.get('result')}' is not valid. Valid: {', '.join(_RESULTS)}.")
    if job["state"] == orchestration.COMPLETED:
        raise build(400, "JobAlreadyCompletedException", f"The job {job['name']} has ended already.")
    job |= {
        "state": orchestration.COMPLETED,
        "result": body["result"],
        "finishTime": clock.now(),
        "outputs": {str(name): str(value) for name, value in (body.get("outputs") or {}).items()},
    }
    job["issues"] += body.get("issues") or []
    orchestration.advance(call, run)
    return {"status": run["status"]}


@router.on(locations.AGENT_CANCELLATIONS, "GET", scopes.FULL_ACCESS)
def cancellation(call: Call) -> object:
    """Tell when the run of a job is cancelled."""
    run, _, job = _of(call)
    if orchestration.canceled(run):
        return {"canceled": True}
    return {"canceled": False} if job["state"] == orchestration.COMPLETED else NOTHING_YET


@router.on(locations.AGENT_STEPS, "POST", "vso.build_execute")
def step(call: Call) -> Json:
    """Note what is new of a step: its state, its result, more lines of its log."""
    run, _, job = _of(call)
    body = call.object()
    place = int(body.get("number") or 0)
    if not 1 <= place <= len(job["steps"]) + 1:
        raise bad_argument(f"The step {place} does not come after step {len(job['steps'])}.")
    if place == len(job["steps"]) + 1:
        made: Json = {"record": clock.guid(), "name": "", "state": "inProgress", "result": None, "log": None}
        job["steps"].append(made | {"issues": [], "startTime": clock.now(), "finishTime": None})
    row = job["steps"][place - 1]
    row |= {name: body[name] for name in ("name", "state", "result") if body.get(name) is not None}
    row["issues"] += body.get("issues") or []
    if row["state"] == orchestration.COMPLETED and row["finishTime"] is None:
        row["finishTime"] = clock.now()
    if lines := body.get("lines"):
        if row["log"] is None:
            run["lastLog"] = int(run.get("lastLog", 0)) + 1
            row["log"] = run["lastLog"]
        file = orchestration.folder(call.draft, run) / "logs" / f"{row['log']}.log"
        file.parent.mkdir(exist_ok=True)
        with file.open("a", encoding="utf-8") as log:
            log.writelines(f"{line}\n" for line in lines)
    return {"number": place}


@router.on(locations.AGENT_ATTACHMENTS, "POST", "vso.build_execute")
def attach(call: Call) -> Json:
    """Keep what a job attaches to its run."""
    run, stage, job = _of(call)
    body = call.object()
    kept = run.setdefault("attachments", [])
    number = len(kept) + 1
    kept.append(
        {"number": number, "type": str(body["type"]), "name": str(body["name"]), "stage": stage["id"], "job": job["id"]}
    )
    file = orchestration.folder(call.draft, run) / "attachments" / str(number)
    file.parent.mkdir(exist_ok=True)
    file.write_text(str(body["content"]), encoding="utf-8")
    return {"number": number}


@router.on(locations.AGENT_ARTIFACTS, "POST", "vso.build_execute")
def publish(call: Call) -> Json:
    """Keep an artefact; a name is taken once in a run."""
    run, _, _ = _of(call)
    body = call.object()
    name = str(body.get("name") or "")
    if not name or "/" in name or name in {".", ".."}:
        raise bad_argument(f"The name of the artifact '{name}' is not valid.")
    if name in run.get("artifacts", []):
        raise build(409, "ArtifactExistsException", f"Artifact {name} already exists for build {run['id']}.")
    files = {_inside(path): _decoded(path, text) for path, text in (body.get("files") or {}).items()}
    target = orchestration.folder(call.draft, run) / "artifacts" / name
    for path, content in files.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(content)
    target.mkdir(parents=True, exist_ok=True)
    run.setdefault("artifacts", []).append(name)
    return {"name": name, "files": len(files)}


@router.on(locations.AGENT_ARTIFACTS, "GET", "vso.build")
def fetch(call: Call) -> Json:
    """Give the artefacts of the run, or one by its name."""
    run, _, _ = _of(call)
    names = [call.query["name"]] if call.query.get("name") else run.get("artifacts", [])
    for name in names:
        if name not in run.get("artifacts", []):
            known = ", ".join(run.get("artifacts", [])) or "none"
            raise build(404, "ArtifactNotFoundException", f"artifact {name!r} is not of this run; it has {known}")
    return {name: contents(orchestration.folder(call.draft, run) / "artifacts" / name) for name in names}


def contents(folder: Path) -> dict[str, str]:
    """Return the files of an artefact by their paths, in base64."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): base64.b64encode(file.read_bytes()).decode() for file in files}


def _inside(path: str) -> PurePosixPath:
    found = PurePosixPath(path)
    if found.is_absolute() or ".." in found.parts or not found.parts:
        raise bad_argument(f"The path '{path}' is not one of a file in an artifact.")
    return found


def _decoded(path: str, text: Any) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except binascii.Error:
        raise bad_argument(f"The content of {path} is not base64.") from None


def _of(call: Call) -> tuple[Json, Json, Json]:
    """Return run, stage and job of the route; only the job's own token may speak of it."""
    number = call.number("jobId")
    for run, stage, job in _jobs(call):
        if job.get("number") == number:
            return run, stage, job
    raise ServiceError(
        404, "JobNotFoundException", f"No job has the number {number}.", namespace="Microsoft.Azure.Pipelines.WebApi"
    )


def _jobs(call: Call) -> Iterator[tuple[Json, Json, Json]]:
    for run in call.draft.table("builds").values():
        if call.caller.build_id in (None, run["id"]):
            for stage in run["stages"]:
                for job in stage["jobs"]:
                    yield run, stage, job
