"""What stands before a stage: permission for what it uses, branch control and required template, approvals, and
the exclusive lock, in turn.

https://learn.microsoft.com/azure/devops/pipelines/process/approvals
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sandbox.azure_devops import checks, clock, environments, permissions, service_endpoints, variable_groups
from sandbox.azure_devops.run_variables import may_use_group, refused_group

if TYPE_CHECKING:
    from azure_pipelines.model import Pipeline, Stage
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

PASS, WAIT, REFUSE, TOO_LATE = "pass", "wait", "refuse", "too late"


def refused_environment(name: str) -> str:
    """Return the service's words for an environment that a pipeline may not use, or that is not there."""
    return (
        f"Environment {name} could not be found. The environment does not exist or has not been authorized for "
        "use. For authorization details, refer to https://aka.ms/yamlauthz."
    )


def may_use_environment(draft: Draft, project: Json, definition_id: int, name: str) -> Json | None:
    """Return the environment of a name if it is there and the pipeline may use it, else None."""
    found = environments.by_name(draft, project, name)
    if found is None:
        return None
    number = str(found["id"])
    return found if permissions.allowed(draft, project["id"], environments.TYPE, number, definition_id) else None


@dataclass(frozen=True)
class Resource:
    """Something that a stage uses and that may have checks. kind and id: the service's; name: in messages."""

    kind: str
    id: str
    name: str


def ask(call: Call, build: Json, pipeline: Pipeline, stage: Stage, row: Json) -> tuple[str, str]:
    """Tell whether a stage may begin, and why not."""
    project = call.draft.table("projects")[build["projectId"]]
    used: dict[Resource, None] = {}
    for entry in (*pipeline.variables, *stage.variables, *(entry for job in stage.jobs for entry in job.variables)):
        if entry.group:
            group = may_use_group(call.draft, project, build["definitionId"], entry.group)
            if group is None:
                return REFUSE, refused_group(entry.group)
            used[Resource(variable_groups.TYPE, str(group["id"]), f"Variable group {group['name']}")] = None
    for job in stage.jobs:
        if job.deployment:
            environment = may_use_environment(call.draft, project, build["definitionId"], job.environment)
            if environment is None:
                return REFUSE, refused_environment(job.environment)
            used[Resource(environments.TYPE, str(environment["id"]), f"Environment {environment['name']}")] = None
        for name in service_endpoints.named_in(job):
            endpoint = service_endpoints.may_use(call.draft, project, build["definitionId"], name)
            if endpoint is None:
                return REFUSE, service_endpoints.refused(name)
            used[Resource(service_endpoints.TYPE, endpoint["id"], f"Service connection {name}")] = None
    asked = [(one, check) for one in used for check in checks.on(call.draft, project["id"], one.kind, one.id)]
    refusals = [(one, reason) for one, check in asked if (reason := checks.refused(call.draft, check, build))]
    if refusals:
        return REFUSE, " ".join(f"{one.name}: {reason}" for one, reason in refusals)
    state, why = _approvals(call, build, row, asked)
    if state != PASS:
        return state, why
    connections = {one.id for one in used if one.kind == service_endpoints.TYPE}
    build["connections"] = sorted({*build.get("connections", []), *connections})
    locks = {f"{one.kind}/{one.id}" for one, check in asked if check["type"] == checks.EXCLUSIVE_LOCK}
    return _lock(call.draft, build, row, locks)


def _approvals(call: Call, build: Json, row: Json, asked: list[tuple[Resource, Json]]) -> tuple[str, str]:
    waiting = False
    for one, check in asked:
        if check["type"] != checks.APPROVAL:
            continue
        approval = _asked(call, build, row, one, check)
        if approval["status"] == "rejected":
            return REFUSE, f"{one.name}: the approval was rejected. {approval['comment']}".strip()
        if approval["status"] == "pending" and clock.parse(approval["expiresOn"]) <= datetime.now(UTC):
            approval["status"] = "timedOut"
        if approval["status"] == "timedOut":
            return TOO_LATE, f"{one.name}: nobody approved in time."
        waiting = waiting or approval["status"] == "pending"
    return (WAIT, "") if waiting else (PASS, "")


def _asked(call: Call, build: Json, row: Json, resource: Resource, check: Json) -> Json:
    """Return the approval that this attempt of the stage waits for, made if it was not yet asked for."""
    key = (build["id"], row["id"], row["attempt"], check["id"])
    for known in call.draft.table("approvals").values():
        if (known["build"], known["stage"], known["attempt"], known["check"]) == key:
            return known
    now = datetime.now(UTC)
    made: Json = {
        "id": clock.guid(),
        "projectId": build["projectId"],
        "build": build["id"],
        "stage": row["id"],
        "attempt": row["attempt"],
        "check": check["id"],
        "resource": resource.name,
        "status": "pending",
        "comment": "",
        "createdOn": clock.stamp(now),
        "expiresOn": clock.stamp(now + timedelta(minutes=check["timeout"])),
        "approvedBy": [],
    }
    call.draft.table("approvals")[made["id"]] = made
    return made


def forget(call: Call, build: Json, row: Json) -> None:
    """Withdraw what a stage waits for."""
    for known in call.draft.table("approvals").values():
        if (known["build"], known["stage"], known["status"]) == (build["id"], row["id"], "pending"):
            known["status"] = "canceled"


def _lock(draft: Draft, build: Json, row: Json, locks: set[str]) -> tuple[str, str]:
    """One stage at a time on each resource with an exclusive lock; who came first goes first.

    https://learn.microsoft.com/azure/devops/pipelines/process/approvals#exclusive-lock
    """
    row["locks"] = sorted(locks)
    if not locks:
        return PASS, ""
    latest = row["lockBehavior"] != "sequential"
    for other in draft.table("builds").values():
        if other["status"] == "completed" or other["projectId"] != build["projectId"]:
            continue
        for one in other.get("stages", ()):
            if one is row or not locks & set(one.get("locks", ())):
                continue
            if one["state"] == "inProgress":
                return WAIT, ""
            if one["state"] == "waiting" and other["id"] < build["id"] and not latest:
                return WAIT, ""
            if one["state"] == "waiting" and other["id"] > build["id"] and latest:
                return TOO_LATE, "A newer run waits for the same lock (lockBehavior: runLatest)."
    return PASS, ""
