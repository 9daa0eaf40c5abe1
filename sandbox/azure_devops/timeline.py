"""What is shown of a run: its timeline, the logs of its steps, what it published and attached.

https://learn.microsoft.com/rest/api/azure/devops/build/timeline, .../builds/get-build-log and .../artifacts
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

from sandbox.azure_devops import approvals, locations, orchestration, projects, runs
from sandbox.azure_devops.errors import build
from sandbox.azure_devops.protocol import Reply, Router

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Json

router = Router()
_STATES = {"queued": "pending", "waiting": "pending"}
_ANSWERS = {"approved": "succeeded", "rejected": "failed", "canceled": "canceled", "timedOut": "skipped"}
_RESULTS = {"SucceededWithIssues": "succeededWithIssues"}


@router.on(locations.TIMELINE, "GET", "vso.build")
def timeline(call: Call) -> Json:
    """Give the records of a run: stages, their checkpoints with approvals, jobs, and the steps of each."""
    known = runs.find(call.draft, projects.of(call), call.number("buildId"))
    return {"id": str(known["id"]), "changeId": 1, "records": list(_records(call, known))}


def _records(call: Call, known: Json) -> Iterator[Json]:
    for order, stage in enumerate(known["stages"], 1):
        yield _record(call, known, stage, "Stage", None, order)
        for one in call.draft.table("approvals").values():
            if (one["build"], one["stage"], one["attempt"]) == (known["id"], stage["id"], stage["attempt"]):
                shown = approvals.wire(call, one)
                yield {
                    "id": one["id"],
                    "parentId": stage["record"],
                    "type": "Checkpoint.Approval",
                    "name": one["resource"],
                    "state": "inProgress" if one["status"] == "pending" else "completed",
                    "result": {"approved": "succeeded", "rejected": "failed", "canceled": "canceled"}.get(
                        one["status"]
                    ),
                    "order": order,
                    "details": shown,
                }
        for place, job in enumerate(stage["jobs"], 1):
            yield _record(call, known, job, "Job", stage["record"], place)
            for number, step in enumerate(job["steps"], 1):
                yield _record(call, known, step, "Task", job["record"], number)


def _record(call: Call, known: Json, row: Json, kind: str, parent: str | None, order: int) -> Json:
    result = row["result"]
    answer: Json = {
        "id": row["record"],
        "parentId": parent,
        "type": kind,
        "name": row["name"],
        "identifier": row.get("id"),
        "startTime": row["startTime"],
        "finishTime": row["finishTime"],
        "state": _STATES.get(row["state"], row["state"]),
        "result": _RESULTS.get(result, str(result).lower()) if result else None,
        "order": order,
        "attempt": row.get("attempt", 1),
        "issues": row["issues"],
        "errorCount": sum(one.get("type") == "error" for one in row["issues"]),
        "warningCount": sum(one.get("type") == "warning" for one in row["issues"]),
        "log": None,
    }
    if row.get("log") is not None:
        url = f"{call.organization_url}/{known['projectId']}/_apis/build/builds/{known['id']}/logs/{row['log']}"
        answer["log"] = {"id": row["log"], "type": "Container", "url": url}
    return answer


@router.on(locations.LOGS, "GET", "vso.build")
def logs(call: Call) -> object:
    """Give the lines of a log (`startLine`, `endLine`, from 1), or list the logs of a run."""
    known = runs.find(call.draft, projects.of(call), call.number("buildId"))
    folder = orchestration.folder(call.draft, known) / "logs"
    if "logId" not in call.values:
        return [{"id": number, "type": "Container"} for number in range(1, int(known.get("lastLog", 0)) + 1)]
    file = folder / f"{call.number('logId')}.log"
    if not file.is_file():
        raise build(404, "BuildLogNotFoundException", f"The build {known['id']} has no log {call.values['logId']}.")
    lines = file.read_text(encoding="utf-8").split("\n")[:-1]
    return lines[max(call.limit("startline", 1) - 1, 0) : call.limit("endline", len(lines))]


@router.on(locations.ARTIFACTS, "GET", "vso.build")
def artifacts(call: Call) -> object:
    """List the artefacts of a run; with `artifactName` and `$format=zip` one as an archive."""
    known = runs.find(call.draft, projects.of(call), call.number("buildId"))
    names = known.get("artifacts", [])
    if (name := call.query.get("artifactname")) is None:
        return [_artifact(call, known, one) for one in names]
    if name not in names:
        raise build(404, "ArtifactNotFoundException", f"The artifact {name} was not found for build {known['id']}.")
    if call.query.get("$format", "").lower() != "zip":
        return _artifact(call, known, name)
    folder, archive = orchestration.folder(call.draft, known) / "artifacts" / name, io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            packed.write(file, f"{name}/{file.relative_to(folder)}")
    return Reply(200, archive.getvalue(), {"Content-Type": "application/zip"})


def _artifact(call: Call, known: Json, name: str) -> Json:
    url = f"{call.organization_url}/{known['projectId']}/_apis/build/builds/{known['id']}/artifacts?artifactName={name}"
    resource = {"type": "PipelineArtifact", "downloadUrl": f"{url}&$format=zip", "url": url}
    return {"id": known["artifacts"].index(name) + 1, "name": name, "resource": resource}


@router.on(locations.ATTACHMENTS, "GET", "vso.build")
def attachments(call: Call) -> list[Json]:
    """List what jobs attached to a run, of one type, with the text of each."""
    known = runs.find(call.draft, projects.of(call), call.number("buildId"))
    folder, kind = orchestration.folder(call.draft, known) / "attachments", call.values.get("type", "")
    rows: list[dict[str, Any]] = [one for one in known.get("attachments", []) if one["type"].lower() == kind.lower()]
    return [
        {
            "name": one["name"],
            "job": one["job"],
            "content": (folder / str(one["number"])).read_text(encoding="utf-8"),
            "stage": one["stage"],
        }
        for one in rows
    ]
