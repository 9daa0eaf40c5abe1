"""What is not public REST: the channel of a build agent, for tests that run a pipeline's steps as an agent would.

The service gives an agent its job with all variables and the job's token in one message that is not documented. Here:

- `POST {org}/{project}/_apis/sandbox/agent/jobs/{buildId}`, with the operator's token: takes a queued build, which is
  then in progress. Answer: `{"accessToken", "build": {...}, "variables": {name: {"value", "isSecret"}}}`; the token
  is the run's System.AccessToken, ends with the build, and is the build service's identity.
- `GET {org}/{project}/_apis/sandbox/agent/variablegroups/{name}`, with the run's token: the group with the values of
  its secrets, `{"id", "name", "variables": {name: {"value", "isSecret"}}}`, if the run's pipeline may use it; else
  403 with the service's message. A branch control check of the group is decided here too.
- `POST {org}/{project}/_apis/sandbox/agent/serviceendpoints/{name}`, with the run's token: the service connection with
  its secrets and checks, `{"id", "name", "type", "scheme", "parameters", "checks"}`, if the run's pipeline may use it
  and its branch is allowed; from then on the job is given OIDC tokens of it.
- `GET {org}/{project}/_apis/sandbox/agent/environments/{name}`, with the run's token: the environment with its checks,
  `{"id", "name", "checks": [{"id", "type", "timeout"}]}`, if the run's pipeline may use it; else 403. A branch control
  check is decided here, with 403 where it refuses the run's branch; the service would fail the stage.

The api-version is "7.1-preview" for POST. The build is completed by the public API: PATCH build/builds/{id}.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sandbox.azure_devops import (
    checks,
    clock,
    definitions,
    environments,
    identities,
    locations,
    permissions,
    projects,
    run_variables,
    runs,
    scopes,
    service_endpoints,
    tokens,
    variable_groups,
    variables,
)
from sandbox.azure_devops.errors import ServiceError, build
from sandbox.azure_devops.protocol import Router

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Json

router = Router()


@router.on(locations.AGENT_JOBS, "POST", scopes.FULL_ACCESS)
def take(call: Call) -> Json:
    """Take a queued build and give what its job needs."""
    project = projects.of(call)
    known = runs.find(call.draft, project, call.number("buildId"))
    if known["status"] == "completed":
        raise build(400, "BuildStatusInvalidChangeException", f"The build {known['buildNumber']} is already completed.")
    known["status"] = "inProgress"
    known["startTime"] = known["startTime"] or clock.now()
    definition = definitions.find(call.draft, project, known["definitionId"])
    token = tokens.issue(
        call.draft,
        name=f"build {known['id']}",
        scope=" ".join(sorted(scopes.RUN_SCOPES)),
        identity=identities.build_service(project),
        valid_to=datetime.now(UTC) + timedelta(hours=48),
        build=known["id"],
    )
    given = {name: {"value": value, "isSecret": False} for name, value in run_variables.predefined(call, known).items()}
    return {
        "accessToken": token["token"],
        "build": {field: known[field] for field in ("id", "buildNumber", "sourceBranch", "sourceVersion", "reason")},
        "variables": variables.values(call.draft, definition["variables"]) | given,
    }


@router.on(locations.AGENT_VARIABLE_GROUPS, "GET", "vso.variablegroups_read")
def variable_group(call: Call) -> Json:
    """Give a run a variable group with its secrets."""
    project, known = _of_run(call)
    name = call.values.get("groupName", "")
    group = run_variables.may_use_group(call.draft, project, known["definitionId"], name)
    if group is None:
        raise _refused(run_variables.refused_group(name))
    _passed(call, known, variable_groups.TYPE, str(group["id"]), f"Variable group {name}")
    return {
        "id": group["id"],
        "name": group["name"],
        "variables": variables.values(call.draft, group["variables"]),
    }


@router.on(locations.AGENT_ENVIRONMENTS, "GET", "vso.build")
def environment(call: Call) -> Json:
    """Give a run an environment with the checks that it has to pass there."""
    project, known = _of_run(call)
    name = call.values.get("environmentName", "")
    found = environments.by_name(call.draft, project, name)
    number = str(found["id"]) if found else ""
    if found is None or not permissions.allowed(
        call.draft, project["id"], environments.TYPE, number, known["definitionId"]
    ):
        raise _refused(
            f"Environment {name} could not be found. The environment does not exist or has not been authorized for "
            "use. For authorization details, refer to https://aka.ms/yamlauthz."
        )
    shown = _passed(call, known, environments.TYPE, number, f"Environment {name}")
    return {"id": found["id"], "name": found["name"], "checks": shown}


@router.on(locations.AGENT_SERVICE_ENDPOINTS, "POST", "vso.build")
def service_endpoint(call: Call) -> Json:
    """Let a run's job use a service connection, with the checks that it has to pass; it may then have tokens of it."""
    project, known = _of_run(call)
    name = call.values.get("endpointName", "")
    found = service_endpoints.by_name(call.draft, project, name)
    number = found["id"] if found else ""
    if found is None or not permissions.allowed(
        call.draft, project["id"], service_endpoints.TYPE, number, known["definitionId"]
    ):
        raise _refused(
            f"The pipeline is not valid. There was a resource authorization issue: the service connection {name} could "
            "not be found. The service connection does not exist, has been disabled or has not been authorized for "
            "use. For authorization details, refer to https://aka.ms/yamlauthz."
        )
    configured = _passed(call, known, service_endpoints.TYPE, number, f"Service connection {name}")
    known["connections"] = sorted({*known.get("connections", []), number})
    return {
        "id": number,
        "name": name,
        "type": found["type"],
        "scheme": found["scheme"],
        "parameters": service_endpoints.parameters(call.draft, found),
        "checks": configured,
    }


def _passed(call: Call, known: Json, kind: str, resource_id: str, shown: str) -> list[Json]:
    """The checks of a resource; refuses where one refuses the run by its branch or its YAML."""
    configured = checks.on(call.draft, projects.of(call)["id"], kind, resource_id)
    for check in configured:
        if reason := checks.refused(call.draft, check, known):
            raise _refused(f"{shown}: {reason}")
    return [{"id": one["id"], "type": checks.TYPES[one["type"]], "timeout": one["timeout"]} for one in configured]


def _of_run(call: Call) -> tuple[Json, Json]:
    project = projects.of(call)
    if call.caller.build_id is None:
        raise _refused("Only the token of a run is given this; the operator takes a job first.")
    return project, runs.find(call.draft, project, call.caller.build_id)


def _refused(message: str) -> ServiceError:
    return ServiceError(403, "PipelineValidationException", message, namespace="Microsoft.Azure.Pipelines.WebApi")
