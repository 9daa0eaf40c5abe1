"""The pipeline as code, run under mocks: declared behind a setting, closed to everybody else, approved by others."""

import json
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


def test_only_runs_of_the_protected_branch_reach_what_is_protected(run_program: RunProgram) -> None:
    program = run_program(
        {"app-one:pipelineEnabled": True, "app-one:pipelineBranch": "release/1", "app-one:pipelineYaml": "its-own.yml"}
    )
    controls = {
        one.inputs.pop("targetResourceType"): (one.name, one.inputs.pop("targetResourceId"), one.inputs)
        for one in program.resources
        if one.type == devops("CheckBranchControl")
    }
    inputs = {
        "projectId": PROJECT,
        "displayName": "Only release/1, while it is protected",
        "allowedBranches": "refs/heads/release/1",
        "verifyBranchProtection": True,
        "ignoreUnknownProtectionStatus": False,
        "timeout": 5,
    }
    assert controls == {
        "environment": ("pipeline-branch", "34", inputs),
        "variablegroup": ("pipeline-variablegroup-branch", "56", inputs),
    }


TEMPLATE = {
    "repositoryType": "azuregit",
    "repositoryName": "app-one/app-one",
    "repositoryRef": "refs/heads/trusted",
    "templatePath": "pipelines/templates/run.yml",
}
ELSEWHERE = {
    "app-one:requiredTemplate": "run.yml",
    "app-one:requiredTemplateRepository": "tools/guard",
    "app-one:requiredTemplateRef": "refs/tags/1",
    "app-one:pipelineYaml": "its-own.yml",
}


@pytest.mark.parametrize(
    ("changes", "template"),
    [
        ({}, TEMPLATE),
        (
            {"app-one:pipelineRepository": "shop", "app-one:pipelineYaml": "its-own.yml"},
            {**TEMPLATE, "repositoryName": "app-one/shop"},
        ),
        (
            ELSEWHERE,
            {
                "repositoryType": "azuregit",
                "repositoryName": "tools/guard",
                "repositoryRef": "refs/tags/1",
                "templatePath": "run.yml",
            },
        ),
        ({"app-one:requiredTemplate": ""}, None),
    ],
)
def test_only_runs_of_the_required_template_reach_what_is_protected(
    run_program: RunProgram, changes: dict[str, object], template: dict[str, str] | None
) -> None:
    program = run_program({"app-one:pipelineEnabled": True, "app-one:pullRequestPreview": True, **changes})
    checks = {one.name: one.inputs for one in program.resources if one.type == devops("CheckRequiredTemplate")}
    protected = {
        (one.inputs["targetResourceType"], one.inputs["targetResourceId"])
        for one in program.resources
        if one.type == devops("CheckBranchControl")
    }
    found = {(one["targetResourceType"], one["targetResourceId"]) for one in checks.values()}
    assert found == (protected if template else set())
    assert all(one["requiredTemplates"] == [template] for one in checks.values())
    assert len(checks) == (3 if template else 0)


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
            "displayName": "app-one: checks and build",
            "buildDefinitionId": 12,
            "validDuration": 720,
            "queueOnSourceUpdateOnly": True,
            "manualQueueOnly": False,
            "scopes": [
                {"repositoryId": REPOSITORY, "repositoryRef": "refs/heads/release/1", "matchType": "Exact"},
            ],
        },
    }


def test_nobody_brings_code_to_the_branch_alone(run_program: RunProgram) -> None:
    policy = run_program({"app-one:pipelineEnabled": True, "app-one:pipelineReviewers": 2}).one(
        devops("BranchPolicyMinReviewers")
    )
    assert policy.inputs == {
        "projectId": PROJECT,
        "enabled": True,
        "blocking": True,
        "settings": {
            "reviewerCount": 2,
            "submitterCanVote": False,
            "lastPusherCannotApprove": True,
            "onPushResetApprovedVotes": True,
            "allowCompletionWithRejectsOrWaits": False,
            "scopes": [{"repositoryId": REPOSITORY, "repositoryRef": "refs/heads/main", "matchType": "Exact"}],
        },
    }


# --- the foundation: two parties, by keys or by identity tokens ---

FOUNDATION = {"app-one:declares": "foundation", "app-one:pipelineEnabled": True}
ORGANIZATION = "vstoken.dev.azure.com/6f1b4e3a-0000-4000-8000-000000000001"
ENTRA = "login.microsoftonline.com/6f1b4e3a-0000-4000-8000-000000000002/v2.0"
OIDC = FOUNDATION | {
    "app-one:pipelineIdentity": "oidc",
    "app-one:imageBackend": "s3://acme-image-state",
    "app-one:oidcTrust": [
        {"issuer": f"https://{ORGANIZATION}", "push": "sc://acme/app-one/push", "reader": "sc://acme/app-one/reader"},
        {"issuer": f"https://{ENTRA}", "push": "/eid1/push", "reader": "/eid1/reader"},
    ],
}


def variables_of(program: Any, name: str) -> dict[str, str]:
    """What a variable group holds, by name; a secret is its value in brackets."""
    (group,) = (one for one in program.resources if one.name == name and one.type == devops("VariableGroup"))
    return {one["name"]: one.get("value") or f"[{one['secretValue']}]" for one in group.inputs["variables"]}


def test_a_foundation_has_a_party_that_pushes_and_one_that_only_reads(run_program: RunProgram) -> None:
    program = run_program(FOUNDATION)
    assert program.names("aws:iam/user:User") == ["access-user", "reader-user"]
    assert variables_of(program, "reader-group") == {
        "aws_account_number": "123456789012",
        "App-One.AccessKey": "AKIAREADER-KEY-1",
        "App-One.Users": "app-one-push,app-one-reader",
        "App-One.SecretKey": "[secret-of-reader-key-1]",
    }
    (policy,) = (one for one in program.resources if one.name == "reader-policy")
    actions = {
        action: statement["Resource"]
        for statement in json.loads(policy.inputs["policy"])["Statement"]
        for action in statement["Action"]
    }
    repository = "arn:aws:ecr:us-east-2:123456789012:repository/app-one"
    users = [f"arn:aws:iam::123456789012:user/{name}" for name in ("app-one-push", "app-one-reader")]
    assert actions == {
        "ecr:BatchGetImage": repository,
        "ecr:DescribeImageScanFindings": repository,
        "ecr:DescribeImages": repository,
        "ecr:DescribeRepositories": repository,
        "ecr:GetLifecyclePolicy": repository,
        "ecr:ListTagsForResource": repository,
        "iam:GetAccessKeyLastUsed": users,
        "iam:GetUser": users,
        "iam:ListAccessKeys": users,
    }


def test_with_identity_tokens_there_is_no_key_no_secret_and_no_user(run_program: RunProgram) -> None:
    program = run_program(OIDC)
    assert not [one.name for one in program.resources if one.secrets]
    assert program.secret_outputs == set()
    kinds = {one.type.rpartition(":")[2] for one in program.resources if one.type.startswith("aws:iam")}
    assert kinds == {"OpenIdConnectProvider", "Policy", "Role", "RolePolicyAttachment"}
    assert variables_of(program, "variable-group") == {
        "aws_account_number": "123456789012",
        "App-One.Role": "arn:aws:iam::123456789012:role/app-one-push",
        "App-One.Connection": "id-of-push-connection",
    }
    assert variables_of(program, "reader-group")["App-One.Role"] == "arn:aws:iam::123456789012:role/app-one-reader"


def test_a_role_trusts_exact_subjects_and_audiences_of_each_issuer(run_program: RunProgram) -> None:
    program = run_program(OIDC)
    assert {one.inputs["url"]: one.inputs["clientIdLists"] for one in program.resources if "openId" in one.type} == {
        f"https://{issuer}": ["api://AzureADTokenExchange"] for issuer in (ORGANIZATION, ENTRA)
    }
    (role,) = (one for one in program.resources if one.name == "push-role-role")
    statements = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert [(one["Principal"], one["Condition"]) for one in statements] == [
        (
            {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{issuer}"},
            {"StringEquals": {f"{issuer}:aud": "api://AzureADTokenExchange", f"{issuer}:sub": subject}},
        )
        for issuer, subject in ((ORGANIZATION, "sc://acme/app-one/push"), (ENTRA, "/eid1/push"))
    ]
    assert {(one["Effect"], one["Action"]) for one in statements} == {("Allow", "sts:AssumeRoleWithWebIdentity")}


def test_each_connection_is_this_pipelines_alone_and_the_one_that_pushes_waits_for_an_approval(
    run_program: RunProgram,
) -> None:
    program = run_program(OIDC)
    connections = {one.name: one.inputs for one in program.resources if one.type == devops("ServiceEndpointAws")}
    assert {name: (one["useOidc"], one["serviceEndpointName"]) for name, one in connections.items()} == {
        "push-connection": (True, "app-one-push"),
        "reader-connection": (True, "app-one-reader"),
    }
    on_endpoints = sorted(
        (one.inputs.get("targetResourceId") or one.inputs["resourceId"], one.type.rpartition(":")[2])
        for one in program.resources
        if "endpoint" in {one.inputs.get("type"), one.inputs.get("targetResourceType")}
    )
    assert on_endpoints == [
        ("id-of-push-connection", "CheckApproval"),
        ("id-of-push-connection", "CheckBranchControl"),
        ("id-of-push-connection", "CheckRequiredTemplate"),
        ("id-of-push-connection", "PipelineAuthorization"),
        ("id-of-reader-connection", "CheckBranchControl"),
        ("id-of-reader-connection", "CheckRequiredTemplate"),
        ("id-of-reader-connection", "PipelineAuthorization"),
    ]


@pytest.mark.parametrize(
    ("changed", "waiting"),
    [
        ({}, {"environment", "variablegroup"}),
        ({"app-one:declares": "everything"}, {"environment"}),
        (OIDC, {"environment", "endpoint"}),
        (OIDC | {"app-one:keepAccessKey": True}, {"environment", "endpoint", "variablegroup"}),
    ],
)
def test_a_key_that_pushes_waits_for_a_person_wherever_it_lies(
    run_program: RunProgram, changed: dict[str, object], waiting: set[str]
) -> None:
    foundation = {"app-one:declares": "foundation", "app-one:pipelineEnabled": True}
    program = run_program(foundation | changed)
    asked = [one for one in program.resources if one.type == devops("CheckApproval")]
    assert sorted(one.inputs["targetResourceType"] for one in asked) == sorted(waiting)
    assert all(one.inputs["requesterCanApprove"] is False for one in asked)


def test_while_keys_are_kept_both_ways_lead_to_the_same_rights(run_program: RunProgram) -> None:
    program = run_program(OIDC | {"app-one:keepAccessKey": True})
    documents = {one.name: one.inputs["policy"] for one in program.resources if one.type == "aws:iam/policy:Policy"}
    assert documents["access-policy"] == documents["push-role-policy"]
    assert documents["state-access-policy"] == documents["push-role-state-access-policy"]
    assert documents["reader-state-access-policy"] == documents["reader-role-state-access-policy"]
    names = [one.inputs["name"] for one in program.resources if one.type == "aws:iam/policy:Policy"]
    assert len(set(names)) == len(names)
    assert set(variables_of(program, "variable-group")) == {
        "aws_account_number",
        "App-One.AccessKey",
        "App-One.SecretKey",
        "App-One.Role",
        "App-One.Connection",
    }
