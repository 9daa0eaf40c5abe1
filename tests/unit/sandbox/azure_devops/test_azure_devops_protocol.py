"""The protocol of the Azure DevOps service: discovery, who is let in, api-versions, and the shape of errors."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
import requests

from sandbox.azure_devops import locations
from sandbox.azure_devops.server import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.azure_devops.protocol import Route
    from sandbox.azure_devops.store import Json
    from tests.unit.sandbox.azure_devops.service import Service

SUPPRESS = {"X-TFS-FedAuthRedirect": "Suppress"}


def test_options_lists_every_location_with_its_route_and_versions(service: Service) -> None:
    answer = service.ask("OPTIONS", "_apis").json()
    assert answer["count"] == len(answer["value"]) > 30
    by_id = {one["id"]: one for one in answer["value"]}
    assert by_id["ef5b7057-ffc3-4c77-bbad-c10b4a4abcc7"] == {
        "id": "ef5b7057-ffc3-4c77-bbad-c10b4a4abcc7",
        "area": "distributedtask",
        "resourceName": "variablegroups",
        "routeTemplate": "_apis/{area}/{resource}/{groupId}",
        "resourceVersion": 2,
        "minVersion": "1.0",
        "maxVersion": "7.2",
        "releasedVersion": "7.1",
    }
    assert "" not in by_id
    one_area = service.ask("OPTIONS", "_apis/Build").json()["value"]
    assert {one["area"] for one in one_area} == {"build"}


def test_resource_areas_all_point_to_the_organisation_itself(service: Service) -> None:
    areas = service.get("_apis/ResourceAreas")["value"]
    assert {area["id"] for area in areas} == set(locations.RESOURCE_AREAS)
    assert {area["locationUrl"] for area in areas} == {f"{service.url}/"}
    one = service.get("_apis/ResourceAreas/A85B8835-C1A1-4AAC-AE97-1C3D0BA72DBD")
    assert one["name"] == "distributedtask"
    status, _, _ = service.refused("GET", "_apis/ResourceAreas/00000000-0000-0000-0000-000000000000")
    assert status == 404


def test_connection_data_tells_whose_token_it_is(service: Service) -> None:
    user = service.get("_apis/connectionData")["authenticatedUser"]
    assert user["providerDisplayName"] == "Operator"
    assert user["properties"]["Account"]["$value"] == "operator@app-one.example"


def test_a_personal_token_is_taken_as_basic_with_any_name_and_never_as_bearer(service: Service) -> None:
    for auth in (("", service.token), ("_", service.token), ("somebody", service.token)):
        answer = requests.get(f"{service.url}/_apis/projects", auth=auth, timeout=300)
        assert answer.json()["count"] >= 1
    assert bearer(service, service.token).status_code == 203
    made = service.post("_apis/tokens/pats", {"displayName": "p", "scope": "vso.project"})["patToken"]["token"]
    assert bearer(service, made).status_code == 203


def bearer(service: Service, token: str) -> requests.Response:
    url, signed = f"{service.url}/_apis/connectionData", {"Authorization": f"Bearer {token}"}
    return requests.get(url, headers=signed, timeout=300, allow_redirects=False)


def test_a_token_of_entra_stands_for_who_is_signed_in_as_bearer_and_in_a_personal_tokens_place(
    service: Service,
) -> None:
    token = service.post("_apis/sandbox/entratokens")["accessToken"]
    assert bearer(service, token).json()["authenticatedUser"]["providerDisplayName"] == "Operator"
    assert service.get("_apis/connectionData", token=token)["authenticatedUser"]["providerDisplayName"] == "Operator"
    service.get("app-one/_apis/distributedtask/variablegroups", token=token)


def test_a_token_of_entra_that_has_ended_or_is_for_another_service_is_refused(service: Service) -> None:
    ended = service.post("_apis/sandbox/entratokens?seconds=-1")["accessToken"]
    assert bearer(service, ended).status_code == 401
    other = service.post("_apis/sandbox/entratokens?resource=https://management.azure.com/")["accessToken"]
    assert bearer(service, other).status_code == 203
    head, claims, signature = service.post("_apis/sandbox/entratokens")["accessToken"].split(".")
    foreign = json.loads(base64.urlsafe_b64decode(claims + "=="))
    foreign["oid"] = "00000000-0000-0000-0000-000000000001"
    forged = base64.urlsafe_b64encode(json.dumps(foreign).encode()).decode().rstrip("=")
    for wrong in (f"{head}.{forged}.{signature}", f"{head}.{claims}.", f"{head}.{claims}", "a.b.c", ".."):
        assert bearer(service, wrong).status_code == 203


def test_a_wrong_token_gets_the_sign_in_page_with_203(service: Service) -> None:
    for token in ("wrong", "", service.token + "x"):
        answer = service.ask("GET", "_apis/projects", token=token, headers=SUPPRESS)
        assert answer.status_code == 203
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "Sign In" in answer.text


def test_garbage_as_credentials_is_a_wrong_token(service: Service) -> None:
    for header in ("Basic ???", "Basic", "Digest abc", "Basic /////w=="):
        assert service.ask("GET", "_apis/projects", token=None, headers={"Authorization": header}).status_code == 203


def test_no_token_is_401_for_a_program_and_a_redirect_for_a_browser(service: Service) -> None:
    program = service.ask("OPTIONS", "_apis", token=None, headers=SUPPRESS)
    assert (program.status_code, program.content) == (401, b"")
    assert "Basic" in program.headers["WWW-Authenticate"]
    browser = service.ask("GET", "_apis/projects", token=None)
    assert browser.status_code == 302
    page = requests.get(browser.headers["Location"], timeout=300)
    assert "Sign In" in page.text


def test_an_unknown_organisation_is_404_before_any_token_is_looked_at(service: Service) -> None:
    for auth in (("", service.token), ("", "wrong")):
        answer = requests.options(f"http://127.0.0.1:{service.port}/another/_apis", auth=auth, timeout=300)
        assert (answer.status_code, answer.content) == (404, b"")


def test_the_organisation_is_found_in_any_case_as_clients_lower_it(service: Service) -> None:
    url = service.url.replace("/app-one", "/App-One")
    assert requests.get(f"{url}/_apis/projects", auth=("", service.token), timeout=300).status_code == 200


def test_an_unknown_project_is_named_in_the_services_words(service: Service) -> None:
    for path in ("_apis/projects/nothing", "nothing/_apis/build/definitions"):
        assert service.refused("GET", path) == (
            404,
            "ProjectDoesNotExistWithNameException",
            (
                "TF200016: The following project does not exist: nothing. Verify that the name of the project is "
                "correct and that the project exists on the specified Azure DevOps Server."
            ),
        )
    status, key, message = service.refused("GET", "_apis/projects/b3c1f0c8-0000-4000-8000-000000000000")
    assert (status, key) == (404, "ProjectDoesNotExistException")
    assert message.startswith("VS800075: The project with id 'vstfs:///Classification/TeamProject/b3c1f0c8-")


def test_a_project_is_given_with_what_the_plugin_reads_of_it(service: Service) -> None:
    project = service.get("_apis/projects/APP-ONE?includeCapabilities=true&includeHistory=false")
    assert project["name"] == "app-one"
    template = project["capabilities"]["processTemplate"]["templateTypeId"]
    assert project["capabilities"]["versioncontrol"]["sourceControlType"] == "Git"
    assert service.get(f"_apis/process/processes/{template}")["name"] == "Basic"
    assert service.get(f"_apis/projects/{project['id'].upper()}")["id"] == project["id"]
    assert "capabilities" not in service.get("_apis/projects/app-one")
    assert len(service.get("_apis/process/processes")["value"]) == 4


def test_a_project_is_created_by_an_operation(service: Service) -> None:
    before = {one["name"] for one in service.get("_apis/projects")["value"]}
    body = {"name": "another", "description": "d", "capabilities": {}}
    answer = service.ask("POST", "_apis/projects", body)
    assert answer.status_code == 202
    assert service.get(f"_apis/operations/{answer.json()['id']}")["status"] == "succeeded"
    assert service.get("another/_apis/git/repositories/another")["defaultBranch"] == "refs/heads/main"
    assert {one["name"] for one in service.get("_apis/projects")["value"]} == before | {"another"}
    assert "another" not in before
    status, key, _ = service.refused("POST", "_apis/projects", body)
    assert (status, key) == (400, "ProjectAlreadyExistsException")


def test_a_resource_under_preview_asks_for_the_preview_flag(service: Service) -> None:
    path = "app-one/_apis/pipelines/pipelinePermissions/variablegroup/1"
    assert service.refused("GET", path, version="7.1") == (
        400,
        "VssInvalidPreviewVersionException",
        (
            'The requested version "7.1" of the resource is under preview. The -preview flag must be supplied in the '
            'api-version for such requests. For example: "7.1-preview"'
        ),
    )
    for version in ("7.1-preview", "7.1-preview.1", "5.1-preview.1"):
        assert service.ask("GET", path, version=version).status_code == 200


def test_the_version_is_taken_from_the_query_before_the_header(service: Service) -> None:
    status, key, message = service.refused("GET", "_apis/projects?api-version=9.9", version="7.1")
    assert (status, key) == (400, "VssVersionOutOfRangeException")
    assert "The latest REST API version this server supports is 7.2." in message
    status, key, _ = service.refused("GET", "_apis/projects?api-version=new", version="7.1")
    assert (status, key) == (400, "VssInvalidApiResourceVersionException")


def test_a_change_without_a_version_is_refused_and_a_read_is_not(service: Service) -> None:
    plain = {"Accept": "application/json"}
    status, key, message = service.refused("POST", "_apis/projects", {}, headers=plain)
    assert (status, key) == (400, "VssVersionNotSpecifiedException")
    assert message.startswith('No api-version was supplied for the "POST" request.')
    assert service.ask("GET", "_apis/projects", headers=plain).status_code == 200


def test_an_unknown_path_and_a_wrong_method_are_told_apart(service: Service) -> None:
    status, key, message = service.refused("GET", "_apis/nothing/here")
    assert (status, key) == (404, "HttpException")
    assert "The controller for path '/app-one/_apis/nothing/here' was not found" in message
    status, _, message = service.refused("DELETE", "_apis/process/processes")
    assert (status, message) == (405, "The requested resource does not support http method 'DELETE'.")


def test_a_body_that_is_not_json_or_not_an_object_is_refused(service: Service) -> None:
    answer = service.ask("POST", "_apis/projects", data="{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "is not JSON" in answer.json()["message"]
    assert service.refused("POST", "_apis/projects")[:2] == (400, "ArgumentNullException")
    status, _, message = service.refused("POST", "_apis/projects", [1])
    assert (status, message) == (400, "The request's body is not valid: object is expected.")


def test_a_part_of_another_type_is_named_without_being_repeated(service: Service) -> None:
    body = {"name": "x", "variables": {}, "variableGroupProjectReferences": [{"projectReference": "s3cr3t"}]}
    status, _, message = service.refused("POST", "_apis/distributedtask/variablegroups", body)
    assert status == 400
    assert message == (
        "The request's body.variableGroupProjectReferences[0].projectReference is not valid: object is expected."
    )


@pytest.mark.parametrize(
    "route", [one for one in ROUTES if one.shape], ids=lambda one: f"{one.method} {one.location.resource}"
)
def test_no_malformed_body_is_answered_by_an_internal_error(service: Service, route: Route) -> None:
    values = {"project": "app-one", "repositoryId": "app-one", "resourceType": "queue"}
    path = "/".join(
        values.get(part.strip("{*}"), "1") if part.startswith("{") else part
        for part in route.location.template.format_map(
            Known(area=route.location.area, resource=route.location.resource)
        ).split("/")
    )
    assert route.shape is not None
    for body in malformed(route.shape):
        answer = service.ask(route.method, path, body)
        assert answer.status_code < 500, body


class Known(dict[str, str]):
    """Leaves what it does not know as it stands."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def malformed(shape: Json) -> Iterator[object]:
    """Bodies of the right names with a value of a wrong type in each place, and with null there."""
    if "items" in shape:
        yield from ([wrong] for wrong in malformed(shape["items"]))
    for name, inner in shape.get("properties", {}).items():
        yield from ({name: wrong} for wrong in malformed(inner))
    yield from ("x", True, [1], {"a": 1}, None)


def test_a_token_with_a_scope_may_do_only_that(service: Service) -> None:
    project = service.project_id()
    readers = service.issue("vso.variablegroups_read vso.project")
    assert service.ask("GET", f"{project}/_apis/distributedtask/variablegroups", token=readers).status_code == 200
    status, key, message = service.refused("POST", "_apis/distributedtask/variablegroups", {}, token=readers)
    assert (status, key) == (401, "UnauthorizedRequestException")
    assert message.startswith("TF400813: The user '")
    # Discovery is for every token.
    assert service.ask("OPTIONS", "_apis", token=readers).status_code == 200


def test_a_scope_includes_the_lesser_ones_of_its_kind(service: Service) -> None:
    manager = service.issue("vso.code_manage")
    path = "app-one/_apis/git/repositories"
    assert service.ask("GET", path, token=manager).status_code == 200
    assert service.ask("GET", path, token=service.issue("vso.build")).status_code == 401


def test_only_the_operator_issues_tokens_and_unknown_scopes_are_refused(service: Service) -> None:
    assert service.post("_apis/tokens/pats", {"displayName": "x", "scope": "vso.everything"})["patToken"] is None
    lesser = service.issue("vso.code_full")
    assert service.refused("POST", "_apis/tokens/pats", {"scope": "vso.code"}, token=lesser)[0] == 401


def test_an_expired_or_revoked_token_is_401_with_the_services_page(service: Service) -> None:
    body = {"displayName": "old", "scope": "vso.code", "validTo": "2020-01-01T00:00:00Z"}
    expired = service.post("_apis/tokens/pats", body)["patToken"]["token"]
    answer = service.ask("GET", "_apis/projects", token=expired)
    assert answer.status_code == 401
    assert "Access Denied: The Personal Access Token used has expired." in answer.text
    made = service.post("_apis/tokens/pats", {"displayName": "short", "scope": "vso.project"})["patToken"]
    assert service.ask("GET", "_apis/projects", token=made["token"]).status_code == 200
    service.delete(f"_apis/tokens/pats?authorizationId={made['authorizationId']}")
    assert service.ask("GET", "_apis/projects", token=made["token"]).status_code == 401
