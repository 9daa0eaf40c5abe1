"""Which pipelines may use a protected resource: all of the project, or one by one.

Two APIs on one truth: `build/authorizedresources` (only "all pipelines") and `pipelines/pipelinePermissions`
(https://learn.microsoft.com/rest/api/azure/devops/approvalsandchecks/pipeline-permissions). A new resource is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.azure_devops import clock, identities, locations, projects, shapes
from sandbox.azure_devops.errors import ServiceError, bad_argument, build
from sandbox.azure_devops.protocol import Router

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

router = Router()

TYPES = ("agentpool", "endpoint", "environment", "queue", "repository", "securefile", "variablegroup")


def allowed(draft: Draft, project_id: str, kind: str, resource_id: str, definition_id: int) -> bool:
    """Tell whether a pipeline may use a resource: it is open to all, or to this pipeline."""
    entry = draft.table("permissions").get(_key(project_id, kind, resource_id), {})
    return bool(entry.get("all")) or str(definition_id) in entry.get("pipelines", {})


def exists(draft: Draft, project: Json, kind: str, resource_id: str) -> bool:
    """Tell whether a project has a resource; of the kinds that this service does not have, none exists."""
    tables = {
        "endpoint": "serviceEndpoints",
        "environment": "environments",
        "queue": "queues",
        "variablegroup": "variableGroups",
    }
    if kind == "repository":
        owner, _, repository_id = resource_id.rpartition(".")
        known = draft.table("repositories").get(repository_id)
        return known is not None and known["projectId"] == (owner or project["id"])
    known = draft.table(tables[kind]).get(resource_id) if kind in tables else None
    return known is not None and project["id"] in {known.get("projectId"), *known.get("projects", {})}


def created(call: Call, project_id: str, kind: str, resource_id: str) -> None:
    """Note a new resource: nothing may use it yet."""
    call.draft.table("permissions")[_key(project_id, kind, resource_id)] = {"all": None, "pipelines": {}}


def forget(draft: Draft, project_id: str, kind: str, resource_id: str) -> None:
    """Drop the permissions of a resource that is gone."""
    draft.table("permissions").pop(_key(project_id, kind, resource_id), None)


def forget_pipeline(draft: Draft, definition_id: int) -> None:
    """Drop the permissions of a pipeline that is gone."""
    for entry in draft.table("permissions").values():
        entry["pipelines"].pop(str(definition_id), None)


@router.on(locations.AUTHORIZED_RESOURCES, "GET", "vso.build")
def authorized_resources(call: Call) -> list[Json]:
    """List the resources that are open to all pipelines of the project (`type`, `id`)."""
    project = projects.of(call)
    found = []
    for key, entry in call.draft.table("permissions").items():
        project_id, kind, resource_id = key.split("/", 2)
        wanted = call.query.get("type", kind).lower() == kind and call.query.get("id", resource_id) == resource_id
        if project_id == project["id"] and wanted and entry["all"]:
            found.append({"type": kind, "id": resource_id, "name": entry.get("name", ""), "authorized": True})
    return found


@router.on(locations.AUTHORIZED_RESOURCES, "PATCH", "vso.build_execute", shape=shapes.RESOURCES)
def authorize_resources(call: Call) -> list[Json]:
    """Open resources to all pipelines of the project, or close them: body `[{"type", "id", "name", "authorized"}]`."""
    project = projects.of(call)
    if not isinstance(call.body, list):
        raise bad_argument("A JSON array of resources is expected: [{type, id, name, authorized}].")
    answer = []
    for one in call.body:
        kind, resource_id = _kind(one.get("type")), str(one.get("id") or "")
        entry = _entry(call.draft, project, kind, resource_id, opened=bool(one.get("authorized")))
        entry["all"] = _stamp(call) if one.get("authorized") else None
        if one.get("name"):
            entry["name"] = one["name"]
        answer.append(
            {"type": kind, "id": resource_id, "name": entry.get("name", ""), "authorized": bool(one.get("authorized"))}
        )
    return answer


@router.on(locations.DEFINITION_RESOURCES, "GET", "vso.build")
def definition_resources(call: Call) -> list[Json]:
    """List the resources that one pipeline was permitted to use."""
    project, number = projects.of(call), str(call.number("definitionId"))
    found = []
    for key, entry in call.draft.table("permissions").items():
        project_id, kind, resource_id = key.split("/", 2)
        if project_id == project["id"] and number in entry["pipelines"]:
            found.append({"type": kind, "id": resource_id, "name": entry.get("name", ""), "authorized": True})
    return found


@router.on(locations.DEFINITION_RESOURCES, "PATCH", "vso.build_execute", shape=shapes.RESOURCES)
def authorize_definition_resources(call: Call) -> list[Json]:
    """Permit one pipeline to use resources, or forbid it: body `[{"type", "id", "name", "authorized"}]`."""
    project, number = projects.of(call), call.number("definitionId")
    if not isinstance(call.body, list):
        raise bad_argument("A JSON array of resources is expected: [{type, id, name, authorized}].")
    for one in call.body:
        change = {"pipelines": [{"id": number, "authorized": bool(one.get("authorized"))}]}
        _change(call, project, one.get("type"), str(one.get("id") or ""), change)
    return [{**one, "authorized": bool(one.get("authorized"))} for one in call.body]


@router.on(locations.PIPELINE_PERMISSIONS, "GET", "vso.pipelineresources_use", "vso.build")
def get(call: Call) -> Json:
    """Give the permissions of one resource."""
    project = projects.of(call)
    kind, resource_id = _kind(call.values.get("resourceType")), call.values.get("resourceId", "")
    return _wire(
        call, kind, resource_id, call.draft.table("permissions").get(_key(project["id"], kind, resource_id), {})
    )


@router.on(locations.PIPELINE_PERMISSIONS, "PATCH", "vso.pipelineresources_manage", shape=shapes.PERMISSIONS)
def update(call: Call) -> object:
    """Change the permissions of the resource of the route; without one, of each resource of the body's list.

    What the body does not name stays as it is: `{"allPipelines": {"authorized"}, "pipelines": [{"id", "authorized"}]}`.
    """
    project = projects.of(call)
    if "resourceType" in call.values:
        return _change(call, project, call.values["resourceType"], call.values.get("resourceId", ""), call.object())
    if not isinstance(call.body, list):
        raise bad_argument("A JSON array of resource permissions is expected.")
    return [
        _change(call, project, one["resource"].get("type"), str(one["resource"].get("id")), one) for one in call.body
    ]


def _change(call: Call, project: Json, kind: Any, resource_id: str, body: Json) -> Json:
    kind = _kind(kind)
    everyone, single = body.get("allPipelines"), body.get("pipelines") or []
    opened = any(one.get("authorized") for one in [everyone or {}, *single])
    entry = _entry(call.draft, project, kind, resource_id, opened=opened)
    if isinstance(everyone, dict):
        entry["all"] = _stamp(call) if everyone.get("authorized") else None
    for one in single:
        definition = call.draft.table("definitions").get(str(one.get("id")))
        if one.get("authorized") and (definition is None or definition["projectId"] != project["id"]):
            raise build(404, "DefinitionNotFoundException", f"Build definition {one.get('id')} does not exist.")
        if one.get("authorized"):
            entry["pipelines"].setdefault(str(one["id"]), _stamp(call))
        else:
            entry["pipelines"].pop(str(one.get("id")), None)
    return _wire(call, kind, resource_id, entry)


def _entry(draft: Draft, project: Json, kind: str, resource_id: str, *, opened: bool) -> Json:
    # Closing what is gone is no error: whoever destroys a permission after its resource gets on.
    if opened and not exists(draft, project, kind, resource_id):
        raise ServiceError(
            404,
            "ResourceNotFoundException",
            f"The resource {kind} with id {resource_id} does not exist in project {project['name']}.",
            namespace="Microsoft.Azure.Pipelines.Authorization.WebApi",
        )
    entry: Json = {"all": None, "pipelines": {}}
    known, key = draft.table("permissions"), _key(project["id"], kind, resource_id)
    return known.setdefault(key, entry) if opened else known.get(key, entry)


def _wire(call: Call, kind: str, resource_id: str, entry: Json) -> Json:
    def permission(stamp: Json) -> Json:
        by = identities.reference(call.draft, stamp["by"], call.organization_url)
        return {"authorized": True, "authorizedBy": by, "authorizedOn": stamp["on"]}

    answer: Json = {"resource": {"type": kind, "id": resource_id}}
    if entry.get("all"):
        answer["allPipelines"] = permission(entry["all"])
    pipelines = entry.get("pipelines", {})
    return answer | {"pipelines": [{"id": int(number), **permission(stamp)} for number, stamp in pipelines.items()]}


def _kind(kind: Any) -> str:
    if str(kind).lower() not in TYPES:
        raise bad_argument(f"The resource type '{kind}' is not supported. Supported: {', '.join(TYPES)}.")
    return str(kind).lower()


def _stamp(call: Call) -> Json:
    return {"by": call.caller.identity_id, "on": clock.now()}


def _key(project_id: str, kind: str, resource_id: str) -> str:
    return f"{project_id}/{kind}/{resource_id}"
