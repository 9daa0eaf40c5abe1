"""Variable groups of the Azure DevOps service, called as the plugin calls them."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.azure_devops.service import Json, Service, group_body

WRITE = "_apis/distributedtask/variablegroups"
READ = "app-one/_apis/distributedtask/variablegroups"


@pytest.fixture
def group(service: Service, request: pytest.FixtureRequest) -> Json:
    """A group with a plain variable and a secret, named after the test."""
    body = group_body(
        service.project_id(),
        request.node.name,
        **{
            "App-One.AccessKey": {"value": "AKIAEXAMPLE", "isSecret": False},
            "App-One.SecretKey": {"value": "s3cr3t", "isSecret": True},
        },
    )
    created: Json = service.post(WRITE, body, version="7.1-preview.2")
    return created


def secret_of(service: Service, number: int) -> str:
    """Return the one secret value of a group, from the files of the service."""
    import json

    state = json.loads((service.folder / "state.json").read_text())
    secrets = json.loads((service.keys / "azure-devops-state.json").read_text())
    variables = state["variableGroups"][str(number)]["variables"].values()
    (secret_id,) = (one["secretId"] for one in variables if "secretId" in one)
    return str(secrets[secret_id])


def test_a_created_group_is_read_back_without_its_secret(service: Service, group: Json) -> None:
    read = service.get(f"{READ}/{group['id']}")
    assert read == group
    assert read["variables"] == {
        "App-One.AccessKey": {"value": "AKIAEXAMPLE"},
        "App-One.SecretKey": {"value": None, "isSecret": True},
    }
    assert (read["type"], read["isShared"], read["description"]) == ("Vsts", False, "of a test")
    assert read["createdBy"]["displayName"] == read["modifiedBy"]["displayName"] == "Operator"
    assert read["variableGroupProjectReferences"][0]["projectReference"]["name"] == "app-one"


def test_groups_are_listed_by_name_by_prefix_and_by_id(service: Service, group: Json) -> None:
    for query in (f"groupName={group['name']}", f"groupName={group['name'][:-3]}*", f"groupIds={group['id']}"):
        assert [one["id"] for one in service.get(f"{READ}?{query}")["value"]] == [group["id"]]
    assert service.get(f"{READ}?groupName=nothing") == {"count": 0, "value": []}
    assert service.get(f"{READ}?$top=1")["count"] == 1
    assert service.refused("GET", f"{READ}?$top=some")[0] == 400
    assert service.refused("GET", f"{READ}/some")[0] == 400


def test_a_list_goes_on_where_its_token_says(service: Service) -> None:
    for number in range(3):
        service.post(WRITE, group_body(service.project_id(), f"page-{number}"), version="7.1-preview.2")
    pages, query = [], f"{READ}?groupName=page-*&queryOrder=IdAscending&$top=2"
    first = service.ask("GET", query)
    pages += first.json()["value"]
    last = service.ask("GET", f"{query}&continuationToken={first.headers['x-ms-continuationtoken']}")
    pages += last.json()["value"]
    assert [one["name"] for one in pages] == ["page-0", "page-1", "page-2"]
    assert "x-ms-continuationtoken" not in last.headers
    assert service.refused("GET", f"{READ}?continuationToken=some")[0] == 400


def test_an_unknown_group_is_read_as_null_with_200(service: Service) -> None:
    answer = service.ask("GET", f"{READ}/4711")
    assert (answer.status_code, answer.text) == (200, "null")


@pytest.mark.parametrize(
    "sent", [{"isSecret": True}, {"value": None, "isSecret": True}, {"value": "", "isSecret": True}]
)
def test_a_secret_sent_without_a_value_keeps_its_value(service: Service, group: Json, sent: Json) -> None:
    body = group_body(service.project_id(), group["name"], **{"app-one.secretkey": sent, "new": {"value": "2"}})
    answer = service.put(f"{WRITE}/{group['id']}", body)
    assert answer["variables"] == {"app-one.secretkey": {"value": None, "isSecret": True}, "new": {"value": "2"}}
    assert secret_of(service, group["id"]) == "s3cr3t"
    assert answer["createdOn"] == group["createdOn"]
    assert answer["modifiedOn"] >= group["modifiedOn"]


def test_a_secret_sent_with_a_value_is_replaced_and_the_old_value_is_forgotten(service: Service, group: Json) -> None:
    body = group_body(service.project_id(), group["name"], key={"value": "n3w", "isSecret": True})
    service.put(f"{WRITE}/{group['id']}", body)
    assert secret_of(service, group["id"]) == "n3w"


def test_a_plain_value_becomes_a_secret_without_being_sent_again(service: Service, group: Json) -> None:
    body = group_body(service.project_id(), group["name"], **{"App-One.AccessKey": {"isSecret": True}})
    answer = service.put(f"{WRITE}/{group['id']}", body)
    assert answer["variables"] == {"App-One.AccessKey": {"value": None, "isSecret": True}}
    assert secret_of(service, group["id"]) == "AKIAEXAMPLE"


def test_an_update_can_rename_and_drops_the_description_that_is_not_sent(service: Service, group: Json) -> None:
    body = group_body(service.project_id(), group["name"] + "-renamed", a={"value": "1"})
    del body["description"]
    answer = service.put(f"{WRITE}/{group['id']}", body)
    assert answer["name"].endswith("-renamed")
    assert "description" not in answer


def test_a_name_is_taken_once_in_a_project_whatever_its_case(service: Service, group: Json) -> None:
    body = group_body(service.project_id(), group["name"].upper())
    status, key, message = service.refused("POST", WRITE, body)
    assert (status, key) == (409, "VariableGroupExistsException")
    assert body["name"] in message
    # Its own name is no obstacle to an update.
    service.put(f"{WRITE}/{group['id']}", group_body(service.project_id(), group["name"]))


def test_the_same_name_is_free_in_another_project(service: Service, group: Json) -> None:
    service.ask("POST", "_apis/projects", {"name": "second"})
    other = service.project_id("second")
    created = service.post(WRITE, group_body(other, group["name"]))
    assert created["id"] != group["id"]
    assert service.ask("GET", f"{READ}/{created['id']}").text == "null"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variables": {}}, "Variable group must have at least one variable defined."),
        ({"name": " "}, "Variable group name cannot be null or empty."),
        ({"variableGroupProjectReferences": []}, "Atleast one variable group project reference is required"),
        (
            {"variableGroupProjectReferences": [{"projectReference": {"name": "app-one"}}]},
            "Project information name is not valid for variable group.",
        ),
        ({"variables": {" ": {"value": "x"}}}, "A variable has no name."),
        ({"variables": {"x": {"value": 5}}}, "The value of the variable 'x' is not a string."),
    ],
)
def test_an_invalid_group_is_refused_and_nothing_is_kept(service: Service, change: Json, message: str) -> None:
    before = service.get(READ)["count"]
    body = group_body(service.project_id(), "invalid") | change
    assert service.refused("POST", WRITE, body) == (400, "ArgumentException", message)
    assert service.get(READ)["count"] == before


def test_a_group_of_an_unknown_project_is_refused(service: Service) -> None:
    status, key, _ = service.refused("POST", WRITE, group_body("b3c1f0c8-0000-4000-8000-000000000000", "nowhere"))
    assert (status, key) == (404, "ProjectDoesNotExistException")


def test_an_update_or_deletion_of_an_unknown_group_is_404(service: Service) -> None:
    project = service.project_id()
    status, key, _ = service.refused("PUT", f"{WRITE}/4711", group_body(project))
    assert (status, key) == (404, "VariableGroupNotFoundException")
    assert service.refused("DELETE", f"{WRITE}/4711?projectIds={project}")[0] == 404


def test_a_deleted_group_is_gone_with_its_secret_and_its_permissions(service: Service, group: Json) -> None:
    project = service.project_id()
    resource = [{"authorized": True, "id": str(group["id"]), "name": group["name"], "type": "variablegroup"}]
    service.patch(f"{project}/_apis/build/authorizedresources", resource)
    assert service.refused("DELETE", f"{WRITE}/{group['id']}")[0] == 400
    service.delete(f"{WRITE}/{group['id']}?projectIds={project}")
    assert service.ask("GET", f"{READ}/{group['id']}").text == "null"
    path = f"{project}/_apis/build/authorizedresources?type=variablegroup&id={group['id']}"
    assert service.get(path) == {"count": 0, "value": []}
    again = service.post(WRITE, group_body(project, group["name"]))
    assert again["id"] > group["id"]


def test_a_group_is_opened_to_all_pipelines_and_closed_again(service: Service, group: Json) -> None:
    project, number = service.project_id(), str(group["id"])
    path = f"{project}/_apis/build/authorizedresources"
    permissions = f"{project}/_apis/pipelines/pipelinePermissions/variablegroup/{number}"
    assert service.get(f"{path}?type=variablegroup&id={number}")["count"] == 0
    assert service.get(permissions) == {"resource": {"type": "variablegroup", "id": number}, "pipelines": []}
    one = {"id": number, "name": group["name"], "type": "variablegroup"}
    assert service.patch(path, [one | {"authorized": True}])["value"] == [one | {"authorized": True}]
    assert service.get(f"{path}?type=variablegroup&id={number}")["value"] == [one | {"authorized": True}]
    assert service.get(permissions)["allPipelines"]["authorized"] is True
    service.patch(path, [one | {"authorized": False}])
    assert service.get(f"{path}?type=variablegroup&id={number}")["count"] == 0
    assert "allPipelines" not in service.get(permissions)
