"""The pipeline as code, run under mocks: declared behind a setting, closed to everybody else, approved by others."""

import re
from collections.abc import Callable
from typing import Any

import pytest

RunProgram = Callable[..., Any]
PROJECT = "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c"
REPOSITORY = "a1e4bb2c-5e4b-4f1f-8a51-6f7b1f4f1a11"
PERSON = "0a1b2c3d-0000-4000-8000-00000000000f"


def devops(name: str) -> str:
    return f"azuredevops:index/{name[0].lower()}{name[1:]}:{name}"


def test_without_the_setting_no_pipeline_is_declared_or_looked_up(run_program: RunProgram) -> None:
    program = run_program()
    assert [resource.name for resource in program.resources if "azuredevops" in resource.type] == ["variable-group"]
    assert not [token for token, _ in program.calls if "GitRepository" in token or "getGroup" in token]
    assert "pipeline_id" not in program.outputs


def test_the_pipeline_runs_the_yaml_of_a_repository_and_sets_nothing_that_its_provider_does_not_send(
    run_program: RunProgram,
) -> None:
    program = run_program({"app-one:pipelineEnabled": True})
    definition = program.one(devops("BuildDefinition"))
    assert definition.parent == "pipeline"
    assert definition.inputs == {
        "projectId": PROJECT,
        "name": "app-one",
        "repository": {
            "repoType": "TfsGit",
            "repoId": REPOSITORY,
            "branchName": "refs/heads/main",
            "ymlPath": "azure-pipelines.yml",
        },
        "ciTrigger": {"useYaml": True},
    }
    assert program.outputs["pipeline_id"] == "12"


def test_exactly_this_pipeline_may_use_the_variable_group_and_the_environment(run_program: RunProgram) -> None:
    program = run_program({"app-one:pipelineEnabled": True})
    authorizations = {
        resource.inputs["type"]: resource.inputs
        for resource in program.resources
        if resource.type == devops("PipelineAuthorization")
    }
    assert authorizations == {
        "variablegroup": {"projectId": PROJECT, "type": "variablegroup", "resourceId": "56", "pipelineId": 12},
        "environment": {"projectId": PROJECT, "type": "environment", "resourceId": "34", "pipelineId": 12},
    }
    assert program.one(devops("VariableGroup")).inputs["allowAccess"] is False


def test_a_deployment_waits_for_the_approval_of_another_person_and_for_its_turn(run_program: RunProgram) -> None:
    program = run_program({"app-one:pipelineEnabled": True, "app-one:pipelineApprovers": ["Release Managers", PERSON]})
    environment = program.one(devops("Environment"))
    assert environment.inputs == {
        "projectId": PROJECT,
        "name": "app-one-dev",
        "description": "Where the pipeline deploys to; its checks are written by Pulumi",
    }
    target = {"projectId": PROJECT, "targetResourceType": "environment", "targetResourceId": "34"}
    approval = program.one(devops("CheckApproval"))
    assert approval.inputs == {
        **target,
        "approvers": ["id-of-Release Managers", PERSON],
        "requesterCanApprove": False,
        "instructions": "Read the run's audit report: it says what this deployment will change.",
        "timeout": 10080,
    }
    assert program.one(devops("CheckExclusiveLock")).inputs == {**target, "timeout": 1440}
    looked_up = [args for token, args in program.calls if "getGroup:" in token]
    assert looked_up == [{"projectId": PROJECT, "name": "Release Managers"}]


def test_only_the_protected_branch_deploys_and_pull_requests_still_preview_with_the_group(
    run_program: RunProgram,
) -> None:
    program = run_program(
        {"app-one:pipelineEnabled": True, "app-one:pipelineBranch": "release/1", "app-one:pipelineYaml": "its-own.yml"}
    )
    assert program.one(devops("CheckBranchControl")).inputs == {
        "projectId": PROJECT,
        "targetResourceType": "environment",
        "targetResourceId": "34",
        "displayName": "Only release/1, while it is protected",
        "allowedBranches": "refs/heads/release/1",
        "verifyBranchProtection": True,
        "ignoreUnknownProtectionStatus": False,
        "timeout": 5,
    }


@pytest.mark.parametrize(
    ("refused", "named"),
    [
        ("getGitRepository", r"the git repository 'app-one' in Azure Repos could not .*(\n.*)*pipelineRepository"),
        ("getGroup", r"the group 'Project Administrators' of the Azure DevOps .*(\n.*)*pipelineApprovers"),
    ],
)
def test_a_repository_or_an_approver_that_is_not_there_is_said_before_anything_is_registered(
    refusal: Callable[..., str], cloud: Any, recording: Any, refused: str, named: str
) -> None:
    answer = cloud.call
    cloud.call = lambda args: ({}, [("name", "is not there")]) if refused in args.token else answer(args)
    assert re.search(named, refusal({"app-one:pipelineEnabled": True}, cloud=cloud, program=recording))
    assert recording.resources == []


def test_a_pull_request_to_the_branch_cannot_merge_before_the_pipeline_has_passed(run_program: RunProgram) -> None:
    policy = run_program(
        {"app-one:pipelineEnabled": True, "app-one:pipelineBranch": "release/1", "app-one:pipelineYaml": "its-own.yml"}
    ).one(devops("BranchPolicyBuildValidation"))
    assert policy.inputs == {
        "projectId": PROJECT,
        "enabled": True,
        "blocking": True,
        "settings": {
            "displayName": "app-one: checks and preview",
            "buildDefinitionId": 12,
            "validDuration": 720,
            "queueOnSourceUpdateOnly": True,
            "manualQueueOnly": False,
            "scopes": [
                {"repositoryId": REPOSITORY, "repositoryRef": "refs/heads/release/1", "matchType": "Exact"},
            ],
        },
    }
