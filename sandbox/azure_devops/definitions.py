"""Build definitions: the pipelines of a project, each on a YAML file of an Azure Repos repository.

https://learn.microsoft.com/rest/api/azure/devops/build/definitions. Definitions on other repositories (GitHub and so
on) need service connections, which this service does not have; they are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.azure_devops import (
    clock,
    git,
    identities,
    locations,
    permissions,
    pools,
    projects,
    shapes,
    variable_groups,
    variables,
)
from sandbox.azure_devops.errors import bad_argument, build
from sandbox.azure_devops.protocol import NO_CONTENT, Reply, Router

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

router = Router()

# Kept as they are sent; the defaults are the service's.
_PLAIN: Json = {
    "badgeEnabled": False,
    "buildNumberFormat": "$(date:yyyyMMdd)$(rev:.r)",
    "comment": None,
    "demands": [],
    "description": None,
    "jobAuthorizationScope": "projectCollection",
    "jobCancelTimeoutInMinutes": 5,
    "jobTimeoutInMinutes": 60,
    "options": [],
    "properties": {},
    "quality": "definition",
    "queueStatus": "enabled",
    "retentionRules": [],
    "tags": [],
    "triggers": [],
}


def find(draft: Draft, project: Json, number: object) -> Json:
    """Return a definition of a project by its id, or raise the service's 404."""
    definition = draft.table("definitions").get(str(number))
    if definition is None or definition["projectId"] != project["id"]:
        raise build(
            404,
            "DefinitionNotFoundException",
            f"Build definition {number} does not exist or you do not have permission to view it.",
        )
    return definition


def reference(call: Call, definition: Json) -> Json:
    """Return a DefinitionReference: how a definition appears in lists and in builds."""
    project = call.draft.table("projects")[definition["projectId"]]
    return {
        "id": definition["id"],
        "name": definition["name"],
        "url": f"{call.organization_url}/{project['id']}/_apis/build/Definitions/{definition['id']}",
        "uri": f"vstfs:///Build/Definition/{definition['id']}",
        "path": definition["path"],
        "type": "build",
        "queueStatus": definition["queueStatus"],
        "revision": definition["revision"],
        "project": projects.reference(call, project),
        "createdDate": definition["createdDate"],
    }


@router.on(locations.DEFINITIONS, "GET", "vso.build")
def get(call: Call) -> object:
    """Give a definition by its id; or list them (`name`, also with a trailing `*`; `path`; `definitionIds`; `$top`)."""
    project = projects.of(call)
    if "definitionId" in call.values:
        return _wire(call, find(call.draft, project, call.number("definitionId")))
    found = [one for one in call.draft.table("definitions").values() if one["projectId"] == project["id"]]
    if name := call.query.get("name", "").lower():
        found = [
            one
            for one in found
            if one["name"].lower() == name or (name.endswith("*") and one["name"].lower().startswith(name[:-1]))
        ]
    if path := call.query.get("path"):
        found = [one for one in found if one["path"].lower() == path.lower()]
    if ids := call.query.get("definitionids"):
        found = [one for one in found if str(one["id"]) in ids.split(",")]
    whole = call.query.get("includeallproperties", "").lower() == "true"
    return call.page(found, 10000, lambda one: _wire(call, one) if whole else reference(call, one))


@router.on(locations.DEFINITIONS, "POST", "vso.build_execute", shape=shapes.DEFINITION)
def create(call: Call) -> Json:
    """Create a definition."""
    project = projects.of(call)
    number = call.draft.next_id("definition")
    definition: Json = {
        "id": number,
        "projectId": project["id"],
        "revision": 1,
        "createdDate": clock.now(),
        "authoredBy": call.caller.identity_id,
        "variables": {},
    }
    _fill(call, project, definition, call.object())
    call.draft.table("definitions")[str(number)] = definition
    return _wire(call, definition)


@router.on(locations.DEFINITIONS, "PUT", "vso.build_execute", shape=shapes.DEFINITION)
def update(call: Call) -> Json:
    """Replace a definition; the body's revision has to be the present one, which is then counted up."""
    project = projects.of(call)
    definition = find(call.draft, project, call.number("definitionId"))
    body = call.object()
    if body.get("revision") != definition["revision"]:
        raise build(
            409,
            "InvalidDefinitionRevisionException",
            f"The definition {definition['name']} was changed meanwhile: revision {body.get('revision')} was sent, "
            f"{definition['revision']} is present. Read it again and repeat the change.",
        )
    _fill(call, project, definition, body)
    definition["revision"] += 1
    definition["createdDate"] = clock.now()
    return _wire(call, definition)


@router.on(locations.DEFINITIONS, "DELETE", "vso.build_execute")
def delete(call: Call) -> Reply:
    """Delete a definition with its builds; what it was allowed to use, it no longer is."""
    definition = find(call.draft, projects.of(call), call.number("definitionId"))
    del call.draft.table("definitions")[str(definition["id"])]
    builds = call.draft.table("builds")
    for number in [number for number, one in builds.items() if one["definitionId"] == definition["id"]]:
        del builds[number]
    permissions.forget_pipeline(call.draft, definition["id"])
    return NO_CONTENT


@router.on(locations.DEFINITION_REVISIONS, "GET", "vso.build")
def revisions(call: Call) -> list[Json]:
    """List the revisions of a definition."""
    definition = find(call.draft, projects.of(call), call.number("definitionId"))
    return [
        {
            "revision": one["revision"],
            "name": one["name"],
            "changedBy": identities.reference(call.draft, one["changedBy"], call.organization_url),
            "changedDate": one["changedDate"],
            "changeType": "add" if one["revision"] == 1 else "update",
            "comment": one["comment"],
        }
        for one in definition["revisions"]
    ]


def _fill(call: Call, project: Json, definition: Json, body: Json) -> None:
    path = "\\" + str(body.get("path") or "").strip("\\/")
    name = _name(call, project, definition["id"], path, body.get("name"))
    repository = _repository(call, project, body.get("repository") or {})
    yaml = (body.get("process") or {}).get("yamlFilename")
    if not yaml:
        raise bad_argument("The process of the definition has no yamlFilename; only YAML pipelines are supported here.")
    groups = [int(one["id"]) for one in body.get("variableGroups") or []]
    for number in groups:
        if variable_groups.by_id(call.draft, project, number) is None:
            raise build(400, "VariableGroupNotFoundException", f"Variable group with ID {number} does not exist.")
    definition |= {field: default if body.get(field) is None else body[field] for field, default in _PLAIN.items()}
    definition["triggers"] = [_trigger(each) for each in definition["triggers"]]
    definition |= {"name": name, "path": path, "repository": repository, "yaml": yaml, "variableGroups": groups}
    definition["queueId"] = _queue(call, project, body.get("queue") or {})
    definition["variables"] = variables.kept(call.draft, body.get("variables") or {}, definition["variables"])
    history = definition.setdefault("revisions", [])
    history.append(
        {
            "revision": len(history) + 1,
            "name": name,
            "changedBy": call.caller.identity_id,
            "changedDate": clock.now(),
            "comment": body.get("comment"),
        }
    )


def _trigger(given: Json) -> Json:
    """Filters are lists, also where null is sent: the real plugin sends that, and cannot read it back."""
    return {name: [] if name.endswith("Filters") and value is None else value for name, value in given.items()}


def _name(call: Call, project: Json, number: int, path: str, name: Any) -> str:
    text = str(name or "").strip()
    if not text or any(char in text for char in '\\/:*?"<>|@$') or text.endswith("."):
        raise build(400, "InvalidDefinitionException", f"The name of the build definition '{text}' is not valid.")
    for other in call.draft.table("definitions").values():
        same = (other["projectId"], other["path"].lower(), other["name"].lower())
        if same == (project["id"], path.lower(), text.lower()) and other["id"] != number:
            raise build(409, "DefinitionExistsException", f"The build definition {text} already exists in {path}.")
    return text


def _repository(call: Call, project: Json, given: Json) -> Json:
    if given.get("type") != "TfsGit":
        raise bad_argument(
            f"The repository type '{given.get('type')}' needs a service connection, which this service does not have. "
            "Use TfsGit, a repository of this organisation."
        )
    repository = git.find(call, project, str(given.get("id") or given.get("name") or ""))
    branch = str(given.get("defaultBranch") or repository["defaultBranch"] or "refs/heads/main")
    return {
        "id": repository["id"],
        "defaultBranch": branch if branch.startswith("refs/") else f"refs/heads/{branch}",
        "properties": {name: value for name, value in (given.get("properties") or {}).items() if value is not None},
        "clean": given.get("clean"),
        "checkoutSubmodules": bool(given.get("checkoutSubmodules")),
    }


def _queue(call: Call, project: Json, given: Json) -> int:
    if isinstance(given.get("id"), int):
        queue = pools.by_id(call.draft, project, given["id"])
    else:
        name = str(given.get("name") or (given.get("pool") or {}).get("name") or "Azure Pipelines")
        queue = pools.by_name(call.draft, project, name)
    if queue is None:
        raise build(
            400,
            "AgentPoolQueueNotFoundException",
            f"Could not find an agent queue {given.get('id') or given.get('name')} in project {project['name']}.",
        )
    return int(queue["id"])


def _wire(call: Call, definition: Json) -> Json:
    project = call.draft.table("projects")[definition["projectId"]]
    stored = call.draft.table("repositories").get(definition["repository"]["id"])
    repository = {**definition["repository"], "type": "TfsGit"}
    if stored is not None:
        shown = git.wire(call, stored)
        repository |= {"name": shown["name"], "url": shown["remoteUrl"]}
    groups = [variable_groups.by_id(call.draft, project, number) for number in definition["variableGroups"]]
    answer = {
        **reference(call, definition),
        **{field: definition[field] for field in _PLAIN if definition[field] is not None},
        "authoredBy": identities.reference(call.draft, definition["authoredBy"], call.organization_url),
        "drafts": [],
        "queue": pools.wire(call.draft.table("queues")[str(definition["queueId"])]),
        "repository": repository,
        "process": {"yamlFilename": definition["yaml"], "type": 2},
        "variables": variables.shown(definition["variables"]),
        "_links": {
            "self": {"href": reference(call, definition)["url"]},
            "web": {
                "href": f"{call.organization_url}/{project['name']}/_build/definition?definitionId={definition['id']}"
            },
        },
    }
    if groups:
        # A group that was deleted meanwhile is still shown, by its number alone.
        answer["variableGroups"] = [
            {"id": number}
            if group is None
            else {
                "id": number,
                "name": group["name"],
                "type": group["type"],
                "variables": variables.shown(group["variables"]),
            }
            for number, group in zip(definition["variableGroups"], groups, strict=True)
        ]
    return answer
