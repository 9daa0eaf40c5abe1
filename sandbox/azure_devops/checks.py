"""Checks on protected resources: approvals, exclusive locks and others, as they are configured.

https://learn.microsoft.com/rest/api/azure/devops/approvalsandchecks/check-configurations
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from sandbox.azure_devops import clock, identities, locations, permissions, projects, protection, shapes
from sandbox.azure_devops.errors import ServiceError, bad_argument
from sandbox.azure_devops.protocol import NO_CONTENT, Reply, Router

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

router = Router()

APPROVAL = "8c6f20a7-a545-4486-9777-f762fafe0d4d"
EXCLUSIVE_LOCK = "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563"
REQUIRED_TEMPLATE = "4020e66e-b0f3-47e1-bc88-48f3cc59b5f3"
TASK = "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7"
BRANCH_CONTROL = "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b"
"""The task behind a branch control check, in every organisation."""
TYPES = {
    APPROVAL: "Approval",
    EXCLUSIVE_LOCK: "ExclusiveLock",
    REQUIRED_TEMPLATE: "ExtendsCheck",
    TASK: "Task Check",
}
_THIRTY_DAYS = 43200
_NAMES_A_TEMPLATE = ("repositoryType", "repositoryName", "repositoryRef", "templatePath")


def on(draft: Draft, project_id: str, kind: str, resource_id: str) -> list[Json]:
    """Return the checks of a resource."""
    return [
        check
        for check in draft.table("checks").values()
        if (check["projectId"], check["resource"]["type"], check["resource"]["id"]) == (project_id, kind, resource_id)
    ]


def refused(draft: Draft, check: Json, build: Json) -> str:
    """Return why a check refuses a build at once, by its branch or by its YAML; an empty text if it does not."""
    shown = check["settings"].get("displayName") or TYPES[check["type"]]
    reason = _refused_template(check, build) or _refused_branch(draft, check, build)
    return reason and f"the check {shown!r} failed. {reason}"


def _refused_template(check: Json, build: Json) -> str:
    """A required template: the run's YAML extends one of the check's templates, at the very ref.

    https://learn.microsoft.com/azure/devops/pipelines/process/approvals#required-template
    """
    if check["type"] != REQUIRED_TEMPLATE:
        return ""
    wanted = [_template(one) for one in check["settings"].get("extendsChecks") or []]
    found = build.get("extends")
    if found and _template(found) in wanted:
        return ""
    names = ", ".join(f"{path} of {name} at {ref}" for _, name, ref, path in wanted)
    own = (
        f"it extends {found['templatePath']} of {found['repositoryName']} at {found['repositoryRef']}" if found else ""
    )
    return f"The pipeline does not extend a required template ({names}){f'; {own}' if own else ''}."


def _template(one: Json) -> tuple[str, str, str, str]:
    """Kind, name, ref and path, compared as they are written: nothing says that the service knows them otherwise."""
    path = str(one.get("templatePath") or "").lstrip("/")
    return str(one.get("repositoryType")), str(one.get("repositoryName")), str(one.get("repositoryRef")), path


def _refused_branch(draft: Draft, check: Json, build: Json) -> str:
    """Why a branch control check refuses a build's branch.

    A branch is protected if at least one policy applies to it. A pull request's run is on refs/pull/N/merge, which no
    policy can name. https://learn.microsoft.com/azure/devops/pipelines/process/approvals#branch-control
    """
    if str((check["settings"].get("definitionRef") or {}).get("id")).lower() != BRANCH_CONTROL:
        return ""
    inputs, branch = check["settings"].get("inputs") or {}, str(build["sourceBranch"])
    allowed = [pattern.strip() for pattern in str(inputs.get("allowedBranches") or "*").split(",")]
    if not any(fnmatch.fnmatchcase(branch, pattern) for pattern in allowed):
        return f"{branch} is not among the allowed branches: {', '.join(allowed)}."
    repository = draft.table("definitions")[str(build["definitionId"])]["repository"]["id"]
    wanted = str(inputs.get("ensureProtectionOfBranch")).lower() == "true"
    if wanted and not protection.protects(draft, repository, branch):
        return f"{branch} is not protected: no policy applies to it."
    return ""


def forget(draft: Draft, project_id: str, kind: str, resource_id: str) -> None:
    """Drop the checks of a resource that is gone."""
    for check in on(draft, project_id, kind, resource_id):
        del draft.table("checks")[str(check["id"])]


@router.on(locations.CHECK_CONFIGURATIONS, "GET", "vso.pipelineresources_use", "vso.build")
def get(call: Call) -> object:
    """Give a check by its id, or list a resource's (`resourceType`, `resourceId`); `$expand=settings` for all."""
    project = projects.of(call)
    whole = call.query.get("$expand", "").lower() == "settings"
    if "id" in call.values:
        return _wire(call, _known(call, project), whole=whole)
    kind, resource_id = call.query.get("resourcetype", "").lower(), call.query.get("resourceid", "")
    return [_wire(call, one, whole=whole) for one in on(call.draft, project["id"], kind, resource_id)]


@router.on(
    locations.CHECK_CONFIGURATIONS_QUERY, "POST", "vso.pipelineresources_use", "vso.build", shape=shapes.RESOURCES
)
def query(call: Call) -> list[Json]:
    """List the checks of the resources in the body, `[{"type", "id"}]`."""
    project = projects.of(call)
    if not isinstance(call.body, list):
        raise bad_argument("A JSON array of resources is expected: [{type, id}].")
    whole = call.query.get("$expand", "").lower() == "settings"
    return [
        _wire(call, check, whole=whole)
        for one in call.body
        for check in on(call.draft, project["id"], str(one.get("type")).lower(), str(one.get("id")))
    ]


@router.on(locations.CHECK_CONFIGURATIONS, "POST", "vso.pipelineresources_manage", shape=shapes.CHECK)
def create(call: Call) -> Json:
    """Set a check on a resource: body `{"type": {"id"}, "settings", "resource": {"type", "id"}, "timeout"}`."""
    project = projects.of(call)
    body = call.object()
    given = body.get("resource") or {}
    kind, resource_id = str(given.get("type") or "").lower(), str(given.get("id") or "")
    if not permissions.exists(call.draft, project, kind, resource_id):
        raise _refusal(404, "ResourceNotFoundException", f"The resource {kind} with id {resource_id} does not exist.")
    number = call.draft.next_id("check")
    check: Json = {
        "id": number,
        "projectId": project["id"],
        "resource": {"type": kind, "id": resource_id},
        "version": 0,
        "createdBy": call.caller.identity_id,
        "createdOn": clock.now(),
    }
    _fill(call, check, body)
    call.draft.table("checks")[str(number)] = check
    return _wire(call, check, whole=True)


@router.on(locations.CHECK_CONFIGURATIONS, "PATCH", "vso.pipelineresources_manage", shape=shapes.CHECK)
def update(call: Call) -> Json:
    """Change a check; its resource stays."""
    check = _known(call, projects.of(call))
    _fill(call, check, call.object())
    return _wire(call, check, whole=True)


@router.on(locations.CHECK_CONFIGURATIONS, "DELETE", "vso.pipelineresources_manage")
def delete(call: Call) -> Reply:
    """Take a check away."""
    check = _known(call, projects.of(call))
    del call.draft.table("checks")[str(check["id"])]
    return NO_CONTENT


def _fill(call: Call, check: Json, body: Json) -> None:
    wanted = body.get("type") or {}
    names = {name.lower(): type_id for type_id, name in TYPES.items()}
    type_id = str(
        wanted.get("id") or names.get(str(wanted.get("name") or "").lower()) or check.get("type") or ""
    ).lower()
    if type_id not in TYPES:
        raise bad_argument(f"The check type '{wanted.get('id') or wanted.get('name')}' is not supported.")
    timeout = body.get("timeout", check.get("timeout", _THIRTY_DAYS))
    if not isinstance(timeout, int) or not 1 <= timeout <= _THIRTY_DAYS:
        raise bad_argument(f"The timeout {timeout} is not valid: 1 to {_THIRTY_DAYS} minutes.")
    settings = body.get("settings", check.get("settings")) or {}
    check["type"] = type_id
    check["timeout"] = timeout
    if type_id == REQUIRED_TEMPLATE:
        _templates(settings)
    check["settings"] = _approval(call, settings) if type_id == APPROVAL else settings
    check["version"] += 1
    check["modifiedBy"], check["modifiedOn"] = call.caller.identity_id, clock.now()


def _templates(settings: Json) -> None:
    """Refuse a required template check that names no template, or one in part only."""
    given = settings.get("extendsChecks") or []
    if not given or not all(one.get(name) for one in given for name in _NAMES_A_TEMPLATE):
        raise bad_argument(f"A required template check needs extendsChecks, each with {', '.join(_NAMES_A_TEMPLATE)}.")


def _approval(call: Call, settings: Json) -> Json:
    approvers = [str(one.get("id") or "") for one in settings.get("approvers") or []]
    if not approvers:
        raise bad_argument("An approval needs at least one approver.")
    minimum = settings.get("minRequiredApprovers") or 0
    if not 0 <= minimum <= len(approvers):
        raise bad_argument(f"minRequiredApprovers {minimum} is not valid for {len(approvers)} approvers.")
    # Refuses who is not there.
    known = [identities.reference(call.draft, one, call.organization_url)["id"] for one in approvers]
    return {
        "approvers": [{"id": one} for one in known],
        "executionOrder": settings.get("executionOrder") or "anyOrder",
        "instructions": settings.get("instructions") or "",
        "blockedApprovers": settings.get("blockedApprovers") or [],
        "minRequiredApprovers": minimum,
        "requesterCannotBeApprover": bool(settings.get("requesterCannotBeApprover")),
    }


def _known(call: Call, project: Json) -> Json:
    number = call.number("id")
    check = call.draft.table("checks").get(str(number))
    if check is None or check["projectId"] != project["id"]:
        raise _refusal(
            404, "CheckConfigurationNotFoundException", f"Check configuration with id {number} does not exist."
        )
    return check


def _wire(call: Call, check: Json, *, whole: bool) -> Json:
    url = f"{call.organization_url}/{check['projectId']}/_apis/pipelines/checks/configurations/{check['id']}"
    answer: Json = {
        "id": check["id"],
        "version": check["version"],
        "type": {"id": check["type"], "name": TYPES[check["type"]]},
        "url": url,
        "_links": {"self": {"href": url}},
        "resource": check["resource"],
        "createdBy": identities.reference(call.draft, check["createdBy"], call.organization_url),
        "createdOn": check["createdOn"],
        "modifiedBy": identities.reference(call.draft, check["modifiedBy"], call.organization_url),
        "modifiedOn": check["modifiedOn"],
        "timeout": check["timeout"],
    }
    if not whole:
        return answer
    settings: dict[str, Any] = dict(check["settings"])
    if check["type"] == APPROVAL:
        settings["approvers"] = [
            identities.reference(call.draft, one["id"], call.organization_url) for one in settings["approvers"]
        ]
    return answer | {"settings": settings}


def _refusal(status: int, type_key: str, message: str) -> ServiceError:
    return ServiceError(status, type_key, message, namespace="Microsoft.Azure.Pipelines.Checks.WebApi")
