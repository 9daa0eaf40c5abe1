"""AWS's errors, in the shape of the protocol that the caller speaks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import uuid4
from xml.sax.saxutils import escape


class AwsError(Exception):
    """A refusal with AWS's code and message; status is the HTTP status that AWS sends with it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True)
class Answer:
    """An HTTP answer that is ready to be sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


NAMESPACES = {"iam": "https://iam.amazonaws.com/doc/2010-05-08/", "sts": "https://sts.amazonaws.com/doc/2011-06-15/"}
"""The services of the Query protocol; ECR and KMS speak JSON 1.1, S3 speaks REST-XML."""


def answer(service: str, error: AwsError) -> Answer:
    """Serialise an error for a service (see the AWS protocol pages of Smithy: awsQuery, awsJson1_1, restXml)."""
    request_id = str(uuid4())
    if service in NAMESPACES:
        body = (
            f'<ErrorResponse xmlns="{NAMESPACES[service]}"><Error><Type>Sender</Type><Code>{error.code}</Code>'
            f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        content_type = "text/xml"
    elif service == "s3":
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{error.code}</Code>'
            f"<Message>{escape(error.message)}</Message><RequestId>{request_id}</RequestId></Error>"
        )
        content_type = "application/xml"
    else:
        body = json.dumps({"__type": error.code, "message": error.message})
        content_type = "application/x-amz-json-1.1"
    headers = (("Content-Type", content_type), ("x-amzn-RequestId", request_id), ("x-amzn-ErrorType", error.code))
    return Answer(error.status, headers, body.encode())


def unknown_key(service: str) -> AwsError:
    """The key id is of no active key: AWS does not say which of unknown, deleted and inactive it is."""
    if service == "s3":
        return AwsError("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403)
    code, status = _by_protocol(service, ("InvalidClientTokenId", 403), ("UnrecognizedClientException", 400))
    return AwsError(code, "The security token included in the request is invalid.", status)


def wrong_signature(service: str, why: str | None = None) -> AwsError:
    """The signature is not the one that the key's secret gives."""
    code, status = _by_protocol(service, ("SignatureDoesNotMatch", 403), ("InvalidSignatureException", 400))
    return AwsError(
        code,
        why
        or "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        status,
    )


def unsigned(service: str) -> AwsError:
    """There is no signature at all (S3 would take the caller for an anonymous one, whom nothing allows)."""
    if service == "s3":
        return AwsError("AccessDenied", "Access Denied", 403)
    code, status = _by_protocol(
        service, ("MissingAuthenticationToken", 403), ("MissingAuthenticationTokenException", 400)
    )
    return AwsError(code, "Request is missing Authentication Token", status)


def expired_session(service: str) -> AwsError:
    """The session of an assumed role is over."""
    code, status = _by_protocol(service, ("ExpiredToken", 403), ("ExpiredTokenException", 400))
    return AwsError(code, "The security token included in the request is expired", status)


def denied(service: str, message: str) -> AwsError:
    """The caller is known, and its policies refuse."""
    code, status = _by_protocol(service, ("AccessDenied", 403), ("AccessDeniedException", 400))
    return AwsError(code, message, status)


def _by_protocol(service: str, xml: tuple[str, int], as_json: tuple[str, int]) -> tuple[str, int]:
    return xml if service in NAMESPACES or service == "s3" else as_json


def no_parameter(service: str, name: str) -> AwsError:
    """A required parameter is not there."""
    if service == "s3":
        return AwsError("MalformedXML", f"The XML is not well-formed or did not validate: {name} is missing.")
    if service == "ecr":
        return AwsError(
            "InvalidParameterException",
            f"Invalid parameter at '{name}' failed to satisfy constraint: 'must not be null'",
        )
    code, status = _by_protocol(service, ("ValidationError", 400), ("ValidationException", 400))
    place = name[:1].lower() + name[1:]
    return AwsError(
        code,
        f"1 validation error detected: Value null at '{place}' failed to satisfy constraint: Member must not be null",
        status,
    )
