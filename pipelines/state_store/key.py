"""The KMS key that encrypts the secrets of the foundation's state, and its bucket.

Source: https://docs.aws.amazon.com/kms/latest/APIReference
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines import agent
from pipelines.state_store.aws import FOUNDATION, MARK, Change, not_marked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.state_store.aws import Aws

DAYS = 365
"""After how many days KMS makes the key's material anew."""


@dataclass
class Key:
    """The key, by its alias. `id` is empty until there is one."""

    aws: Aws
    alias: str
    adopt: bool
    id: str = ""
    arn: str = ""

    def changes(self) -> Iterator[Change]:
        """What is to be done. Raises Stop where the alias means a key that is not ours."""
        kms = self.aws.kms
        found = self.aws.ask(kms.describe_key, "NotFoundException", KeyId=self.alias)
        self._is(found["KeyMetadata"] if found else self._unnamed())
        if not self.id:
            yield Change(f"key {self.alias}: make it, for encryption within this account", self._make)
        elif self._mark() != FOUNDATION:
            if not self.adopt:
                raise not_marked(f"{self.alias} means the key {self.id}, which")
            yield Change(f"key {self.alias}: mark it as this project's", self._tag)
        if not found:
            yield Change(f"key {self.alias}: name it so", self._name)
        if not self.id or not self.aws.ask(kms.get_key_rotation_status, KeyId=self.id).get("KeyRotationEnabled"):
            yield Change(f"key {self.alias}: rotate it every {DAYS} days", self._rotate)

    def _is(self, metadata: dict[str, Any] | None) -> None:
        if metadata is None:
            return
        right = {"KeyManager": "CUSTOMER", "KeyState": "Enabled", "KeyUsage": "ENCRYPT_DECRYPT"}
        wrong = [f"its {name} is {metadata.get(name)}" for name, value in right.items() if metadata.get(name) != value]
        if wrong:
            raise agent.Stop(
                f"{self.alias} means the key {metadata['KeyId']}, which cannot be taken: {', '.join(wrong)}. Choose "
                "another --key, or put the key right.",
                agent.REFUSED,
            )
        self.id, self.arn = str(metadata["KeyId"]), str(metadata["Arn"])

    def _unnamed(self) -> dict[str, Any] | None:
        """A key that a run made and could not name any more."""
        named = {alias.get("TargetKeyId") for alias in self._all("list_aliases", "Aliases")}
        for key in (each["KeyId"] for each in self._all("list_keys", "Keys") if each["KeyId"] not in named):
            metadata = self.aws.ask(self.aws.kms.describe_key, KeyId=key)["KeyMetadata"]
            usable = metadata["KeyManager"] == "CUSTOMER" and metadata["KeyState"] == "Enabled"
            if usable and self._mark(key) == FOUNDATION:
                return dict(metadata)
        return None

    def _all(self, operation: str, part: str) -> list[dict[str, Any]]:
        pages = self.aws.ask(lambda: list(self.aws.kms.get_paginator(operation).paginate()))
        return [each for page in pages for each in page[part]]

    def _mark(self, key: str = "") -> str:
        tags = self.aws.ask(self.aws.kms.list_resource_tags, "AccessDeniedException", KeyId=key or self.id)
        return str({tag["TagKey"]: tag["TagValue"] for tag in (tags or {}).get("Tags", [])}.get(MARK, ""))

    def _make(self) -> None:
        tags = [{"TagKey": MARK, "TagValue": FOUNDATION}]
        usage = {"KeyUsage": "ENCRYPT_DECRYPT", "KeySpec": "SYMMETRIC_DEFAULT"}
        made = self.aws.ask(self.aws.kms.create_key, Description="Secrets of the Pulumi state", Tags=tags, **usage)
        self._is(made["KeyMetadata"])

    def _tag(self) -> None:
        tags = [{"TagKey": MARK, "TagValue": FOUNDATION}]
        self.aws.ask(self.aws.kms.tag_resource, KeyId=self.id, Tags=tags)

    def _name(self) -> None:
        self.aws.ask(self.aws.kms.create_alias, AliasName=self.alias, TargetKeyId=self.id)

    def _rotate(self) -> None:
        self.aws.ask(self.aws.kms.enable_key_rotation, KeyId=self.id, RotationPeriodInDays=DAYS)
