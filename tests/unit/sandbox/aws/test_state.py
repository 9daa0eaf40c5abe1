"""Snapshots of moto's models: whole, private, and refused where they cannot be trusted."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from moto.ecr.models import ecr_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.sts.models import sts_backends

from sandbox.aws import state
from sandbox.aws.state import State
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "210987654321"
REGION = "us-east-2"
DOCUMENT = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}]}'


def test_a_user_with_key_policy_and_session_comes_back_as_one(tmp_path: Path) -> None:
    iam = iam_backends[ACCOUNT]["aws"]
    iam.create_user(REGION, "bob")
    key = iam.create_access_key("bob")
    policy = iam.create_policy("", "/", DOCUMENT, "p", [])
    iam.attach_user_policy(policy.arn, "bob")
    session: Any = sts_backends[ACCOUNT]["aws"].assume_role(REGION, "s", f"arn:aws:iam::{ACCOUNT}:role/r", "", 900, "")
    kept = State(tmp_path)
    kept.save("iam")
    iam.delete_access_key(key.access_key_id, "bob")
    iam.detach_user_policy(policy.arn, "bob")
    assert kept.load("iam")
    again = iam_backends[ACCOUNT]["aws"]
    (found,) = again.users["bob"].access_keys
    assert found.secret_access_key == key.secret_access_key
    assert found is again.access_keys[key.access_key_id]
    assert again.users["bob"].managed_policies[policy.arn] is again.managed_policies[policy.arn]
    (role,) = sts_backends[ACCOUNT]["aws"].assumed_roles
    assert role.session_token == session.session_token
    assert role.access_key is again.access_keys[session.access_key_id]
    assert kept.path("iam").stat().st_mode & 0o777 == 0o600


def test_objects_and_their_buckets_come_back(tmp_path: Path) -> None:
    s3 = s3_backends[ACCOUNT]["aws"]
    s3.create_bucket("state-bucket", REGION)
    s3.put_object("state-bucket", "k", b"content" * 5_000_000)  # more than moto keeps in memory
    kept = State(tmp_path)
    kept.save("s3")
    s3.delete_object("state-bucket", "k")
    s3.delete_bucket("state-bucket")
    assert kept.load("s3")
    found = s3_backends[ACCOUNT]["aws"].get_object("state-bucket", "k")
    assert found is not None
    assert found.value == b"content" * 5_000_000
    assert "state-bucket" in s3_backends.bucket_accounts


@pytest.mark.parametrize("spec", ["SYMMETRIC_DEFAULT", "RSA_2048", "ECC_NIST_P256"])
def test_keys_decrypt_and_sign_as_before(tmp_path: Path, spec: str) -> None:
    kms = kms_backends[ACCOUNT][REGION]
    usage = "ENCRYPT_DECRYPT" if spec == "SYMMETRIC_DEFAULT" else "SIGN_VERIFY"
    key = kms.create_key(None, usage, spec, "", None)
    if spec == "SYMMETRIC_DEFAULT":
        sealed, _ = kms.encrypt(key.id, b"plain", {})
    else:
        public = key.private_key.public_key()
    kept = State(tmp_path)
    kept.save("kms")
    kms.keys.clear()
    assert kept.load("kms")
    again = kms_backends[ACCOUNT][REGION]
    if spec == "SYMMETRIC_DEFAULT":
        assert again.decrypt(sealed, {})[0] == b"plain"
    else:
        assert again.keys[key.id].private_key.public_key() == public


def test_locks_are_made_anew(tmp_path: Path) -> None:
    ecr_backends[ACCOUNT][REGION].registry_policy = "kept"
    kept = State(tmp_path)
    kept.save("ecr")
    ecr_backends[ACCOUNT][REGION].registry_policy = None
    assert kept.load("ecr")
    again = ecr_backends[ACCOUNT][REGION]
    assert again.registry_policy == "kept"
    with again.registry_scanning_configuration_update_lock:
        pass


def test_nothing_is_loaded_where_nothing_was_kept(tmp_path: Path) -> None:
    assert not State(tmp_path).load("iam")


def test_a_snapshot_of_another_moto_is_refused_with_both_versions(tmp_path: Path) -> None:
    kept = State(tmp_path)
    kept.path("kms").write_bytes(pickle.dumps({"moto": "4.0.0", "backends": {}}))
    with pytest.raises(SandboxError, match=r"written with moto 4\.0\.0, this is 5"):
        kept.load("kms")


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps({"moto": "x"})[:-3]])
def test_a_broken_snapshot_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    kept = State(tmp_path)
    kept.path("s3").write_bytes(content)
    with pytest.raises(SandboxError, match=r"aws-s3\.pickle cannot be read"):
        kept.load("s3")


def test_a_write_that_fails_leaves_the_old_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = State(tmp_path)
    kept.save("kms")
    before = kept.path("kms").read_bytes()

    def fail(_: io.BytesIO) -> None:
        raise OSError("no space")

    monkeypatch.setattr("os.fchmod", lambda *_: fail(io.BytesIO()))
    with pytest.raises(OSError, match="no space"):
        kept.save("kms")
    assert kept.path("kms").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["aws-kms.pickle"]


def test_every_service_that_is_kept_has_a_snapshot(tmp_path: Path) -> None:
    kept = State(tmp_path)
    for service in state.SERVICES:
        kept.save(service)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"aws-{s}.pickle" for s in sorted(state.SERVICES)]
