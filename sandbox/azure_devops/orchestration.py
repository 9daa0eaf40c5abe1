"""How a run goes on: its stages and jobs in their order, their conditions, checks and results.

A build keeps its stages and jobs with their states; what they are made of is the expanded pipeline, in a file of its
own. `advance` is called after every change and does all that can be done now; what is left waits for an agent, for a
person, or for a lock. https://learn.microsoft.com/azure/devops/pipelines/process/stages and .../runs
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from azure_pipelines.conditions import ABANDONED, CANCELED, FAILED, SKIPPED, SUCCEEDED, WITH_ISSUES, holds, worst
from azure_pipelines.documents import Located
from azure_pipelines.expressions import ExpressionError
from azure_pipelines.model import build as modelled
from sandbox.azure_devops import clock, gates, run_variables, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azure_pipelines.model import Job, Pipeline, Stage
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

PENDING, WAITING, QUEUED, RUNNING, COMPLETED = "pending", "waiting", "queued", "inProgress", "completed"
"""States: of a stage all but `queued`, of a job all but `waiting`."""


def folder(draft: Draft, build: Json) -> Path:
    """Return where the files of a run lie: its pipeline, logs and artefacts."""
    return draft.folder / "runs" / str(build["id"])


def begin(draft: Draft, build: Json, pipeline: Pipeline, skip: list[str]) -> None:
    """Give a build its stages. skip: those that whoever queued the run has left out."""
    own = folder(draft, build)
    if own.exists():  # of a run that a state put in place does not know
        shutil.rmtree(own)
    own.mkdir(parents=True, mode=0o700)
    (own / "pipeline.json").write_text(json.dumps(pipeline.raw), encoding="utf-8")
    build["stages"] = [_stage(pipeline, stage, left_out=stage.id in skip) for stage in pipeline.stages]


def _stage(pipeline: Pipeline, stage: Stage, *, left_out: bool) -> Json:
    return {
        "id": stage.id,
        "name": str(stage.raw.get("displayName") or stage.id),
        "record": clock.guid(),
        "state": COMPLETED if left_out else PENDING,
        "result": SKIPPED if left_out else None,
        "leftOut": left_out,
        "lockBehavior": str(stage.raw.get("lockBehavior") or pipeline.raw.get("lockBehavior") or "runLatest"),
        "attempt": 1,
        "startTime": None,
        "finishTime": None,
        "issues": [],
        "jobs": [_job(job) for job in stage.jobs],
    }


def _job(job: Job) -> Json:
    return {
        "id": job.id,
        "phase": job.phase,
        "leg": job.leg,
        "name": _shown(job),
        "record": clock.guid(),
        "state": PENDING,
        "result": None,
        "attempt": 1,
        "startTime": None,
        "finishTime": None,
        "worker": None,
        "issues": [],
        "outputs": {},
        "steps": [],
    }


def _shown(job: Job) -> str:
    """A leg of a matrix is shown with its name behind that of the job."""
    return f"{job.raw.get('displayName') or job.phase} {job.leg}".rstrip()


def pipeline_of(draft: Draft, build: Json) -> Pipeline:
    """Return the expanded pipeline of a run."""
    text = (folder(draft, build) / "pipeline.json").read_text(encoding="utf-8")
    return modelled(_located(json.loads(text)))


def _located(value: Any) -> Any:
    if isinstance(value, dict):
        return Located({key: _located(part) for key, part in value.items()})
    return [_located(part) for part in value] if isinstance(value, list) else value


def advance(call: Call, build: Json) -> None:
    """Do all that can be done now, and what other runs waited for this one to give back."""
    _advance(call, build)
    if build["status"] == COMPLETED:
        for other in unfinished(call.draft):
            _advance(call, other)


def unfinished(draft: Draft) -> list[Json]:
    """Return the runs that are not completed, the oldest first."""
    return [one for one in draft.table("builds").values() if one["status"] != COMPLETED and one.get("stages")]


def _advance(call: Call, build: Json) -> None:
    pipeline = pipeline_of(call.draft, build)
    while any(_go_on(call, build, pipeline, stage) for stage in pipeline.stages):
        pass
    rows = build["stages"]
    if all(row["state"] == COMPLETED for row in rows) and build["status"] != COMPLETED:
        build |= {"status": COMPLETED, "result": _whole(build), "finishTime": clock.now()}
        tokens.revoke_run(call.draft, build["id"])


def _whole(build: Json) -> str:
    results = {row["result"] for row in build["stages"]}
    if build.get("cancelRequested"):
        return "canceled"
    for result, word in (
        (FAILED, "failed"),
        (ABANDONED, "failed"),
        (CANCELED, "canceled"),
        (WITH_ISSUES, "partiallySucceeded"),
    ):
        if result in results:
            return word
    return "succeeded"


def row_of(build: Json, stage: str, job: str | None = None) -> Json:
    """Return the state of a stage, or of a job in it."""
    row: Json = next(one for one in build["stages"] if one["id"] == stage)
    return row if job is None else next(one for one in row["jobs"] if one["id"] == job)


def canceled(build: Json) -> bool:
    """Tell whether somebody has cancelled the run."""
    return bool(build.get("cancelRequested"))


def _go_on(call: Call, build: Json, pipeline: Pipeline, stage: Stage) -> bool:
    """Take a stage one step further; tell whether anything changed."""
    row = row_of(build, stage.id)
    if row["state"] == PENDING:
        return _wanted(call, build, pipeline, stage, row)
    if row["state"] == WAITING:
        return _let_in(call, build, pipeline, stage, row)
    if row["state"] == RUNNING:
        changed = [job.id for job in stage.jobs if _job_on(call, build, pipeline, stage, job)]
        if all(job["state"] == COMPLETED for job in row["jobs"]):
            _finish(row, worst(job["result"] for job in row["jobs"]))
            return True
        return bool(changed)
    return False


def _finish(row: Json, result: str, why: str = "") -> None:
    row |= {"state": COMPLETED, "result": result, "finishTime": clock.now()}
    if why:
        row["issues"].append({"type": "error", "message": why})


def _wanted(call: Call, build: Json, pipeline: Pipeline, stage: Stage, row: Json) -> bool:
    before = [row_of(build, name) for name in pipeline.before(stage)]
    if any(one["state"] != COMPLETED for one in before):
        return False
    # Who left a stage out when the run was queued wants what comes after it to run.
    ended = {one["id"]: SUCCEEDED if one["leftOut"] else one["result"] for one in before}
    names = {
        "dependencies": {
            one["id"]: {"result": ended[one["id"]], "outputs": run_variables.of_stage(one)}
            for one in before
            if one["id"] in stage.depends_on
        },
        "variables": run_variables.plain(call, build, pipeline),
    }
    try:
        wanted = holds(stage.condition, names, ended, canceled=canceled(build))
    except ExpressionError as error:
        _finish(row, ABANDONED, f"The condition of stage {stage.id} cannot be evaluated: {error}")
        return True
    if not wanted:
        _finish(row, CANCELED if canceled(build) else SKIPPED)
        return True
    row["state"] = WAITING
    return True


def _let_in(call: Call, build: Json, pipeline: Pipeline, stage: Stage, row: Json) -> bool:
    """Ask the checks of all that the stage uses; begin it when all have passed."""
    state, why = gates.ask(call, build, pipeline, stage, row)
    if state == gates.WAIT:
        return False
    if state == gates.REFUSE:
        _finish(row, FAILED, why)
        for job in row["jobs"]:
            job |= {"state": COMPLETED, "result": SKIPPED}
    elif state == gates.TOO_LATE:
        _finish(row, SKIPPED, why)
        for job in row["jobs"]:
            job |= {"state": COMPLETED, "result": SKIPPED}
    else:
        row |= {"state": RUNNING, "startTime": clock.now()}
    return True


def _job_on(call: Call, build: Json, pipeline: Pipeline, stage: Stage, job: Job) -> bool:
    own = row_of(build, stage.id, job.id)
    if own["state"] != PENDING:
        return False
    before = [(one.phase, row_of(build, stage.id, one.id)) for one in stage.before(job)]
    if any(row["state"] != COMPLETED for _, row in before):
        return False
    ended = {phase: worst(row["result"] for name, row in before if name == phase) for phase, _ in before}
    names = run_variables.runtime_names(build, stage, job)
    try:
        variables = run_variables.of_job(call, build, pipeline, stage, job)
    except (ExpressionError, run_variables.RefusedError) as error:
        _finish(own, FAILED, str(error))
        return True
    try:
        wanted = holds(job.condition, {**names, "variables": variables.plain()}, ended, canceled=canceled(build))
    except ExpressionError as error:
        _finish(own, ABANDONED, f"The condition of job {job.phase} cannot be evaluated: {error}")
        return True
    if wanted:
        own["state"] = QUEUED
    else:
        own |= {"state": COMPLETED, "result": CANCELED if canceled(build) else SKIPPED}
    return True


def queued(build: Json) -> Iterator[tuple[Json, Json]]:
    """Yield the jobs that wait for an agent, with their stages."""
    for stage in build["stages"]:
        for job in stage["jobs"]:
            if job["state"] == QUEUED:
                yield stage, job


def cancel(call: Call, build: Json) -> None:
    """Cancel a run: its running jobs are told, what has not begun does not, but for what runs in any case."""
    build["cancelRequested"] = True
    for stage in build["stages"]:
        if stage["state"] == WAITING:
            gates.forget(call, build, stage)
            _finish(stage, CANCELED)
            for job in stage["jobs"]:
                job |= {"state": COMPLETED, "result": CANCELED}
        for job in stage["jobs"]:
            if job["state"] == QUEUED:
                job |= {"state": COMPLETED, "result": CANCELED}
    if build["status"] != COMPLETED:
        build["status"] = "cancelling"
    advance(call, build)


def retry(call: Call, build: Json, stage: Json, *, every_job: bool) -> None:
    """Run the jobs of a stage that did not succeed once more, or all, and then what comes after it."""
    again = {stage["id"]}
    pipeline = pipeline_of(call.draft, build)
    for later in pipeline.stages:
        if again & set(later.depends_on):
            again.add(later.id)
    for row in build["stages"]:
        if row["id"] not in again or row["leftOut"]:
            continue
        for job in row["jobs"]:
            if row is not stage or every_job or job["result"] not in (SUCCEEDED, WITH_ISSUES):
                _reset(job)
        _reset(row)
    build |= {"status": "inProgress", "result": None, "finishTime": None, "cancelRequested": False}
    advance(call, build)


def _reset(row: Json) -> None:
    if row["startTime"] is not None or row["result"] in (FAILED, CANCELED):
        row["attempt"] += 1
    row |= {
        "state": PENDING,
        "result": None,
        "startTime": None,
        "finishTime": None,
        "issues": [],
        "record": clock.guid(),
    }
    if "steps" in row:
        row |= {"steps": [], "outputs": {}, "worker": None}
