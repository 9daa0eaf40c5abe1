"""The faults of moto that sandbox/aws mends: when one of these fails, an override may have to change or can go."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import moto
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from sandbox.aws.ecr_rules import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "us-east-2"
KIND = "application/vnd.docker.distribution.manifest.v2+json"


def manifest(text: str) -> str:
    blob = {"digest": digest(text.encode()), "size": 1000, "mediaType": "layer"}
    content = {"schemaVersion": 2, "mediaType": KIND, "config": {**blob, "size": 7}, "layers": [blob]}
    return json.dumps(content)


def client(service: str) -> Any:
    return boto3.client(service, REGION, aws_access_key_id="AKIAX", aws_secret_access_key="x")  # type: ignore[call-overload]


@pytest.fixture
def ecr() -> Iterator[Any]:
    with mock_aws():
        made = client("ecr")
        made.create_repository(repositoryName="app")
        yield made


def put(ecr: Any, text: str, tag: str, name: str = "app") -> Any:
    return ecr.put_image(repositoryName=name, imageManifest=manifest(text), imageTag=tag)["image"]


def test_the_version_is_the_one_whose_faults_are_known() -> None:
    assert moto.__version__ == "5.2.5"


def test_its_token_is_constant_and_expired_in_2015(ecr: Any) -> None:
    one, two = (ecr.get_authorization_token()["authorizationData"][0] for _ in range(2))
    assert one["authorizationToken"] == two["authorizationToken"]
    assert one["expiresAt"] == datetime(2015, 1, 1, tzinfo=UTC)


def test_it_invents_the_digest_and_takes_the_configuration_s_size_for_the_image_s(ecr: Any) -> None:
    put(ecr, "a", "1")
    (detail,) = ecr.describe_images(repositoryName="app")["imageDetails"]
    assert detail["imageDigest"] != digest(manifest("a").encode())
    assert detail["imageSizeInBytes"] == 7


def test_it_deletes_the_image_whose_tag_moves(ecr: Any) -> None:
    put(ecr, "a", "latest")
    put(ecr, "b", "latest")
    assert len(ecr.describe_images(repositoryName="app")["imageDetails"]) == 1


def test_it_fails_where_the_repository_is_missing(ecr: Any) -> None:
    with pytest.raises(Exception, match="missing is not a repository"):
        put(ecr, "a", "1", "missing")


def test_it_refuses_the_wrong_error_for_an_immutable_tag(ecr: Any) -> None:
    ecr.put_image_tag_mutability(repositoryName="app", imageTagMutability="IMMUTABLE")
    put(ecr, "a", "1")
    with pytest.raises(ClientError) as caught:
        put(ecr, "b", "1")
    assert caught.value.response["Error"]["Code"] == "ImageAlreadyExistsException"


def test_it_takes_exclusion_filters_for_regular_expressions(ecr: Any) -> None:
    filters = [{"filterType": "WILDCARD", "filter": "v1.*"}]
    ecr.put_image_tag_mutability(
        repositoryName="app", imageTagMutability="MUTABLE_WITH_EXCLUSION", imageTagMutabilityExclusionFilters=filters
    )
    put(ecr, "a", "v1-2")  # "v1.*" as a wildcard does not fit it, so it is mutable
    with pytest.raises(ClientError):
        put(ecr, "b", "v1-2")


def test_it_takes_any_layer_for_granted(ecr: Any) -> None:
    assert put(ecr, "no such layer", "1")["imageId"]["imageTag"] == "1"


def test_its_scans_find_always_the_same_and_none_comes_on_push(ecr: Any) -> None:
    ecr.put_image_scanning_configuration(repositoryName="app", imageScanningConfiguration={"scanOnPush": True})
    put(ecr, "a", "1")
    image = {"repositoryName": "app", "imageId": {"imageTag": "1"}}
    with pytest.raises(ClientError, match="ScanNotFoundException"):
        ecr.describe_image_scan_findings(**image)
    ecr.start_image_scan(**image)
    (finding,) = ecr.describe_image_scan_findings(**image)["imageScanFindings"]["findings"]
    assert finding["name"] == "CVE-9999-9999"


def test_it_ignores_the_filter_of_describe_images(ecr: Any) -> None:
    put(ecr, "a", "1")
    assert ecr.describe_images(repositoryName="app", filter={"tagStatus": "UNTAGGED"})["imageDetails"]


def test_it_gets_an_image_under_another_tag_than_was_asked_for(ecr: Any) -> None:
    put(ecr, "a", "1")
    put(ecr, "a", "2")
    (image,) = ecr.batch_get_image(repositoryName="app", imageIds=[{"imageTag": "1"}])["images"]
    assert image["imageId"]["imageTag"] == "2"


def test_its_repositories_live_in_the_cloud(ecr: Any) -> None:
    (made,) = ecr.describe_repositories()["repositories"]
    assert made["repositoryUri"] == f"{made['registryId']}.dkr.ecr.{REGION}.amazonaws.com/app"


def test_it_takes_an_empty_scanning_configuration_for_none(ecr: Any) -> None:
    ecr.put_image_scanning_configuration(repositoryName="app", imageScanningConfiguration={"scanOnPush": True})
    ecr.put_image_scanning_configuration(repositoryName="app", imageScanningConfiguration={})
    (made,) = ecr.describe_repositories()["repositories"]
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}


def test_it_has_no_boundary_of_users() -> None:
    with mock_aws():
        iam = client("iam")
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        arn = iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
        made = iam.create_user(UserName="u", PermissionsBoundary=arn)["User"]
        assert "PermissionsBoundary" not in made
        with pytest.raises(NotImplementedError):
            iam.put_user_permissions_boundary(UserName="u", PermissionsBoundary=arn)


def test_it_deletes_what_is_in_use() -> None:
    with mock_aws():
        iam = client("iam")
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        arn = iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
        iam.create_user(UserName="u")
        iam.create_access_key(UserName="u")
        iam.create_group(GroupName="g")
        iam.attach_group_policy(GroupName="g", PolicyArn=arn)
        iam.add_user_to_group(GroupName="g", UserName="u")
        iam.delete_policy(PolicyArn=arn)
        iam.delete_user(UserName="u")
        iam.delete_group(GroupName="g")


def test_it_lets_a_user_take_the_place_of_another() -> None:
    with mock_aws():
        iam = client("iam")
        for name in ("one", "other"):
            iam.create_user(UserName=name)
        iam.update_user(UserName="one", NewUserName="other")
        assert [user["UserName"] for user in iam.list_users()["Users"]] == ["other"]


def test_it_takes_a_key_that_is_unknown_for_a_made_up_user() -> None:
    with mock_aws():
        assert client("sts").get_caller_identity()["Arn"].endswith(":user/moto")


def test_it_judges_nobody(ecr: Any) -> None:
    ecr.create_repository(repositoryName="by-anyone")


def test_it_reads_the_policy_of_a_bucket_without_its_conditions() -> None:
    with mock_aws():
        s3 = client("s3")
        s3.create_bucket(Bucket="one", CreateBucketConfiguration={"LocationConstraint": REGION})
        condition = {"StringEquals": {"aws:username": "nobody"}}
        statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": condition}
        s3.put_bucket_policy(Bucket="one", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        with pytest.raises(ClientError, match="403"):
            s3.put_object(Bucket="one", Key="a", Body=b"")
