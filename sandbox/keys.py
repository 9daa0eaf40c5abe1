"""The key store: every secret that the sandbox itself needs, made once, in files of mode 0600 in a folder of 0700."""

from __future__ import annotations

import json
import secrets
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.files import own_folder, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.layout import Layout


@dataclass(frozen=True, repr=False)
class Keys:
    """The operator's credentials in the sandbox."""

    access_key_id: str
    secret_access_key: str
    azure_devops_pat: str
    passphrase_file: Path


def make(layout: Layout) -> Keys:
    """Read the key store; make what is missing.

    The passphrase is one a user, in the cache: a stack file that the engine gave a salt (`encryptionsalt`) stays
    readable when the sandbox that it was written in is gone.
    """
    own_folder(layout.keys)
    shared = layout.cache / "pulumi-passphrase"
    passphrase = _kept(shared, lambda: secrets.token_urlsafe(32))
    passphrase_file = layout.keys / "pulumi-passphrase"
    if not passphrase_file.exists():
        write(passphrase_file, passphrase, mode=0o600)
    admin = json.loads(_kept(layout.keys / "aws-admin.json", _admin))
    _kept(layout.keys / "registry-password", lambda: secrets.token_urlsafe(32))
    return Keys(
        access_key_id=admin["AccessKeyId"],
        secret_access_key=admin["SecretAccessKey"],
        azure_devops_pat=_kept(layout.keys / "azure-devops-pat", _pat),
        passphrase_file=passphrase_file,
    )


def _kept(path: Path, new: Callable[[], str]) -> str:
    if not path.exists():
        write(path, new(), mode=0o600)
    return path.read_text(encoding="utf-8")


def _admin() -> str:
    """An access key of the form that AWS documents: AKIA and 16 of A-Z and 2-7; a secret of 40 characters."""
    identifier = "AKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))
    return json.dumps({"AccessKeyId": identifier, "SecretAccessKey": secrets.token_urlsafe(30)})


def _pat() -> str:
    """A personal access token of the classic form: 52 of a-z and 2-7."""
    return "".join(secrets.choice(string.ascii_lowercase + "234567") for _ in range(52))
