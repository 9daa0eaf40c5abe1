"""Projects and the processes that they follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.azure_devops import locations
from sandbox.azure_devops.errors import ServiceError
from sandbox.azure_devops.protocol import Router

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

router = Router()

# The system processes have the same ids in every organisation.
PROCESSES = {
    "b8a3a935-7e91-48b8-a94c-606d37c3e9f2": "Basic",
    "adcc42ab-9882-485e-a3ed-7678f01f66bc": "Agile",
    "6b724908-ef14-45cf-84f8-768b5384da45": "Scrum",
    "27450541-8e31-4150-9947-dc59f998fc01": "CMMI",
}
BASIC = next(iter(PROCESSES))


def of(call: Call) -> Json:
    """Return the project that the route names, by name or by id."""
    return find(call.draft, call.values["project"])


def find(draft: Draft, name_or_id: str) -> Json:
    """Return a project, or raise the service's 404."""
    wanted = name_or_id.lower()
    for project in draft.table("projects").values():
        if wanted in {project["id"], project["name"].lower()}:
            return project
    if _is_guid(wanted):
        raise ServiceError(
            404,
            "ProjectDoesNotExistException",
            f"VS800075: The project with id 'vstfs:///Classification/TeamProject/{wanted}' does not exist, or you do "
            "not have permission to access it.",
            namespace="Microsoft.TeamFoundation.Core.WebApi",
        )
    raise ServiceError(
        404,
        "ProjectDoesNotExistWithNameException",
        f"TF200016: The following project does not exist: {name_or_id}. Verify that the name of the project is "
        "correct and that the project exists on the specified Azure DevOps Server.",
        namespace="Microsoft.TeamFoundation.Core.WebApi",
    )


def reference(call: Call, project: Json) -> Json:
    """Return a TeamProjectReference: how a project appears in lists and other objects."""
    return {
        "id": project["id"],
        "name": project["name"],
        "description": project["description"],
        "url": f"{call.organization_url}/_apis/projects/{project['id']}",
        "state": project["state"],
        "revision": project["revision"],
        "visibility": project["visibility"],
        "lastUpdateTime": project["lastUpdateTime"],
    }


@router.on(locations.PROJECTS, "GET", "vso.project")
def get(call: Call) -> object:
    """Give a project by name or id, with its capabilities when asked; or list them (`$top`, `$skip`, `stateFilter`)."""
    if "projectId" not in call.values:
        state = call.query.get("statefilter", "wellformed").lower()
        known = [one for one in call.draft.table("projects").values() if state in {"all", one["state"].lower()}]
        return call.page(known, 100, lambda one: reference(call, one), call.limit("$skip", 0))
    project = find(call.draft, call.values["projectId"])
    answer = reference(call, project)
    answer["_links"] = {
        "self": {"href": answer["url"]},
        "collection": {"href": f"{call.organization_url}/_apis/projectCollections/{call.draft.state['instanceId']}"},
        "web": {"href": f"{call.organization_url}/{project['name']}"},
    }
    if call.query.get("includecapabilities", "").lower() == "true":
        answer["capabilities"] = {
            "processTemplate": {"templateName": PROCESSES[project["process"]], "templateTypeId": project["process"]},
            "versioncontrol": {"sourceControlType": "Git", "gitEnabled": "True", "tfvcEnabled": "False"},
        }
    return answer


@router.on(locations.PROCESSES, "GET", "vso.project", "vso.work")
def processes(call: Call) -> object:
    """List the processes, or give one by its id."""
    wanted = call.values.get("processId", "").lower()
    if not wanted:
        return [_process(call, process_id) for process_id in PROCESSES]
    if wanted not in PROCESSES:
        raise ServiceError(
            404,
            "ProcessDoesNotExistException",
            f"VS402362: Process with id '{wanted}' does not exist.",
            namespace="Microsoft.TeamFoundation.Core.WebApi",
        )
    return _process(call, wanted)


def _process(call: Call, process_id: str) -> Json:
    return {
        "id": process_id,
        "name": PROCESSES[process_id],
        "description": f"The {PROCESSES[process_id]} process.",
        "isDefault": process_id == BASIC,
        "type": "system",
        "url": f"{call.organization_url}/_apis/process/processes/{process_id}",
    }


def _is_guid(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4 and all(char in "0123456789abcdef-" for char in text)
