"""The stand-ins record, compare and fail as the genuine plugins were seen to: azuredevops of upstream 1.16.0, aws 7."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.providers.protocol import UNKNOWN
from tests.unit.sandbox.aws.support import REGION
from tests.unit.sandbox.providers.plugin_client import PluginError, is_secret, running, same_after

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.sandbox.aws.support import Service
    from tests.unit.sandbox.azure_devops.service import Service as AzureDevOps
    from tests.unit.sandbox.providers.plugin_client import Plugin

INDEX = "azuredevops:index/"
GROUP = INDEX + "variableGroup:VariableGroup"
DEFINITION = INDEX + "buildDefinition:BuildDefinition"
ENVIRONMENT = INDEX + "environment:Environment"
APPROVAL = INDEX + "checkApproval:CheckApproval"
BRANCH = INDEX + "checkBranchControl:CheckBranchControl"
POLICY = INDEX + "branchPolicyBuildValidation:BranchPolicyBuildValidation"
REPOSITORY = "aws:ecr/repository:Repository"
LIFECYCLE = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
IAM_POLICY = "aws:iam/policy:Policy"
USER = "aws:iam/user:User"
SIGNATURE = "4dabf18193072939515e22adb298388d"


@pytest.fixture
def project(azure: Plugin) -> str:
    return str(azure.invoke(INDEX + "getProject:getProject", name="app-one")["id"])


@pytest.fixture
def source(azure: Plugin, project: str) -> dict[str, Any]:
    """Where a pipeline's YAML is."""
    found = azure.invoke(INDEX + "getGitRepository:getGitRepository", name="app-one", projectId=project)
    return {"repoType": "TfsGit", "repoId": found["id"], "branchName": "refs/heads/main", "ymlPath": "a.yml"}


def variables(**values: str) -> list[dict[str, Any]]:
    plain = [{"name": name, "value": value} for name, value in values.items()]
    return [*plain, {"name": "hidden", "secretValue": "a-secret-value", "isSecret": True}]


# --- a pipeline's definition


def test_a_job_authorization_scope_is_never_sent_so_it_differs_for_ever(
    azure: Plugin, project: str, source: dict[str, Any]
) -> None:
    declared = {"name": "scoped", "projectId": project, "repository": source, "jobAuthorizationScope": "project"}
    own, outputs, inputs = azure.up(DEFINITION, declared)
    for _ in range(2):
        assert outputs["jobAuthorizationScope"] == "projectCollection"
        assert azure.kinds(DEFINITION, outputs, inputs) == {"jobAuthorizationScope": "UPDATE"}
        outputs = azure.update(DEFINITION, own, outputs, inputs)


def test_a_branch_is_recorded_by_its_name_and_either_form_of_it_is_no_difference(
    azure: Plugin, project: str, source: dict[str, Any]
) -> None:
    own, outputs, inputs = azure.up(DEFINITION, {"name": "branched", "projectId": project, "repository": source})
    assert outputs["repository"]["branchName"] == "main"
    same_after(azure, DEFINITION, own, outputs, inputs)
    short = {**inputs, "repository": {**inputs["repository"], "branchName": "main"}}
    assert azure.kinds(DEFINITION, outputs, short) == {}
    other = {**inputs, "repository": {**inputs["repository"], "branchName": "refs/heads/dev"}}
    assert azure.kinds(DEFINITION, outputs, other) == {"repository.branchName": "UPDATE"}
    assert azure.update(DEFINITION, own, outputs, other, preview=True)["repository"]["branchName"] == "dev"


def test_filters_are_lists_also_where_none_are_declared(azure: Plugin, project: str, source: dict[str, Any]) -> None:
    trigger = {"override": {"branchFilters": [{"includes": ["main"], "excludes": ["wip/*"]}]}}
    declared = {"name": "filtered", "projectId": project, "repository": source, "ciTrigger": trigger}
    own, outputs, inputs = azure.up(DEFINITION, declared)
    assert outputs["ciTrigger"]["override"]["pathFilters"] == []
    changed = {"override": {"branchFilters": [{"includes": ["dev"], "excludes": ["wip/*"]}]}}
    wanted = azure.check(DEFINITION, {**declared, "ciTrigger": changed}, inputs)
    assert azure.kinds(DEFINITION, outputs, wanted) == {"ciTrigger.override.branchFilters[0].includes[0]": "UPDATE"}
    same_after(azure, DEFINITION, own, azure.update(DEFINITION, own, outputs, wanted), wanted)


# --- differences


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (variables(plain="2", more="3"), {"variables": "UPDATE"}),
        (variables(plain="1"), {"variables[]": "DELETE"}),
        (list(reversed(variables(plain="1", more="3"))), {}),
        ([*variables(plain="1"), {"name": "more", "value": "4"}], {"variables": "UPDATE"}),
    ],
    ids=["a value", "one less", "another order", "another value"],
)
def test_variables_differ_as_a_whole_unless_some_only_go(
    azure: Plugin, project: str, changed: list[dict[str, Any]], expected: dict[str, str]
) -> None:
    declared = {"name": "set", "projectId": project, "variables": variables(plain="1", more="3")}
    inputs = azure.check(GROUP, declared)
    own, outputs, _ = azure.create(GROUP, inputs)
    kinds = azure.kinds(GROUP, outputs, azure.check(GROUP, {**declared, "variables": changed}, inputs))
    # Which number the bridge gives a member of a set is its own affair.
    assert {re.sub(r"\[\d+\]", "[]", name): kind for name, kind in kinds.items()} == expected
    azure.delete(GROUP, own, outputs)


def test_an_approver_put_first_is_the_one_that_is_added(azure: Plugin, project: str) -> None:
    environment, _, _ = azure.up(ENVIRONMENT, {"name": "approved", "projectId": project})
    one, two = (
        azure.invoke(INDEX + "getGroup:getGroup", name=name, projectId=project)["groupId"]
        for name in ("Project Administrators", "Contributors")
    )
    target = {"projectId": project, "targetResourceId": environment, "targetResourceType": "environment"}
    _, outputs, inputs = azure.up(APPROVAL, {**target, "approvers": [one]})
    assert azure.kinds(APPROVAL, outputs, {**inputs, "approvers": [two, one]}) == {"approvers[0]": "ADD"}
    assert azure.check(BRANCH, target)["displayName"] == "Managed by Terraform"


# --- states


def test_a_state_has_its_id_its_empty_fields_and_the_notes_of_the_bridge(azure: Plugin, project: str) -> None:
    inputs = azure.check(GROUP, {"name": "noted", "projectId": project, "variables": variables(plain="1")})
    _, _, preview = azure.create(GROUP, inputs, preview=True)
    assert preview["keyVault"] is None
    assert preview["description"] is None
    assert "__pulumi_raw_state_delta" not in preview
    own, outputs, raw = azure.create(GROUP, inputs)
    assert (outputs["id"], outputs["description"]) == (own, "")
    assert raw["keyVault"] is None
    assert "keyVault" in raw.fields
    minutes = {"create": 10, "delete": 10, "read": 5, "update": 10}
    timeouts = {name: each * 60_000_000_000 for name, each in minutes.items()}
    assert json.loads(outputs["__meta"]) == {"e2bfb730-ecaa-11e6-8f88-34363bc7c4c0": timeouts}
    assert outputs["__pulumi_raw_state_delta"] == {
        "obj": {
            "ps": {
                "keyVault": {"plu": {"i": {}}},
                "variables": {"arr": {"el": {"0": {"obj": {}}, "1": {"obj": {}}}}},
            },
            "renamed": {"variables": "variable"},
        }
    }
    for each in raw["variables"]:
        assert SIGNATURE in each["secretValue"], "each by itself, an empty one too"
    imported = azure.read(GROUP, f"app-one/{own}")
    assert imported is not None
    assert json.loads(imported[1]["__meta"])["schema_version"] == "0"


def test_lists_of_blocks_are_empty_and_lists_of_values_null_until_a_refresh(
    azure: Plugin, project: str, source: dict[str, Any]
) -> None:
    inputs = azure.check(DEFINITION, {"name": "blank", "projectId": project, "repository": source})
    own, outputs, raw = azure.create(DEFINITION, inputs)
    assert (outputs["jobs"], outputs["features"], outputs["schedules"]) == ([], [], [])
    for name in ("variableGroups", "agentSpecification", "pullRequestTrigger"):
        assert name in raw.fields
        assert raw[name] is None
    found = azure.read(DEFINITION, own, outputs, inputs)
    assert found is not None
    assert found[1]["variableGroups"] == []
    settings = {
        "buildDefinitionId": int(own),
        "displayName": "checks",
        "scopes": [{"repositoryId": source["repoId"], "repositoryRef": "refs/heads/main"}],
    }
    _, _, raw = azure.create(POLICY, azure.check(POLICY, {"projectId": project, "settings": settings}))
    assert raw["settings"]["filenamePatterns"] is None


# --- failures


def test_an_update_that_fails_keeps_the_new_values_and_the_next_diff_is_empty(azure: Plugin, project: str) -> None:
    own, outputs, inputs = azure.up(GROUP, {"name": "kept", "projectId": project, "variables": variables(plain="1")})
    # Passes every check, and is refused in the update: a value with an explicit mark.
    refused = [{"name": "plain", "value": "2", "isSecret": False}]
    wanted = azure.check(GROUP, {"name": "kept", "projectId": project, "variables": refused}, inputs)
    with pytest.raises(PluginError) as failed:
        azure.update(GROUP, own, outputs, wanted)
    urn = azure.urn(GROUP)
    assert str(failed.value).startswith(f"updating {urn}: 1 error occurred:\n\t* Expanding variable group")
    partial = failed.value.partial
    assert partial is not None
    assert (partial.id, list(partial.reasons)) == (own, [str(failed.value)])
    assert not partial.inputs.fields, "the engine keeps the program's"
    assert partial.properties["variables"][0]["value"] == "2"
    answer = azure.ask("Diff", urn=urn, olds=partial.properties, news=_encoded(wanted))
    assert not answer.detailedDiff
    same_after(azure, GROUP, own, outputs, inputs)


def test_a_user_that_takes_the_name_of_another_fails_and_both_stay(aws: Plugin, aws_service: Service) -> None:
    own, outputs, inputs = aws.up(USER, {"name": "one"})
    aws.up(USER, {"name": "other"})
    wanted = aws.check(USER, {"name": "other"}, inputs)
    with pytest.raises(PluginError, match="EntityAlreadyExists: User with name other already exists"):
        aws.update(USER, own, outputs, wanted)
    names = {user["UserName"] for user in aws_service.client("iam").list_users()["Users"]}
    assert {"one", "other"} <= names


def _encoded(inputs: dict[str, Any]) -> Any:
    from sandbox.providers.protocol import encode

    return encode(inputs)


# --- aws


def test_inputs_carry_region_and_all_tags_and_a_changed_tag_is_two_differences(aws: Plugin) -> None:
    inputs = aws.check(REPOSITORY, {"name": "tagged-twice", "tags": {"Owner": "us"}})
    assert (inputs["region"], inputs["tagsAll"]) == (REGION, {"Owner": "us"})
    own, outputs, _ = aws.create(REPOSITORY, inputs)
    changed = aws.check(REPOSITORY, {"name": "tagged-twice", "tags": {"Owner": "them"}}, inputs)
    assert aws.kinds(REPOSITORY, outputs, changed) == {"tags.Owner": "UPDATE", "tagsAll.Owner": "UPDATE"}
    same_after(aws, REPOSITORY, own, aws.update(REPOSITORY, own, outputs, changed), changed)
    assert aws.check(USER, {"name": "x"})["tagsAll"] == {}
    assert "region" not in aws.check(USER, {"name": "x"})
    assert aws.check(USER, {"name": "x", "tags": {"a": UNKNOWN}})["tagsAll"] is UNKNOWN


def test_default_tags_are_in_all_tags_alone(
    aws_environment: dict[str, str], aws_service: Service, tmp_path: Path
) -> None:
    with running("aws", tmp_path, **aws_environment) as plugin:
        assert plugin.configure(region=REGION, defaultTags='{"tags": {"Stage": "dev"}}') == []
        inputs = plugin.check(USER, {"name": "by-default", "tags": {"Owner": "us"}})
        assert (inputs["tags"], inputs["tagsAll"]) == ({"Owner": "us"}, {"Stage": "dev", "Owner": "us"})
        own, outputs, _ = plugin.create(USER, inputs)
        assert (outputs["tags"], outputs["tagsAll"]) == ({"Owner": "us"}, {"Stage": "dev", "Owner": "us"})
        same_after(plugin, USER, own, outputs, inputs)
    tags = aws_service.client("iam").list_user_tags(UserName="by-default")["Tags"]
    assert {each["Key"]: each["Value"] for each in tags} == {"Stage": "dev", "Owner": "us"}


def test_a_policy_comes_back_as_the_plugin_writes_json(aws: Plugin) -> None:
    resource = "arn:aws:s3:::b/<&>"
    document = (
        f'{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "a:B", "Resource": "{resource}"}}]}}'
    )
    escaped = r"arn:aws:s3:::b/\u003c\u0026\u003e"
    written = f'{{"Statement":[{{"Action":"a:B","Effect":"Allow","Resource":"{escaped}"}}],"Version":"2012-10-17"}}'
    inputs = aws.check(IAM_POLICY, {"name": "written", "policy": document})
    assert inputs["policy"] == document
    _, preview, _ = aws.create(IAM_POLICY, inputs, preview=True)
    assert preview["policy"] == written
    own, outputs, _ = aws.create(IAM_POLICY, inputs)
    assert outputs["policy"] == written
    same_after(aws, IAM_POLICY, own, outputs, inputs)


def test_mutability_and_scanning_are_put_only_where_they_change(aws: Plugin, aws_service: Service) -> None:
    ecr = aws_service.client("ecr")
    scanned = {"name": "put", "imageScanningConfiguration": {"scanOnPush": True}}
    own, outputs, inputs = aws.up(REPOSITORY, scanned)
    # Changed by hand, and in no program's way: an update of something else leaves both.
    ecr.put_image_tag_mutability(repositoryName="put", imageTagMutability="IMMUTABLE")
    ecr.put_image_scanning_configuration(repositoryName="put", imageScanningConfiguration={"scanOnPush": False})
    tagged = aws.check(REPOSITORY, {**scanned, "tags": {"a": "1"}}, inputs)
    outputs = aws.update(REPOSITORY, own, outputs, tagged)
    (found,) = ecr.describe_repositories(repositoryNames=["put"])["repositories"]
    assert (found["imageTagMutability"], found["imageScanningConfiguration"]) == ("IMMUTABLE", {"scanOnPush": False})
    ecr.put_image_scanning_configuration(repositoryName="put", imageScanningConfiguration={"scanOnPush": True})
    off = aws.check(REPOSITORY, {**scanned, "imageScanningConfiguration": {"scanOnPush": False}}, tagged)
    aws.update(REPOSITORY, own, {**outputs, "imageScanningConfiguration": {"scanOnPush": True}}, off)
    (found,) = ecr.describe_repositories(repositoryNames=["put"])["repositories"]
    assert found["imageScanningConfiguration"] == {"scanOnPush": False}


def test_a_lifecycle_policy_is_the_same_in_another_order(aws: Plugin) -> None:
    aws.up(REPOSITORY, {"name": "ordered"})
    rules = [
        {
            "rulePriority": number,
            "selection": {
                "tagStatus": "tagged",
                "tagPatternList": [f"a{number}*", "b*"],
                "countType": "imageCountMoreThan",
                "countNumber": number,
            },
            "action": {"type": "expire"},
        }
        for number in (1, 2)
    ]
    _, outputs, inputs = aws.up(LIFECYCLE, {"repository": "ordered", "policy": json.dumps({"rules": rules})})
    other = json.loads(json.dumps({"rules": rules[::-1]}))
    for rule in other["rules"]:
        rule["selection"]["tagPatternList"].reverse()
    assert aws.kinds(LIFECYCLE, outputs, {**inputs, "policy": json.dumps(other)}) == {}
    other["rules"][0]["selection"]["countNumber"] = 9
    assert aws.kinds(LIFECYCLE, outputs, {**inputs, "policy": json.dumps(other)}) == {"policy": "UPDATE_REPLACE"}


# --- imports


def test_an_import_keeps_what_is_false_where_a_program_has_to_say_it(aws: Plugin, aws_service: Service) -> None:
    aws_service.client("ecr").create_repository(
        repositoryName="taken-over", imageScanningConfiguration={"scanOnPush": False}
    )
    found = aws.read(REPOSITORY, "taken-over")
    assert found is not None
    own, outputs, inputs = found
    assert own == "taken-over"
    assert inputs["imageScanningConfiguration"] == {"scanOnPush": False, "__defaults": []}
    assert "forceDelete" not in inputs
    assert aws.kinds(REPOSITORY, outputs, aws.check(REPOSITORY, inputs, inputs)) == {}


def test_a_variable_group_is_imported_with_its_secrets_empty_and_marked(
    azure: Plugin, azure_service: AzureDevOps, project: str
) -> None:
    del azure_service
    own, _, _ = azure.up(GROUP, {"name": "to-import", "projectId": project, "variables": variables(plain="1")})
    answer = azure.ask("Read", urn=azure.urn(GROUP), id=f"{project}/{own}")
    assert is_secret(answer.inputs, "variables")
    assert "a-secret-value" not in str(answer)
