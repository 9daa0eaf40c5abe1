"""Variable groups: what a project's pipelines share; a secret's value goes in and is never given back.

https://learn.microsoft.com/rest/api/azure/devops/distributedtask/variablegroups: reading is under the project, writing
under the organisation. Measured at the service by others and kept here: an unknown id is read as `200` with `null`; a
secret whose value is sent as null, as "" or not at all keeps its value; deletion answers 204.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.azure_devops import clock, identities, locations, permissions, projects, shapes, variables
from sandbox.azure_devops.errors import bad_argument, distributed_task
from sandbox.azure_devops.protocol import NO_CONTENT, Reply, Router

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

router = Router()
TYPE = "variablegroup"


def in_project(draft: Draft, project: Json) -> list[Json]:
    """Return the groups that a project has or shares."""
    return [group for group in draft.table("variableGroups").values() if project["id"] in group["projects"]]


def by_id(draft: Draft, project: Json, number: int) -> Json | None:
    """Return a project's group by its id."""
    group = draft.table("variableGroups").get(str(number))
    return group if group and project["id"] in group["projects"] else None


def by_name(draft: Draft, project: Json, name: str) -> Json | None:
    """Return a project's group by the name that it has there."""
    for group in in_project(draft, project):
        if group["projects"][project["id"]]["name"].lower() == name.lower():
            return group
    return None


@router.on(locations.PROJECT_VARIABLE_GROUPS, "GET", "vso.variablegroups_read")
def get(call: Call) -> object:
    """Give a group by its id; or list the project's (`groupName`, also with a trailing `*`; `groupIds`; `$top`)."""
    project = projects.of(call)
    if "groupId" in call.values:
        group = by_id(call.draft, project, call.number("groupId"))
        return Reply(200, None) if group is None else _wire(call, group)
    found = in_project(call.draft, project)
    if ids := call.query.get("groupids"):
        found = [group for group in found if str(group["id"]) in ids.split(",")]
    if name := call.query.get("groupname", "").lower():
        found = [group for group in found if _named(group["projects"][project["id"]]["name"].lower(), name)]
    found.sort(key=lambda group: int(group["id"]), reverse=call.query.get("queryorder", "").lower() != "idascending")
    return call.page(found, 10000, lambda group: _wire(call, group))


@router.on(locations.VARIABLE_GROUPS, "POST", "vso.variablegroups_manage", shape=shapes.VARIABLE_GROUP)
def create(call: Call) -> Json:
    """Create a group; its name has to be free in each project that it references."""
    body = call.object()
    number = call.draft.next_id("variableGroup")
    now = clock.now()
    group: Json = {"id": number, "createdBy": call.caller.identity_id, "createdOn": now, "variables": {}}
    _fill(call, group, body)
    call.draft.table("variableGroups")[str(number)] = group
    for project_id in group["projects"]:
        permissions.created(call, project_id, TYPE, str(number))
    return _wire(call, group)


@router.on(locations.VARIABLE_GROUPS, "PUT", "vso.variablegroups_manage", shape=shapes.VARIABLE_GROUP)
def update(call: Call) -> Json:
    """Replace a group: what the body does not name is gone, but for the values of secrets that it names."""
    group = _known(call)
    _fill(call, group, call.object())
    return _wire(call, group)


@router.on(locations.VARIABLE_GROUPS, "DELETE", "vso.variablegroups_manage")
def delete(call: Call) -> Reply:
    """Take a group out of the projects of `projectIds`; out of all of them, it is deleted for good."""
    group = _known(call)
    wanted = [project for project in call.query.get("projectids", "").split(",") if project]
    if not wanted:
        raise bad_argument("Atleast one project id is required to delete a variable group: give projectIds.")
    for name_or_id in wanted:
        project = projects.find(call.draft, name_or_id)
        group["projects"].pop(project["id"], None)
        permissions.forget(call.draft, project["id"], TYPE, str(group["id"]))
    if not group["projects"]:
        del call.draft.table("variableGroups")[str(group["id"])]
    return NO_CONTENT


def _fill(call: Call, group: Json, body: Json) -> None:
    name = str(body.get("name") or "").strip()
    if not name:
        raise bad_argument("Variable group name cannot be null or empty.")
    given = body.get("variables")
    if not isinstance(given, dict) or not given:
        raise bad_argument("Variable group must have at least one variable defined.")
    references = body.get("variableGroupProjectReferences")
    if not isinstance(references, list) or not references:
        raise bad_argument("Atleast one variable group project reference is required")
    group["projects"] = _projects(call, references, group["id"])
    group["name"] = name
    group["description"] = body.get("description")
    group["type"] = body.get("type") or "Vsts"
    group["providerData"] = body.get("providerData")
    group["variables"] = variables.kept(call.draft, given, group["variables"])
    group["modifiedBy"] = call.caller.identity_id
    group["modifiedOn"] = clock.now()


def _projects(call: Call, references: list[Any], group_id: int) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for one in references:
        wanted = (one.get("projectReference") or {}) if isinstance(one, dict) else {}
        if not (wanted.get("id") or wanted.get("name")) or not one.get("name"):
            raise bad_argument("Project information name is not valid for variable group.")
        project = projects.find(call.draft, str(wanted.get("id") or wanted["name"]))
        taken = by_name(call.draft, project, one["name"])
        if taken is not None and taken["id"] != group_id:
            raise distributed_task(
                409,
                "VariableGroupExistsException",
                f"Variable group {one['name']} already exists in project {project['name']}. Use a different name.",
            )
        found[project["id"]] = {"name": one["name"], "description": one.get("description")}
    return found


def _known(call: Call) -> Json:
    group = call.draft.table("variableGroups").get(call.values.get("groupId", ""))
    if group is None:
        raise distributed_task(
            404,
            "VariableGroupNotFoundException",
            f"Variable group with ID {call.values.get('groupId')} does not exist.",
        )
    return group


def _named(name: str, wanted: str) -> bool:
    return name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted


def _wire(call: Call, group: Json) -> Json:
    references = [
        {
            "projectReference": {"id": project_id, "name": call.draft.table("projects")[project_id]["name"]},
            "name": shared["name"],
            "description": shared["description"],
        }
        for project_id, shared in group["projects"].items()
    ]
    answer: Json = {
        "variables": variables.shown(group["variables"]),
        "id": group["id"],
        "type": group["type"],
        "name": group["name"],
        "createdBy": identities.reference(call.draft, group["createdBy"], call.organization_url),
        "createdOn": group["createdOn"],
        "modifiedBy": identities.reference(call.draft, group["modifiedBy"], call.organization_url),
        "modifiedOn": group["modifiedOn"],
        "isShared": len(references) > 1,
        "variableGroupProjectReferences": references,
    }
    # The service leaves fields without a value out.
    return answer | {name: group[name] for name in ("description", "providerData") if group[name] is not None}
