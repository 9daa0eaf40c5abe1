"""A small program, its list of what it may declare, and a checkpoint of it as an engine writes one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from audit.model import SECRET_ENVELOPE, SECRET_SIGNATURE

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = """
name: shop
runtime: python
config:
  bucketName: {default: shop-files}
  userName: {default: shop}
  emptyOnDelete: {default: false}
"""
STACK = """
config:
  aws:region: eu-west-1
  shop:userName: shop-prod
encryptionsalt: v1:salt
"""
EXPECT = """
plugins:
  aws:
    versions: [7.1.0]
    settings: {region: "${aws:region}", skipRegionValidation: "true"}
    properties: {region: "${aws:region}"}
sealed: [secret]
constant: [accountId]
without_secrets: [files]
components:
  - type: shop:index:Files
    names: [files]
    part: files
    resources:
      - type: aws:s3/bucket:Bucket
        names: [files-bucket]
        id: ${bucketName}
        properties: {bucket: "${bucketName}"}
        outputs:
          arn: "arn:{word}:s3:::${bucketName}"
          endpoint: ["${bucketName}.s3.amazonaws.com", "127.0.0.1:{number}/${bucketName}"]
        protected_unless: emptyOnDelete
        ignore_changes: [tags]
      - type: aws:s3/bucketPolicy:BucketPolicy
        names: ["files-policy"]
        id: ${bucketName}
        properties: {owner: "arn:{word}:iam::{account}:root"}
        deleted_with: files-bucket
        options: [replacementTrigger]
  - type: aws:iam/user:User
    names: [user]
    part: access
    id: ${userName}
    properties: {name: "${userName}"}
    outputs: {arn: "arn:{word}:iam::{account}:user/${userName}"}
  - type: aws:iam/accessKey:AccessKey
    names: ["key-{number}"]
    part: access
    properties: {user: "${userName}"}
"""
PREFIX = "urn:pulumi:prod::shop::"
ROOT = f"{PREFIX}pulumi:pulumi:Stack::shop-prod"
PROVIDER = f"{PREFIX}pulumi:providers:aws::default_7_1_0"
FILES = f"{PREFIX}shop:index:Files::files"
BUCKET = f"{PREFIX}shop:index:Files$aws:s3/bucket:Bucket::files-bucket"
POLICY = f"{PREFIX}shop:index:Files$aws:s3/bucketPolicy:BucketPolicy::files-policy"
USER = f"{PREFIX}aws:iam/user:User::user"
KEY = f"{PREFIX}aws:iam/accessKey:AccessKey::key-1"


OUTPUTS = {
    BUCKET: {"arn": "arn:aws:s3:::shop-files", "endpoint": "shop-files.s3.amazonaws.com"},
    USER: {"arn": "arn:aws:iam::123456789012:user/shop-prod"},
}
"""What the provider adds."""


def sealed(text: str) -> dict[str, str]:
    """A secret as it is encrypted."""
    return {SECRET_ENVELOPE: SECRET_SIGNATURE, "ciphertext": f"v1:{text}"}


def _of(urn: str, identifier: str, parent: str, inputs: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {
        "urn": urn,
        "custom": True,
        "id": identifier,
        "type": urn.split("::")[2].rpartition("$")[2],
        "inputs": {"__defaults": [], **inputs},
        "outputs": {**inputs, "id": identifier, **OUTPUTS.get(urn, {})},
        "parent": parent,
        "provider": f"{PROVIDER}::11111111-0000",
        "propertyDependencies": {name: [] for name in inputs},
        "created": "2026-01-01T00:00:00Z",
        "modified": "2026-01-01T00:00:00Z",
        **others,
    }


def resources() -> list[dict[str, Any]]:
    """The records, in an engine's order."""
    provider = {"region": "eu-west-1", "skipRegionValidation": "true", "version": "7.1.0"}
    return [
        {"urn": ROOT, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": {"bucket": "shop-files"}},
        {
            "urn": PROVIDER,
            "custom": True,
            "id": "11111111-0000",
            "type": "pulumi:providers:aws",
            "inputs": {"__internal": {}, **provider},
            "outputs": provider,
        },
        {"urn": FILES, "custom": False, "type": "shop:index:Files", "parent": ROOT},
        _of(
            BUCKET,
            "shop-files",
            FILES,
            {"bucket": "shop-files", "region": "eu-west-1", "accountId": "123456789012"},
            protect=True,
            ignoreChanges=["tags"],
        ),
        _of(
            POLICY,
            "shop-files",
            FILES,
            {"bucket": "shop-files", "accountId": "123456789012", "owner": "arn:aws:iam::123456789012:root"},
            dependencies=[BUCKET],
            propertyDependencies={"bucket": [BUCKET]},
            deletedWith=BUCKET,
            replacementTrigger=["a"],
        ),
        _of(USER, "shop-prod", ROOT, {"name": "shop-prod"}),
        {
            **_of(KEY, "AKIAEXAMPLE", ROOT, {"user": "shop-prod"}, dependencies=[USER]),
            "outputs": {"user": "shop-prod", "secret": sealed("x"), "id": "AKIAEXAMPLE"},
            "additionalSecretOutputs": ["secret"],
        },
    ]


def checkpoint() -> dict[str, Any]:
    """The backend's file of the stack."""
    return {
        "version": 3,
        "checkpoint": {
            "stack": "organization/shop/prod",
            "latest": {
                "manifest": {"time": "2026-01-01T00:00:00Z", "magic": "a", "version": "v3.274.1"},
                "secrets_providers": {"type": "passphrase", "state": {"salt": "v1:salt"}},
                "resources": resources(),
                "metadata": {},
            },
        },
    }


def write(folder: Path, document: Any = None) -> Path:
    """The program with its list in a folder, and a checkpoint beside them; the checkpoint's path."""
    folder.mkdir(exist_ok=True)
    for name, text in (("Pulumi.yaml", PROJECT), ("Pulumi.prod.yaml", STACK), ("expect.yml", EXPECT)):
        (folder / name).write_text(text, encoding="utf-8")
    path = folder / "prod.json"
    content = document if isinstance(document, (str, bytes)) else json.dumps(document or checkpoint())
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return path


def latest(document: dict[str, Any]) -> dict[str, Any]:
    """The deployment of `checkpoint()`."""
    found: dict[str, Any] = document["checkpoint"]["latest"]
    return found


def record(document: dict[str, Any], urn: str) -> dict[str, Any]:
    """One record of it."""
    found: dict[str, Any] = next(item for item in latest(document)["resources"] if item["urn"] == urn)
    return found
