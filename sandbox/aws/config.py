"""Settings of the AWS service process, and the keys that it is given."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from pathlib import Path

TOKEN_LIFETIME = 12 * 3600.0
"""Seconds for which ECR's authorization tokens are good, as AWS has it."""


@dataclass(frozen=True)
class Admin:
    """The operator's key. It is the account's root user's, so it is in no list of IAM users."""

    key_id: str
    secret: str


@dataclass(frozen=True)
class Config:
    """folder: what it keeps besides secrets; keys: the key store; ports are on 127.0.0.1; token_lifetime in seconds.

    issuers: URL under which issuers of web identities are found by their own URLs without https://.
    """

    folder: Path
    keys: Path
    port: int
    registry_port: int
    upstream: str
    account: str
    region: str
    token_lifetime: float = TOKEN_LIFETIME
    issuers: str = ""

    def admin(self) -> Admin:
        """The operator's key, from `aws-admin.json`. Raises SandboxError."""
        path = self.keys / "aws-admin.json"
        try:
            content = json.loads(_read(path))
            return Admin(content["AccessKeyId"], content["SecretAccessKey"])
        except (ValueError, KeyError, TypeError):
            raise SandboxError(f'{path} must hold {{"AccessKeyId": ..., "SecretAccessKey": ...}}') from None

    def registry_password(self) -> str:
        """The private registry's password, from `registry-password`. Raises SandboxError."""
        return _read(self.keys / "registry-password").strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SandboxError(f"{path} cannot be read ({error.strerror}): `python -m sandbox up` makes it") from error
