"""AWS Signature Version 4, checked: who holds a key's secret, and no one else, may use its id.

The canonical request and the string to sign are botocore's, the same code that signs in boto3.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox.aws.errors import AwsError, unsigned, wrong_signature

if TYPE_CHECKING:
    from collections.abc import Mapping

SKEW = timedelta(minutes=15)
"""How far the caller's clock may be off; older signatures could be replayed."""
HEADER = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[\w]+)/(?P<day>\d{8})/(?P<region>[\w-]+)/(?P<service>[\w-]+)/aws4_request,"
    r"\s*SignedHeaders=(?P<headers>[\w;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Credential:
    """What the Authorization header says of its maker; nothing of it is proved yet."""

    key_id: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


def read(authorization: str | None, service: str = "s3") -> Credential:
    """Read an Authorization header. Raises AwsError in the shape of `service` where there is none or another kind."""
    if not authorization:
        raise unsigned(service)
    found = HEADER.fullmatch(authorization.strip())
    if found is None:
        raise AwsError("IncompleteSignature", "The Authorization header is not one of Signature Version 4.", 400)
    return Credential(
        key_id=found["key"],
        region=found["region"],
        service=found["service"],
        signed_headers=tuple(found["headers"].split(";")),
        signature=found["signature"],
    )


def check(
    credential: Credential,
    secret: str,
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime | None = None,
) -> None:
    """Raise AwsError unless the request was signed with the secret, lately, over these headers and this body.

    url: with the path and query exactly as they were sent.
    """
    service = credential.service
    lower = {name.lower(): value for name, value in headers.items()}
    _check_time(credential, lower.get("x-amz-date"), now or datetime.now(UTC))
    _check_body(credential, lower.get("x-amz-content-sha256"), body)
    if "host" not in credential.signed_headers:
        raise wrong_signature(service, "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    signed = {name: lower[name] for name in credential.signed_headers if name in lower}
    request = AWSRequest(method=method, url=url, data=body, headers=signed)
    request.context["timestamp"] = lower["x-amz-date"]
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    auth = kind(Credentials(credential.key_id, secret), service, credential.region)
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    if not hmac.compare_digest(expected, credential.signature):
        raise wrong_signature(service)


def _check_time(credential: Credential, stamp: str | None, now: datetime) -> None:
    try:
        made = datetime.strptime(stamp or "", "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise wrong_signature(credential.service, "Date must be in ISO-8601 'basic format' in X-Amz-Date.") from None
    if abs(now - made) > SKEW:
        if credential.service == "s3":
            message = "The difference between the request time and the current time is too large."
            raise AwsError("RequestTimeTooSkewed", message, 403)
        raise wrong_signature(
            credential.service, f"Signature expired: {stamp} is not within 15 min. of {now:%Y%m%dT%H%M%SZ}"
        )


def _check_body(credential: Credential, claimed: str | None, body: bytes) -> None:
    """A body's hash may be signed as a header instead of the body: then the body must have that hash.

    S3 alone takes words in its place (UNSIGNED-PAYLOAD and the streamed kinds).
    """
    if claimed is None:
        return
    if HASH.fullmatch(claimed) is None:
        if credential.service != "s3":
            raise wrong_signature(credential.service)
    elif hashlib.sha256(body).hexdigest() != claimed:
        message = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise AwsError("XAmzContentSHA256Mismatch", message, 400)
