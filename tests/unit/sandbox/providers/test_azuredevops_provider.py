"""The azuredevops stand-in against the sandbox's Azure DevOps, asked as the engine asks a plugin."""

from __future__ import annotations

import contextlib
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.sandbox.providers.plugin_client import (
    PluginError,
    is_secret,
    of_the_stand_in,
    running,
    same_after,
)
from tests.unit.sandbox.providers.test_providers_conformance import result_names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.sandbox.azure_devops.service import Service
    from tests.unit.sandbox.providers.plugin_client import Plugin

INDEX = "azuredevops:index/"
GROUP = INDEX + "variableGroup:VariableGroup"
DEFINITION = INDEX + "buildDefinition:BuildDefinition"
AUTHORIZATION = INDEX + "pipelineAuthorization:PipelineAuthorization"
ENVIRONMENT = INDEX + "environment:Environment"
APPROVAL = INDEX + "checkApproval:CheckApproval"
LOCK = INDEX + "checkExclusiveLock:CheckExclusiveLock"
BRANCH = INDEX + "checkBranchControl:CheckBranchControl"
TEMPLATE = INDEX + "checkRequiredTemplate:CheckRequiredTemplate"
REVIEWERS = INDEX + "branchPolicyMinReviewers:BranchPolicyMinReviewers"
CONNECTION = INDEX + "serviceEndpointAws:ServiceEndpointAws"
POLICY = INDEX + "branchPolicyBuildValidation:BranchPolicyBuildValidation"


@pytest.fixture(scope="module")
def project(azure: Plugin) -> str:
    """The id of the project that is there from the start."""
    return str(azure.invoke(INDEX + "getProject:getProject", name="app-one")["id"])


@pytest.fixture(scope="module")
def repository(azure: Plugin, project: str) -> str:
    """The id of the project's repository."""
    found = azure.invoke(INDEX + "getGitRepository:getGitRepository", name="app-one", projectId=project)
    return str(found["id"])


def variables(hidden: str = "a-secret-value") -> list[dict[str, Any]]:
    return [
        {"name": "plain", "value": "shown"},
        {"name": "hidden", "secretValue": hidden, "isSecret": True},
    ]


def test_a_variable_group_is_made_closed_and_then_nothing_differs(azure: Plugin, project: str) -> None:
    checked = azure.check(GROUP, {"name": "closed", "projectId": project, "variables": variables()})
    own, outputs, raw = azure.create(GROUP, checked)
    assert is_secret(raw, "variables")
    assert outputs["allowAccess"] is False
    same_after(azure, GROUP, own, outputs, checked)
    assert azure.kinds(GROUP, outputs, {**checked, "variables": list(reversed(checked["variables"]))}) == {}


def test_a_changed_secret_is_an_update_that_sends_all_secrets_again(
    azure: Plugin, azure_service: Service, project: str
) -> None:
    own, outputs, inputs = azure.up(GROUP, {"name": "rotated", "projectId": project, "variables": variables()})
    wanted = {**inputs, "variables": variables("another"), "allowAccess": True}
    assert azure.kinds(GROUP, outputs, wanted) == {"allowAccess": "UPDATE", "variables": "UPDATE"}
    updated = azure.update(GROUP, own, outputs, wanted)
    assert (updated["allowAccess"], updated["variables"][1]["secretValue"]) == (True, "another")
    same_after(azure, GROUP, own, updated, wanted)
    shown = azure_service.get(f"{project}/_apis/distributedtask/variablegroups/{own}")
    assert shown["variables"]["hidden"] == {"value": None, "isSecret": True}


def test_another_project_replaces_the_group(azure: Plugin, project: str) -> None:
    state = {"name": "moved", "projectId": project, "variables": variables()}
    answer = azure.diff(GROUP, state, {**state, "projectId": "00000000-0000-0000-0000-000000000000"})
    assert list(answer.replaces) == ["projectId"]


def test_a_value_that_is_explicitly_not_secret_passes_the_preview_and_fails_at_up(azure: Plugin, project: str) -> None:
    mixed = [{"name": "mixed", "value": "x", "isSecret": False}]
    checked = azure.check(GROUP, {"name": "mixed", "projectId": project, "variables": mixed})
    assert azure.create(GROUP, checked, preview=True)[1]["name"] == "mixed"
    with pytest.raises(PluginError, match="`mixed` variable can have either only `value` attribute or both"):
        azure.create(GROUP, checked)


def test_a_project_that_is_no_uuid_and_a_group_without_variables_are_refused_at_check(azure: Plugin) -> None:
    found = azure.check(GROUP, {"name": "x", "projectId": "app-one", "variables": []})
    assert any('"project_id" to be a valid UUID, got app-one' in each for each in found)
    assert any("Attribute variable requires 1 item minimum" in each for each in found)


def test_a_second_group_of_the_same_name_fails_with_the_services_words(azure: Plugin, project: str) -> None:
    declared = {"name": "unique", "projectId": project, "variables": variables()}
    azure.up(GROUP, declared)
    with pytest.raises(PluginError, match=r"creating variable group in Azure DevOps: .*unique"):
        azure.up(GROUP, declared)


def test_a_group_whose_authorisation_fails_is_kept_and_the_next_up_makes_no_second_one(
    azure_service: Service, project: str, tmp_path: Path
) -> None:
    with (
        refusing(azure_service, "PATCH") as url,
        running(
            "azuredevops", tmp_path, AZDO_ORG_SERVICE_URL=url, AZDO_PERSONAL_ACCESS_TOKEN=azure_service.token
        ) as plugin,
    ):
        assert plugin.configure() == []
        checked = plugin.check(GROUP, {"name": "partly", "projectId": project, "variables": variables()})
        with pytest.raises(PluginError, match="Creating definitionResourceReference") as failed:
            plugin.create(GROUP, checked)
    partial = failed.value.partial
    assert partial is not None
    assert "a-secret-value" not in str(failed.value)
    assert is_secret(partial.properties, "variables")
    environment = {"AZDO_ORG_SERVICE_URL": azure_service.url, "AZDO_PERSONAL_ACCESS_TOKEN": azure_service.token}
    with running("azuredevops", tmp_path, **environment) as plugin:
        assert plugin.configure() == []
        updated = plugin.update(GROUP, partial.id, {"projectId": project, "variables": variables()}, checked)
        assert updated["name"] == "partly"
    listed = azure_service.get(f"{project}/_apis/distributedtask/variablegroups?groupName=partly")["value"]
    assert [str(each["id"]) for each in listed] == [partial.id]


class refusing:  # noqa: N801 - used as a function
    """The service behind a proxy that answers one method with a failure."""

    def __init__(self, service: Service, method: str) -> None:
        import requests

        token = service.token

        class Handler(BaseHTTPRequestHandler):
            def pass_on(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                path = self.path.removeprefix("/app-one/")
                if self.command == method:
                    status, answer = 500, b'{"message": "the authorisation service is down"}'
                else:
                    accept = {"Accept": self.headers["Accept"], "Content-Type": "application/json"}
                    found = requests.request(
                        self.command, f"{service.url}/{path}", data=body, headers=accept, auth=("", token), timeout=300
                    )
                    own = f"http://127.0.0.1:{self.server.server_port}/app-one"  # type: ignore[attr-defined]
                    status, answer = found.status_code, found.content.replace(service.url.encode(), own.encode())
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = pass_on  # noqa: N815 - http.server's names

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}/app-one"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def pipeline(azure: Plugin, project: str, repository: str, name: str, **more: Any) -> Any:
    source = {
        "repoType": "TfsGit",
        "repoId": repository,
        "branchName": "refs/heads/main",
        "ymlPath": "azure-pipelines.yml",
    }
    declared = {"name": name, "projectId": project, "repository": source, "ciTrigger": {"useYaml": True}, **more}
    return azure.up(DEFINITION, declared)


def test_a_pipeline_is_made_changed_and_found_unchanged(azure: Plugin, project: str, repository: str) -> None:
    own, outputs, inputs = pipeline(azure, project, repository, "built")
    assert outputs["revision"] == 1
    same_after(azure, DEFINITION, own, outputs, inputs)
    wanted = {
        **inputs,
        "ciTrigger": {"override": {"branchFilters": [{"includes": ["main"], "excludes": ["wip/*"]}]}},
        "pullRequestTrigger": {
            "useYaml": True,
            "initialBranch": "main",
            "forks": {"enabled": False, "shareSecrets": False},
        },
        "schedules": [{"branchFilters": [{"includes": ["main"]}], "daysToBuilds": ["Mon", "Sun"], "startHours": 3}],
        "variables": [{"name": "plain", "value": "1"}, {"name": "hidden", "secretValue": "zzz", "isSecret": True}],
        "queueStatus": "paused",
    }
    checked = azure.check(DEFINITION, wanted, inputs)
    assert {each.split("[")[0].split(".")[0] for each in azure.kinds(DEFINITION, outputs, checked)} == {
        "ciTrigger", "pullRequestTrigger", "schedules", "variables", "queueStatus",
    }  # fmt: skip
    updated = azure.update(DEFINITION, own, outputs, checked)
    assert updated["revision"] == 2
    same_after(azure, DEFINITION, own, updated, checked)
    azure.delete(DEFINITION, own, updated)
    assert azure.read(DEFINITION, own, updated, checked) is None


@of_the_stand_in
def test_what_the_stand_in_does_not_know_of_pipelines_is_said_at_check(azure: Plugin, project: str) -> None:
    found = azure.check(
        DEFINITION, {"name": "x", "projectId": project, "repository": {"repoType": "Git", "repoId": "r"}}
    )
    assert "YAML pipelines only" in found[0]


def test_exactly_one_pipeline_is_authorised_and_the_authorisation_can_be_imported(
    azure: Plugin, project: str, repository: str
) -> None:
    group, _, _ = azure.up(GROUP, {"name": "authorised", "projectId": project, "variables": variables()})
    own, _, _ = pipeline(azure, project, repository, "authorised")
    declared = {"projectId": project, "resourceId": group, "type": "variablegroup", "pipelineId": int(own)}
    name, outputs, inputs = azure.up(AUTHORIZATION, declared)
    assert name == f"{project}/variablegroup/{group};pipeline_id={own}"
    same_after(azure, AUTHORIZATION, name, outputs, inputs)
    assert list(azure.diff(AUTHORIZATION, outputs, {**inputs, "pipelineId": 99}).replaces) == ["pipelineId"]
    imported = azure.read(AUTHORIZATION, name)
    assert imported is not None
    assert imported[1]["pipelineId"] == int(own)
    azure.delete(AUTHORIZATION, name, outputs)


def test_an_environment_has_its_approval_and_its_lock(azure: Plugin, project: str) -> None:
    environment, outputs, inputs = azure.up(ENVIRONMENT, {"name": "staging", "projectId": project})
    same_after(azure, ENVIRONMENT, environment, outputs, inputs)
    approvers = azure.invoke(INDEX + "getGroup:getGroup", name="Project Administrators", projectId=project)
    target = {"projectId": project, "targetResourceId": environment, "targetResourceType": "environment"}
    approval, outputs, inputs = azure.up(APPROVAL, {**target, "approvers": [approvers["groupId"]]})
    assert (inputs["timeout"], inputs["__defaults"]) == (43200, ["timeout"])
    same_after(azure, APPROVAL, approval, outputs, inputs)
    wanted = {**inputs, "instructions": "look at the report", "requesterCanApprove": True, "timeout": 60}
    assert azure.kinds(APPROVAL, outputs, wanted) == {
        "instructions": "UPDATE",
        "requesterCanApprove": "UPDATE",
        "timeout": "UPDATE",
    }
    updated = azure.update(APPROVAL, approval, outputs, wanted)
    assert updated["version"] > outputs["version"]
    same_after(azure, APPROVAL, approval, updated, wanted)
    lock, outputs, inputs = azure.up(LOCK, target)
    same_after(azure, LOCK, lock, outputs, inputs)
    for token, own, state in ((LOCK, lock, outputs), (APPROVAL, approval, updated)):
        azure.delete(token, own, state)
        assert azure.read(token, own, state, inputs if token == LOCK else wanted) is None
    assert "'thing.timeout'" in azure.check(LOCK, {**target, "timeout": 50000})[0]


def test_a_branch_control_check_is_the_services_task_of_that_name(azure: Plugin, project: str) -> None:
    environment, _, _ = azure.up(ENVIRONMENT, {"name": "branches", "projectId": project})
    target = {"projectId": project, "targetResourceId": environment, "targetResourceType": "environment"}
    own, outputs, inputs = azure.up(BRANCH, target)
    assert (inputs["timeout"], inputs["allowedBranches"], inputs.get("verifyBranchProtection")) == (1440, "*", None)
    same_after(azure, BRANCH, own, outputs, inputs)
    wanted = {**inputs, "allowedBranches": "refs/heads/main", "verifyBranchProtection": True, "timeout": 5}
    assert azure.kinds(BRANCH, outputs, wanted) == dict.fromkeys(
        ("allowedBranches", "verifyBranchProtection", "timeout"), "UPDATE"
    )
    updated = azure.update(BRANCH, own, outputs, wanted)
    same_after(azure, BRANCH, own, updated, wanted)
    azure.delete(BRANCH, own, updated)
    assert azure.read(BRANCH, own, updated, wanted) is None


def test_a_required_template_is_of_azure_repos_by_the_plugins_word_for_it(azure: Plugin, project: str) -> None:
    environment, _, _ = azure.up(ENVIRONMENT, {"name": "templates", "projectId": project})
    target = {"projectId": project, "targetResourceId": environment, "targetResourceType": "environment"}
    one = {"repositoryName": "app-one/app-one", "repositoryRef": "refs/heads/main", "templatePath": "run.yml"}
    own, outputs, inputs = azure.up(TEMPLATE, {**target, "requiredTemplates": [one]})
    assert inputs["requiredTemplates"][0]["repositoryType"] == "azuregit"
    assert "timeout" not in inputs
    assert "timeout" not in outputs
    assert outputs["__pulumi_raw_state_delta"]["obj"]["renamed"] == {"requiredTemplates": "required_template"}
    same_after(azure, TEMPLATE, own, outputs, inputs)
    changed = {**inputs["requiredTemplates"][0], "repositoryRef": "refs/tags/1"}
    wanted = {**inputs, "requiredTemplates": [changed]}
    assert azure.kinds(TEMPLATE, outputs, wanted) == {"requiredTemplates[0].repositoryRef": "UPDATE"}
    updated = azure.update(TEMPLATE, own, outputs, wanted)
    same_after(azure, TEMPLATE, own, updated, wanted)
    assert azure.check(TEMPLATE, {**target, "requiredTemplates": [{**one, "repositoryType": "git"}]})
    azure.delete(TEMPLATE, own, updated)
    assert azure.read(TEMPLATE, own, updated, wanted) is None


def test_a_branch_policy_wants_a_build_of_the_pipeline(azure: Plugin, project: str, repository: str) -> None:
    definition, _, _ = pipeline(azure, project, repository, "validating")
    settings = {
        "buildDefinitionId": int(definition),
        "displayName": "preview",
        "scopes": [{"repositoryId": repository, "repositoryRef": "refs/heads/main"}],
        "filenamePatterns": ["/infra/*"],
    }
    own, outputs, inputs = azure.up(POLICY, {"projectId": project, "settings": settings})
    assert inputs["settings"]["validDuration"] == 720
    assert outputs["blocking"] is True
    same_after(azure, POLICY, own, outputs, inputs)
    wanted = {**inputs, "settings": {**inputs["settings"], "validDuration": 0}, "blocking": False}
    assert azure.kinds(POLICY, outputs, wanted) == {"settings.validDuration": "UPDATE", "blocking": "UPDATE"}
    updated = azure.update(POLICY, own, outputs, wanted)
    same_after(azure, POLICY, own, updated, wanted)
    azure.delete(POLICY, own, updated)
    assert azure.read(POLICY, own, updated, wanted) is None


def test_a_branch_policy_wants_votes_of_others(azure: Plugin, project: str, repository: str) -> None:
    settings = {
        "reviewerCount": 1,
        "lastPusherCannotApprove": True,
        "onPushResetApprovedVotes": True,
        "scopes": [{"repositoryId": repository, "repositoryRef": "refs/heads/main"}],
    }
    own, outputs, inputs = azure.up(REVIEWERS, {"projectId": project, "settings": settings})
    assert outputs["settings"]["submitterCanVote"] is False
    same_after(azure, REVIEWERS, own, outputs, inputs)
    wanted = {**inputs, "settings": {**inputs["settings"], "reviewerCount": 2}}
    assert azure.kinds(REVIEWERS, outputs, wanted) == {"settings.reviewerCount": "UPDATE"}
    updated = azure.update(REVIEWERS, own, outputs, wanted)
    same_after(azure, REVIEWERS, own, updated, wanted)
    azure.delete(REVIEWERS, own, updated)
    assert azure.read(REVIEWERS, own, updated, wanted) is None


def test_a_service_connection_takes_a_role_by_oidc_and_holds_no_secret(azure: Plugin, project: str) -> None:
    role = "arn:aws:iam::123456789012:role/push"
    own, outputs, inputs = azure.up(
        CONNECTION, {"projectId": project, "serviceEndpointName": "push", "useOidc": True, "roleToAssume": role}
    )
    assert outputs["authorization"] == {"scheme": "UsernamePassword"}
    assert not outputs.get("secretAccessKey")
    same_after(azure, CONNECTION, own, outputs, inputs)
    assert azure.kinds(CONNECTION, outputs, {**inputs, "serviceEndpointName": "other"}) == {
        "serviceEndpointName": "UPDATE"
    }
    wanted = {**inputs, "roleToAssume": f"{role}-2"}
    assert azure.kinds(CONNECTION, outputs, wanted) == {"roleToAssume": "UPDATE"}
    updated = azure.update(CONNECTION, own, outputs, wanted)
    same_after(azure, CONNECTION, own, updated, wanted)
    azure.delete(CONNECTION, own, updated)
    # The service gives null for what is gone and for what the token may not see; the plugin does not guess which.
    with pytest.raises(PluginError, match=f"unexpected nil service endpoint, ID: \\({own}\\)"):
        azure.read(CONNECTION, own, updated, wanted)


def test_a_service_connections_key_is_whole_and_its_secret_half_secret(azure: Plugin, project: str) -> None:
    half = {"projectId": project, "serviceEndpointName": "half", "accessKeyId": "AKIA"}
    (refused,) = azure.check(CONNECTION, half)
    assert refused.startswith(
        'Missing required argument. "access_key_id": all of `access_key_id,secret_access_key` must be specified'
    )
    checked = azure.check(CONNECTION, {**half, "secretAccessKey": "hunter2-of-a-test"})
    own, outputs, raw = azure.create(CONNECTION, checked)
    assert is_secret(raw, "secretAccessKey")
    same_after(azure, CONNECTION, own, outputs, checked)


def test_a_default_branch_policy_names_no_repository(azure: Plugin, project: str, repository: str) -> None:
    scopes = [{"repositoryId": repository, "matchType": "DefaultBranch"}]
    settings = {"buildDefinitionId": 1, "displayName": "x", "scopes": scopes}
    with pytest.raises(PluginError, match="neither 'repository_id' nor 'repository_ref' can be set"):
        azure.up(POLICY, {"projectId": project, "settings": settings})


def test_an_import_names_the_project_by_name_or_id(azure: Plugin, project: str) -> None:
    own, outputs, _ = azure.up(GROUP, {"name": "taken-over", "projectId": project, "variables": variables()})
    found = azure.read(GROUP, f"app-one/{own}")
    assert found is not None
    name, imported, inputs = found
    assert (name, imported["projectId"], inputs["name"]) == (own, project, "taken-over")
    assert imported["variables"][0]["secretValue"] == "", "the service gives no secret back"
    assert outputs["variables"][0]["name"] == "plain"
    with contextlib.suppress(PluginError):  # the genuine plugin finds nothing, the stand-in says why
        assert azure.read(GROUP, own) is None


def test_a_check_is_imported_by_the_id_of_its_project(azure: Plugin, project: str) -> None:
    environment, _, _ = azure.up(ENVIRONMENT, {"name": "checked", "projectId": project})
    target = {"projectId": project, "targetResourceId": environment, "targetResourceType": "environment"}
    own, outputs, _ = azure.up(LOCK, target)
    found = azure.read(LOCK, f"{project}/{own}")
    assert found is not None
    assert (found[0], found[2]["targetResourceId"]) == (own, environment)
    assert {name: found[1][name] for name in ("projectId", "timeout", "version")} == {
        name: outputs[name] for name in ("projectId", "timeout", "version")
    }
    for name in (own, f"app-one/{own}", f"{project}/first", f"{project}/{own}/1"):
        with contextlib.suppress(PluginError):  # as above
            assert azure.read(LOCK, name) is None


def test_what_was_deleted_by_hand_is_found_gone_and_cannot_be_deleted_once_more(
    azure: Plugin, azure_service: Service, project: str
) -> None:
    own, outputs, inputs = azure.up(GROUP, {"name": "lost", "projectId": project, "variables": variables()})
    path = f"_apis/distributedtask/variablegroups/{own}?projectIds={project}"
    assert azure_service.ask("DELETE", path).status_code == 204
    assert azure.read(GROUP, own, outputs, inputs) is None
    with pytest.raises(PluginError, match=f"Variable group with ID {own} does not exist"):
        azure.delete(GROUP, own, outputs)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("getProject:getProject", {"name": "app-one"}),
        ("getGitRepository:getGitRepository", {"name": "app-one"}),
        ("getGroup:getGroup", {"name": "Project Administrators"}),
        ("getIdentityGroup:getIdentityGroup", {"name": "[app-one]\\Contributors"}),
        ("getEnvironment:getEnvironment", {"name": "asked"}),
    ],
)
def test_a_function_gives_exactly_what_the_sdk_reads(
    azure: Plugin, project: str, function: str, arguments: dict[str, str]
) -> None:
    if function.startswith("getEnvironment"):
        azure.up(ENVIRONMENT, {"name": "asked", "projectId": project})
    if not function.startswith("getProject"):
        arguments = {**arguments, "projectId": project}
    found = azure.invoke(INDEX + function, **arguments)
    # What is asked by name comes back without the number that was not asked for.
    assert set(found) | {"environmentId"} == result_names("pulumi_azuredevops", INDEX + function) | {"environmentId"}


def test_users_are_found_by_principal_name(azure: Plugin) -> None:
    everyone = azure.invoke(INDEX + "getUsers:getUsers")["users"]
    assert everyone
    one = azure.invoke(INDEX + "getUsers:getUsers", principalName=everyone[0]["principalName"].upper())
    assert [each["id"] for each in one["users"]] == [everyone[0]["id"]]
    named = azure.invoke(INDEX + "getIdentityUsers:getIdentityUsers", name=everyone[0]["displayName"])
    assert named["id"] == everyone[0]["id"]


def test_an_unknown_project_repository_or_group_is_named(azure: Plugin, project: str) -> None:
    with pytest.raises(PluginError, match="Project with name nowhere or ID  does not exist"):
        azure.invoke(INDEX + "getProject:getProject", name="nowhere")
    with pytest.raises(PluginError, match=f"Repository with name none does not exist in project {project}"):
        azure.invoke(INDEX + "getGitRepository:getGitRepository", name="none", projectId=project)
    with pytest.raises(PluginError, match=f"Could not find Group with Name: none in project with ID: {project}"):
        azure.invoke(INDEX + "getGroup:getGroup", name="none", projectId=project)


@of_the_stand_in
@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"AZDO_PERSONAL_ACCESS_TOKEN": "wrong"}, "personal access token"),
        ({"AZDO_ORG_SERVICE_URL": "http://127.0.0.1:1/app-one"}, "connecting to Azure DevOps at http://127.0.0.1:1"),
        ({"AZDO_ORG_SERVICE_URL": ""}, "the url of the Azure DevOps is required"),
        ({"AZDO_PERSONAL_ACCESS_TOKEN": "", "ARM_USE_CLI": "false"}, "the personal access token is required"),
    ],
)
def test_a_wrong_connection_names_cause_and_remedy(
    azure_service: Service, tmp_path: Path, changed: dict[str, str], expected: str
) -> None:
    right = {"AZDO_ORG_SERVICE_URL": azure_service.url, "AZDO_PERSONAL_ACCESS_TOKEN": azure_service.token}
    with running("azuredevops", tmp_path, **{**right, **changed}) as plugin, pytest.raises(PluginError) as failed:
        plugin.configure()
    assert expected in str(failed.value)
    assert "AZDO_" in str(failed.value)
    assert azure_service.token not in str(failed.value)


def azure_cli(folder: Path, printed: str, code: int = 0) -> str:
    """A PATH with an Azure CLI that prints."""
    (folder / "az").write_text(f"#!/bin/sh\nprintf '%s' '{printed}'\nexit {code}\n", encoding="utf-8")
    (folder / "az").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_without_a_personal_token_who_is_signed_in_to_the_azure_cli_asks(
    azure_service: Service, project: str, tmp_path: Path
) -> None:
    path = azure_cli(tmp_path, json.dumps(azure_service.post("_apis/sandbox/entratokens")))
    given = {"AZDO_ORG_SERVICE_URL": azure_service.url, "AZDO_PERSONAL_ACCESS_TOKEN": "", "PATH": path}
    with running("azuredevops", tmp_path, **given) as plugin:
        assert plugin.configure() == []
        assert plugin.invoke(INDEX + "getProject:getProject", name="app-one")["id"] == project


def test_a_token_of_the_azure_cli_says_when_it_ends(azure_service: Service, tmp_path: Path) -> None:
    token = azure_service.post("_apis/sandbox/entratokens")["accessToken"]
    path = azure_cli(tmp_path, json.dumps({"accessToken": token}))
    given = {"AZDO_ORG_SERVICE_URL": azure_service.url, "AZDO_PERSONAL_ACCESS_TOKEN": "", "PATH": path}
    with running("azuredevops", tmp_path, **given) as plugin, pytest.raises(PluginError, match=r"Azure ?CLI"):
        plugin.configure()


@of_the_stand_in
def test_nobody_who_is_signed_in_is_told_how_to(azure_service: Service, tmp_path: Path) -> None:
    given = {"AZDO_ORG_SERVICE_URL": azure_service.url, "AZDO_PERSONAL_ACCESS_TOKEN": ""}
    refused = pytest.raises(PluginError, match="the personal access token is required")
    with running("azuredevops", tmp_path, **given, ARM_USE_CLI="false") as plugin, refused:
        plugin.configure()
    signed_out = azure_cli(tmp_path, "Please run az login", 1)
    refused = pytest.raises(PluginError, match=r"the Azure CLI gives no token for Azure DevOps \(exit code 1\)")
    with running("azuredevops", tmp_path, **{**given, "PATH": signed_out}) as plugin, refused:
        plugin.configure()


def test_a_token_of_entra_is_taken_in_a_personal_tokens_place(
    azure_service: Service, project: str, tmp_path: Path
) -> None:
    token = azure_service.post("_apis/sandbox/entratokens")["accessToken"]
    given = {"AZDO_ORG_SERVICE_URL": azure_service.url, "AZDO_PERSONAL_ACCESS_TOKEN": token}
    with running("azuredevops", tmp_path, **given) as plugin:
        assert plugin.configure() == []
        assert plugin.invoke(INDEX + "getProject:getProject", name="app-one")["id"] == project
