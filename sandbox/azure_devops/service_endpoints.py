"""Service endpoints, which its pages call service connections: how a project's pipelines reach other services.

https://learn.microsoft.com/rest/api/azure/devops/serviceendpoint/endpoints: reading is under the project, writing under
the organisation. A secret parameter goes in and is never given back: it is shown as null, and keeps its value when it
is sent as null or "".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.azure_devops import checks, clock, identities, locations, permissions, projects, shapes
from sandbox.azure_devops.errors import ServiceError, bad_argument
from sandbox.azure_devops.protocol import NO_CONTENT, Reply, Router
from sandbox.azure_devops.store import SECRET_ID

if TYPE_CHECKING:
    from azure_pipelines.model import Job
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

router = Router()
TYPE = "endpoint"
_SECRETS = frozenset({"password", "sessiontoken", "apitoken", "serviceprincipalkey", "accesstoken"})
"""Parameters that are secrets, in small letters."""


def by_name(draft: Draft, project: Json, name: str) -> Json | None:
    """Return a project's endpoint by the name that it has there."""
    for endpoint in draft.table("serviceEndpoints").values():
        if endpoint["projects"].get(project["id"], {}).get("name", "").lower() == name.lower():
            return endpoint
    return None


INPUTS = {"AWSShellScript": "awsCredentials"}
"""The input that names a service connection, by the tasks that take one."""


def named_in(job: Job) -> list[str]:
    """Return the service connections that a job's steps name."""
    found = [step.inputs.get(INPUTS.get(step.task.partition("@")[0], ""), "") for step in job.steps]
    return list(dict.fromkeys(filter(None, found)))


def may_use(draft: Draft, project: Json, definition_id: int, name: str) -> Json | None:
    """Return the endpoint of a name if it is there and the pipeline may use it, else None."""
    found = by_name(draft, project, name)
    if found is None or not permissions.allowed(draft, project["id"], TYPE, found["id"], definition_id):
        return None
    return found


def refused(name: str) -> str:
    """Return the service's words for an endpoint that a pipeline may not use, or that is not there."""
    return (
        f"The pipeline is not valid. There was a resource authorization issue: the service connection {name} could not "
        "be found. The service connection does not exist, has been disabled or has not been authorized for use. For "
        "authorization details, refer to https://aka.ms/yamlauthz."
    )


def by_id(draft: Draft, project: Json, endpoint_id: str) -> Json | None:
    """Return a project's endpoint by its id."""
    endpoint = draft.table("serviceEndpoints").get(endpoint_id.lower())
    return endpoint if endpoint and project["id"] in endpoint["projects"] else None


@router.on(locations.PROJECT_SERVICE_ENDPOINTS, "GET", "vso.serviceendpoint")
def get(call: Call) -> object:
    """Give an endpoint by its id (null for an unknown one), or list the project's (`endpointNames`, `type`)."""
    project = projects.of(call)
    if "endpointId" in call.values:
        found = by_id(call.draft, project, call.values["endpointId"])
        return Reply(200, None) if found is None else _wire(call, found, project)
    names = [name.lower() for name in call.query.get("endpointnames", "").split(",") if name]
    kind = call.query.get("type", "").lower()
    return [
        _wire(call, one, project)
        for one in call.draft.table("serviceEndpoints").values()
        if project["id"] in one["projects"]
        and (not names or one["projects"][project["id"]]["name"].lower() in names)
        and kind in {"", one["type"].lower()}
    ]


@router.on(locations.SERVICE_ENDPOINTS, "POST", "vso.serviceendpoint_manage", shape=shapes.SERVICE_ENDPOINT)
def create(call: Call) -> Json:
    """Create an endpoint; its name has to be free in each project that it references."""
    endpoint: Json = {
        "id": clock.guid(),
        "createdBy": call.caller.identity_id,
        "creationDate": clock.now(),
        "parameters": {},
    }
    _fill(call, endpoint, call.object())
    call.draft.table("serviceEndpoints")[endpoint["id"]] = endpoint
    for project_id in endpoint["projects"]:
        permissions.created(call, project_id, TYPE, endpoint["id"])
    return _wire(call, endpoint, None)


@router.on(locations.SERVICE_ENDPOINTS, "PUT", "vso.serviceendpoint_manage", shape=shapes.SERVICE_ENDPOINT)
def update(call: Call) -> Json:
    """Replace an endpoint."""
    endpoint = _known(call)
    _fill(call, endpoint, call.object())
    return _wire(call, endpoint, None)


@router.on(locations.SERVICE_ENDPOINTS, "DELETE", "vso.serviceendpoint_manage")
def delete(call: Call) -> Reply:
    """Take an endpoint out of the projects of `projectIds`; out of all of them, it is deleted."""
    endpoint = _known(call)
    wanted = [project for project in call.query.get("projectids", "").split(",") if project]
    if not wanted:
        raise bad_argument("Project ids cannot be empty.")
    for name_or_id in wanted:
        project_id = projects.find(call.draft, name_or_id)["id"]
        endpoint["projects"].pop(project_id, None)
        permissions.forget(call.draft, project_id, TYPE, endpoint["id"])
        checks.forget(call.draft, project_id, TYPE, endpoint["id"])
    if not endpoint["projects"]:
        del call.draft.table("serviceEndpoints")[endpoint["id"]]
    return NO_CONTENT


def parameters(draft: Draft, endpoint: Json) -> dict[str, str]:
    """Return the authorization's parameters with their secrets. Only an agent gets this."""
    return {
        name: draft.secret(value[SECRET_ID]) if isinstance(value, dict) else value
        for name, value in endpoint["parameters"].items()
    }


def _fill(call: Call, endpoint: Json, body: Json) -> None:
    for name in ("name", "type", "url"):
        if not str(body.get(name) or "").strip():
            raise bad_argument(f"Service connection {name} cannot be null or empty.")
    authorization = body.get("authorization") or {}
    if not authorization.get("scheme"):
        raise bad_argument("Service connection authorization scheme cannot be null or empty.")
    references = body.get("serviceEndpointProjectReferences") or []
    if not references:
        raise bad_argument("Service connection project references cannot be empty.")
    endpoint["projects"] = _projects(call, references, endpoint["id"])
    for name in ("name", "type", "url"):
        endpoint[name] = body[name]
    endpoint["description"] = str(body.get("description") or "")
    endpoint["scheme"] = authorization["scheme"]
    endpoint["data"] = body.get("data") or {}
    endpoint["parameters"] = _kept(call.draft, authorization.get("parameters") or {}, endpoint["parameters"])


def _kept(draft: Draft, given: Json, before: Json) -> Json:
    after: Json = {}
    for name, value in given.items():
        if name.lower() not in _SECRETS or not (value or name in before):
            after[name] = value
        elif value:
            after[name] = {SECRET_ID: draft.keep_secret(str(value))}
        else:
            after[name] = before[name]
    return after


def _projects(call: Call, references: list[Any], endpoint_id: str) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for one in references:
        wanted = one.get("projectReference") or {}
        project = projects.find(call.draft, str(wanted.get("id") or wanted.get("name") or ""))
        name = str(one.get("name") or "")
        taken = by_name(call.draft, project, name)
        if not name or (taken is not None and taken["id"] != endpoint_id):
            raise ServiceError(
                409,
                "DuplicateServiceConnectionException",
                f"Service connection with name {name} already exists. Only a user having Administrator/User role "
                f"permissions on service connection {name} can see it.",
                namespace="Microsoft.VisualStudio.Services.ServiceEndpoints.WebApi",
            )
        found[project["id"]] = {"name": name, "description": str(one.get("description") or "")}
    return found


def _known(call: Call) -> Json:
    endpoint = call.draft.table("serviceEndpoints").get(call.values.get("endpointId", "").lower())
    if endpoint is None:
        raise ServiceError(
            404,
            "ServiceEndpointNotFoundException",
            f"Service connection with id {call.values.get('endpointId', '')} was not found.",
            namespace="Microsoft.VisualStudio.Services.ServiceEndpoints.WebApi",
        )
    return endpoint


def _wire(call: Call, endpoint: Json, project: Json | None) -> Json:
    here = endpoint["projects"][project["id"]] if project else endpoint
    return {
        "id": endpoint["id"],
        "name": here["name"],
        "type": endpoint["type"],
        "url": endpoint["url"],
        "description": here["description"],
        "data": endpoint["data"],
        "authorization": {
            "scheme": endpoint["scheme"],
            "parameters": {
                name: None if isinstance(value, dict) or name.lower() in _SECRETS else value
                for name, value in endpoint["parameters"].items()
            },
        },
        "createdBy": identities.reference(call.draft, endpoint["createdBy"], call.organization_url),
        "creationDate": endpoint["creationDate"],
        "isReady": True,
        "isShared": len(endpoint["projects"]) > 1,
        "owner": "Library",
        "serviceEndpointProjectReferences": [
            {
                "projectReference": {"id": project_id, "name": call.draft.table("projects")[project_id]["name"]},
                "name": shared["name"],
                "description": shared["description"],
            }
            for project_id, shared in endpoint["projects"].items()
        ],
    }
