"""Requests whose parameters are of wrong types, or not there, are refused as AWS does, and never a failure inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.core.utils import get_service_model

from sandbox.aws.shapes import missing, mistake
from tests.unit.sandbox.aws.support import ADMIN, REGION, SESSION

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.support import Service

WRONG: dict[str, Any] = {"string": ["a"], "boolean": "yes"}
"""A value of another type, by type; of other types the client itself cannot send a wrong value."""


def shape(service: str, operation: str) -> Any:
    return get_service_model(service).operation_model(operation).input_shape


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"repositoryName": "a"}, None),
        ({"repositoryName": ["a"]}, "repositoryName is no string"),
        ({"repositoryName": True}, "repositoryName is no string"),
        ({"repositoryName": None}, None),
        ({"repositoryName": "a", "tags": [{"Key": "k", "Value": 1}]}, "tags[0].Value is no string"),
        ({"repositoryName": "a", "imageScanningConfiguration": {"scanOnPush": "no"}}, "scanOnPush is no boolean"),
        (["a"], "the request is no structure"),
        ({"unknown": ["a"]}, None),
    ],
)
def test_a_value_of_a_wrong_type_is_named(params: Any, said: str | None) -> None:
    found = mistake(shape("ecr", "CreateRepository"), params)
    assert found is None if said is None else (found or "").endswith(said)


def test_a_required_parameter_that_is_not_there_is_named() -> None:
    assert missing(shape("ecr", "CreateRepository"), {}) == "repositoryName"
    assert missing(shape("ecr", "CreateRepository"), {"repositoryName": None}) == "repositoryName"
    assert missing(shape("ecr", "CreateRepository"), {"repositoryName": "a"}) is None


def test_a_required_parameter_within_another_is_named() -> None:
    objects = shape("s3", "DeleteObjects")
    assert missing(objects, {"Bucket": "b", "Delete": {"Objects": [{"Key": "a"}, {}]}}) == "Delete.Objects[1].Key"
    assert missing(objects, {"Bucket": "b", "Delete": {"Objects": [{"Key": "a"}]}}) is None


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("CopyObject", {"Bucket": "b", "Key": "k", "CopySource": "no-key"}, "InvalidArgument"),
        ("CopyObject", {"Bucket": "b", "Key": "k", "CopySource": "/?"}, "InvalidArgument"),
        ("PutObject", {"Bucket": "b", "Key": "k", "ACL": "everybody"}, "InvalidArgument"),
        ("ListObjectsV2", {"Bucket": "b", "MaxKeys": -1}, "InvalidArgument"),
        ("DeleteObjects", {"Bucket": "b", "Delete": {"Objects": [{}]}}, "MalformedXML"),
    ],
)
def test_a_request_to_s3_that_is_wrong_in_itself_is_refused(
    aws: Service, operation: str, params: dict[str, Any], code: str
) -> None:
    assert error_of(loose(aws, "s3"), operation, params) == (400, code)


def loose(aws: Service, service: str) -> Any:
    """A client that sends whatever it is given."""
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
    return SESSION.client(  # type: ignore[call-overload]
        service,
        REGION,
        endpoint_url=f"http://127.0.0.1:{aws.port}",
        aws_access_key_id=ADMIN["AccessKeyId"],
        aws_secret_access_key=ADMIN["SecretAccessKey"],
        config=config,
    )


def error_of(client: Any, operation: str, params: dict[str, Any]) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        client._make_api_call(operation, params)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


@pytest.mark.parametrize("service", ["ecr", "kms"])
def test_no_parameter_of_a_wrong_type_is_a_failure_inside(aws: Service, service: str) -> None:
    client, model = loose(aws, service), get_service_model(service)
    for operation in model.operation_names:
        for name, member in shape(service, operation).members.items():
            if member.type_name in WRONG:
                found = error_of(client, operation, {name: WRONG[member.type_name]})
                assert found == (400, "SerializationException"), f"{operation} {name}"


def test_a_missing_parameter_is_refused_in_the_services_words(aws: Service) -> None:
    for operation in ("CreateRepository", "DescribeImages", "PutImageScanningConfiguration", "TagResource"):
        assert error_of(loose(aws, "ecr"), operation, {}) == (400, "InvalidParameterException")
    for operation in ("Encrypt", "DescribeKey", "CreateAlias"):
        assert error_of(loose(aws, "kms"), operation, {}) == (400, "ValidationException")
    assert error_of(loose(aws, "iam"), "CreateUser", {}) == (400, "ValidationError")
