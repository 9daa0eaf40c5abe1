"""The program itself, run under mocks: what it registers, with exactly which inputs."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

RunProgram = Callable[..., Any]
Refusal = Callable[..., str]

AGENT = {"TF_BUILD": "True"}
ECR = "123456789012.dkr.ecr.us-east-2.amazonaws.com"
PUSH_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "GetRegistryToken",
            "Effect": "Allow",
            "Action": ["ecr:GetAuthorizationToken"],
            "Resource": "*",
        },
        {
            "Sid": "PushImages",
            "Effect": "Allow",
            "Action": [
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:CompleteLayerUpload",
                "ecr:InitiateLayerUpload",
                "ecr:PutImage",
                "ecr:UploadLayerPart",
            ],
            "Resource": "arn:aws:ecr:us-east-2:123456789012:repository/app-one",
        },
    ],
}


def test_the_default_stack_registers_exactly_the_rows_of_the_walk_through(run_program: RunProgram) -> None:
    registered = sorted((resource.parent, resource.type, resource.name) for resource in run_program().resources)
    assert registered == [
        ("access", "aws:iam/accessKey:AccessKey", "access-key-1"),
        ("access", "aws:iam/group:Group", "access-group"),
        ("access", "aws:iam/groupPolicyAttachment:GroupPolicyAttachment", "access-group-policy"),
        ("access", "aws:iam/policy:Policy", "access-policy"),
        ("access", "aws:iam/user:User", "access-user"),
        ("access", "aws:iam/userGroupMembership:UserGroupMembership", "access-membership"),
        ("app-one-dev", "app-one:infra:Image", "image"),
        ("app-one-dev", "app-one:infra:PushAccess", "access"),
        ("app-one-dev", "app-one:infra:Repository", "repository"),
        ("app-one-dev", "app-one:infra:VariableGroup", "variable-group"),
        ("image", "docker:index/image:Image", "image"),
        ("repository", "aws:ecr/lifecyclePolicy:LifecyclePolicy", "repository-lifecycle"),
        ("repository", "aws:ecr/repository:Repository", "repository"),
        ("variable-group", "azuredevops:index/variableGroup:VariableGroup", "variable-group"),
    ]


def test_foundation_and_image_are_together_what_everything_is(run_program: RunProgram) -> None:
    def registered(declares: str) -> set[tuple[str, str, str]]:
        program = run_program({"app-one:declares": declares}, environment=AGENT if declares == "image" else {})
        return {(resource.parent, resource.type, resource.name) for resource in program.resources}

    assert registered("image") == {
        ("app-one-dev", "app-one:infra:Image", "image"),
        ("image", "docker:index/image:Image", "image"),
    }
    assert registered("foundation") == registered("everything") - registered("image")


def test_the_image_is_the_same_from_either_stack_but_for_the_token(run_program: RunProgram) -> None:
    whole, alone = (
        run_program({"app-one:declares": declares}, environment=AGENT if declares == "image" else {}).one(
            "docker:index/image:Image"
        )
        for declares in ("everything", "image")
    )
    assert whole.inputs.pop("registry") == {"server": ECR, "username": "AWS", "password": "ecr-token"}
    assert alone.inputs.pop("registry") == {"server": ECR}
    assert alone.inputs == whole.inputs


def test_the_stack_of_the_image_holds_no_secret_and_asks_for_the_repository_alone(run_program: RunProgram) -> None:
    program = run_program({"app-one:declares": "image"}, environment=AGENT)
    assert [resource.secrets for resource in program.resources] == [set(), set()]
    assert program.secret_outputs == set()
    assert [token for token, _ in program.calls] == ["aws:ecr/getRepository:getRepository"]
    assert sorted(program.outputs) == [
        "image_by_digest",
        "image_by_tag",
        "image_tag",
        "repository_name",
        "repository_url",
    ]


def test_the_foundation_lets_the_pipeline_look_the_repository_up(run_program: RunProgram) -> None:
    policy = run_program({"app-one:declares": "foundation"}).one("aws:iam/policy:Policy")
    statements = json.loads(policy.inputs["policy"])["Statement"]
    assert statements[-1] == {
        "Sid": "LookUpRepository",
        "Effect": "Allow",
        "Action": ["ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:ListTagsForResource"],
        "Resource": "arn:aws:ecr:us-east-2:123456789012:repository/app-one",
    }


def test_a_repository_that_is_not_there_is_one_sentence_with_the_stack_that_declares_it(
    refusal: Refusal, cloud: Any
) -> None:
    answer = cloud.call
    missing = ("name", "RepositoryNotFoundException")
    cloud.call = lambda args: ({}, [missing]) if "getRepository" in args.token else answer(args)
    said = refusal({"app-one:declares": "image"}, cloud=cloud, environment=AGENT)
    assert re.search(r"the ECR repository 'app-one' could not be looked up(?s:.*)foundation", said)


def test_the_pipelines_key_reads_what_the_pipelines_scan_gate_asks_for(run_program: RunProgram) -> None:
    policies = [
        run_program({f"app-one:{key}": True}).one("aws:iam/policy:Policy").inputs["policy"]
        for key in ("pipelineEnabled", "allowScanFindings")
    ]
    assert policies[0] == policies[1]


def test_the_repository_is_scanned_immutable_encrypted_and_protected(run_program: RunProgram) -> None:
    repository = run_program({"app-one:tags": {"team": "one"}}).one("aws:ecr/repository:Repository")
    assert re.fullmatch("[0-9a-f]{32}", repository.inputs["tags"].pop("app-one:incarnation"))
    assert repository.inputs == {
        "name": "app-one",
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
        "encryptionConfigurations": [{"encryptionType": "AES256"}],
        "forceDelete": False,
        "tags": {"team": "one"},
    }
    assert repository.protect


def test_the_image_follows_its_repository(run_program: RunProgram) -> None:
    first, second = (run_program({}) for _ in range(2))
    repository, image = first.one("aws:ecr/repository:Repository"), first.one("docker:index/image:Image")
    made = repository.inputs["tags"]["app-one:incarnation"]
    assert made != second.one("aws:ecr/repository:Repository").inputs["tags"]["app-one:incarnation"]
    assert repository.ignore_changes == ['tags["app-one:incarnation"]'], "the engine keeps the value of the first run"
    arn = "arn:aws:ecr:us-east-2:123456789012:repository/app-one"
    assert image.replacement_trigger == [arn, "AES256", "", made]
    assert image.deleted_with == "repository"


def test_an_image_of_its_own_stack_follows_the_repository_of_the_other(run_program: RunProgram) -> None:
    image = run_program({"app-one:declares": "image"}, environment=AGENT).one("docker:index/image:Image")
    arn = "arn:aws:ecr:us-east-2:123456789012:repository/app-one"
    assert image.replacement_trigger == [arn, "AES256", "", "first"], "as in a stack that declares both"
    assert image.deleted_with == ""


def test_force_delete_lifts_the_protection_too(run_program: RunProgram) -> None:
    repository = run_program({"app-one:forceDelete": True}).one("aws:ecr/repository:Repository")
    assert repository.inputs["forceDelete"] is True
    assert not repository.protect


def test_the_repository_takes_a_key_of_the_customer_and_exclusions(run_program: RunProgram) -> None:
    key = "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    inputs = (
        run_program(
            {
                "app-one:encryptionType": "KMS",
                "app-one:kmsKeyArn": key,
                "app-one:imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
                "app-one:imageTagMutabilityExclusions": ["content-*"],
            }
        )
        .one("aws:ecr/repository:Repository")
        .inputs
    )
    assert inputs["encryptionConfigurations"] == [{"encryptionType": "KMS", "kmsKey": key}]
    assert inputs["imageTagMutabilityExclusionFilters"] == [{"filter": "content-*", "filterType": "WILDCARD"}]


def lifecycle(run_program: RunProgram, **settings: Any) -> list[dict[str, Any]]:
    """The rules that the program declares."""
    made = run_program({f"app-one:{key}": value for key, value in settings.items()}).one(
        "aws:ecr/lifecyclePolicy:LifecyclePolicy"
    )
    assert made.inputs["repository"] == "app-one"
    rules: list[dict[str, Any]] = json.loads(made.inputs["policy"])["rules"]
    assert [rule["rulePriority"] for rule in rules] == list(range(1, len(rules) + 1))
    assert all(rule["action"] == {"type": "expire"} for rule in rules)
    return rules


def test_the_lifecycle_expires_untagged_images_and_no_other(run_program: RunProgram) -> None:
    (rule,) = lifecycle(run_program, expireUntaggedDays=2)
    assert rule["description"] == "Expire images without a tag 2 days after their push"
    untagged = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 2}
    assert rule["selection"] == untagged


def test_what_is_protected_comes_before_ones_own_rules_and_these_before_the_count(run_program: RunProgram) -> None:
    rules = lifecycle(
        run_program,
        protectedTags=["20*", "content-*"],
        lifecycleRules=[{"tags": "pr-*", "days": 14}, {"tags": "test-*", "keep": 3}],
        keepImages=5,
    )
    assert [rule["description"] for rule in rules[1:]] == [
        "Never expire 20*",
        "Never expire content-*",
        "Expire pr-* 14 days after their push",
        "Keep the newest 3 test-*",
        "Keep the newest 5 other images",
    ]
    days = {"countType": "sinceImagePushed", "countUnit": "days"}
    assert [rule["selection"] for rule in rules[1:]] == [
        {"tagStatus": "tagged", "tagPatternList": ["20*"], **days, "countNumber": 36500},
        {"tagStatus": "tagged", "tagPatternList": ["content-*"], **days, "countNumber": 36500},
        {"tagStatus": "tagged", "tagPatternList": ["pr-*"], **days, "countNumber": 14},
        {"tagStatus": "tagged", "tagPatternList": ["test-*"], "countType": "imageCountMoreThan", "countNumber": 3},
        {"tagStatus": "tagged", "tagPatternList": ["*"], "countType": "imageCountMoreThan", "countNumber": 5},
    ]


def test_a_rule_of_ones_own_for_all_tags_takes_the_place_of_the_count(run_program: RunProgram) -> None:
    rules = lifecycle(run_program, protectedTags=["content-*"], lifecycleRules=[{"tags": "*", "days": 90}])
    assert [rule["description"] for rule in rules[1:]] == [
        "Never expire content-*",
        "Expire * 90 days after their push",
    ]


def test_the_push_policy_names_exact_actions_on_this_one_repository(run_program: RunProgram) -> None:
    policy = run_program({"app-one:tags": {"team": "one"}}).one("aws:iam/policy:Policy")
    assert json.loads(policy.inputs.pop("policy")) == PUSH_POLICY
    assert policy.inputs == {
        "name": "app-one-push",
        "path": "/",
        "description": "Push images to one ECR repository",
        "tags": {"team": "one"},
    }


@pytest.mark.parametrize(
    ("setting", "statement"),
    [
        (
            "allowPull",
            {
                "Sid": "PullImages",
                "Effect": "Allow",
                "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                "Resource": "arn:aws:ecr:us-east-2:123456789012:repository/app-one",
            },
        ),
        (
            "allowScanFindings",
            {
                "Sid": "ReadScanFindings",
                "Effect": "Allow",
                "Action": ["ecr:DescribeImageScanFindings", "ecr:DescribeImages"],
                "Resource": "arn:aws:ecr:us-east-2:123456789012:repository/app-one",
            },
        ),
    ],
)
def test_a_wider_right_is_one_more_statement_behind_a_setting(
    run_program: RunProgram, setting: str, statement: dict[str, Any]
) -> None:
    policy = run_program({f"app-one:{setting}": True}).one("aws:iam/policy:Policy")
    assert json.loads(policy.inputs["policy"])["Statement"] == [*PUSH_POLICY["Statement"], statement]


def test_the_push_policy_does_not_wait_for_the_repository_so_that_a_preview_shows_it(run_program: RunProgram) -> None:
    assert run_program().one("aws:iam/policy:Policy").dependencies == set()


@pytest.mark.parametrize(("partition", "region"), [("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")])
def test_partition_and_region_are_the_credentials_own(
    run_program: RunProgram, cloud: Any, partition: str, region: str
) -> None:
    cloud.partition, cloud.region = partition, region
    policy = run_program(cloud=cloud).one("aws:iam/policy:Policy")
    assert (
        json.loads(policy.inputs["policy"])["Statement"][1]["Resource"]
        == f"arn:{partition}:ecr:{region}:123456789012:repository/app-one"
    )


def test_the_user_gets_the_policy_through_a_group(run_program: RunProgram) -> None:
    program = run_program({"app-one:iamPath": "/pipelines/", "app-one:tags": {"team": "one"}})
    assert program.one("aws:iam/group:Group").inputs == {"name": "app-one-push", "path": "/pipelines/"}
    assert program.one("aws:iam/user:User").inputs == {
        "name": "app-one-push",
        "path": "/pipelines/",
        "tags": {"team": "one"},
    }
    assert program.one("aws:iam/groupPolicyAttachment:GroupPolicyAttachment").inputs == {
        "group": "app-one-push",
        "policyArn": "arn:aws:iam::123456789012:policy/pipelines/app-one-push",
    }
    assert program.one("aws:iam/userGroupMembership:UserGroupMembership").inputs == {
        "user": "app-one-push",
        "groups": ["app-one-push"],
    }


def test_a_permissions_boundary_bounds_the_user(run_program: RunProgram) -> None:
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    user = run_program({"app-one:permissionsBoundaryArn": boundary}).one("aws:iam/user:User")
    assert user.inputs["permissionsBoundary"] == boundary


def group_variables(program: Any) -> dict[str, dict[str, Any]]:
    variables = program.one("azuredevops:index/variableGroup:VariableGroup").inputs["variables"]
    return {variable["name"]: variable for variable in variables}


def test_the_variable_group_holds_the_key_closed_to_other_pipelines_and_as_a_secret(run_program: RunProgram) -> None:
    program = run_program()
    group = program.one("azuredevops:index/variableGroup:VariableGroup")
    assert {key: value for key, value in group.inputs.items() if key != "variables"} == {
        "projectId": "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c",
        "name": "app-one",
        "description": "Access to the ECR repository; written by Pulumi, changes by hand are overwritten",
        "allowAccess": False,
    }
    assert group_variables(program) == {
        "aws_account_number": {"name": "aws_account_number", "value": "123456789012"},
        "App-One.AccessKey": {"name": "App-One.AccessKey", "value": "AKIAACCESS-KEY-1"},
        "App-One.SecretKey": {
            "name": "App-One.SecretKey",
            "secretValue": "secret-of-access-key-1",
            "isSecret": True,
        },
    }
    # A list is marked as a whole where one of its parts is secret.
    assert group.secrets == {"variables"}
    assert group.additional_secret_outputs == ["variables"]
    assert group.dependencies == {"access-key-1"}


def test_the_variables_names_and_the_project_are_settings(run_program: RunProgram) -> None:
    program = run_program(
        {
            "app-one:azureDevOpsProject": "Shop",
            "app-one:variableGroupName": "shop",
            "app-one:accessKeyVariable": "Key",
            "app-one:secretKeyVariable": "KeySecret",
            "app-one:accountVariable": "Account",
            "app-one:allowAllPipelines": True,
        }
    )
    group = program.one("azuredevops:index/variableGroup:VariableGroup")
    assert group.inputs["name"] == "shop"
    assert group.inputs["allowAccess"] is True
    assert set(group_variables(program)) == {"Key", "KeySecret", "Account"}
    assert ("azuredevops:index/getProject:getProject", {"name": "Shop"}) in program.calls


def test_a_new_generation_of_the_key_replaces_the_old_one_in_the_group(run_program: RunProgram) -> None:
    program = run_program({"app-one:accessKeyGeneration": 2})
    assert program.names("aws:iam/accessKey:AccessKey") == ["access-key-2"]
    assert group_variables(program)["App-One.AccessKey"]["value"] == "AKIAACCESS-KEY-2"
    assert program.outputs["access_key_id"] == "AKIAACCESS-KEY-2"


def test_the_previous_key_stays_while_a_setting_says_so(run_program: RunProgram) -> None:
    program = run_program({"app-one:accessKeyGeneration": 2, "app-one:accessKeyKeepPrevious": True})
    assert program.names("aws:iam/accessKey:AccessKey") == ["access-key-1", "access-key-2"]
    assert group_variables(program)["App-One.AccessKey"]["value"] == "AKIAACCESS-KEY-2"


OLD, NEW = "AKIAEXAMPLE000000001", "AKIAEXAMPLE000000002"


def holding(cloud: Any, record: str, *held: tuple[str, str, str], user: str = "app-one-push") -> Any:
    """IAM with a user's keys as (id, day, status), and with its tag."""
    keys = [{"accessKeyId": key, "createDate": f"{day}T00:00:00Z", "status": status} for key, day, status in held]
    cloud.users[user] = {"accessKeys": keys, "tags": {"app-one:access-key": record} if record else {}}
    return cloud


def test_a_key_near_its_end_gets_a_successor_that_the_group_holds(run_program: RunProgram, cloud: Any) -> None:
    program = run_program(
        {"app-one:accessKeyMaxAgeDays": 90, "app-one:tags": {"team": "shop"}},
        environment={"KEYS_AS_OF": "2027-03-25"},
        cloud=holding(cloud, "1", (OLD, "2027-01-01", "Active")),
    )
    assert program.names("aws:iam/accessKey:AccessKey") == ["access-key-1", "access-key-2"]
    assert program.one("aws:iam/user:User").inputs["tags"] == {"team": "shop", "app-one:access-key": f"2 after 1 {OLD}"}
    assert group_variables(program)["App-One.AccessKey"]["value"] == "AKIAACCESS-KEY-2"


def test_a_key_whose_grace_is_over_is_disabled_after_the_group_and_one_that_leaked_before_anything(
    run_program: RunProgram, cloud: Any
) -> None:
    held = holding(cloud, f"2 after 1 {OLD}", (OLD, "2027-01-01", "Active"), (NEW, "2027-03-20", "Active"))
    after = {"app-one:accessKeyMaxAgeDays": 90}
    for more, waits in (({}, {"variable-group"}), ({"app-one:accessKeysCompromised": [OLD]}, set())):
        program = run_program({**after, **more}, environment={"KEYS_AS_OF": "2027-03-27"}, cloud=held)
        (ended,) = (each for each in program.resources if each.name == "access-key-1")
        assert ended.inputs["status"] == "Inactive"
        assert ended.dependencies & {"variable-group"} == waits
        assert group_variables(program)["App-One.AccessKey"]["value"] == "AKIAACCESS-KEY-2"


def test_the_readers_key_ends_as_the_push_key_does(
    run_program: RunProgram, cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.pipeline_files.mismatches", lambda *_: [])
    for user in ("app-one-push", "app-one-reader"):
        holding(cloud, "1", (OLD, "2027-01-01", "Active"), user=user)
    program = run_program(
        {"app-one:accessKeyMaxAgeDays": 90, "app-one:declares": "foundation", "app-one:pipelineEnabled": True},
        environment={"KEYS_AS_OF": "2027-03-25"},
        cloud=cloud,
    )
    names = program.names("aws:iam/accessKey:AccessKey")
    assert sorted(names) == ["access-key-1", "access-key-2", "reader-key-1", "reader-key-2"]


def test_an_unknown_record_of_keys_is_one_error(refusal: Callable[..., str], cloud: Any) -> None:
    message = refusal(cloud=holding(cloud, "mine", (OLD, "2027-01-01", "Active")))
    assert "the tag app-one:access-key of the IAM user 'app-one-push' is unknown: 'mine'" in message


def test_the_image_is_built_for_a_named_platform_and_pushed_with_a_secret_token(run_program: RunProgram) -> None:
    program = run_program({"app-one:imageTag": "1.4.2", "app-one:baseImage": "node:24.1.0"})
    image = program.one("docker:index/image:Image")
    context = image.inputs["build"]["context"]
    assert image.inputs == {
        "imageName": f"{ECR}/app-one:1.4.2",
        "build": {
            "context": context,
            "dockerfile": f"{context}/Dockerfile",
            "platform": "linux/amd64",
            "args": {
                "REVISION": image.inputs["build"]["args"]["REVISION"],
                "BASE_IMAGE": "node:24.1.0",
                "SOURCE_DATE_EPOCH": "0",
            },
        },
        "registry": {"server": ECR, "username": "AWS", "password": "ecr-token"},
        "buildOnPreview": False,
        "skipPush": False,
    }
    assert image.secrets == {"registry"}
    assert image.dependencies == {"repository"}


@pytest.mark.parametrize("refused", ["ecr/getAuthorizationToken", "getCallerIdentity", "getProject"])
def test_a_refused_look_up_ends_the_program_before_any_resource(
    refusal: Refusal, cloud: Any, recording: Any, refused: str
) -> None:
    answer = cloud.call

    def refuse(args: Any) -> Any:
        return ({}, [("token", "AccessDenied")]) if refused in args.token else answer(args)

    cloud.call = refuse
    assert re.search(r"could not be looked up: .*AccessDenied", refusal(cloud=cloud, program=recording))
    assert recording.resources == []


def test_a_registry_on_any_host_and_port_needs_no_branch(run_program: RunProgram, cloud: Any) -> None:
    cloud.registry = "127.0.0.1:5001"
    image = run_program({"app-one:imageTag": "1"}, cloud=cloud).one("docker:index/image:Image")
    assert image.inputs["imageName"] == "127.0.0.1:5001/app-one:1"
    assert image.inputs["registry"]["server"] == "127.0.0.1:5001"


def test_in_a_pipeline_tag_and_labels_come_from_the_run(run_program: RunProgram) -> None:
    program = run_program(
        environment={
            "BUILD_BUILDNUMBER": "20261123.4",
            "BUILD_SOURCEVERSION": "1f3e2d4c5b6a79881f3e2d4c5b6a79881f3e2d4c",
            "BUILD_REPOSITORY_URI": "https://someone@dev.azure.com/acme/shop/_git/shop",
            "SOURCE_DATE_EPOCH": "1764000000",
        }
    )
    image = program.one("docker:index/image:Image")
    assert image.inputs["imageName"] == f"{ECR}/app-one:20261123.4"
    assert image.inputs["build"]["args"] == {
        "REVISION": "1f3e2d4c5b6a79881f3e2d4c5b6a79881f3e2d4c",
        "SOURCE": "https://dev.azure.com/acme/shop/_git/shop",
        "CREATED": "2025-11-24T16:00:00Z",
        "SOURCE_DATE_EPOCH": "1764000000",
    }


def test_two_build_numbers_of_the_same_content_shape_the_same_image(run_program: RunProgram) -> None:
    one, other = (
        run_program(environment={"BUILD_BUILDNUMBER": number}).one("docker:index/image:Image").inputs
        for number in ("20261123.1", "20261123.2")
    )
    assert one["build"] == other["build"]
    assert one["imageName"] != other["imageName"]


def test_on_a_workstation_the_tag_comes_from_the_content_and_stays_the_same(run_program: RunProgram) -> None:
    first = run_program().one("docker:index/image:Image").inputs
    second = run_program().one("docker:index/image:Image").inputs
    assert first == second
    repository, _, tag = first["imageName"].rpartition(":")
    assert repository == f"{ECR}/app-one"
    assert tag.startswith("content-")
    assert len(tag) == len("content-") + 12


@pytest.mark.parametrize(
    "config",
    [{"app-one:platform": "linux/arm64"}, {"app-one:baseImage": "node:24.1.0"}, {"app-one:imageSource": "https://a.b"}],
)
def test_whatever_shapes_the_image_changes_the_tag_of_its_content(
    run_program: RunProgram, config: dict[str, str]
) -> None:
    # An immutable tag would otherwise be pushed a second time with another image.
    assert run_program(config).outputs["image_tag"] != run_program().outputs["image_tag"]


def test_the_outputs_are_the_documented_ones_and_none_is_the_secret_key(run_program: RunProgram) -> None:
    program = run_program({"app-one:imageTag": "1.4.2"})
    assert program.outputs == {
        "repository_url": f"{ECR}/app-one",
        "repository_name": "app-one",
        "image_tag": "1.4.2",
        "image_by_tag": f"{ECR}/app-one:1.4.2",
        "image_by_digest": f"{ECR}/app-one@sha256:{'ab' * 32}",
        "push_policy_arn": "arn:aws:iam::123456789012:policy/app-one-push",
        "user_name": "app-one-push",
        "access_key_id": "AKIAACCESS-KEY-1",
        "variable_group_id": "56",
        "variable_group_name": "app-one",
    }
    assert program.secret_outputs == set()
