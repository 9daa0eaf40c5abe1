"""States in a bucket, searched for secrets by their values: every version of every object, packed ones unpacked.

What the empty passphrase opens is no secret: it is decrypted and searched too. The form is the engine's
(`sdk/go/common/resource/config/crypt.go`): `v1:NONCE:TEXT` in base64, AES-256-GCM by a key of PBKDF2 with SHA-256, a
million rounds and the salt that the state names.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import re
import zlib
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.workstation import forms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def contents(client: Any, bucket: str) -> Iterator[tuple[str, bytes]]:
    """What a bucket holds and ever held: the name and the content of each version of each object."""
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for row in page.get("Versions", []):
            given = {"Bucket": bucket, "Key": row["Key"]}
            if row["VersionId"] != "null":
                given["VersionId"] = row["VersionId"]
            yield row["Key"], client.get_object(**given)["Body"].read()


def found(objects: Iterable[tuple[str, bytes]], secrets: Iterable[str]) -> list[str]:
    """The names of the objects in which a secret stands: as it is, escaped, in base64, or in a file that is packed.

    Values of up to three characters are no secrets.
    """
    wanted = [form for secret in secrets if len(secret.strip()) > 3 for form in forms(secret.strip())]
    return [name for name, content in objects if any(form in text for text in _unpacked(content) for form in wanted)]


def _unpacked(content: bytes) -> Iterator[bytes]:
    yield content
    yield from opened(content)
    try:
        yield from _unpacked(gzip.decompress(content))
    except (OSError, EOFError, zlib.error):
        return


def opened(content: bytes) -> Iterator[bytes]:
    """What the empty passphrase opens; nothing where it is not the state's."""
    salt = re.search(rb'"salt": *"v1:([\w+/=]+):(v1:[\w+/=]+:[\w+/=]+)"', content)
    if salt is None:
        return
    key = AESGCM(_key(b64decode(salt[1])))
    for nonce, text in re.findall(rb'"ciphertext": *"v1:([\w+/=]+):([\w+/=]+)"', content):
        yield key.decrypt(b64decode(nonce), b64decode(text), None)


@functools.cache
def _key(salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", b"", salt, 1_000_000, 32)
