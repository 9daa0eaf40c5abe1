"""From boto3's own requests to IAM actions and ARNs: the exact pairs that a policy is judged by."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.core import utils
from moto.core.request import Request

from sandbox.aws.actions import Call, known_query, parse, understand
from sandbox.aws.config import Admin
from sandbox.aws.errors import AwsError
from sandbox.aws.principals import Directory, Principal

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest

ACCOUNT = "123456789012"
REGION = "us-east-2"
ECR = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/"
IAM = f"arn:aws:iam::{ACCOUNT}:"
BOB = Principal("user", f"{IAM}user/bob", f"{IAM}user/bob", "AIDABOB", "AKIABOB", "bob")


class CaughtError(Exception):
    """Carries a request out of boto3 before it is sent."""

    def __init__(self, request: AWSPreparedRequest) -> None:
        super().__init__()
        self.request = request


def sent(service: str, operation: str, parameters: dict[str, Any]) -> Request:
    """What boto3 would send."""
    client: Any = boto3.client(  # type: ignore[call-overload]
        service, REGION, aws_access_key_id="AKIABOB", aws_secret_access_key="s", endpoint_url="http://127.0.0.1:1"
    )

    def catch(request: AWSPreparedRequest, **_: Any) -> None:
        raise CaughtError(request)

    client.meta.events.register("before-send", catch)
    with pytest.raises(CaughtError) as caught:
        getattr(client, operation)(**parameters)
    request = caught.value.request
    return Request.from_primitives(request.method, request.url, request.headers, request.body)


def ask(service: Any, operation: str, **parameters: Any) -> Call:
    directory = Directory(ACCOUNT, Admin("AKIAADMIN", "s"))
    return understand(service, REGION, sent(service, operation, parameters), directory, BOB)


def pairs(call: Call) -> list[tuple[str, str]]:
    return [(need.action, need.resource) for need in call.needs]


ONE = {"repositoryName": "app"}
IDS = [{"imageTag": "1"}]
DOCUMENT = '{"Version": "2012-10-17", "Statement": []}'


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("get_authorization_token", {}, [("GetAuthorizationToken", "*")]),
        ("create_repository", ONE, [("CreateRepository", ECR + "app")]),
        (
            "create_repository",
            {**ONE, "tags": [{"Key": "k", "Value": "v"}]},
            [("CreateRepository", ECR + "app"), ("TagResource", ECR + "app")],
        ),
        ("describe_repositories", {}, [("DescribeRepositories", ECR + "*")]),
        (
            "describe_repositories",
            {"repositoryNames": ["app", "team/b"]},
            [("DescribeRepositories", ECR + "app"), ("DescribeRepositories", ECR + "team/b")],
        ),
        ("describe_images", ONE, [("DescribeImages", ECR + "app")]),
        ("put_image", {**ONE, "imageManifest": "{}"}, [("PutImage", ECR + "app")]),
        ("batch_delete_image", {**ONE, "imageIds": IDS}, [("BatchDeleteImage", ECR + "app")]),
        ("delete_repository", ONE, [("DeleteRepository", ECR + "app")]),
        ("list_tags_for_resource", {"resourceArn": ECR + "app"}, [("ListTagsForResource", ECR + "app")]),
        ("get_registry_policy", {}, [("GetRegistryPolicy", "*")]),
    ],
)
def test_ecr_calls_are_judged_by_their_repositories(
    operation: str, parameters: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert pairs(ask("ecr", operation, **parameters)) == [(f"ecr:{action}", arn) for action, arn in expected]


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("create_user", {"UserName": "u", "Path": "/ci/"}, [("CreateUser", "user/ci/u")]),
        (
            "create_user",
            {"UserName": "u", "Tags": [{"Key": "k", "Value": "v"}]},
            [("CreateUser", "user/u"), ("TagUser", "user/u")],
        ),
        ("get_user", {}, [("GetUser", "user/bob")]),
        ("get_user", {"UserName": "u"}, [("GetUser", "user/u")]),
        ("list_access_keys", {}, [("ListAccessKeys", "user/bob")]),
        ("create_access_key", {"UserName": "u"}, [("CreateAccessKey", "user/u")]),
        ("create_group", {"GroupName": "g"}, [("CreateGroup", "group/g")]),
        ("add_user_to_group", {"GroupName": "g", "UserName": "u"}, [("AddUserToGroup", "group/g")]),
        ("attach_user_policy", {"UserName": "u", "PolicyArn": f"{IAM}policy/p"}, [("AttachUserPolicy", "user/u")]),
        ("create_policy", {"PolicyName": "p", "PolicyDocument": DOCUMENT}, [("CreatePolicy", "policy/p")]),
        ("get_policy", {"PolicyArn": f"{IAM}policy/ci/p"}, [("GetPolicy", "policy/ci/p")]),
        ("update_user", {"UserName": "u", "NewUserName": "v"}, [("UpdateUser", "user/u"), ("UpdateUser", "user/v")]),
        ("get_role", {"RoleName": "r"}, [("GetRole", "role/r")]),
    ],
)
def test_iam_calls_are_judged_by_users_groups_and_policies_with_their_paths(
    operation: str, parameters: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert pairs(ask("iam", operation, **parameters)) == [(f"iam:{action}", IAM + arn) for action, arn in expected]


def test_listing_users_has_no_resource_level() -> None:
    assert pairs(ask("iam", "list_users")) == [("iam:ListUsers", "*")]


BUCKET = "arn:aws:s3:::state"
A = f"{BUCKET}/a"


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("list_buckets", {}, [("ListAllMyBuckets", "*")]),
        ("create_bucket", {"Bucket": "state"}, [("CreateBucket", "arn:aws:s3:::state")]),
        ("head_bucket", {"Bucket": "state"}, [("ListBucket", "arn:aws:s3:::state")]),
        ("list_objects_v2", {"Bucket": "state", "Prefix": "a/"}, [("ListBucket", "arn:aws:s3:::state")]),
        ("get_object", {"Bucket": "state", "Key": "a/b c"}, [("GetObject", "arn:aws:s3:::state/a/b c")]),
        ("head_object", {"Bucket": "state", "Key": "a"}, [("GetObject", "arn:aws:s3:::state/a")]),
        ("put_object", {"Bucket": "state", "Key": "a", "Body": b"x"}, [("PutObject", "arn:aws:s3:::state/a")]),
        ("delete_object", {"Bucket": "state", "Key": "a"}, [("DeleteObject", "arn:aws:s3:::state/a")]),
        (
            "delete_objects",
            {"Bucket": "state", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b"}]}},
            [("DeleteObject", "arn:aws:s3:::state/a"), ("DeleteObject", "arn:aws:s3:::state/b")],
        ),
        (
            "copy_object",
            {"Bucket": "state", "Key": "a", "CopySource": {"Bucket": "other", "Key": "b"}},
            [("PutObject", "arn:aws:s3:::state/a"), ("GetObject", "arn:aws:s3:::other/b")],
        ),
        (
            "put_object",
            {"Bucket": "state", "Key": "a", "ACL": "public-read", "Tagging": "k=v"},
            [("PutObject", A), ("PutObjectAcl", A), ("PutObjectTagging", A)],
        ),
        ("put_object", {"Bucket": "state", "Key": "a", "GrantRead": "id=x"}, [("PutObject", A), ("PutObjectAcl", A)]),
        (
            "put_object",
            {"Bucket": "state", "Key": "a", "ObjectLockMode": "GOVERNANCE", "ObjectLockLegalHoldStatus": "ON"},
            [("PutObject", A), ("PutObjectRetention", A), ("PutObjectLegalHold", A)],
        ),
        (
            "create_multipart_upload",
            {"Bucket": "state", "Key": "a", "ACL": "private", "Tagging": "k=v"},
            [("PutObject", A), ("PutObjectAcl", A), ("PutObjectTagging", A)],
        ),
        (
            "copy_object",
            {"Bucket": "state", "Key": "a", "CopySource": "other/b?versionId=3", "ACL": "private", "Tagging": "k=v"},
            [
                ("PutObject", A),
                ("PutObjectAcl", A),
                ("PutObjectTagging", A),
                ("GetObjectVersion", "arn:aws:s3:::other/b"),
            ],
        ),
        (
            "create_bucket",
            {"Bucket": "state", "ACL": "public-read", "ObjectLockEnabledForBucket": True},
            [
                ("CreateBucket", BUCKET),
                ("PutBucketAcl", BUCKET),
                ("PutBucketObjectLockConfiguration", BUCKET),
                ("PutBucketVersioning", BUCKET),
            ],
        ),
        (
            "delete_objects",
            {
                "Bucket": "state",
                "Delete": {"Objects": [{"Key": "a", "VersionId": "1"}]},
                "BypassGovernanceRetention": True,
            },
            [("DeleteObjectVersion", A), ("BypassGovernanceRetention", A)],
        ),
        ("delete_object", {"Bucket": "state", "Key": "a", "VersionId": "1"}, [("DeleteObjectVersion", A)]),
        ("get_object_acl", {"Bucket": "state", "Key": "a", "VersionId": "1"}, [("GetObjectVersionAcl", A)]),
        ("get_object_tagging", {"Bucket": "state", "Key": "a", "VersionId": "1"}, [("GetObjectVersionTagging", A)]),
        (
            "put_object_acl",
            {"Bucket": "state", "Key": "a", "VersionId": "1", "ACL": "private"},
            [("PutObjectVersionAcl", A)],
        ),
        ("get_bucket_policy", {"Bucket": "state"}, [("GetBucketPolicy", "arn:aws:s3:::state")]),
        ("get_bucket_encryption", {"Bucket": "state"}, [("GetEncryptionConfiguration", "arn:aws:s3:::state")]),
    ],
)
def test_s3_calls_are_judged_by_bucket_or_object(
    operation: str, parameters: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert pairs(ask("s3", operation, **parameters)) == [(f"s3:{action}", arn) for action, arn in expected]


def test_an_object_that_is_encrypted_with_a_key_needs_the_key() -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    found = pairs(ask("s3", "put_object", Bucket="state", Key="a", **encrypted))
    assert found == [("s3:PutObject", A), ("kms:GenerateDataKey", key)]


def test_kms_calls_are_judged_by_the_key_also_through_its_alias() -> None:
    from moto.kms.models import kms_backends

    backend = kms_backends[ACCOUNT][REGION]
    key = backend.create_key(None, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "", None)
    backend.create_alias(key.id, "alias/state")
    for given in (key.id, key.arn, "alias/state", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/state"):
        assert pairs(ask("kms", "encrypt", KeyId=given, Plaintext=b"x")) == [("kms:Encrypt", key.arn)]
    blob = key.id.encode() + b"rest"
    assert pairs(ask("kms", "decrypt", CiphertextBlob=blob)) == [("kms:Decrypt", key.arn)]
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/new"
    made = pairs(ask("kms", "create_alias", AliasName="alias/new", TargetKeyId=key.id))
    assert sorted(made) == [("kms:CreateAlias", alias), ("kms:CreateAlias", key.arn)]
    assert pairs(ask("kms", "create_key")) == [("kms:CreateKey", "*")]


def test_assuming_a_role_is_judged_by_the_role() -> None:
    role = f"{IAM}role/ci"
    assert pairs(ask("sts", "assume_role", RoleArn=role, RoleSessionName="ci")) == [("sts:AssumeRole", role)]


def test_condition_keys_come_from_the_parameters() -> None:
    call = ask("ecr", "create_repository", **ONE, tags=[{"Key": "team", "Value": "a"}])
    assert call.context == {"aws:RequestedRegion": REGION, "aws:RequestTag/team": "a", "aws:TagKeys": ["team"]}
    call = ask("iam", "attach_user_policy", UserName="u", PolicyArn=f"{IAM}policy/p")
    assert call.context["iam:PolicyARN"] == f"{IAM}policy/p"
    assert ask("s3", "list_objects_v2", Bucket="b", Prefix="a/").context["s3:prefix"] == "a/"


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "reads"),
    [
        ("ecr", "describe_images", ONE, True),
        ("ecr", "put_image", {**ONE, "imageManifest": "{}"}, False),
        ("iam", "get_user", {"UserName": "u"}, True),
        ("iam", "create_access_key", {"UserName": "u"}, False),
        ("iam", "tag_user", {"UserName": "u", "Tags": [{"Key": "k", "Value": "v"}]}, False),
        ("s3", "get_object", {"Bucket": "b", "Key": "k"}, True),
        ("s3", "put_object", {"Bucket": "b", "Key": "k"}, False),
    ],
)
def test_what_changes_something_is_told_from_what_reads(
    service: str, operation: str, parameters: dict[str, Any], reads: bool
) -> None:
    assert ask(service, operation, **parameters).reads is reads


def test_a_query_string_beside_a_query_protocol_body_is_refused() -> None:
    request = Request.from_primitives(
        "POST",
        "http://127.0.0.1/?Action=DeleteUser",
        {"Content-Type": "application/x-www-form-urlencoded"},
        b"Action=GetUser",
    )
    with pytest.raises(AwsError, match="body of a POST"):
        parse("iam", request)


def test_the_query_string_keeps_only_what_the_judged_operation_has() -> None:
    assert known_query("s3", "GetObject", "versionId=1&acl&tagging=x&x-id=GetObject") == "versionId=1"
    assert known_query("s3", "GetObjectAcl", "acl&tagging") == "acl="
    assert known_query("ecr", "DescribeImages", "Action=DeleteRepository") == ""


def test_to_know_one_more_service_does_not_look_through_the_folders_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    utils._load_service_model("ecr", "service-2")
    listed: list[str] = []
    real = os.listdir

    def listdir(folder: str) -> list[str]:
        listed.append(folder)
        return real(folder)

    monkeypatch.setattr(os, "listdir", listdir)
    assert utils._load_service_model("sqs", "service-2")["metadata"]["endpointPrefix"] == "sqs"
    assert {Path(folder).name for folder in listed} <= {"sqs", "data"}
