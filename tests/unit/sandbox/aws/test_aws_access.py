"""Who may do what, against the running service with boto3: keys, policies, groups, boundaries, roles, KMS keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT = "123456789012"
ECR = f"arn:aws:ecr:us-east-2:{ACCOUNT}:repository/"
IAM = f"arn:aws:iam::{ACCOUNT}:"


def allow(actions: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def deny(actions: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": actions, "Resource": resource, **more}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def refused(call: Callable[[], object]) -> tuple[str, str, int]:
    """Error code, message and HTTP status of a call that has to fail."""
    with pytest.raises(ClientError) as caught:
        call()
    answer = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


def not_authorized(name: str, action: str, resource: str) -> str:
    return (
        f"User: {IAM}user/{name} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )


# Keys


def test_the_operator_is_the_root_user_and_in_no_list(aws: Any) -> None:
    assert aws.client("sts").get_caller_identity()["Arn"] == f"{IAM}root"
    assert aws.client("iam").get_user()["User"]["Arn"] == f"{IAM}root"
    assert "root" not in [user["UserName"] for user in aws.client("iam").list_users()["Users"]]


INVALID = "The security token included in the request is invalid."
MISSING = "The AWS Access Key Id you provided does not exist in our records."
BY_SERVICE = [
    ("sts", lambda c: c.get_caller_identity(), "InvalidClientTokenId", INVALID, 403),
    ("iam", lambda c: c.list_users(), "InvalidClientTokenId", INVALID, 403),
    ("ecr", lambda c: c.describe_repositories(), "UnrecognizedClientException", INVALID, 400),
    ("kms", lambda c: c.list_keys(), "UnrecognizedClientException", INVALID, 400),
    ("s3", lambda c: c.list_buckets(), "InvalidAccessKeyId", MISSING, 403),
]


@pytest.mark.parametrize(("service", "call", "code", "message", "status"), BY_SERVICE)
def test_an_unknown_key_is_refused_in_the_service_s_words(
    aws: Any, service: str, call: Callable[[Any], object], code: str, message: str, status: int
) -> None:
    unknown = {"AccessKeyId": "AKIAUNKNOWNUNKNOWN23", "SecretAccessKey": "x"}
    assert refused(lambda: call(aws.client(service, unknown))) == (code, message, status)


@pytest.mark.parametrize(("service", "call", "code", "message", "status"), BY_SERVICE)
def test_an_inactive_key_is_refused_until_it_is_active_again(
    aws: Any, service: str, call: Callable[[Any], object], code: str, message: str, status: int
) -> None:
    name = f"inactive-{service}"
    key = aws.user(name, allow("*"))
    iam = aws.client("iam")
    call(aws.client(service, key))
    iam.update_access_key(UserName=name, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert refused(lambda: call(aws.client(service, key))) == (code, message, status)
    iam.update_access_key(UserName=name, AccessKeyId=key["AccessKeyId"], Status="Active")
    call(aws.client(service, key))
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    assert refused(lambda: call(aws.client(service, key)))[0] == code


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("sts", lambda c: c.get_caller_identity(), "SignatureDoesNotMatch"),
        ("ecr", lambda c: c.describe_repositories(), "InvalidSignatureException"),
        ("s3", lambda c: c.list_buckets(), "SignatureDoesNotMatch"),
    ],
)
def test_a_key_with_a_wrong_secret_is_refused(aws: Any, service: str, call: Callable[[Any], object], code: str) -> None:
    key = aws.user(f"wrong-secret-{service}", allow("*"))
    assert refused(lambda: call(aws.client(service, {**key, "SecretAccessKey": "wrong"})))[0] == code


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("iam", lambda c: c.list_users(), "MissingAuthenticationToken"),
        ("ecr", lambda c: c.describe_repositories(), "MissingAuthenticationTokenException"),
        ("kms", lambda c: c.list_keys(), "MissingAuthenticationTokenException"),
        ("s3", lambda c: c.list_buckets(), "AccessDenied"),
    ],
)
def test_a_client_without_credentials_is_refused_in_its_own_protocol(
    aws: Any, service: Any, call: Callable[[Any], object], code: str
) -> None:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    url, region = f"http://127.0.0.1:{aws.port}", "us-east-2"
    client = boto3.client(service, endpoint_url=url, region_name=region, config=Config(signature_version=UNSIGNED))
    assert refused(lambda: call(client))[0] == code


def test_a_request_without_signature_is_refused(aws: Any) -> None:
    url = f"http://127.0.0.1:{aws.port}/"
    answer = requests.post(url, data={"Action": "ListUsers", "Version": "2010-05-08"}, timeout=300)
    assert answer.status_code == 403
    assert "MissingAuthenticationToken" in answer.text
    assert requests.get(f"{url}moto-api/data.json", timeout=300).status_code == 403
    assert requests.post(f"{url}moto-api/reset", timeout=300).status_code == 403


def test_everyone_with_a_key_may_ask_who_they_are(aws: Any) -> None:
    key = aws.user("nobody", deny("*"))
    who = aws.client("sts", key).get_caller_identity()
    assert (who["Arn"], who["Account"]) == (f"{IAM}user/nobody", ACCOUNT)
    assert who["UserId"] == aws.client("iam").get_user(UserName="nobody")["User"]["UserId"]


def test_the_last_use_of_a_key_is_told_also_when_it_was_refused(aws: Any) -> None:
    key = aws.user("rarely")
    iam = aws.client("iam")
    before = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
    assert before == {"ServiceName": "N/A", "Region": "N/A"}
    refused(lambda: aws.client("ecr", key).describe_repositories())
    used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert (used["UserName"], used["AccessKeyLastUsed"]["ServiceName"]) == ("rarely", "ecr")
    assert used["AccessKeyLastUsed"]["Region"] == "us-east-2"


# Policies


def test_a_right_on_one_repository_is_none_on_another(aws: Any) -> None:
    admin = aws.client("ecr")
    admin.create_repository(repositoryName="one")
    admin.create_repository(repositoryName="two")
    key = aws.user("one-only", allow(["ecr:DescribeRepositories", "ecr:DescribeImages"], ECR + "one"))
    ecr = aws.client("ecr", key)
    assert ecr.describe_repositories(repositoryNames=["one"])["repositories"][0]["repositoryName"] == "one"
    message = not_authorized("one-only", "ecr:DescribeRepositories", ECR + "two")
    assert refused(lambda: ecr.describe_repositories(repositoryNames=["one", "two"])) == (
        "AccessDeniedException",
        message,
        400,
    )
    assert refused(ecr.describe_repositories)[1] == not_authorized("one-only", "ecr:DescribeRepositories", ECR + "*")
    # Who may not look is not told what there is.
    assert refused(lambda: ecr.describe_images(repositoryName="none"))[0] == "AccessDeniedException"


@pytest.mark.parametrize(
    ("service", "call", "action", "resource", "code", "status"),
    [
        ("ecr", lambda c: c.get_authorization_token(), "ecr:GetAuthorizationToken", "*", "AccessDeniedException", 400),
        ("iam", lambda c: c.create_user(UserName="x"), "iam:CreateUser", f"{IAM}user/x", "AccessDenied", 403),
        ("iam", lambda c: c.list_users(), "iam:ListUsers", "*", "AccessDenied", 403),
        ("s3", lambda c: c.list_buckets(), "s3:ListAllMyBuckets", "*", "AccessDenied", 403),
        ("kms", lambda c: c.create_key(), "kms:CreateKey", "*", "AccessDeniedException", 400),
    ],
)
def test_a_user_without_policies_may_do_nothing(
    aws: Any, service: str, call: Callable[[Any], object], action: str, resource: str, code: str, status: int
) -> None:
    name = f"empty-{action.replace(':', '-')}"
    key = aws.user(name)
    assert refused(lambda: call(aws.client(service, key))) == (code, not_authorized(name, action, resource), status)


def may_describe(aws: Any, key: dict[str, str]) -> bool:
    try:
        aws.client("ecr", key).describe_repositories()
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    return True


def test_policies_come_from_user_and_groups_inline_and_attached_and_go_again(aws: Any) -> None:
    iam = aws.client("iam")
    key = aws.user("member")
    text = document(allow("ecr:DescribeRepositories"))
    arn = iam.create_policy(PolicyName="describe", PolicyDocument=text)["Policy"]["Arn"]
    iam.create_group(GroupName="team")
    ways: list[tuple[Callable[[], object], Callable[[], object]]] = [
        (
            lambda: iam.put_user_policy(UserName="member", PolicyName="p", PolicyDocument=text),
            lambda: iam.delete_user_policy(UserName="member", PolicyName="p"),
        ),
        (
            lambda: iam.attach_user_policy(UserName="member", PolicyArn=arn),
            lambda: iam.detach_user_policy(UserName="member", PolicyArn=arn),
        ),
        (
            lambda: iam.put_group_policy(GroupName="team", PolicyName="p", PolicyDocument=text),
            lambda: iam.delete_group_policy(GroupName="team", PolicyName="p"),
        ),
        (
            lambda: iam.attach_group_policy(GroupName="team", PolicyArn=arn),
            lambda: iam.detach_group_policy(GroupName="team", PolicyArn=arn),
        ),
    ]
    iam.add_user_to_group(GroupName="team", UserName="member")
    for give, take in ways:
        assert not may_describe(aws, key)
        give()
        assert may_describe(aws, key)
        take()
    iam.attach_group_policy(GroupName="team", PolicyArn=arn)
    iam.remove_user_from_group(GroupName="team", UserName="member")
    assert not may_describe(aws, key)


def test_the_default_version_of_a_policy_is_the_one_in_force(aws: Any) -> None:
    iam = aws.client("iam")
    key = aws.user("versioned")
    open_, closed = document(allow("ecr:DescribeRepositories")), document(allow("ecr:ListImages"))
    arn = iam.create_policy(PolicyName="versioned", PolicyDocument=open_)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="versioned", PolicyArn=arn)
    assert may_describe(aws, key)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=closed)
    assert may_describe(aws, key)
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert not may_describe(aws, key)
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    assert may_describe(aws, key)


def test_a_boundary_limits_what_policies_give(aws: Any) -> None:
    iam = aws.client("iam")
    narrow = iam.create_policy(PolicyName="narrow", PolicyDocument=document(allow("ecr:ListImages")))["Policy"]["Arn"]
    iam.create_user(UserName="bounded", PermissionsBoundary=narrow)
    given = document(allow("ecr:*"))
    iam.put_user_policy(UserName="bounded", PolicyName="all", PolicyDocument=given)
    key = iam.create_access_key(UserName="bounded")["AccessKey"]
    shown = iam.get_user(UserName="bounded")["User"]["PermissionsBoundary"]
    assert shown["PermissionsBoundaryArn"] == narrow
    _, message, _ = refused(lambda: aws.client("ecr", key).describe_repositories())
    assert message.endswith("because no permissions boundary allows the ecr:DescribeRepositories action")
    iam.delete_user_permissions_boundary(UserName="bounded")
    assert may_describe(aws, key)
    iam.put_user_permissions_boundary(UserName="bounded", PermissionsBoundary=narrow)
    assert not may_describe(aws, key)


def test_what_is_in_use_is_not_deleted(aws: Any) -> None:
    iam = aws.client("iam")
    key = aws.user("used", allow("ecr:ListImages"))
    arn = iam.create_policy(PolicyName="used", PolicyDocument=document(allow("ecr:*")))["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("ecr:ListImages")))
    iam.create_group(GroupName="used")
    iam.attach_group_policy(GroupName="used", PolicyArn=arn)
    iam.add_user_to_group(GroupName="used", UserName="used")
    steps: list[tuple[Callable[[], object], str, Callable[[], object]]] = [
        (
            lambda: iam.delete_policy(PolicyArn=arn),
            "Cannot delete a policy attached to entities.",
            lambda: iam.detach_group_policy(GroupName="used", PolicyArn=arn),
        ),
        (
            lambda: iam.delete_policy(PolicyArn=arn),
            "This policy has more than one version.",
            lambda: iam.delete_policy_version(PolicyArn=arn, VersionId="v2"),
        ),
        (
            lambda: iam.delete_user(UserName="used"),
            "Cannot delete entity, must delete access keys first.",
            lambda: iam.delete_access_key(UserName="used", AccessKeyId=key["AccessKeyId"]),
        ),
        (
            lambda: iam.delete_user(UserName="used"),
            "Cannot delete entity, must remove users from group first.",
            lambda: None,
        ),
        (
            lambda: iam.delete_group(GroupName="used"),
            "Cannot delete entity, must remove users from group first.",
            lambda: iam.remove_user_from_group(GroupName="used", UserName="used"),
        ),
        (
            lambda: iam.delete_user(UserName="used"),
            "Cannot delete entity, must delete policies first.",
            lambda: iam.delete_user_policy(UserName="used", PolicyName="given"),
        ),
    ]
    for delete, message, mend in steps:
        code, said, status = refused(delete)
        assert (code, status) == ("DeleteConflict", 409)
        assert said.startswith(message)
        mend()
    iam.delete_user(UserName="used")
    iam.delete_group(GroupName="used")
    iam.delete_policy(PolicyArn=arn)


def test_a_deny_beats_every_allow(aws: Any) -> None:
    key = aws.user("denied", allow("*"), deny("ecr:DescribeRepositories"))
    _, message, _ = refused(lambda: aws.client("ecr", key).describe_repositories())
    assert message.endswith("with an explicit deny in an identity-based policy")


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {"aws:username": "c-{number}"}}, True),
        ({"StringEquals": {"aws:username": "someone"}}, False),
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": f"{IAM}user/c-*"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "us-east-2"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, False),
    ],
)
def test_conditions_see_the_request_as_it_came(
    aws: Any, condition: dict[str, Any], allowed: bool, request: pytest.FixtureRequest
) -> None:
    number = request.node.name.partition("[")[2].rstrip("]")
    condition = json.loads(json.dumps(condition).replace("{number}", number))
    key = aws.user(f"c-{number}", allow("ecr:DescribeRepositories", Condition=condition))
    assert may_describe(aws, key) is allowed


def test_tags_of_request_and_resource_are_conditions(aws: Any) -> None:
    key = aws.user(
        "tagger",
        allow(
            ["ecr:CreateRepository", "ecr:TagResource"],
            Condition={"StringEquals": {"aws:RequestTag/team": "a"}},
        ),
        allow("ecr:ListImages", Condition={"StringEquals": {"aws:ResourceTag/team": "a"}}),
    )
    ecr = aws.client("ecr", key)
    assert refused(lambda: ecr.create_repository(repositoryName="tagged"))[0] == "AccessDeniedException"
    wrong = [{"Key": "team", "Value": "b"}]
    assert refused(lambda: ecr.create_repository(repositoryName="tagged", tags=wrong))[0] == "AccessDeniedException"
    ecr.create_repository(repositoryName="tagged", tags=[{"Key": "team", "Value": "a"}])
    assert ecr.list_images(repositoryName="tagged")["imageIds"] == []
    aws.client("ecr").tag_resource(resourceArn=ECR + "tagged", tags=wrong)
    assert refused(lambda: ecr.list_images(repositoryName="tagged"))[0] == "AccessDeniedException"


def test_tagging_at_creation_needs_the_right_to_tag(aws: Any) -> None:
    key = aws.user("creator", allow(["ecr:CreateRepository", "iam:CreateUser"]))
    tags = [{"Key": "k", "Value": "v"}]
    _, message, _ = refused(lambda: aws.client("ecr", key).create_repository(repositoryName="with-tags", tags=tags))
    assert "ecr:TagResource" in message
    _, message, _ = refused(lambda: aws.client("iam", key).create_user(UserName="with-tags", Tags=tags))
    assert "iam:TagUser" in message


# Other services


def test_a_role_is_assumed_by_whom_it_trusts_and_has_its_own_rights_only(aws: Any) -> None:
    iam = aws.client("iam")
    trusted, stranger = aws.user("trusted", allow("ecr:ListImages")), aws.user("stranger", allow("sts:*"))
    trust = {"Effect": "Allow", "Principal": {"AWS": f"{IAM}user/trusted"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName="ci", AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="ci", PolicyName="p", PolicyDocument=document(allow("ecr:DescribeRepositories")))
    _, message, _ = refused(lambda: aws.client("sts", stranger).assume_role(RoleArn=arn, RoleSessionName="run"))
    assert "is not authorized to perform: sts:AssumeRole on resource: " + arn in message
    session = aws.client("sts", trusted).assume_role(RoleArn=arn, RoleSessionName="run")["Credentials"]
    who = aws.client("sts", session).get_caller_identity()["Arn"]
    assert who == f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/run"
    assert may_describe(aws, session)
    _, message, _ = refused(lambda: aws.client("ecr", session).list_images(repositoryName="some"))
    assert message.startswith(f"User: {who} is not authorized to perform: ecr:ListImages")
    without = {key: value for key, value in session.items() if key != "SessionToken"}
    assert refused(lambda: aws.client("ecr", without).describe_repositories())[0] == "UnrecognizedClientException"
    iam.delete_role_policy(RoleName="ci", PolicyName="p")
    assert not may_describe(aws, session)


def test_state_in_s3_is_open_to_one_prefix_and_no_other(aws: Any) -> None:
    admin = aws.client("s3")
    where = {"LocationConstraint": "us-east-2"}
    admin.create_bucket(Bucket="state", CreateBucketConfiguration=where)
    admin.put_object(Bucket="state", Key="prod/secret", Body=b"x")
    key = aws.user(
        "backend",
        allow("s3:ListBucket", "arn:aws:s3:::state", Condition={"StringLike": {"s3:prefix": "dev/*"}}),
        allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], "arn:aws:s3:::state/dev/*"),
    )
    s3 = aws.client("s3", key)
    s3.put_object(Bucket="state", Key="dev/a b+c", Body=b"content")
    assert s3.get_object(Bucket="state", Key="dev/a b+c")["Body"].read() == b"content"
    assert s3.head_object(Bucket="state", Key="dev/a b+c")["ContentLength"] == 7
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="state", Prefix="dev/")["Contents"]] == ["dev/a b+c"]
    s3.delete_object(Bucket="state", Key="dev/a b+c")
    for call in (
        lambda: s3.get_object(Bucket="state", Key="prod/secret"),
        lambda: s3.put_object(Bucket="state", Key="prod/secret", Body=b"y"),
        lambda: s3.copy_object(Bucket="state", Key="dev/stolen", CopySource={"Bucket": "state", "Key": "prod/secret"}),
        lambda: s3.list_objects_v2(Bucket="state", Prefix="prod/"),
        lambda: s3.list_objects_v2(Bucket="state"),
        lambda: s3.delete_bucket(Bucket="state"),
    ):
        assert refused(call)[::2] == ("AccessDenied", 403)
    assert admin.get_object(Bucket="state", Key="prod/secret")["Body"].read() == b"x"


def test_writing_an_object_gives_it_no_acl_tags_or_tags_of_another_without_these_rights(aws: Any) -> None:
    admin = aws.client("s3")
    admin.create_bucket(Bucket="shared", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    admin.put_object(Bucket="shared", Key="tagged", Body=b"x", Tagging="team=a")
    objects = "arn:aws:s3:::shared/*"
    s3 = aws.client("s3", aws.user("writer", allow(["s3:PutObject", "s3:GetObject"], objects)))
    s3.put_object(Bucket="shared", Key="mine", Body=b"x")
    copy = {"Bucket": "shared", "Key": "copy", "CopySource": {"Bucket": "shared", "Key": "mine"}}
    s3.copy_object(**copy)
    tagged = {**copy, "CopySource": {"Bucket": "shared", "Key": "tagged"}}
    for call, action in (
        (lambda: s3.put_object(Bucket="shared", Key="mine", Body=b"x", ACL="public-read"), "s3:PutObjectAcl"),
        (lambda: s3.put_object(Bucket="shared", Key="mine", Body=b"x", Tagging="a=b"), "s3:PutObjectTagging"),
        (lambda: s3.copy_object(**copy, ACL="public-read"), "s3:PutObjectAcl"),
        (lambda: s3.copy_object(**tagged), "s3:GetObjectTagging"),
        (lambda: s3.create_multipart_upload(Bucket="shared", Key="m", ACL="public-read"), "s3:PutObjectAcl"),
    ):
        code, message, _ = refused(call)
        assert code == "AccessDenied"
        assert f"is not authorized to perform: {action} on resource" in message


def test_a_bucket_policy_refuses_even_who_may_everything(aws: Any) -> None:
    admin = aws.client("s3")
    admin.create_bucket(Bucket="closed", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
    key = aws.user("everything", allow("*"))
    named = {"Principal": {"AWS": f"{IAM}user/everything"}}
    policy = document(deny("s3:PutObject", "arn:aws:s3:::closed/*", **named))
    admin.put_bucket_policy(Bucket="closed", Policy=policy)
    _, message, _ = refused(lambda: aws.client("s3", key).put_object(Bucket="closed", Key="k", Body=b""))
    assert message.endswith("with an explicit deny in a resource-based policy")


def test_a_kms_key_is_used_through_its_alias_by_whom_iam_and_the_key_allow(aws: Any) -> None:
    admin = aws.client("kms")
    made = admin.create_key()["KeyMetadata"]
    admin.create_alias(AliasName="alias/state", TargetKeyId=made["KeyId"])
    key = aws.user("sealer", allow(["kms:Encrypt", "kms:Decrypt"], made["Arn"]))
    kms = aws.client("kms", key)
    sealed = kms.encrypt(KeyId="alias/state", Plaintext=b"plain")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"plain"
    assert refused(lambda: kms.describe_key(KeyId="alias/state"))[1] == not_authorized(
        "sealer", "kms:DescribeKey", made["Arn"]
    )
    other = admin.create_key()["KeyMetadata"]
    assert refused(lambda: kms.encrypt(KeyId=other["KeyId"], Plaintext=b"x"))[0] == "AccessDeniedException"
    policy = document(allow("kms:*", Principal={"AWS": f"{IAM}user/someone"}))
    admin.put_key_policy(KeyId=made["KeyId"], PolicyName="default", Policy=policy)
    _, message, _ = refused(lambda: kms.decrypt(CiphertextBlob=sealed))
    assert message.endswith("because no resource-based policy allows the kms:Decrypt action")


def test_a_repository_policy_grants_and_refuses(aws: Any) -> None:
    admin = aws.client("ecr")
    admin.create_repository(repositoryName="shared")
    key = aws.user("guest")
    guest = {"Principal": {"AWS": f"{IAM}user/guest"}}
    grant = {"Effect": "Allow", "Action": "ecr:ListImages", **guest}
    admin.set_repository_policy(repositoryName="shared", policyText=document(grant))
    assert aws.client("ecr", key).list_images(repositoryName="shared")["imageIds"] == []
    assert refused(lambda: aws.client("ecr", key).describe_images(repositoryName="shared"))[0] == (
        "AccessDeniedException"
    )


# Requests that are meant to be judged as one thing and done as another


def test_what_was_not_judged_cannot_choose_what_is_done(aws: Any) -> None:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    admin = aws.client("ecr")
    admin.create_repository(repositoryName="mine")
    admin.create_repository(repositoryName="theirs")
    key = aws.user("sly", allow("ecr:DeleteRepository", ECR + "mine"), allow("ecr:DescribeRepositories"))

    def send(target: str, body: str, url: str = "/", **headers: str) -> requests.Response:
        address = f"http://127.0.0.1:{aws.port}{url}"
        given = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"AmazonEC2ContainerRegistry_V20150921.{target}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        request = AWSRequest("POST", address, given, body.encode())
        credentials = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
        SigV4Auth(credentials, "ecr", "us-east-2").add_auth(request)
        return requests.post(address, body.encode(), headers=dict(request.headers.items()), timeout=300)

    theirs = json.dumps({"repositoryName": "theirs"})
    assert send("DeleteRepository", theirs).status_code == 400
    send("DescribeRepositories", theirs, "/?Action=DeleteRepository")
    send("DescribeRepositories", "{}", "/?Action=DeleteRepository&repositoryName=theirs")
    send("DeleteRepository", json.dumps({"repositoryName": "mine", "x": "&repositoryName=theirs&y="}))
    other = {"User_Agent": "region/eu-west-1", "X_Moto_Account_Id": "999999999999"}
    assert send("DescribeRepositories", "{}", **other).json()["repositories"]
    left = [item["repositoryName"] for item in admin.describe_repositories()["repositories"]]
    assert "theirs" in left
    assert "mine" not in left


@pytest.mark.parametrize(
    "arn", ["nonsense", "arn:aws:ecr:mars-1:123456789012:repository/a", ECR.replace("1", "9") + "a"]
)
def test_a_strange_arn_is_a_plain_refusal(aws: Any, arn: str) -> None:
    key = aws.user(f"strange-{len(arn)}", allow("ecr:*", ECR + "*"))
    assert refused(lambda: aws.client("ecr", key).list_tags_for_resource(resourceArn=arn))[2] == 400
    assert refused(lambda: aws.client("ecr").list_tags_for_resource(resourceArn=arn))[2] == 400


def test_an_unknown_region_is_refused(aws: Any) -> None:
    _, message, status = refused(lambda: aws.client("kms", region="mars-1").list_keys())
    assert (message, status) == ("Credential should be scoped to a valid region.", 400)


def test_an_operation_that_is_not_there_says_so_and_changes_nothing(aws: Any) -> None:
    ecr = aws.client("ecr")
    code, message, status = refused(lambda: ecr.start_lifecycle_policy_preview(repositoryName="preview"))
    assert (code, status) == ("NotImplemented", 501)
    assert "does not have this operation" in message
    code, message, _ = refused(lambda: aws.client("dynamodb").list_tables())
    assert code == "InvalidAction"
    assert message == "The sandbox has ecr, iam, kms, s3, sts, not dynamodb."
    code, message, _ = refused(lambda: aws.client("ecr", region="eu-west-1").create_repository(repositoryName="far"))
    assert code == "InvalidParameterException"
    assert "in us-east-2, not in eu-west-1" in message
