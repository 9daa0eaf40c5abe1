"""S3's operations: those whose IAM action has another name, and the actions that a part of a request needs besides.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

S3_ACTIONS = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteObjects": "DeleteObject",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketReplication": "PutReplicationConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "UploadPart": "PutObject",
}
"""By operation."""

_WRITES = {"PutObject", "CopyObject", "CreateMultipartUpload"}
_OF_OBJECTS = {
    "PutObjectAcl": ("ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP"),
    "PutObjectTagging": ("Tagging",),
    "PutObjectRetention": ("ObjectLockMode", "ObjectLockRetainUntilDate"),
    "PutObjectLegalHold": ("ObjectLockLegalHoldStatus",),
}
_OF_BUCKETS = {
    "PutBucketAcl": ("ACL", "GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP"),
    "PutBucketObjectLockConfiguration": ("ObjectLockEnabledForBucket",),
    "PutBucketVersioning": ("ObjectLockEnabledForBucket",),
    "PutBucketOwnershipControls": ("ObjectOwnership",),
}
_OF_VERSIONS = {
    "DeleteObject": "DeleteObjectVersion",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "GetObject": "GetObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "GetObjectAttributes": "GetObjectVersionAttributes",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectAcl": "PutObjectVersionAcl",
    "PutObjectTagging": "PutObjectVersionTagging",
}


def actions(operation: str, params: Mapping[str, Any], version: str | None) -> Iterator[str]:
    """The actions of a request on the bucket or object that it names, without the service's prefix.

    version: the object's version, where one is named.
    """
    first = S3_ACTIONS.get(operation, operation)
    yield _OF_VERSIONS.get(first, first) if version else first
    besides = _OF_OBJECTS if operation in _WRITES else _OF_BUCKETS if operation == "CreateBucket" else {}
    for action, parameters in besides.items():
        if any(params.get(name) for name in parameters):
            yield action
    if operation == "GetObjectAttributes":
        yield "GetObjectVersion" if version else "GetObject"
    if params.get("BypassGovernanceRetention"):
        yield "BypassGovernanceRetention"


def source(
    operation: str, params: Mapping[str, Any], has_tags: Callable[[str, str | None], bool]
) -> tuple[str, list[str]] | None:
    """`BUCKET/KEY` of what is copied, and the actions that this needs there; None where nothing is.

    With an object go its tags, unless the request brings other ones. has_tags: whether BUCKET/KEY, of a version, has
    any.
    """
    given = params.get("CopySource")
    if not given:
        return None
    path, _, query = given.partition("?")
    name, version = unquote(path).lstrip("/"), unquote(query.removeprefix("versionId=")) or None
    needed = ["GetObject"]
    if operation == "CopyObject" and params.get("TaggingDirective") != "REPLACE" and has_tags(name, version):
        needed.append("GetObjectTagging")
    return name, [_OF_VERSIONS[action] for action in needed] if version else needed


_CANNED = (
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
    "log-delivery-write",
)
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl"""


def mistake(params: Mapping[str, Any]) -> str | None:
    """What is wrong with the values of a request that moto does not look at; None where nothing is."""
    path = unquote(str(params.get("CopySource", "bucket/key")).partition("?")[0]).lstrip("/")
    if not all(path.partition("/")):
        return "Invalid copy source object key"
    if isinstance(acl := params.get("ACL"), str) and acl not in _CANNED:
        return f"{acl!r} is no canned ACL"
    if isinstance(most := params.get("MaxKeys"), int) and most < 0:
        return "Argument maxKeys must be an integer between 0 and 2147483647"
    return None


def encryption_key(operation: str, params: Mapping[str, Any]) -> str | None:
    """The KMS key that an object which is written names, by which its data key is made."""
    return params.get("SSEKMSKeyId") if operation in _WRITES else None
