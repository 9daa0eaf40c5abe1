"""New projects, and the operations by which they are created."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.azure_devops import clock, git, identities, locations, pools, shapes
from sandbox.azure_devops.errors import ServiceError, bad_argument
from sandbox.azure_devops.projects import BASIC, PROCESSES
from sandbox.azure_devops.protocol import Reply, Router

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

router = Router()


def add(draft: Draft, name: str, description: str = "", process: str = BASIC) -> Json:
    """Create a project as the service does: with its groups, its agent queues and a repository of its name."""
    project: Json = {
        "id": clock.guid(),
        "name": name,
        "description": description,
        "state": "wellFormed",
        "revision": 11,
        "visibility": "private",
        "lastUpdateTime": clock.now(),
        "process": process,
    }
    draft.table("projects")[project["id"]] = project
    identities.seed_project(draft, project)
    pools.seed_project(draft, project)
    git.add(draft, project, name, initialize=True)
    return project


@router.on(locations.PROJECTS, "POST", "vso.project_manage", shape=shapes.PROJECT)
def create(call: Call) -> object:
    """Create a project; answers 202 with an operation, which is done at once here."""
    body = call.object()
    name = str(body.get("name") or "").strip()
    if not name:
        raise bad_argument("TF200019: The project name is empty. Give the project a name.")
    if any(one["name"].lower() == name.lower() for one in call.draft.table("projects").values()):
        raise ServiceError(
            400,
            "ProjectAlreadyExistsException",
            f"TF200019: The following project already exists on the Azure DevOps Server: {name}. You cannot create a "
            "new project with the same name as an existing project. Provide a different name.",
            namespace="Microsoft.TeamFoundation.Core.WebApi",
        )
    process = ((body.get("capabilities") or {}).get("processTemplate") or {}).get("templateTypeId") or BASIC
    add(call.draft, name, str(body.get("description") or ""), process if process in PROCESSES else BASIC)
    operation = {"id": clock.guid(), "status": "succeeded"}
    call.draft.table("operations")[operation["id"]] = operation
    return Reply(202, {**operation, "url": f"{call.organization_url}/_apis/operations/{operation['id']}"})


@router.on(locations.OPERATIONS, "GET")
def operation(call: Call) -> Json:
    """Give the state of an operation by its id."""
    wanted = call.values.get("operationId", "").lower()
    known = call.draft.table("operations").get(wanted)
    if known is None:
        raise ServiceError(
            404,
            "OperationNotFoundException",
            f"The operation '{wanted}' does not exist.",
            namespace="Microsoft.VisualStudio.Services.Operations",
        )
    return {**known, "url": f"{call.organization_url}/_apis/operations/{wanted}"}
