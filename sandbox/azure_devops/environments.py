"""Environments: what deployment jobs deploy to, and what approvals and locks are set on.

https://learn.microsoft.com/rest/api/azure/devops/environments
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.azure_devops import checks, clock, identities, locations, permissions, projects, shapes
from sandbox.azure_devops.errors import bad_argument, distributed_task
from sandbox.azure_devops.protocol import NO_CONTENT, Reply, Router

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

router = Router()
TYPE = "environment"


def by_name(draft: Draft, project: Json, name: str) -> Json | None:
    """Return a project's environment by its name."""
    for environment in draft.table("environments").values():
        if environment["projectId"] == project["id"] and environment["name"].lower() == name.lower():
            return environment
    return None


@router.on(locations.ENVIRONMENTS, "GET", "vso.environment_manage", "vso.build")
def get(call: Call) -> object:
    """Give an environment by its id, or list the project's (`name`, `$top`)."""
    project = projects.of(call)
    if "environmentId" in call.values:
        return wire(call, _known(call, project))
    name = call.query.get("name", "").lower()
    found = [
        one
        for one in call.draft.table("environments").values()
        if one["projectId"] == project["id"] and (not name or one["name"].lower() == name)
    ]
    return call.page(found, 10000, lambda one: wire(call, one))


@router.on(locations.ENVIRONMENTS, "POST", "vso.environment_manage", shape=shapes.ENVIRONMENT)
def create(call: Call) -> Json:
    """Create an environment: body `{"name", "description"}`."""
    project = projects.of(call)
    body = call.object()
    name = _name(call, project, body.get("name"))
    number = call.draft.next_id("environment")
    environment: Json = {
        "id": number,
        "projectId": project["id"],
        "name": name,
        "description": str(body.get("description") or ""),
        "createdBy": call.caller.identity_id,
        "createdOn": clock.now(),
    }
    _touch(call, environment)
    call.draft.table("environments")[str(number)] = environment
    permissions.created(call, project["id"], TYPE, str(number))
    return wire(call, environment)


@router.on(locations.ENVIRONMENTS, "PATCH", "vso.environment_manage", shape=shapes.ENVIRONMENT)
def update(call: Call) -> Json:
    """Change an environment's name or description."""
    project = projects.of(call)
    environment = _known(call, project)
    body = call.object()
    if body.get("name") is not None:
        environment["name"] = _name(call, project, body["name"], but=environment["id"])
    if body.get("description") is not None:
        environment["description"] = str(body["description"])
    _touch(call, environment)
    return wire(call, environment)


@router.on(locations.ENVIRONMENTS, "DELETE", "vso.environment_manage")
def delete(call: Call) -> Reply:
    """Delete an environment with its checks and permissions."""
    project = projects.of(call)
    environment = _known(call, project)
    del call.draft.table("environments")[str(environment["id"])]
    permissions.forget(call.draft, project["id"], TYPE, str(environment["id"]))
    checks.forget(call.draft, project["id"], TYPE, str(environment["id"]))
    return NO_CONTENT


def wire(call: Call, environment: Json) -> Json:
    """Return an environment as the API shows it."""
    project = call.draft.table("projects")[environment["projectId"]]
    return {
        "id": environment["id"],
        "name": environment["name"],
        "description": environment["description"],
        "createdBy": identities.reference(call.draft, environment["createdBy"], call.organization_url),
        "createdOn": environment["createdOn"],
        "lastModifiedBy": identities.reference(call.draft, environment["lastModifiedBy"], call.organization_url),
        "lastModifiedOn": environment["lastModifiedOn"],
        "resources": [],
        "project": {"id": project["id"], "name": project["name"]},
    }


def _known(call: Call, project: Json) -> Json:
    number = call.number("environmentId")
    environment = call.draft.table("environments").get(str(number))
    if environment is None or environment["projectId"] != project["id"]:
        raise distributed_task(404, "EnvironmentNotFoundException", f"Environment with ID {number} does not exist.")
    return environment


def _name(call: Call, project: Json, name: Any, *, but: int = 0) -> str:
    text = str(name or "")
    if not text.strip() or len(text) > 128 or any(char in text for char in '"/\\[]:|<>+=;?*,'):
        raise bad_argument(
            f"The environment name '{text}' is not valid: 1 to 128 characters, none of \" / \\ [ ] : | < > + = ; ? * ,"
        )
    other = by_name(call.draft, project, text)
    if other is not None and other["id"] != but:
        raise distributed_task(
            409, "EnvironmentExistsException", f"Environment {text} already exists in project {project['name']}."
        )
    return text


def _touch(call: Call, environment: Json) -> None:
    environment["lastModifiedBy"], environment["lastModifiedOn"] = call.caller.identity_id, clock.now()
