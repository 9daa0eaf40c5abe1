"""The search for secrets in states finds what is there, in whatever form."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests import states

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = 'wJalr/XUtn"FEMI+K7MDENG'


@pytest.mark.parametrize(
    "form",
    [
        str.encode,
        lambda secret: json.dumps({"secretKey": secret}).encode(),
        lambda secret: base64.b64encode(f"AWS:{secret}".encode()),
        lambda secret: gzip.compress(json.dumps({"secretKey": secret}).encode()),
        lambda secret: gzip.compress(gzip.compress(base64.b64encode(f"AWS:{secret}".encode()))),
    ],
)
def test_a_secret_is_found_in_whatever_form(form: Callable[[str], bytes]) -> None:
    objects = [("clean.json", b'{"secretKey": "[secret]"}'), ("stained.json", b"{" + form(SECRET))]
    packed = [("stained.json.gz", form(SECRET))]
    assert states.found([*objects, *packed], [SECRET, "of another"])[-1] == "stained.json.gz"
    assert states.found(objects[:1], [SECRET]) == []


def test_what_the_empty_passphrase_encrypts_is_no_secret() -> None:
    # A stack that the engine made with the empty passphrase: its salt, and a value of its configuration.
    salt, nonce = os.urandom(8), os.urandom(12)
    key = AESGCM(hashlib.pbkdf2_hmac("sha256", b"", salt, 1_000_000, 32))
    sealed, proof = (key.encrypt(nonce, text.encode(), None) for text in (json.dumps(SECRET), "pulumi"))

    def text(sealed: bytes) -> str:
        return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"

    state = {
        "secrets_providers": {"state": {"salt": f"v1:{base64.b64encode(salt).decode()}:{text(proof)}"}},
        "resources": [{"outputs": {"password": {"ciphertext": text(sealed)}}}],
    }
    assert states.found([("state.json", json.dumps(state).encode())], [SECRET]) == ["state.json"]


def test_what_only_looks_packed_is_searched_as_it_is() -> None:
    broken = gzip.compress(b"nothing")[:-9] + SECRET.encode()
    assert states.found([("broken.gz", broken)], [SECRET]) == ["broken.gz"]
