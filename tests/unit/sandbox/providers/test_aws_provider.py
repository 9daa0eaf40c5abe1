"""The aws stand-in against the sandbox's AWS, asked as the engine asks a plugin."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.providers.aws.iam import ses_password
from sandbox.providers.protocol import UNKNOWN, encode
from tests.unit.sandbox.aws.support import ACCOUNT, REGION
from tests.unit.sandbox.providers.plugin_client import PluginError, is_secret, running, same_after
from tests.unit.sandbox.providers.test_providers_conformance import result_names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.sandbox.aws.support import Service
    from tests.unit.sandbox.providers.plugin_client import Plugin

REPOSITORY = "aws:ecr/repository:Repository"
LIFECYCLE = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
REPOSITORY_POLICY = "aws:ecr/repositoryPolicy:RepositoryPolicy"
POLICY = "aws:iam/policy:Policy"
GROUP = "aws:iam/group:Group"
USER = "aws:iam/user:User"
KEY = "aws:iam/accessKey:AccessKey"
MEMBERSHIP = "aws:iam/userGroupMembership:UserGroupMembership"
ROLE = "aws:iam/role:Role"
OIDC = "aws:iam/openIdConnectProvider:OpenIdConnectProvider"


def allowing(*actions: str, resource: str = "*") -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def keeping(count: int) -> str:
    selection = {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": count}
    return json.dumps({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})


def test_a_repository_is_made_as_declared_and_then_nothing_differs(aws: Plugin) -> None:
    own, outputs, inputs = aws.up(
        REPOSITORY,
        {
            "name": "made",
            "imageScanningConfiguration": {"scanOnPush": True},
            "imageTagMutability": "IMMUTABLE",
            "tags": {"Owner": "us"},
        },
    )
    assert own == "made"
    assert outputs["repositoryUrl"].endswith("/made")
    assert outputs["arn"] == f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/made"
    assert outputs["encryptionConfigurations"][0]["encryptionType"] == "AES256"
    assert (outputs["region"], outputs["tagsAll"]) == (REGION, {"Owner": "us"})
    same_after(aws, REPOSITORY, own, outputs, inputs)


def test_a_changed_setting_is_updated_in_place_and_a_changed_name_replaces_after_deletion(aws: Plugin) -> None:
    own, outputs, inputs = aws.up(REPOSITORY, {"name": "changing", "tags": {"a": "1"}})
    wanted = aws.check(REPOSITORY, {"name": "changing", "imageTagMutability": "IMMUTABLE", "tags": {"b": "2"}}, inputs)
    assert aws.kinds(REPOSITORY, outputs, wanted) == {
        "imageTagMutability": "UPDATE",
        "tags.a": "DELETE",
        "tags.b": "ADD",
        "tagsAll.a": "DELETE",
        "tagsAll.b": "ADD",
    }
    preview = aws.update(REPOSITORY, own, outputs, wanted, preview=True)
    assert (preview["tagsAll"], preview["arn"]) == ({"b": "2"}, outputs["arn"])
    updated = aws.update(REPOSITORY, own, outputs, wanted)
    assert updated["tagsAll"] == {"b": "2"}
    same_after(aws, REPOSITORY, own, updated, wanted)
    encrypted = {**wanted, "encryptionConfigurations": [{"encryptionType": "KMS"}]}
    answer = aws.diff(REPOSITORY, updated, encrypted)
    assert list(answer.replaces) == ["encryptionConfigurations"]
    assert answer.deleteBeforeReplace
    assert list(aws.diff(REPOSITORY, updated, {**wanted, "name": "other"}).replaces) == ["name"]


def test_ignored_properties_are_no_difference(aws: Plugin) -> None:
    state = {"name": "x", "imageTagMutability": "MUTABLE", "region": REGION, "tags": {"a": "1"}, "forceDelete": True}
    wanted = {"name": "x", "imageTagMutability": "MUTABLE", "tags": {"a": "2", "b": "3"}}
    assert set(aws.diff(REPOSITORY, state, wanted).detailedDiff) == {"forceDelete", "tags.a", "tags.b"}
    assert set(aws.diff(REPOSITORY, state, wanted, ("tags",)).detailedDiff) == {"forceDelete"}
    assert set(aws.diff(REPOSITORY, state, wanted, ("tags.a",)).detailedDiff) == {"forceDelete", "tags.b"}


def test_a_repository_without_a_name_gets_one_and_keeps_it(aws: Plugin) -> None:
    first = aws.check(REPOSITORY, {}, name="web")
    assert first["name"].startswith("web-")
    assert "name" in first["__defaults"]
    assert aws.check(REPOSITORY, {}, first, name="web")["name"] == first["name"]
    assert not aws.diff(REPOSITORY, {**first, "region": REGION}, first).deleteBeforeReplace


def test_exclusion_filters_need_the_mutability_that_has_them(aws: Plugin) -> None:
    filters = [{"filter": "latest*", "filterType": "WILDCARD"}]
    found = aws.check(REPOSITORY, {"name": "x", "imageTagMutabilityExclusionFilters": filters})
    assert "can only be used when" in found[0]
    own, outputs, inputs = aws.up(
        REPOSITORY,
        {
            "name": "excluding",
            "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
            "imageTagMutabilityExclusionFilters": filters,
        },
    )
    assert outputs["imageTagMutabilityExclusionFilters"] == filters
    same_after(aws, REPOSITORY, own, outputs, inputs)


def test_a_second_repository_of_the_same_name_fails_with_the_plugins_message(aws: Plugin) -> None:
    aws.up(REPOSITORY, {"name": "twice"})
    with pytest.raises(PluginError) as failed:
        aws.up(REPOSITORY, {"name": "twice"})
    message = str(failed.value)
    assert "creating ECR Repository (twice): operation error ECR: CreateRepository" in message
    assert "https response error StatusCode: 400, RequestID: " in message
    assert ", RepositoryAlreadyExistsException: " in message


def test_a_change_of_the_lifecycle_policy_replaces_it_and_the_old_one_goes_first(aws: Plugin) -> None:
    aws.up(REPOSITORY, {"name": "aging"})
    own, outputs, inputs = aws.up(LIFECYCLE, {"repository": "aging", "policy": keeping(3)})
    same_after(aws, LIFECYCLE, own, outputs, inputs)
    spaced = json.dumps(json.loads(keeping(3)), indent=8)
    assert aws.kinds(LIFECYCLE, outputs, {**inputs, "policy": spaced}) == {}
    answer = aws.diff(LIFECYCLE, outputs, {**inputs, "policy": keeping(4)})
    assert (list(answer.replaces), answer.deleteBeforeReplace) == (["policy"], True)
    aws.delete(LIFECYCLE, own, outputs)
    assert aws.read(LIFECYCLE, own, outputs, inputs) is None
    aws.delete(LIFECYCLE, own, outputs)


def test_a_repository_policy_that_means_the_same_is_no_difference(aws: Plugin) -> None:
    aws.up(REPOSITORY, {"name": "shared"})
    policy = {"Version": "2012-10-17", "Statement": [
        {"Sid": "pull", "Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"]}]}  # fmt: skip
    own, outputs, inputs = aws.up(REPOSITORY_POLICY, {"repository": "shared", "policy": json.dumps(policy)})
    same_after(aws, REPOSITORY_POLICY, own, outputs, inputs)
    policy["Statement"][0]["Action"] = "ecr:BatchGetImage"  # type: ignore[index]
    assert aws.kinds(REPOSITORY_POLICY, outputs, {**inputs, "policy": json.dumps(policy)}) == {}


def test_a_policy_is_updated_beyond_the_limit_of_versions_and_deleted_with_all_of_them(
    aws: Plugin, aws_service: Service
) -> None:
    own, outputs, inputs = aws.up(POLICY, {"name": "many", "policy": allowing("ecr:PutImage")})
    same_after(aws, POLICY, own, outputs, inputs)
    for count in range(7):
        inputs = {**inputs, "policy": allowing("ecr:PutImage", f"ecr:Other{count}")}
        assert aws.kinds(POLICY, outputs, inputs) == {"policy": "UPDATE"}
        outputs = aws.update(POLICY, own, outputs, inputs)
    versions = aws_service.client("iam").list_policy_versions(PolicyArn=own)["Versions"]
    assert len(versions) == 5
    assert json.loads(outputs["policy"]) == json.loads(inputs["policy"])
    aws.delete(POLICY, own, outputs)
    assert aws.read(POLICY, own, outputs, inputs) is None


def test_a_policy_that_is_no_json_is_refused_at_check(aws: Plugin) -> None:
    assert "contains an invalid JSON" in aws.check(POLICY, {"policy": "{"})[0]


def test_a_preview_of_a_policy_on_a_new_repository_is_unknown_as_a_whole(aws: Plugin) -> None:
    inputs = aws.check(POLICY, {"policy": UNKNOWN})
    _, outputs, _ = aws.create(POLICY, inputs, preview=True)
    assert (outputs["policy"], outputs["arn"]) == (UNKNOWN, UNKNOWN)
    assert outputs["path"] == "/"


def test_the_key_of_a_user_is_secret_and_its_status_changes_in_place(aws: Plugin) -> None:
    aws.up(USER, {"name": "keyed"})
    checked = aws.check(KEY, {"user": "keyed"})
    assert (checked["status"], checked["__defaults"]) == ("Active", ["status"])
    own, outputs, raw = aws.create(KEY, checked)
    assert is_secret(raw, "secret")
    assert is_secret(raw, "sesSmtpPasswordV4")
    assert not is_secret(raw, "user")
    assert outputs["sesSmtpPasswordV4"] == ses_password(outputs["secret"], REGION)
    same_after(aws, KEY, own, outputs, checked)
    inactive = {**checked, "status": "Inactive"}
    assert aws.kinds(KEY, outputs, inactive) == {"status": "UPDATE"}
    updated = aws.update(KEY, own, outputs, inactive)
    assert (updated["status"], updated["secret"]) == ("Inactive", outputs["secret"])
    answer = aws.diff(KEY, updated, {**inactive, "user": "another"})
    assert list(answer.replaces) == ["user"]
    assert not answer.deleteBeforeReplace, "the new key works before the old one goes"


def test_the_smtp_password_is_versioned_and_depends_on_secret_and_region() -> None:
    first = ses_password("a-secret", "us-east-2")
    decoded = base64.b64decode(first)
    assert (decoded[0], len(decoded)) == (4, 33), "version 4, then a SHA-256 signature"
    assert len({first, ses_password("a-secret", "eu-west-1"), ses_password("another", "us-east-2")}) == 3


def test_a_user_with_keys_and_policies_is_deleted_only_if_it_says_so(aws: Plugin) -> None:
    own, outputs, inputs = aws.up(USER, {"name": "leaving"})
    aws.up(KEY, {"user": "leaving"})
    with pytest.raises(PluginError, match=r"deleting IAM User \(leaving\): operation error IAM: DeleteUser"):
        aws.delete(USER, own, outputs)
    forced = {**inputs, "forceDestroy": True}
    outputs = aws.update(USER, own, outputs, forced)
    assert outputs["forceDestroy"] is True
    aws.delete(USER, own, outputs)
    assert aws.read(USER, own, outputs, forced) is None


def test_a_membership_touches_only_the_groups_that_it_names(aws: Plugin, aws_service: Service) -> None:
    iam = aws_service.client("iam")
    aws.up(USER, {"name": "joining"})
    for group in ("one", "two", "three"):
        aws.up(GROUP, {"name": group})
    iam.add_user_to_group(UserName="joining", GroupName="three")
    own, outputs, inputs = aws.up(MEMBERSHIP, {"user": "joining", "groups": ["two", "one"]})
    same_after(aws, MEMBERSHIP, own, outputs, inputs)
    outputs = aws.update(MEMBERSHIP, own, outputs, {**inputs, "groups": ["one"]})
    assert groups_of(iam, "joining") == {"one", "three"}
    aws.delete(MEMBERSHIP, own, outputs)
    assert groups_of(iam, "joining") == {"three"}


def groups_of(iam: Any, user: str) -> set[str]:
    return {each["GroupName"] for each in iam.list_groups_for_user(UserName=user)["Groups"]}


def test_a_membership_that_fails_half_way_is_kept_and_finished_by_the_next_update(aws: Plugin) -> None:
    aws.up(USER, {"name": "halfway"})
    aws.up(GROUP, {"name": "there"})
    inputs = aws.check(MEMBERSHIP, {"user": "halfway", "groups": ["there", "missing"]})
    with pytest.raises(PluginError, match="missing") as failed:
        aws.create(MEMBERSHIP, inputs)
    partial = failed.value.partial
    assert partial is not None
    aws.up(GROUP, {"name": "missing"})
    state = {"user": "halfway", "groups": ["there"]}
    outputs = aws.update(MEMBERSHIP, partial.id, state, inputs)
    assert set(outputs["groups"]) == {"there", "missing"}


@pytest.mark.parametrize(
    ("token", "principal"),
    [
        ("aws:iam/groupPolicyAttachment:GroupPolicyAttachment", "group"),
        ("aws:iam/userPolicyAttachment:UserPolicyAttachment", "user"),
        ("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "role"),
    ],
)
def test_a_policy_is_attached_found_imported_and_detached(aws: Plugin, token: str, principal: str) -> None:
    name = f"attached-{principal}"
    if principal == "role":
        aws.up(ROLE, {"name": name, "assumeRolePolicy": trusting("ec2.amazonaws.com")})
    else:
        aws.up({"group": GROUP, "user": USER}[principal], {"name": name})
    arn, _, _ = aws.up(POLICY, {"name": name, "policy": allowing("ecr:PutImage")})
    own, outputs, inputs = aws.up(token, {principal: name, "policyArn": arn})
    same_after(aws, token, own, outputs, inputs)
    assert list(aws.diff(token, outputs, {**inputs, "policyArn": "arn:other"}).replaces) == ["policyArn"]
    imported = aws.read(token, f"{name}/{arn}")
    assert imported is not None
    assert {key: imported[1][key] for key in (principal, "policyArn")} == {principal: name, "policyArn": arn}
    aws.delete(token, own, outputs)
    assert aws.read(token, own, outputs, inputs) is None


def trusting(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_role_is_made_changed_and_found_unchanged(aws: Plugin) -> None:
    own, outputs, inputs = aws.up(
        ROLE, {"name": "acting", "assumeRolePolicy": trusting("ec2.amazonaws.com"), "tags": {"a": "1"}}
    )
    same_after(aws, ROLE, own, outputs, inputs)
    wanted = {
        **inputs,
        "assumeRolePolicy": trusting("ecs-tasks.amazonaws.com"),
        "description": "told",
        "inlinePolicies": [{"name": "own", "policy": allowing("ecr:PutImage")}],
        "tags": {},
        "tagsAll": {},
    }
    updated = aws.update(ROLE, own, outputs, wanted)
    assert updated["description"] == "told"
    assert updated["inlinePolicies"][0]["name"] == "own"
    same_after(aws, ROLE, own, updated, wanted)
    aws.delete(ROLE, own, updated)
    assert aws.read(ROLE, own, updated, wanted) is None


def test_an_oidc_provider_keeps_the_words_of_its_url(aws: Plugin) -> None:
    url = "https://vstoken.dev.azure.com/00000000-0000-0000-0000-000000000000"
    own, outputs, inputs = aws.up(OIDC, {"url": url, "clientIdLists": ["api://AzureADTokenExchange"]})
    assert outputs["url"] == url
    same_after(aws, OIDC, own, outputs, inputs)
    wanted = {**inputs, "clientIdLists": ["api://AzureADTokenExchange", "another"]}
    assert aws.kinds(OIDC, outputs, wanted) == {"clientIdLists[1]": "ADD"}
    tagged = {**inputs, "tags": {"Owner": "us"}, "tagsAll": {"Owner": "us"}}
    updated = aws.update(OIDC, own, outputs, tagged)
    same_after(aws, OIDC, own, updated, tagged)
    aws.delete(OIDC, own, updated)
    assert aws.read(OIDC, own, updated, tagged) is None


def test_drift_is_found_by_a_refresh_and_put_right_by_the_next_update(aws: Plugin, aws_service: Service) -> None:
    own, outputs, inputs = aws.up(REPOSITORY, {"name": "drifting", "imageTagMutability": "IMMUTABLE"})
    aws_service.client("ecr").put_image_tag_mutability(repositoryName="drifting", imageTagMutability="MUTABLE")
    found = aws.read(REPOSITORY, own, outputs, inputs)
    assert found is not None
    _, drifted, told = found
    assert (drifted["imageTagMutability"], told["imageTagMutability"]) == ("MUTABLE", "MUTABLE")
    assert aws.kinds(REPOSITORY, drifted, inputs) == {"imageTagMutability": "UPDATE"}
    aws_service.client("ecr").delete_repository(repositoryName="drifting")
    assert aws.read(REPOSITORY, own, outputs, inputs) is None


def test_an_import_gives_inputs_that_make_no_difference(aws: Plugin) -> None:
    aws.up(REPOSITORY, {"name": "imported", "imageScanningConfiguration": {"scanOnPush": True}})
    found = aws.read(REPOSITORY, "imported")
    assert found is not None
    _, outputs, inputs = found
    assert inputs["name"] == "imported"
    checked = aws.check(REPOSITORY, {key: value for key, value in inputs.items() if key != "__defaults"}, inputs)
    assert aws.kinds(REPOSITORY, outputs, checked) == {}


def test_a_type_or_function_that_is_not_there_is_a_clear_error(aws: Plugin) -> None:
    with pytest.raises(PluginError, match=r"does not know the type aws:s3/bucket:Bucket; it knows aws:ecr"):
        aws.check("aws:s3/bucket:Bucket", {})
    with pytest.raises(PluginError, match=r"does not know the function aws:s3/getBucket:getBucket"):
        aws.invoke("aws:s3/getBucket:getBucket")


@pytest.mark.parametrize(
    ("token", "arguments"),
    [
        ("aws:index/getCallerIdentity:getCallerIdentity", {}),
        ("aws:index/getRegion:getRegion", {}),
        ("aws:index/getPartition:getPartition", {}),
        ("aws:ecr/getAuthorizationToken:getAuthorizationToken", {"registryId": ACCOUNT}),
        ("aws:ecr/getRepository:getRepository", {"name": "asked", "registryId": ACCOUNT}),
        ("aws:iam/getUsers:getUsers", {"nameRegex": "^nobody$", "pathPrefix": "/"}),
    ],
)
def test_a_function_gives_exactly_what_the_sdk_reads(aws: Plugin, token: str, arguments: dict[str, str]) -> None:
    if "name" in arguments and aws.read(REPOSITORY, arguments["name"]) is None:
        aws.up(REPOSITORY, {"name": arguments["name"]})
    assert set(aws.invoke(token, **arguments)) == result_names("pulumi_aws", token)


def test_a_users_keys_and_tags_are_found_and_a_missing_user_is_an_error_only_where_it_is_asked_for(aws: Plugin) -> None:
    for token, argument in (("getUser", "userName"), ("getAccessKeys", "user")):
        with pytest.raises(PluginError, match="nobody"):
            aws.invoke(f"aws:iam/{token}:{token}", **{argument: "nobody"})
    assert aws.invoke("aws:iam/getUsers:getUsers", nameRegex="^nobody$")["names"] == []
    aws.up("aws:iam/user:User", {"name": "who.ends", "tags": {"app-one:access-key": "1"}})
    made, _, _ = aws.up("aws:iam/accessKey:AccessKey", {"user": "who.ends", "status": "Inactive"})
    assert aws.invoke("aws:iam/getUsers:getUsers", nameRegex=r"^who\.ends$")["names"] == ["who.ends"]
    user = aws.invoke("aws:iam/getUser:getUser", userName="who.ends")
    assert user["tags"] == {"app-one:access-key": "1"}
    assert set(user) == result_names("pulumi_aws", "aws:iam/getUser:getUser")
    found = aws.invoke("aws:iam/getAccessKeys:getAccessKeys", user="who.ends")
    assert set(found) == result_names("pulumi_aws", "aws:iam/getAccessKeys:getAccessKeys")
    assert [(key["accessKeyId"], key["status"]) for key in found["accessKeys"]] == [(made, "Inactive")]


def test_account_region_partition_and_login_are_those_of_the_service(aws: Plugin) -> None:
    assert aws.invoke("aws:index/getCallerIdentity:getCallerIdentity")["accountId"] == ACCOUNT
    assert aws.invoke("aws:index/getRegion:getRegion")["region"] == REGION
    assert aws.invoke("aws:index/getPartition:getPartition")["dnsSuffix"] == "amazonaws.com"
    login = aws.invoke("aws:ecr/getAuthorizationToken:getAuthorizationToken")
    assert login["userName"] == "AWS"
    assert login["password"]


def test_a_policy_document_is_written_as_the_plugin_writes_it(aws: Plugin) -> None:
    token = "aws:iam/getPolicyDocument:getPolicyDocument"
    statement = {
        "sid": "push",
        "actions": ["ecr:PutImage", "ecr:BatchGetImage"],
        "resources": ["arn:aws:ecr:*:*:repository/&{aws:username}"],
        "conditions": [{"test": "StringEquals", "variable": "aws:RequestedRegion", "values": [REGION]}],
    }
    result = aws.invoke(token, statements=[statement])
    document = json.loads(result["json"])
    assert document == json.loads(result["minifiedJson"])
    assert document["Statement"] == [
        {
            "Sid": "push",
            "Effect": "Allow",
            "Action": ["ecr:PutImage", "ecr:BatchGetImage"],
            "Resource": "arn:aws:ecr:*:*:repository/${aws:username}",
            "Condition": {"StringEquals": {"aws:RequestedRegion": REGION}},
        }
    ]
    assert set(result) <= result_names("pulumi_aws", token)
    with pytest.raises(PluginError, match=r"duplicate Sid \(push\)"):
        aws.invoke(token, sourcePolicyDocuments=[result["json"], result["json"]])
    overridden = aws.invoke(
        token,
        statements=[statement],
        overridePolicyDocuments=[allowing("a:b").replace('"Effect"', '"Sid": "push", "Effect"')],
    )
    assert json.loads(overridden["json"])["Statement"][0]["Action"] == ["a:b"]


def test_default_tags_reach_every_resource_that_has_tags(
    aws_environment: dict[str, str], aws_service: Service, tmp_path: Path
) -> None:
    with running("aws", tmp_path, **aws_environment) as plugin:
        assert plugin.configure(region=REGION, defaultTags='{"tags": {"Owner": "team", "Stage": "dev"}}') == []
        own, outputs, inputs = plugin.up(REPOSITORY, {"name": "tagged", "tags": {"Stage": "test"}})
        assert outputs["tagsAll"] == {"Owner": "team", "Stage": "test"}
        assert plugin.kinds(REPOSITORY, outputs, inputs) == {}
        assert "tags" not in plugin.check(GROUP, {"name": "untagged"})
    tags = aws_service.client("ecr").list_tags_for_resource(resourceArn=outputs["arn"])["tags"]
    assert {each["Key"]: each["Value"] for each in tags} == {"Owner": "team", "Stage": "test"}
    assert own == "tagged"


def test_a_wrong_configuration_is_told_before_any_resource_is_touched(
    aws_environment: dict[str, str], tmp_path: Path
) -> None:
    with running("aws", tmp_path, **aws_environment) as plugin:
        assert "Missing region configuration" in plugin.configure()[0]
        assert "does not know this setting" in plugin.configure(region=REGION, assumeRoles="[]")[0]
        assert plugin.configure(region=REGION) == []
        plugin.ask("Configure", args=encode({"region": "eu-west-1"}))  # not the one that was checked last
        assert plugin.invoke("aws:index/getRegion:getRegion")["region"] == "eu-west-1"
    with running("aws", tmp_path, **{**aws_environment, "AWS_SECRET_ACCESS_KEY": "wrong"}) as plugin:
        (reason,) = plugin.configure(region=REGION)
        assert "Invalid credentials configured" in reason
        assert "SignatureDoesNotMatch" in reason
        assert plugin.configure(region=REGION, skipCredentialsValidation="true") == []


def test_the_schema_that_an_import_reads_has_every_type(aws: Plugin) -> None:
    schema = json.loads(aws.ask("GetSchema").schema)
    assert REPOSITORY in schema["resources"]
    assert schema["resources"][LIFECYCLE]["requiredInputs"] == ["policy", "repository"]
