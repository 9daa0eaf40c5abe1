"""Pipelines of the Azure DevOps service: definitions, who may use a variable group, runs, and an agent's channel."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.azure_devops.service import Json, Service, definition_body, group_body, push

DEFINITIONS = "app-one/_apis/build/definitions"
BUILDS = "app-one/_apis/build/builds"
AGENT = "_apis/sandbox/agent"
YAML = """
trigger: [main]
variables:
  - group: {group}
  - name: x
    value: y
steps:
  - template: pipelines/steps.yml
"""


@pytest.fixture
def named(service: Service, request: pytest.FixtureRequest) -> str:
    """A name of the test's own; the repository's pipeline names a variable group of this name."""
    name = str(request.node.name)
    push(service, {"/azure-pipelines.yml": YAML.format(group=name), "/pipelines/steps.yml": "steps: []\n"})
    return name


@pytest.fixture
def group(service: Service, named: str) -> Json:
    """That group, closed to all."""
    secret = {"value": "s3cr3t", "isSecret": True}
    created: Json = service.post(
        "_apis/distributedtask/variablegroups",
        group_body(service.project_id(), named, **{"App-One.SecretKey": secret, "plain": {"value": "1"}}),
    )
    return created


@pytest.fixture
def pipeline(service: Service, named: str) -> Json:
    """A pipeline on that YAML."""
    created: Json = service.post(DEFINITIONS, definition_body(service, named), version="7.1-preview.7")
    return created


def permit(service: Service, kind: str, number: object, pipeline: object, *, authorized: bool = True) -> Json:
    body = {"pipelines": [{"id": pipeline, "authorized": authorized}]}
    answer: Json = service.patch(f"app-one/_apis/pipelines/pipelinePermissions/{kind}/{number}", body)
    return answer


def queue(service: Service, pipeline: Json, **more: object) -> Json:
    answer: Json = service.post(BUILDS, {"definition": {"id": pipeline["id"]}, **more})
    return answer


def take(service: Service, build: Json) -> Json:
    answer: Json = service.post(f"app-one/_apis/sandbox/agent/jobs/{build['id']}")
    return answer


def test_a_definition_is_given_back_as_the_plugin_reads_it(service: Service, pipeline: Json) -> None:
    read = service.get(f"{DEFINITIONS}/{pipeline['id']}")
    assert read == pipeline
    assert (read["path"], read["revision"], read["queueStatus"]) == ("\\", 1, "enabled")
    assert read["process"] == {"yamlFilename": "azure-pipelines.yml", "type": 2}
    assert read["queue"]["pool"]["name"] == "Azure Pipelines"
    assert read["repository"]["type"] == "TfsGit"
    assert read["repository"]["defaultBranch"] == "refs/heads/main"
    assert read["repository"]["url"] == f"{service.url}/app-one/_git/app-one"
    assert read["repository"]["properties"]["reportBuildStatus"] == "true"
    assert read["triggers"][0]["settingsSourceType"] == 2
    assert read["jobAuthorizationScope"] == "projectCollection"
    found = service.get(f"{DEFINITIONS}?name={pipeline['name']}")["value"]
    assert [(one["id"], "process" in one) for one in found] == [(pipeline["id"], False)]


def test_a_definition_counts_its_revisions_and_refuses_an_old_one(service: Service, pipeline: Json) -> None:
    body = definition_body(service, pipeline["name"], id=pipeline["id"], revision=1, path="\\team")
    changed = service.put(f"{DEFINITIONS}/{pipeline['id']}", body)
    assert (changed["revision"], changed["path"]) == (2, "\\team")
    status, _, message = service.refused("PUT", f"{DEFINITIONS}/{pipeline['id']}", body)
    assert status == 409
    assert "revision 1 was sent, 2 is present" in message
    history = service.get(f"{DEFINITIONS}/{pipeline['id']}/revisions")["value"]
    assert [(one["revision"], one["changeType"]) for one in history] == [(1, "add"), (2, "update")]


@pytest.mark.parametrize(
    ("change", "status", "part"),
    [
        ({"name": ""}, 400, "is not valid"),
        ({"name": "a/b"}, 400, "is not valid"),
        ({"process": {}}, 400, "no yamlFilename"),
        ({"repository": {"type": "GitHub", "id": "a/b"}}, 400, "service connection"),
        ({"repository": {"type": "TfsGit", "id": "nothing"}}, 404, "TF401019"),
        ({"queue": {"name": "Nowhere"}}, 400, "Could not find an agent queue Nowhere"),
        ({"variableGroups": [{"id": 4711}]}, 400, "Variable group with ID 4711 does not exist"),
    ],
)
def test_an_invalid_definition_is_refused(service: Service, change: Json, status: int, part: str) -> None:
    refused = service.refused("POST", DEFINITIONS, definition_body(service, "invalid") | change)
    assert refused[0] == status
    assert part in refused[2]


def test_a_definition_name_is_taken_once_in_a_folder(service: Service, pipeline: Json) -> None:
    status, key, _ = service.refused("POST", DEFINITIONS, definition_body(service, pipeline["name"]))
    assert (status, key) == (409, "DefinitionExistsException")
    service.post(DEFINITIONS, definition_body(service, pipeline["name"], path="\\other"))


def test_an_unknown_definition_is_404(service: Service) -> None:
    for method in ("GET", "DELETE"):
        status, key, _ = service.refused(method, f"{DEFINITIONS}/4711")
        assert (status, key) == (404, "DefinitionNotFoundException")


def test_a_secret_variable_of_a_definition_is_hidden_and_kept(service: Service, pipeline: Json) -> None:
    variables: Json = {"key": {"value": "p4ss", "isSecret": True, "allowOverride": True}}
    body = definition_body(service, pipeline["name"], revision=1, variables=variables)
    shown = service.put(f"{DEFINITIONS}/{pipeline['id']}", body)
    assert shown["variables"] == {"key": {"value": None, "isSecret": True, "allowOverride": True}}
    variables["key"]["value"] = None
    service.put(f"{DEFINITIONS}/{pipeline['id']}", body | {"revision": 2})
    service.post(
        "_apis/distributedtask/variablegroups", group_body(service.project_id(), pipeline["name"], a={"value": "1"})
    )
    number = service.get(f"app-one/_apis/distributedtask/variablegroups?groupName={pipeline['name']}")["value"][0]["id"]
    permit(service, "variablegroup", number, pipeline["id"])
    job = take(service, queue(service, pipeline))
    assert job["variables"]["key"] == {"value": "p4ss", "isSecret": True}


def test_a_permitted_pipeline_runs_and_another_is_refused_the_group(
    service: Service, group: Json, pipeline: Json
) -> None:
    other = service.post(DEFINITIONS, definition_body(service, pipeline["name"] + "-other"))
    answer = permit(service, "variablegroup", group["id"], pipeline["id"])
    assert [(one["id"], one["authorized"]) for one in answer["pipelines"]] == [(pipeline["id"], True)]
    assert answer["pipelines"][0]["authorizedBy"]["displayName"] == "Operator"
    assert queue(service, pipeline)["status"] == "notStarted"

    words = (
        f"Variable group {group['name']} was not found or is not authorized for use. "
        "For authorization details, refer to https://aka.ms/yamlauthz."
    )
    refused = service.ask("POST", BUILDS, {"definition": {"id": other["id"]}})
    assert (refused.status_code, refused.json()["typeKey"]) == (400, "BuildRequestValidationFailedException")
    (result,) = refused.json()["customProperties"]["ValidationResults"]
    assert result == {"result": "error", "message": f"An error occurred while loading the YAML build pipeline. {words}"}
    run = service.refused("POST", f"app-one/_apis/pipelines/{other['id']}/runs", {})
    assert run == (400, "PipelineValidationException", f"The pipeline is not valid. {words}")


def test_a_group_that_is_open_to_all_is_open_to_every_pipeline(service: Service, group: Json, pipeline: Json) -> None:
    one = {"id": str(group["id"]), "type": "variablegroup", "name": group["name"], "authorized": True}
    service.patch("app-one/_apis/build/authorizedresources", [one])
    assert queue(service, pipeline)["id"] > 0


def test_a_permission_can_be_taken_back(service: Service, group: Json, pipeline: Json) -> None:
    permit(service, "variablegroup", group["id"], pipeline["id"])
    assert permit(service, "variablegroup", group["id"], pipeline["id"], authorized=False)["pipelines"] == []
    assert service.ask("POST", BUILDS, {"definition": {"id": pipeline["id"]}}).status_code == 400


def test_a_group_in_a_template_and_a_linked_group_are_judged_too(service: Service, group: Json, pipeline: Json) -> None:
    job = f"jobs:\n  - job: a\n    variables:\n      - group: {group['name']}\n"
    push(service, {"/azure-pipelines.yml": "extends:\n  template: pipelines/all.yml\n", "/pipelines/all.yml": job})
    assert service.ask("POST", BUILDS, {"definition": {"id": pipeline["id"]}}).status_code == 400
    push(service, {"/azure-pipelines.yml": "steps: []\n"})
    assert queue(service, pipeline)["id"] > 0
    body = definition_body(service, pipeline["name"], revision=1, variableGroups=[{"id": group["id"]}])
    linked = service.put(f"{DEFINITIONS}/{pipeline['id']}", body)
    assert linked["variableGroups"][0]["variables"]["App-One.SecretKey"] == {"value": None, "isSecret": True}
    assert service.ask("POST", BUILDS, {"definition": {"id": pipeline["id"]}}).status_code == 400


def test_a_pipeline_without_its_yaml_is_refused_with_the_file_named(service: Service) -> None:
    body = definition_body(service, "no-yaml", process={"yamlFilename": "missing.yml"})
    pipeline = service.post(DEFINITIONS, body)
    _, _, message = service.refused("POST", f"app-one/_apis/pipelines/{pipeline['id']}/runs", {})
    assert "File /missing.yml not found in repository" in message
    assert "branch refs/heads/main version" in message


def test_a_disabled_pipeline_and_an_unknown_branch_are_refused(service: Service, group: Json, pipeline: Json) -> None:
    permit(service, "variablegroup", group["id"], pipeline["id"])
    _, _, message = service.refused(
        "POST", BUILDS, {"definition": {"id": pipeline["id"]}, "sourceBranch": "refs/heads/nowhere"}
    )
    assert "refs/heads/nowhere" in message
    body = definition_body(service, pipeline["name"], revision=1, queueStatus="disabled")
    service.put(f"{DEFINITIONS}/{pipeline['id']}", body)
    assert service.refused("POST", BUILDS, {"definition": {"id": pipeline["id"]}})[0] == 400


def test_permissions_of_an_unknown_pipeline_or_resource_type_are_refused(service: Service, group: Json) -> None:
    path = f"app-one/_apis/pipelines/pipelinePermissions/variablegroup/{group['id']}"
    status, key, _ = service.refused("PATCH", path, {"pipelines": [{"id": 4711, "authorized": True}]})
    assert (status, key) == (404, "DefinitionNotFoundException")
    assert service.refused("GET", path.replace("variablegroup", "nothing"))[0] == 400


def test_what_is_not_there_cannot_be_opened_but_can_be_closed(service: Service, pipeline: Json) -> None:
    for kind in ("variablegroup", "environment", "queue", "repository", "endpoint"):
        path = f"app-one/_apis/pipelines/pipelinePermissions/{kind}/4711"
        one = {"id": pipeline["id"], "authorized": True}
        assert service.refused("PATCH", path, {"pipelines": [one]})[0] == 404
        assert service.patch(path, {"pipelines": [one | {"authorized": False}]})["pipelines"] == []
    resource = {"type": "variablegroup", "id": "4711", "authorized": True}
    assert service.refused("PATCH", "app-one/_apis/build/authorizedresources", [resource])[0] == 404


def test_a_group_whose_name_is_an_expression_is_judged_and_one_that_is_left_out_is_not(
    service: Service, group: Json, pipeline: Json
) -> None:
    text = (
        f"parameters:\n- {{name: group, default: {group['name']}}}\n"
        "variables:\n- group: ${{ parameters.group }}\n- ${{ if false }}:\n  - group: nowhere\nsteps: []\n"
    )
    push(service, {"/azure-pipelines.yml": text})
    _, _, message = service.refused("POST", BUILDS, {"definition": {"id": pipeline["id"]}})
    assert f"Variable group {group['name']} was not found or is not authorized for use" in message
    permit(service, "variablegroup", group["id"], pipeline["id"])
    assert queue(service, pipeline)["id"] > 0


def test_an_environment_is_given_to_a_permitted_run_with_its_checks(service: Service, pipeline: Json) -> None:
    push(service, {"/azure-pipelines.yml": "steps: []\n"})
    token = take(service, queue(service, pipeline))["accessToken"]
    environment = service.post("app-one/_apis/distributedtask/environments", {"name": pipeline["name"][:100]})
    resource = {"type": "environment", "id": str(environment["id"])}
    lock = {"type": {"id": "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563"}, "resource": resource, "settings": {}}
    service.post("app-one/_apis/pipelines/checks/configurations", lock)
    path = f"app-one/_apis/sandbox/agent/environments/{environment['name']}"
    status, _, message = service.refused("GET", path, token=token)
    assert status == 403
    assert message.startswith(f"Environment {environment['name']} could not be found.")
    permit(service, "environment", environment["id"], pipeline["id"])
    assert [one["type"] for one in service.get(path, token=token)["checks"]] == ["ExclusiveLock"]


def test_an_environment_is_given_only_to_runs_of_allowed_branches_that_are_protected(
    service: Service, pipeline: Json
) -> None:
    push(service, {"/azure-pipelines.yml": "steps: []\n"})
    repository = service.get("app-one/_apis/git/repositories/app-one")["id"]
    refs = f"app-one/_apis/git/repositories/{repository}/refs"
    tip = service.get(refs)["value"][0]["objectId"]
    made = [{"name": "refs/heads/other", "oldObjectId": "0" * 40, "newObjectId": tip}]
    service.post(refs, made)
    environment = service.post("app-one/_apis/distributedtask/environments", {"name": "branches"})
    permit(service, "environment", environment["id"], pipeline["id"])
    inputs = {
        "allowedBranches": "refs/heads/main, refs/heads/release/*",
        "ensureProtectionOfBranch": "true",
        "allowUnknownStatusBranch": "false",
    }
    check = {
        "type": {"id": "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7"},
        "resource": {"type": "environment", "id": str(environment["id"])},
        "settings": {
            "definitionRef": {"id": "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b", "version": "0.0.1"},
            "displayName": "Branch control",
            "inputs": inputs,
        },
    }
    service.post("app-one/_apis/pipelines/checks/configurations", check)
    path = "app-one/_apis/sandbox/agent/environments/branches"

    def asked(branch: str) -> str:
        token = take(service, queue(service, pipeline, sourceBranch=branch))["accessToken"]
        status, _, message = service.refused("GET", path, token=token)
        assert status == 403
        return str(message)

    assert "refs/heads/other is not among the allowed branches" in asked("refs/heads/other")
    assert "refs/heads/main is not protected" in asked("refs/heads/main")
    policy = {
        "isEnabled": True,
        "isBlocking": True,
        "type": {"id": "0609b952-1397-4640-95ec-e00a01b2c241"},
        "settings": {
            "scope": [{"repositoryId": repository, "refName": "refs/heads/main", "matchKind": "Exact"}],
            "buildDefinitionId": pipeline["id"],
        },
    }
    number = service.post("app-one/_apis/policy/configurations", policy)["id"]
    token = take(service, queue(service, pipeline, sourceBranch="refs/heads/main"))["accessToken"]
    assert [one["type"] for one in service.get(path, token=token)["checks"]] == ["Task Check"]
    service.delete(f"app-one/_apis/policy/configurations/{number}")
    assert "refs/heads/main is not protected" in asked("refs/heads/main")


def test_permissions_of_several_resources_are_changed_in_one_call(service: Service, pipeline: Json) -> None:
    queues = service.get("app-one/_apis/distributedtask/queues")["value"]
    repository = service.get("app-one/_apis/git/repositories/app-one")
    resources = [
        {"type": "queue", "id": str(queues[0]["id"])},
        {"type": "repository", "id": f"{service.project_id()}.{repository['id']}"},
    ]
    body = [{"resource": one, "pipelines": [{"id": pipeline["id"], "authorized": True}]} for one in resources]
    answer = service.patch("app-one/_apis/pipelines/pipelinePermissions", body)["value"]
    assert [one["resource"] for one in answer] == resources
    listed = service.get(f"app-one/_apis/build/definitions/{pipeline['id']}/resources")["value"]
    assert {one["type"] for one in listed} == {"queue", "repository"}


def test_a_deleted_pipeline_loses_what_it_was_permitted(service: Service, group: Json, pipeline: Json) -> None:
    permit(service, "variablegroup", group["id"], pipeline["id"])
    service.delete(f"{DEFINITIONS}/{pipeline['id']}")
    assert service.get(f"app-one/_apis/pipelines/pipelinePermissions/variablegroup/{group['id']}")["pipelines"] == []


def test_an_agent_is_given_its_job_its_token_and_the_secrets_of_a_permitted_group(
    service: Service, group: Json, pipeline: Json
) -> None:
    permit(service, "variablegroup", group["id"], pipeline["id"])
    build = queue(service, pipeline)
    assert build["buildNumber"].count(".") == 1
    job = take(service, build)
    assert service.get(f"{BUILDS}/{build['id']}")["status"] == "inProgress"
    variables: dict[str, Any] = {name: one["value"] for name, one in job["variables"].items()}
    assert variables["Build.BuildNumber"] == build["buildNumber"]
    assert variables["System.TeamFoundationCollectionUri"] == f"{service.url}/"
    assert variables["Build.SourceBranchName"] == "main"
    token = job["accessToken"]
    given = service.get(f"app-one/_apis/sandbox/agent/variablegroups/{group['name']}", token=token)
    assert given["variables"] == {
        "App-One.SecretKey": {"value": "s3cr3t", "isSecret": True},
        "plain": {"value": "1", "isSecret": False},
    }
    who = service.get("_apis/connectionData", token=token)["authenticatedUser"]
    assert who["providerDisplayName"] == "app-one Build Service (app-one)"


def test_a_run_is_refused_a_group_that_its_pipeline_may_not_use(service: Service, group: Json, pipeline: Json) -> None:
    permit(service, "variablegroup", group["id"], pipeline["id"])
    token = take(service, queue(service, pipeline))["accessToken"]
    closed = service.post(
        "_apis/distributedtask/variablegroups", group_body(service.project_id(), group["name"] + "-closed")
    )
    status, _, message = service.refused(
        "GET", f"app-one/_apis/sandbox/agent/variablegroups/{closed['name']}", token=token
    )
    assert status == 403
    assert message.startswith(f"Variable group {closed['name']} was not found or is not authorized for use.")
    # Not even the operator reads secrets.
    assert service.refused("GET", f"app-one/_apis/sandbox/agent/variablegroups/{group['name']}")[0] == 403


def test_the_token_of_a_run_ends_with_the_run_and_cannot_manage(service: Service, group: Json, pipeline: Json) -> None:
    permit(service, "variablegroup", group["id"], pipeline["id"])
    build = queue(service, pipeline)
    token = take(service, build)["accessToken"]
    path = f"_apis/distributedtask/variablegroups/{group['id']}?projectIds={service.project_id()}"
    assert service.ask("DELETE", path, token=token).status_code == 401
    finished = service.patch(f"{BUILDS}/{build['id']}", {"status": "completed", "result": "succeeded"}, token=token)
    assert (finished["status"], finished["result"]) == ("completed", "succeeded")
    assert service.ask("GET", f"{BUILDS}/{build['id']}", token=token).status_code == 401
    assert service.refused("POST", f"app-one/_apis/sandbox/agent/jobs/{build['id']}")[0] == 400
    assert service.refused("PATCH", f"{BUILDS}/{build['id']}", {"status": "inProgress"})[0] == 400


def test_the_token_of_a_run_opens_no_resource_and_makes_changes_and_deletes_no_pipeline(
    service: Service, group: Json, pipeline: Json
) -> None:
    permit(service, "variablegroup", group["id"], pipeline["id"])
    token = take(service, queue(service, pipeline))["accessToken"]
    definitions = "app-one/_apis/build/definitions"
    before = service.get(f"{definitions}/{pipeline['id']}", token=token)
    opened = [{"type": "variablegroup", "id": str(group["id"]), "name": group["name"], "authorized": True}]
    edited = {**before, "process": {**before["process"], "yamlFilename": "mine.yml"}}
    for method, path, body, permission in (
        ("PATCH", "app-one/_apis/build/authorizedresources", opened, "Administer"),
        ("PATCH", f"{definitions}/{pipeline['id']}/resources", opened, "Administer"),
        ("POST", definitions, {**before, "name": "mine"}, "Create build pipeline"),
        ("PUT", f"{definitions}/{pipeline['id']}", edited, "Edit build pipeline"),
        ("DELETE", f"{definitions}/{pipeline['id']}", None, "Delete build pipeline"),
    ):
        status, key, message = service.refused(method, path, body, token=token)
        assert (status, key) == (403, "AccessDeniedException"), path
        assert f"needs {permission} permissions" in message
    permissions = f"app-one/_apis/pipelines/pipelinePermissions/variablegroup/{group['id']}"
    assert service.ask("PATCH", permissions, {"allPipelines": {"authorized": True}}, token=token).status_code == 401
    assert service.get(f"{definitions}/{pipeline['id']}") == before
    assert "allPipelines" not in service.get(permissions)


def test_a_queued_build_is_cancelled_at_once_and_a_running_one_is_told(
    service: Service, group: Json, pipeline: Json
) -> None:
    permit(service, "variablegroup", group["id"], pipeline["id"])
    waiting, running = queue(service, pipeline), queue(service, pipeline)
    assert service.patch(f"{BUILDS}/{waiting['id']}", {"status": "cancelling"})["result"] == "canceled"
    assert service.post(f"{AGENT}/requests", {"build": running["id"]})["job"]["build"]["id"] == running["id"]
    assert service.patch(f"{BUILDS}/{running['id']}", {"status": "cancelling"})["status"] == "cancelling"
    numbers = [int(one["buildNumber"].split(".")[1]) for one in (waiting, running)]
    assert numbers == [1, 2]
    listed = service.get(f"{BUILDS}?definitions={pipeline['id']}")["value"]
    assert [one["id"] for one in listed] == [running["id"], waiting["id"]]


def test_a_build_number_is_changed_and_an_illegal_one_refused(service: Service, group: Json, pipeline: Json) -> None:
    permit(service, "variablegroup", group["id"], pipeline["id"])
    build = queue(service, pipeline)
    assert service.patch(f"{BUILDS}/{build['id']}", {"buildNumber": "1.2.3 rc+1"})["buildNumber"] == "1.2.3 rc+1"
    for number in ("a/b", "ends.", "x" * 256, ""):
        status, _, message = service.refused("PATCH", f"{BUILDS}/{build['id']}", {"buildNumber": number})
        assert status == 400
        assert "The maximum length of a build number is 255 characters." in message


def test_a_pull_request_run_is_told_its_pull_request(service: Service, group: Json, pipeline: Json) -> None:
    permit(service, "variablegroup", group["id"], pipeline["id"])
    branch = f"refs/heads/{pipeline['name']}"
    commit = push(service, {"/change.txt": "x"}, branch)
    request = service.post(
        "app-one/_apis/git/repositories/app-one/pullrequests",
        {"sourceRefName": branch, "targetRefName": "refs/heads/main", "title": "t"},
    )
    number = request["pullRequestId"]
    build = queue(service, pipeline, sourceBranch=f"refs/pull/{number}/merge")
    assert (build["reason"], build["sourceVersion"]) == ("pullRequest", commit)
    variables = take(service, build)["variables"]
    assert variables["System.PullRequest.PullRequestId"]["value"] == str(number)
    assert variables["System.PullRequest.TargetBranchName"]["value"] == "main"
    assert variables["Build.Reason"]["value"] == "PullRequest"
