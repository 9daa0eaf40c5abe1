"""Signatures: made by boto3's signer, checked by ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox.aws import signature
from sandbox.aws.errors import AwsError

SECRET = "the secret"
URL = "http://127.0.0.1:4000/bucket/a%20b?list-type=2&prefix=x%2Fy"


def signed(service: str = "ecr", body: bytes = b"{}", url: str = URL) -> dict[str, Any]:
    """A signed request, as keyword arguments of check()."""
    request = AWSRequest("POST", url, {"Content-Type": "application/x-amz-json-1.1"}, body)
    auth = (S3SigV4Auth if service == "s3" else SigV4Auth)(Credentials("AKIABOB", SECRET), service, "us-east-2")
    auth.add_auth(request)
    headers = {**dict(request.headers.items()), "Host": "127.0.0.1:4000"}
    return {"method": "POST", "url": url, "headers": headers, "body": body}


def check(request: dict[str, Any], secret: str = SECRET, now: datetime | None = None) -> None:
    credential = signature.read(request["headers"]["Authorization"])
    assert (credential.key_id, credential.region) == ("AKIABOB", "us-east-2")
    signature.check(credential, secret, now=now, **request)


@pytest.mark.parametrize("service", ["ecr", "iam", "s3", "sts", "kms"])
def test_a_signature_with_the_right_secret_passes(service: str) -> None:
    check(signed(service))


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("ecr", "InvalidSignatureException", 400),
        ("kms", "InvalidSignatureException", 400),
        ("iam", "SignatureDoesNotMatch", 403),
        ("s3", "SignatureDoesNotMatch", 403),
    ],
)
def test_a_wrong_secret_is_refused_with_the_service_s_own_code(service: str, code: str, status: int) -> None:
    with pytest.raises(AwsError) as refused:
        check(signed(service), secret="another secret")
    assert (refused.value.code, refused.value.status) == (code, status)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "DELETE"},
        {"url": URL + "&more=1"},
        {"url": URL.replace("bucket", "other")},
        {"body": b'{"a": 1}'},
    ],
)
@pytest.mark.parametrize("service", ["ecr", "s3"])
def test_a_changed_request_is_refused(service: str, change: dict[str, Any]) -> None:
    with pytest.raises(AwsError):
        check({**signed(service), **change})


def test_a_changed_header_that_was_signed_is_refused() -> None:
    request = signed()
    request["headers"]["Content-Type"] = "text/plain"
    with pytest.raises(AwsError, match="does not match"):
        check(request)


@pytest.mark.parametrize(("service", "code"), [("iam", "SignatureDoesNotMatch"), ("s3", "RequestTimeTooSkewed")])
def test_an_old_signature_is_refused(service: str, code: str) -> None:
    with pytest.raises(AwsError) as refused:
        check(signed(service), now=datetime.now(UTC) + timedelta(minutes=16))
    assert refused.value.code == code


def test_only_s3_may_leave_the_body_unsigned() -> None:
    request = AWSRequest("POST", URL, {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}, b"{}")
    SigV4Auth(Credentials("AKIABOB", SECRET), "ecr", "us-east-2").add_auth(request)
    headers = {**dict(request.headers.items()), "Host": "127.0.0.1:4000"}
    with pytest.raises(AwsError):
        check({"method": "POST", "url": URL, "headers": headers, "body": b"{}"})


@pytest.mark.parametrize("header", ["AWS AKIABOB:abc", "Bearer x", "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request"])
def test_another_kind_of_authorization_is_refused(header: str) -> None:
    with pytest.raises(AwsError) as refused:
        signature.read(header)
    assert refused.value.code == "IncompleteSignature"


@pytest.mark.parametrize(
    ("service", "code"),
    [("iam", "MissingAuthenticationToken"), ("ecr", "MissingAuthenticationTokenException"), ("s3", "AccessDenied")],
)
def test_no_signature_is_refused(service: str, code: str) -> None:
    with pytest.raises(AwsError) as refused:
        signature.read(None, service)
    assert refused.value.code == code
