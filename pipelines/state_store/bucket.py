"""The S3 bucket of one state.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines import agent
from pipelines.state_store.aws import MARK, Change, not_marked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.state_store.aws import Aws
    from pipelines.state_store.key import Key

CLOSED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


@dataclass
class Bucket:
    """The bucket of one state. `key`: encrypts what is in it; None for S3's own."""

    aws: Aws
    name: str
    of: str
    prefix: str
    adopt: bool
    key: Key | None = None
    notes: list[str] = field(default_factory=list)

    def changes(self) -> Iterator[Change]:
        """What is to be done. Raises Stop where the bucket is not ours."""
        there = self._there()
        if not there:
            yield Change(f"bucket {self.name}: make it in {self.aws.region}", self._make)
        mark = self._tags().get(MARK) if there else None
        if mark not in (None, self.of):
            raise agent.Stop(f"the bucket {self.name} is marked for the state of the {mark}", agent.REFUSED)
        if mark is None:
            if there:
                self._may_be_taken()
            yield Change(f"bucket {self.name}: mark it for the state of the {self.of}", self._tag)
        get = self._get if there else lambda *_: None
        block = (get("get_public_access_block", "NoSuchPublicAccessBlockConfiguration") or {}).get(
            "PublicAccessBlockConfiguration"
        )
        if block != CLOSED:
            yield Change(f"bucket {self.name}: close it to the public", self._close)
        owners = (get("get_bucket_ownership_controls", "OwnershipControlsNotFoundError") or {}).get("OwnershipControls")
        if owners != self._owned():
            yield Change(f"bucket {self.name}: close it to ACLs", self._own)
        if (get("get_bucket_versioning") or {}).get("Status") != "Enabled":
            yield Change(f"bucket {self.name}: keep every version", self._version)
        if not self._is_encrypted(get("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError")):
            by = self.key.alias if self.key else "a key of S3's own"
            yield Change(f"bucket {self.name}: encrypt what is in it by {by}", self._encrypt)
        answer = get("get_bucket_policy", "NoSuchBucketPolicy")
        statements = _statements(answer)
        if self._tls() not in statements:
            yield Change(
                f"bucket {self.name}: refuse whatever does not come by TLS", lambda: self._only_tls(statements)
            )
        others = [each for each in statements if each.get("Sid") != self._tls()["Sid"]]
        self.notes = [f"bucket {self.name}: its policy has {len(others)} more statements, which stay"] if others else []

    def _there(self) -> bool:
        found = self.aws.ask(
            self.aws.s3.head_bucket, "404", "403", "301", "NoSuchBucket", Bucket=self.name, **self._owner
        )
        if found is None and self._is_somebodys():
            raise agent.Stop(
                f"the bucket {self.name} is another account's or in another region, or you may not see it: choose "
                "another name",
                agent.REFUSED,
            )
        if found is not None:
            region = self._get("get_bucket_location").get("LocationConstraint") or "us-east-1"
            if region != self.aws.region:
                raise agent.Stop(
                    f"the bucket {self.name} is in {region}, not in {self.aws.region}: choose another name or region",
                    agent.REFUSED,
                )
        return found is not None

    def _is_somebodys(self) -> bool:
        try:
            self.aws.s3.head_bucket(Bucket=self.name)
        except self.aws.s3.exceptions.ClientError as error:
            return str(error.response["Error"]["Code"]) not in ("404", "NoSuchBucket")
        return True

    def _may_be_taken(self) -> None:
        """A bucket without a mark: an empty one is what an interrupted run leaves; another needs --adopt."""
        inside = self._inside("")
        if not inside:
            return
        if not self.adopt:
            raise not_marked(f"the bucket {self.name}")
        below = self._inside(f"{self.prefix}/") if self.prefix else inside
        if (self.prefix and inside != [f"{self.prefix}/"]) or below != [f"{self.prefix}/.pulumi/".lstrip("/")]:
            raise agent.Stop(
                f"the bucket {self.name} holds more than a Pulumi state at /{self.prefix}: choose another name",
                agent.REFUSED,
            )

    def _inside(self, prefix: str) -> list[str]:
        answer = self.aws.ask(
            self.aws.s3.list_objects_v2, Bucket=self.name, Prefix=prefix, Delimiter="/", **self._owner
        )
        return [each["Prefix"] for each in answer.get("CommonPrefixes", [])] + [
            each["Key"] for each in answer.get("Contents", [])
        ]

    @property
    def _owner(self) -> dict[str, str]:
        """With it S3 refuses a bucket that has become another account's meanwhile."""
        return {"ExpectedBucketOwner": self.aws.account}

    def _get(self, operation: str, *absent: str) -> Any:
        return self.aws.ask(getattr(self.aws.s3, operation), *absent, Bucket=self.name, **self._owner)

    def _put(self, operation: str, **parameters: Any) -> None:
        self.aws.ask(getattr(self.aws.s3, operation), Bucket=self.name, **self._owner, **parameters)

    def _tags(self) -> dict[str, str]:
        answer = self._get("get_bucket_tagging", "NoSuchTagSet") or {}
        return {tag["Key"]: tag["Value"] for tag in answer.get("TagSet", [])}

    def _make(self) -> None:
        where = (
            {}
            if self.aws.region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": self.aws.region}}
        )
        self.aws.ask(self.aws.s3.create_bucket, Bucket=self.name, **where)

    def _tag(self) -> None:
        tags = [{"Key": key, "Value": value} for key, value in {**self._tags(), MARK: self.of}.items()]
        self._put("put_bucket_tagging", Tagging={"TagSet": tags})

    def _close(self) -> None:
        self._put("put_public_access_block", PublicAccessBlockConfiguration=CLOSED)

    def _owned(self) -> dict[str, Any]:
        return {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}

    def _own(self) -> None:
        self._put("put_bucket_ownership_controls", OwnershipControls=self._owned())

    def _version(self) -> None:
        self._put("put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"})

    def _is_encrypted(self, answer: Any) -> bool:
        rules = ((answer or {}).get("ServerSideEncryptionConfiguration") or {}).get("Rules") or [{}]
        default = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
        if self.key is None:
            return default.get("SSEAlgorithm") in ("AES256", "aws:kms")
        return default.get("SSEAlgorithm") == "aws:kms" and default.get("KMSMasterKeyID") in (self.key.arn, self.key.id)

    def _encrypt(self) -> None:
        default = (
            {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.key.arn} if self.key else {"SSEAlgorithm": "AES256"}
        )
        rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": self.key is not None}
        self._put("put_bucket_encryption", ServerSideEncryptionConfiguration={"Rules": [rule]})

    def _tls(self) -> dict[str, Any]:
        bucket = f"arn:{self.aws.partition}:s3:::{self.name}"
        return {
            "Sid": "OnlyByTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket, f"{bucket}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }

    def _only_tls(self, statements: Sequence[dict[str, Any]]) -> None:
        others = [each for each in statements if each.get("Sid") != self._tls()["Sid"]]
        document = {"Version": "2012-10-17", "Statement": [*others, self._tls()]}
        self._put("put_bucket_policy", Policy=json.dumps(document))


def _statements(answer: Any) -> list[dict[str, Any]]:
    found = json.loads(answer["Policy"]).get("Statement", []) if answer else []
    return [found] if isinstance(found, dict) else list(found)
