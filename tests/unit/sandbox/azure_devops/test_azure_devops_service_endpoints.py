"""Service connections, the checks on them and on variable groups, and the identity tokens of a run that uses one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from joserfc import jwk, jwt

from tests.unit.sandbox.azure_devops.service import definition_body, group_body, push

if TYPE_CHECKING:
    from tests.unit.sandbox.azure_devops.service import Json, Service

ENDPOINTS = "_apis/serviceendpoint/endpoints"
VERSION = "7.1-preview.4"


def endpoint_body(service: Service, name: str, **parameters: str) -> Json:
    """Return the body with which the plugin creates an AWS service connection."""
    return {
        "name": name,
        "type": "aws",
        "url": "https://aws.amazon.com/",
        "description": "of a test",
        "owner": "library",
        "authorization": {
            "scheme": "UsernamePassword",
            "parameters": {
                "username": "",
                "password": "",
                "sessionToken": "",
                "assumeRoleArn": "arn:aws:iam::123456789012:role/push",
                "roleSessionName": "",
                "externalId": "",
                "useOIDC": "true",
                **parameters,
            },
        },
        "serviceEndpointProjectReferences": [
            {"name": name, "description": "of a test", "projectReference": {"id": service.project_id()}}
        ],
    }


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name of the test's own."""
    return str(request.node.name)


@pytest.fixture
def endpoint(service: Service, name: str) -> Json:
    """A service connection that takes OIDC."""
    created: Json = service.post(ENDPOINTS, endpoint_body(service, name), version=VERSION)
    return created


@pytest.fixture
def pipeline(service: Service, name: str) -> int:
    """A pipeline, which may use nothing yet."""
    push(service, {"/azure-pipelines.yml": "steps: []\n"})
    body = definition_body(service, name)
    return int(service.post("app-one/_apis/build/definitions", body, version="7.1-preview.7")["id"])


def job(service: Service, pipeline: int, branch: str = "refs/heads/main") -> Json:
    """A run that an agent has taken: its token and variables."""
    body = {"definition": {"id": pipeline}, "sourceBranch": branch}
    build = service.post("app-one/_apis/build/builds", body)
    taken: Json = service.post(f"app-one/_apis/sandbox/agent/jobs/{build['id']}")
    return taken


def permit(service: Service, kind: str, number: object, pipeline: int) -> None:
    """Let one pipeline use one resource."""
    body = {"pipelines": [{"id": pipeline, "authorized": True}]}
    service.patch(f"app-one/_apis/pipelines/pipelinePermissions/{kind}/{number}", body)


def only_main(service: Service, kind: str, number: object) -> None:
    """A branch control that allows main alone, whether protected or not."""
    inputs = {"allowedBranches": "refs/heads/main", "ensureProtectionOfBranch": "false"}
    check = {
        "type": {"id": "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7"},
        "resource": {"type": kind, "id": str(number)},
        "settings": {
            "definitionRef": {"id": "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b"},
            "displayName": "Only main",
            "inputs": inputs,
        },
    }
    service.post("app-one/_apis/pipelines/checks/configurations", check)


def token_of(service: Service, taken: Json, connection: str = "", **more: Any) -> requests.Response:
    """What the service answers to a job that asks for an identity token."""
    address = taken["variables"]["System.OidcRequestUri"]["value"].partition(f"{service.url}/")[2]
    query = f"?serviceConnectionId={connection}" if connection else ""
    return service.ask("POST", f"{address}{query}", **{"token": taken["accessToken"], "version": "7.1", **more})


def claims_of(service: Service, token: str, issuer: str) -> Json:
    """The claims of a token that the issuer's published keys prove."""
    origin = service.url.rpartition("/")[0]
    place = f"{origin}/_issuers/{issuer.removeprefix('https://')}"
    described = requests.get(f"{place}/.well-known/openid-configuration", timeout=300).json()
    assert described["issuer"] == issuer
    keys = requests.get(f"{origin}/_issuers/{described['jwks_uri'].removeprefix('https://')}", timeout=300).json()
    assert "d" not in keys["keys"][0]
    return dict(jwt.decode(token, jwk.KeySet.import_key_set(keys), algorithms=["RS256"]).claims)


def test_a_connection_is_created_changed_and_deleted_as_the_plugin_does_it(service: Service, name: str) -> None:
    created = service.post(ENDPOINTS, endpoint_body(service, name), version=VERSION)
    path = f"app-one/{ENDPOINTS}/{created['id']}"
    read = service.get(path, version=VERSION)
    assert read["isReady"] is True
    assert (read["name"], read["type"], read["url"]) == (name, "aws", "https://aws.amazon.com/")
    assert read["authorization"]["parameters"]["useOIDC"] == "true"
    changed = endpoint_body(service, name, assumeRoleArn="arn:aws:iam::123456789012:role/other")
    service.put(f"{ENDPOINTS}/{created['id']}", changed, version=VERSION)
    assert service.get(path, version=VERSION)["authorization"]["parameters"]["assumeRoleArn"].endswith("/other")
    service.delete(f"{ENDPOINTS}/{created['id']}?projectIds={service.project_id()}&deep=true", version=VERSION)
    answer = service.ask("GET", path, version=VERSION)
    assert (answer.status_code, answer.json()) == (200, None)


def test_a_secret_of_a_connection_is_never_given_back_and_kept_when_it_is_not_sent(
    service: Service, name: str, pipeline: int
) -> None:
    body = endpoint_body(service, name, username="AKIA", password="hunter2-of-a-test", useOIDC="false")
    created = service.post(ENDPOINTS, body, version=VERSION)
    shown = [created, service.get(f"app-one/{ENDPOINTS}?endpointNames={name}", version=VERSION)["value"][0]]
    assert [one["authorization"]["parameters"]["password"] for one in shown] == [None, None]
    service.put(f"{ENDPOINTS}/{created['id']}", endpoint_body(service, name, username="AKIB"), version=VERSION)
    permit(service, "endpoint", created["id"], pipeline)
    taken = job(service, pipeline)
    given = service.post(f"app-one/_apis/sandbox/agent/serviceendpoints/{name}", token=taken["accessToken"])
    assert (given["parameters"]["username"], given["parameters"]["password"]) == ("AKIB", "hunter2-of-a-test")


def test_a_name_is_taken_once_in_a_project(service: Service, endpoint: Json) -> None:
    refused = service.refused("POST", ENDPOINTS, endpoint_body(service, endpoint["name"]), version=VERSION)
    assert refused[:2] == (409, "DuplicateServiceConnectionException")


def test_a_connection_is_closed_to_every_pipeline_until_one_is_permitted(
    service: Service, endpoint: Json, pipeline: int
) -> None:
    path = f"app-one/_apis/sandbox/agent/serviceendpoints/{endpoint['name']}"
    taken = job(service, pipeline)
    status, _, message = service.refused("POST", path, token=taken["accessToken"])
    assert (status, "has not been authorized for use" in message) == (403, True)
    permit(service, "endpoint", endpoint["id"], pipeline)
    assert service.post(path, token=taken["accessToken"])["id"] == endpoint["id"]


@pytest.mark.parametrize("kind", ["endpoint", "variablegroup"])
def test_a_branch_control_keeps_other_branches_from_a_connection_and_from_a_group(
    service: Service, name: str, endpoint: Json, pipeline: int, kind: str
) -> None:
    group = service.post("_apis/distributedtask/variablegroups", group_body(service.project_id(), name))
    number = endpoint["id"] if kind == "endpoint" else group["id"]
    method, path = ("POST", "serviceendpoints") if kind == "endpoint" else ("GET", "variablegroups")
    permit(service, kind, number, pipeline)
    only_main(service, kind, number)
    push(service, {"/other": "1"}, "refs/heads/other")
    other, main = (job(service, pipeline, f"refs/heads/{branch}") for branch in ("other", "main"))
    place = f"app-one/_apis/sandbox/agent/{path}/{name}"
    status, _, message = service.refused(method, place, token=other["accessToken"])
    assert (status, "refs/heads/other is not among the allowed branches" in message) == (403, True)
    assert service.ask(method, place, token=main["accessToken"]).status_code == 200


def test_a_job_gets_tokens_of_a_connection_that_it_uses(service: Service, endpoint: Json, pipeline: int) -> None:
    permit(service, "endpoint", endpoint["id"], pipeline)
    taken = job(service, pipeline)
    assert token_of(service, taken, endpoint["id"]).status_code == 403  # nothing has checked yet that it may
    service.post(f"app-one/_apis/sandbox/agent/serviceendpoints/{endpoint['name']}", token=taken["accessToken"])
    answer = token_of(service, taken, endpoint["id"])
    instance = service.get("_apis/connectionData")["instanceId"]
    claims = claims_of(service, answer.json()["oidcToken"], f"https://vstoken.dev.azure.com/{instance}")
    assert claims["sub"] == f"sc://{service.url.rpartition('/')[2]}/app-one/{endpoint['name']}"
    assert claims["aud"] == "api://AzureADTokenExchange"
    assert 0 < claims["exp"] - time.time() <= 600
    assert (claims["def_id"], claims["rpo_ref"]) == (str(pipeline), "refs/heads/main")


def test_a_job_without_a_connection_gets_the_pipelines_token_alone(service: Service, name: str, pipeline: int) -> None:
    instance = service.get("_apis/connectionData")["instanceId"]
    answer = token_of(service, job(service, pipeline))
    claims = claims_of(service, answer.json()["oidcToken"], f"https://vstoken.dev.azure.com/{instance}")
    assert claims["sub"] == f"p://{service.url.rpartition('/')[2]}/app-one/{name}"


def test_the_other_issuer_has_another_key_and_an_opaque_subject(
    service: Service, endpoint: Json, pipeline: int
) -> None:
    permit(service, "endpoint", endpoint["id"], pipeline)
    taken = job(service, pipeline)
    service.post(f"app-one/_apis/sandbox/agent/serviceendpoints/{endpoint['name']}", token=taken["accessToken"])
    issuer = service.put("_apis/sandbox/oidcissuer", {"issuer": "entra"})["issuer"]
    try:
        answer = token_of(service, taken, endpoint["id"])
    finally:
        service.put("_apis/sandbox/oidcissuer", {"issuer": "organization"})
    claims = claims_of(service, answer.json()["oidcToken"], issuer)
    assert issuer.startswith("https://login.microsoftonline.com/")
    assert claims["sub"].startswith("/eid1/c/pub/t/")
    assert endpoint["name"] not in claims["sub"]


def test_only_a_running_job_asks_and_for_itself_alone(service: Service, pipeline: int) -> None:
    one, other = job(service, pipeline), job(service, pipeline)
    assert token_of(service, one, token=service.token).status_code == 403
    assert token_of(service, one, token=other["accessToken"]).status_code == 403
    assert token_of(service, one).status_code == 200
    service.patch(f"app-one/_apis/build/builds/{one['build']['id']}", {"status": "completed", "result": "succeeded"})
    assert token_of(service, one).status_code == 401


def test_what_no_issuer_publishes_is_not_found(service: Service) -> None:
    origin = service.url.rpartition("/")[0]
    for path in ("vstoken.dev.azure.com/x/.well-known/openid-configuration", "", "login.microsoftonline.com"):
        assert requests.get(f"{origin}/_issuers/{path}", timeout=300).status_code == 404
