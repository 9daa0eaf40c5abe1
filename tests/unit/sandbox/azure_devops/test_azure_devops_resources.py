"""Environments, checks, branch policies, identities, pools and repositories of the Azure DevOps service."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.azure_devops.service import Json, Service, definition_body, group_body

ENVIRONMENTS = "app-one/_apis/distributedtask/environments"
CHECKS = "app-one/_apis/pipelines/checks/configurations"
POLICIES = "app-one/_apis/policy/configurations"
APPROVAL = "8c6f20a7-a545-4486-9777-f762fafe0d4d"
LOCK = "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563"
BUILD_VALIDATION = "0609b952-1397-4640-95ec-e00a01b2c241"


@pytest.fixture
def environment(service: Service, request: pytest.FixtureRequest) -> Json:
    """An environment of the test's own."""
    created: Json = service.post(ENVIRONMENTS, {"name": request.node.name.partition("[")[0], "description": "d"})
    return created


@pytest.fixture
def reviewer(service: Service) -> str:
    """The id of a user who can approve."""
    users = service.get("_apis/graph/users")["value"]
    descriptor = next(user["descriptor"] for user in users if user["displayName"] == "Reviewer")
    return str(service.get(f"_apis/graph/storagekeys/{descriptor}")["value"])


def approval(environment: Json, approvers: list[str], **more: object) -> Json:
    """Return the body with which the plugin sets an approval."""
    return {
        "type": {"id": APPROVAL, "name": "Approval"},
        "resource": {"type": "environment", "id": str(environment["id"])},
        "timeout": 1440,
        "version": 0,
        "settings": {
            "approvers": [{"id": one} for one in approvers],
            "instructions": "read the plan",
            "minRequiredApprovers": 0,
            "requesterCannotBeApprover": True,
        },
        **more,
    }


def test_an_environment_is_created_found_changed_and_deleted(service: Service, environment: Json) -> None:
    path = f"{ENVIRONMENTS}/{environment['id']}"
    assert service.get(path) == environment
    assert environment["project"]["id"] == service.project_id()
    found = service.get(f"{ENVIRONMENTS}?name={environment['name'].upper()}")["value"]
    assert [one["id"] for one in found] == [environment["id"]]
    changed = service.patch(path, {"name": "renamed", "description": "other"})
    assert (changed["name"], changed["description"]) == ("renamed", "other")
    service.delete(path)
    status, key, message = service.refused("GET", path)
    assert (status, key) == (404, "EnvironmentNotFoundException")
    assert message == f"Environment with ID {environment['id']} does not exist."


def test_an_environment_name_is_legal_and_taken_once(service: Service, environment: Json) -> None:
    assert service.refused("POST", ENVIRONMENTS, {"name": environment["name"]})[:2] == (
        409,
        "EnvironmentExistsException",
    )
    for name in ("", "  ", "a/b", "x" * 129, "a,b"):
        assert service.refused("POST", ENVIRONMENTS, {"name": name})[:2] == (400, "ArgumentException")


def test_an_approval_is_set_read_with_its_settings_changed_and_removed(
    service: Service, environment: Json, reviewer: str
) -> None:
    created = service.post(CHECKS, approval(environment, [reviewer]), version="7.1-preview.1")
    path = f"{CHECKS}/{created['id']}"
    assert "settings" not in service.get(path)
    read = service.get(f"{path}?$expand=settings")
    assert (read["version"], read["timeout"], read["type"]) == (1, 1440, {"id": APPROVAL, "name": "Approval"})
    assert read["resource"] == {"type": "environment", "id": str(environment["id"])}
    assert [(one["id"], one["displayName"]) for one in read["settings"]["approvers"]] == [(reviewer, "Reviewer")]
    assert read["settings"]["requesterCannotBeApprover"] is True
    assert read["settings"]["instructions"] == "read the plan"
    changed = service.patch(path, approval(environment, [reviewer], timeout=60))
    assert (changed["version"], changed["timeout"]) == (2, 60)
    service.delete(path)
    status, _, message = service.refused("GET", path)
    assert (status, message) == (404, f"Check configuration with id {created['id']} does not exist.")


def test_an_exclusive_lock_stands_beside_an_approval(service: Service, environment: Json, reviewer: str) -> None:
    service.post(CHECKS, approval(environment, [reviewer]))
    resource = {"type": "environment", "id": str(environment["id"])}
    lock = service.post(CHECKS, {"type": {"id": LOCK}, "resource": resource, "settings": {}, "timeout": 43200})
    assert lock["type"]["name"] == "ExclusiveLock"
    query = f"{CHECKS}?resourceType=environment&resourceId={environment['id']}&$expand=settings"
    assert [one["type"]["name"] for one in service.get(query)["value"]] == ["Approval", "ExclusiveLock"]
    listed = service.post("app-one/_apis/pipelines/checks/queryconfigurations", [resource])["value"]
    assert len(listed) == 2
    service.delete(f"{ENVIRONMENTS}/{environment['id']}")
    assert service.get(query) == {"count": 0, "value": []}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"resource": {"type": "environment", "id": "4711"}}, 404),
        ({"resource": {"type": "nothing", "id": "1"}}, 404),
        ({"type": {"id": "b3c1f0c8-0000-4000-8000-000000000000"}}, 400),
        ({"timeout": 0}, 400),
        ({"timeout": 43201}, 400),
        ({"settings": {"approvers": []}}, 400),
        ({"settings": {"approvers": [{"id": "b3c1f0c8-0000-4000-8000-000000000000"}]}}, 404),
    ],
)
def test_an_invalid_check_is_refused(
    service: Service, environment: Json, reviewer: str, change: Json, status: int
) -> None:
    assert service.refused("POST", CHECKS, approval(environment, [reviewer]) | change)[0] == status
    service.delete(f"{ENVIRONMENTS}/{environment['id']}")


def test_a_check_can_guard_a_variable_group(service: Service, reviewer: str) -> None:
    group = service.post("_apis/distributedtask/variablegroups", group_body(service.project_id(), "guarded"))
    body = approval(group, [reviewer], resource={"type": "variablegroup", "id": str(group["id"])})
    assert service.post(CHECKS, body)["resource"]["type"] == "variablegroup"


def build_validation(service: Service, definition: int, **settings: object) -> Json:
    """Return the body with which the plugin declares a build validation of main."""
    repository = service.get("app-one/_apis/git/repositories/app-one")
    scope = {"repositoryId": repository["id"], "refName": "refs/heads/main", "matchKind": "Exact"}
    return {
        "isEnabled": True,
        "isBlocking": True,
        "type": {"id": BUILD_VALIDATION},
        "settings": {
            "scope": [scope],
            "buildDefinitionId": definition,
            "displayName": "preview",
            "manualQueueOnly": False,
            "queueOnSourceUpdateOnly": True,
            "validDuration": 720,
            "filenamePatterns": [],
            **settings,
        },
    }


def test_a_build_validation_is_declared_changed_and_deleted(service: Service) -> None:
    definition = service.post("app-one/_apis/build/definitions", definition_body(service, "validated"))["id"]
    body = build_validation(service, definition)
    created = service.post(POLICIES, body, version="7.1-preview.1")
    path = f"{POLICIES}/{created['id']}"
    read = service.get(path)
    assert (read["isEnabled"], read["isBlocking"], read["isDeleted"], read["revision"]) == (True, True, False, 1)
    assert (read["type"]["displayName"], read["settings"]) == ("Build", body["settings"])
    changed = service.put(path, build_validation(service, definition, validDuration=0) | {"isBlocking": False})
    assert (changed["revision"], changed["isBlocking"], changed["settings"]["validDuration"]) == (2, False, 0)
    assert [one["id"] for one in service.get(f"{POLICIES}?policyType={BUILD_VALIDATION}")["value"]] == [created["id"]]
    service.delete(path)
    assert service.get(path)["isDeleted"] is True
    assert service.get(POLICIES)["count"] == 0


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"buildDefinitionId": 4711}, 404),
        ({"scope": []}, 400),
        ({"scope": [{"repositoryId": "b3c1f0c8-0000-4000-8000-000000000000", "matchKind": "DefaultBranch"}]}, 404),
        ({"scope": [{"refName": "main", "matchKind": "Exact"}]}, 400),
        ({"scope": [{"refName": "refs/heads/main", "matchKind": "Nearly"}]}, 400),
        ({"validDuration": -1}, 400),
    ],
)
def test_an_invalid_policy_is_refused(service: Service, settings: Json, status: int) -> None:
    definitions = service.get("app-one/_apis/build/definitions?name=for-policies")["value"]
    if not definitions:
        body = definition_body(service, "for-policies")
        definitions = [service.post("app-one/_apis/build/definitions", body)]
    body = build_validation(service, definitions[0]["id"], **settings)
    assert service.refused("POST", POLICIES, body)[0] == status


def test_policy_types_have_the_ids_of_the_service(service: Service) -> None:
    types = {one["id"]: one["displayName"] for one in service.get("app-one/_apis/policy/types")["value"]}
    assert types[BUILD_VALIDATION] == "Build"
    assert types["fa4e907d-c16b-4a4c-9dfa-4906e5d171dd"] == "Minimum number of reviewers"
    assert service.refused("GET", "app-one/_apis/policy/types/nothing")[0] == 404


def test_a_project_group_is_found_by_its_scope_and_resolved_to_its_id(service: Service) -> None:
    scope = service.get(f"_apis/graph/descriptors/{service.project_id()}")["value"]
    groups = service.get(f"_apis/graph/groups?scopeDescriptor={scope}")["value"]
    names = {group["displayName"]: group for group in groups}
    assert {"Contributors", "Project Administrators", "Build Administrators", "Readers"} <= set(names)
    one = names["Contributors"]
    assert one["principalName"] == "[app-one]\\Contributors"
    assert one["domain"] == f"vstfs:///Classification/TeamProject/{service.project_id()}"
    key = service.get(f"_apis/graph/storagekeys/{one['descriptor']}")["value"]
    assert service.get(f"_apis/identities/{key}")["subjectDescriptor"] == one["descriptor"]
    assert service.get(f"_apis/graph/groups/{one['descriptor']}") == one
    listed = service.get(f"_apis/groups?scopeIds={service.project_id()}")["value"]
    assert {identity["id"] for identity in listed} >= {key}
    everywhere = service.get("_apis/graph/groups")["value"]
    assert "Project Collection Administrators" in {group["displayName"] for group in everywhere}


def test_a_user_is_found_by_name_and_by_mail_address(service: Service, reviewer: str) -> None:
    for query in (
        "searchFilter=General&filterValue=Reviewer",
        "searchFilter=MailAddress&filterValue=reviewer@app-one.example",
        f"identityIds={reviewer}",
        f"identityIds={reviewer},",
    ):
        assert [one["id"] for one in service.get(f"_apis/identities?{query}")["value"]] == [reviewer]
    unknown = service.get("_apis/identities?identityIds=b3c1f0c8-0000-4000-8000-000000000000")
    assert unknown["value"] == [None]
    assert service.refused("GET", "_apis/graph/users/aad.nobody")[0] == 404


def test_pools_and_queues_are_those_of_a_new_organisation(service: Service) -> None:
    pools = {pool["name"]: pool for pool in service.get("_apis/distributedtask/pools")["value"]}
    assert (pools["Default"]["isHosted"], pools["Azure Pipelines"]["isHosted"]) == (False, True)
    assert service.get("_apis/distributedtask/pools?poolName=default")["count"] == 1
    (queue,) = service.get("app-one/_apis/distributedtask/queues?queueName=Azure%20Pipelines")["value"]
    assert queue["pool"]["id"] == pools["Azure Pipelines"]["id"]
    assert service.get(f"app-one/_apis/distributedtask/queues/{queue['id']}") == queue
    assert service.refused("GET", "app-one/_apis/distributedtask/queues/4711")[0] == 404
    assert service.refused("GET", "_apis/distributedtask/pools/4711")[0] == 404


def test_the_project_has_its_repository_with_a_main_branch(service: Service) -> None:
    repository = service.get("app-one/_apis/git/repositories/APP-ONE")
    assert repository["defaultBranch"] == "refs/heads/main"
    assert repository["remoteUrl"] == f"{service.url}/app-one/_git/app-one"
    by_id = service.get(f"_apis/git/repositories/{repository['id']}")
    assert by_id == repository
    (ref,) = service.get("app-one/_apis/git/repositories/app-one/refs?filter=heads/main")["value"]
    branch = service.get("app-one/_apis/git/repositories/app-one/stats/branches?name=main")
    assert branch["commit"]["commitId"] == ref["objectId"]
    (commit,) = service.get("app-one/_apis/git/repositories/app-one/commits")["value"]
    assert (commit["commitId"], commit["comment"]) == (ref["objectId"], "Added README.md")
    item = service.get("app-one/_apis/git/repositories/app-one/items?path=/README.md&includeContent=true")
    assert (item["content"], item["commitId"]) == ("# app-one\n", ref["objectId"])


def test_a_repository_is_created_renamed_disabled_and_deleted(service: Service) -> None:
    body = {"name": "tools", "project": {"id": service.project_id()}}
    created = service.post("_apis/git/repositories", body)
    assert "defaultBranch" not in created
    assert service.refused("POST", "_apis/git/repositories", body)[:2] == (
        409,
        "GitRepositoryNameAlreadyExistsException",
    )
    path = f"app-one/_apis/git/repositories/{created['id']}"
    assert service.patch(path, {"name": "utilities"})["name"] == "utilities"
    service.patch(path, {"isDisabled": True})
    status, key, message = service.refused("GET", path)
    assert (status, key) == (404, "GitRepositoryNotFoundException")
    assert message.startswith("TF401019:")
    hidden = service.get("app-one/_apis/git/repositories?includeHidden=true")["value"]
    assert [one["isDisabled"] for one in hidden if one["id"] == created["id"]] == [True]
    service.patch(path, {"isDisabled": False})
    service.delete(path)
    assert service.refused("GET", path)[0] == 404


def test_a_push_on_an_old_commit_is_refused(service: Service) -> None:
    change = {
        "changeType": "add",
        "item": {"path": "x"},
        "newContent": {"content": "eA==", "contentType": "base64encoded"},
    }
    body = {
        "refUpdates": [{"name": "refs/heads/main", "oldObjectId": "1" * 40}],
        "commits": [{"comment": "c", "changes": [change]}],
    }
    status, _, message = service.refused("POST", "app-one/_apis/git/repositories/app-one/pushes", body)
    assert status == 409
    assert message.startswith("TF401028: The reference 'refs/heads/main' has already been updated")
    body["refUpdates"] = [{"name": "refs/heads/new", "oldObjectId": "0" * 40}]
    service.post("app-one/_apis/git/repositories/app-one/pushes", body)
    query = "path=/x&versionDescriptor.version=new&includeContent=true"
    assert service.get(f"app-one/_apis/git/repositories/app-one/items?{query}")["content"] == "x"
    assert service.refused("GET", "app-one/_apis/git/repositories/app-one/items?path=/none")[0] == 404
