"""Approvals that stages wait for, and the answers of those who are asked.

https://learn.microsoft.com/rest/api/azure/devops/approvalsandchecks/approvals
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.azure_devops import clock, identities, locations, orchestration, projects, shapes
from sandbox.azure_devops.errors import ServiceError, bad_argument
from sandbox.azure_devops.protocol import Router

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

router = Router()
_ANSWERS = {"approved": "approved", "4": "approved", "rejected": "rejected", "8": "rejected"}


def pending(draft: Draft, build: int) -> list[Json]:
    """Return what a run waits for."""
    return [one for one in draft.table("approvals").values() if (one["build"], one["status"]) == (build, "pending")]


@router.on(locations.APPROVALS, "GET", "vso.build", "vso.build_execute")
def get(call: Call) -> object:
    """Give an approval by its id, or list them (`approvalIds`, `state`)."""
    project = projects.of(call)
    if "approvalId" in call.values:
        return wire(call, _known(call, project, call.values["approvalId"]))
    found = [one for one in call.draft.table("approvals").values() if one["projectId"] == project["id"]]
    if ids := call.query.get("approvalids"):
        found = [one for one in found if one["id"] in ids.lower().split(",")]
    if state := call.query.get("state"):
        found = [one for one in found if one["status"] == state]
    return [wire(call, one) for one in found]


@router.on(locations.APPROVALS, "PATCH", "vso.build_execute", shape=shapes.APPROVALS)
def update(call: Call) -> list[Json]:
    """Answer approvals: `[{"approvalId", "status": "approved" or "rejected", "comment"}]`."""
    project = projects.of(call)
    if not isinstance(call.body, list) or not call.body:
        raise bad_argument("A JSON array of approvals is expected: [{approvalId, status, comment}].")
    answered = []
    for one in call.body:
        known = _known(call, project, str(one.get("approvalId") or ""))
        status = _ANSWERS.get(str(one.get("status")).lower())
        if status is None:
            raise bad_argument(f"The status '{one.get('status')}' is not valid here. Valid: approved, rejected.")
        if known["status"] != "pending":
            raise _refusal(
                400, "ApprovalAlreadyCompletedException", f"The approval {known['id']} is {known['status']}."
            )
        _may(call, known)
        _answer(call, known, status, str(one.get("comment") or ""))
        answered.append(known)
    for number in {known["build"] for known in answered}:
        orchestration.advance(call, call.draft.table("builds")[str(number)])
    return [wire(call, known) for known in answered]


def _settings(call: Call, known: Json) -> Json:
    check = call.draft.table("checks").get(str(known["check"]))
    settings: Json = check["settings"] if check else {"approvers": []}
    return settings


def _may(call: Call, known: Json) -> None:
    """Refuse who is not among the approvers, or queued the run where that is not allowed."""
    settings, who = _settings(call, known), call.caller.identity_id
    run = call.draft.table("builds")[str(known["build"])]
    if call.caller.build_id is not None or not identities.covers(
        call.draft, [one["id"] for one in settings["approvers"]], who
    ):
        raise _refusal(401, "ApprovalUnauthorizedException", "You are not among the approvers of this stage.")
    if settings.get("requesterCannotBeApprover") and run["requestedBy"] == who:
        raise _refusal(401, "ApprovalUnauthorizedException", "Whoever queued a run cannot approve it (see the check).")
    if who in known["approvedBy"]:
        raise _refusal(
            400, "ApprovalAlreadyCompletedException", "You have approved already; another approver is asked."
        )


def _answer(call: Call, known: Json, status: str, comment: str) -> None:
    known["comment"] = comment
    if status == "approved":
        known["approvedBy"].append(call.caller.identity_id)
        settings = _settings(call, known)
        if len(known["approvedBy"]) < (settings.get("minRequiredApprovers") or len(settings["approvers"])):
            return
    known["status"] = status


def _known(call: Call, project: Json, approval_id: str) -> Json:
    known = call.draft.table("approvals").get(approval_id.lower())
    if known is None or known["projectId"] != project["id"]:
        raise _refusal(404, "ApprovalNotFoundException", f"The approval {approval_id} does not exist.")
    return known


def wire(call: Call, known: Json) -> Json:
    """Return an approval as the API shows it."""
    url = f"{call.organization_url}/{known['projectId']}/_apis/pipelines/approvals/{known['id']}"
    settings = _settings(call, known)
    approvers = [identities.reference(call.draft, one["id"], call.organization_url) for one in settings["approvers"]]
    run = call.draft.table("builds")[str(known["build"])]
    return {
        "id": known["id"],
        "status": known["status"],
        "createdOn": known["createdOn"],
        "instructions": settings.get("instructions") or "",
        "minRequiredApprovers": settings.get("minRequiredApprovers") or 0,
        "executionOrder": settings.get("executionOrder") or "anyOrder",
        "steps": [
            {
                "assignedApprover": one,
                "status": "approved" if one["id"] in known["approvedBy"] else known["status"],
                "comment": known["comment"],
            }
            for one in approvers
        ],
        "pipeline": {"owner": {"id": run["id"], "name": run["buildNumber"]}, "id": str(run["definitionId"])},
        "resource": known["resource"],
        "stage": known["stage"],
        "_links": {"self": {"href": url}},
        "lastModifiedOn": clock.now() if known["status"] == "pending" else known["createdOn"],
    }


def _refusal(status: int, type_key: str, message: str) -> ServiceError:
    return ServiceError(status, type_key, message, namespace="Microsoft.Azure.Pipelines.Approval.WebApi")
