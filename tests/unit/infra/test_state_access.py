"""The rights on state: what the engine's s3 backend calls for one stack, decided by the policy language itself."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import parliament
import pytest

import iam
from infra.state_access import StateAccessArgs, state_policy_document

KEY = "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ARGS = StateAccessArgs(
    partition="aws",
    bucket="acme-state",
    prefix="team",
    kms_key_arn=KEY,
    project="app-one",
    stack="dev",
    policy_name="app-one-state",
    policy_path="/",
    group_name="app-one-push",
    tags={},
)
BUCKET = "arn:aws:s3:::acme-state"
ROOT = f"{BUCKET}/team/.pulumi"


def allowed(action: str, resource: str, args: StateAccessArgs = ARGS, prefix: str | None = None) -> bool:
    policy = iam.parse(state_policy_document(args))
    context = {} if prefix is None else {"s3:prefix": prefix}
    return iam.decide([policy], iam.Request(action, resource, context=context)).effect == "allow"


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", f"{ROOT}/meta.yaml"),
        ("s3:GetObject", f"{ROOT}/stacks/app-one/dev.json"),
        ("s3:GetObject", f"{ROOT}/stacks/app-one/dev.pulumi-tags"),
        ("s3:PutObject", f"{ROOT}/stacks/app-one/dev.json"),
        ("s3:PutObject", f"{ROOT}/stacks/app-one/dev.json.bak"),
        ("s3:PutObject", f"{ROOT}/stacks/app-one/dev.json.gz"),
        ("s3:PutObject", f"{ROOT}/stacks/app-one/dev.json.gz.bak"),
        ("s3:PutObject", f"{ROOT}/stacks/app-one/dev.json.zst"),
        ("s3:PutObject", f"{ROOT}/stacks/app-one/dev.json.zst.bak"),
        ("s3:PutObject", f"{ROOT}/history/app-one/dev/dev-17.history.json"),
        ("s3:PutObject", f"{ROOT}/backups/app-one/dev/dev.17.json"),
        ("s3:PutObject", f"{ROOT}/locks/organization/app-one/dev/1.json"),
        ("s3:GetObject", f"{ROOT}/locks/organization/app-one/dev/1.json"),
        ("s3:DeleteObject", f"{ROOT}/locks/organization/app-one/dev/1.json"),
        ("kms:Decrypt", KEY),
    ],
)
def test_what_the_engine_calls_for_this_stack_is_allowed(action: str, resource: str) -> None:
    assert allowed(action, resource)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:PutObject", f"{ROOT}/meta.yaml"),
        ("s3:PutObject", f"{ROOT}/stacks/app-one/dev.pulumi-tags"),
        ("s3:PutObject", f"{ROOT}/stacks/app-one/dev.json.1764000000"),
        ("s3:DeleteObject", f"{ROOT}/stacks/app-one/dev.json"),
        ("s3:DeleteObject", f"{ROOT}/history/app-one/dev/dev-17.history.json"),
        ("s3:GetObject", f"{ROOT}/backups/app-one/dev/dev.17.json"),
        ("s3:GetObject", f"{ROOT}/stacks/app-one/dev2.json"),
        ("s3:GetObject", f"{ROOT}/stacks/app-one/prod.json"),
        ("s3:PutObject", f"{ROOT}/stacks/other/dev.json"),
        ("s3:DeleteObject", f"{ROOT}/locks/organization/app-one/prod/1.json"),
        ("s3:GetObject", f"{BUCKET}/other/.pulumi/stacks/app-one/dev.json"),
        ("s3:GetObject", "arn:aws:s3:::other-state/team/.pulumi/stacks/app-one/dev.json"),
        ("s3:PutBucketPolicy", BUCKET),
        ("kms:Encrypt", KEY),
        ("kms:Decrypt", KEY.replace("1234abcd", "aaaaaaaa")),
    ],
)
def test_everything_else_is_refused(action: str, resource: str) -> None:
    assert not allowed(action, resource)


@pytest.mark.parametrize("other", ["dev.eu", "dev.json", "dev.json.gz", "dev-1", "dev2", "dev."])
@pytest.mark.parametrize("action", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"])
def test_a_stack_whose_name_begins_with_this_ones_is_refused(action: str, other: str) -> None:
    # A stack's name may hold dots: `dev.*` is not one stack's files.
    files = {
        *(f"stacks/app-one/{other}.json{compression}{copy}" for compression in ("", ".gz") for copy in ("", ".bak")),
        f"stacks/app-one/{other}.pulumi-tags",
        f"history/app-one/{other}/{other}-17.history.json",
        f"history/app-one/{other}/{other}-17.checkpoint.json",
        f"backups/app-one/{other}/{other}.17.json",
        f"locks/organization/app-one/{other}/1.json",
    }
    assert [file for file in sorted(files) if allowed(action, f"{ROOT}/{file}")] == []
    for folder in (f"stacks/app-one/{other}.json", f"history/app-one/{other}/", f"locks/organization/app-one/{other}/"):
        assert not allowed("s3:ListBucket", BUCKET, prefix=f"team/.pulumi/{folder}")


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("team/.pulumi/stacks/", True),
        ("team/.pulumi/stacks/app-one/dev.json", True),
        ("team/.pulumi/history/app-one/dev/", True),
        ("team/.pulumi/locks/organization/app-one/dev/", True),
        ("team/.pulumi/stacks/app-one/", False),
        ("team/.pulumi/stacks/app-one/dev.", False),
        ("team/.pulumi/history/app-one/prod/", False),
        ("team/.pulumi/backups/app-one/dev/", False),
        ("other/", False),
        # S3's own question whether it may say that an object is missing has no prefix.
        (None, True),
    ],
)
def test_a_list_is_allowed_below_this_stacks_prefixes(prefix: str | None, expected: bool) -> None:
    assert allowed("s3:ListBucket", BUCKET, prefix=prefix) is expected


def test_the_layout_may_begin_at_the_bucket_and_the_key_may_be_missing() -> None:
    args = dataclasses.replace(ARGS, prefix="", kms_key_arn="")
    assert allowed("s3:GetObject", f"{BUCKET}/.pulumi/stacks/app-one/dev.json", args)
    assert not allowed("kms:Decrypt", KEY, args)


def test_the_linter_finds_nothing() -> None:
    assert [str(finding) for finding in parliament.analyze_policy_string(state_policy_document(ARGS)).findings] == []


def test_the_program_attaches_the_rights_to_the_group_behind_a_setting(run_program: Callable[..., Any]) -> None:
    assert run_program().names("aws:iam/policy:Policy") == ["access-policy"]
    program = run_program(
        {"app-one:stateBucket": "acme-state", "app-one:statePrefix": "team", "app-one:stateKmsKeyArn": KEY}
    )
    (policy,) = (resource for resource in program.resources if resource.name == "state-access-policy")
    assert policy.parent == "state-access"
    assert json.loads(policy.inputs.pop("policy")) == json.loads(state_policy_document(ARGS))
    assert policy.inputs == {
        "name": "app-one-state",
        "path": "/",
        "description": "Read and write the Pulumi state of one stack",
        "tags": {},
    }
    (attachment,) = (resource for resource in program.resources if resource.name == "state-access-group-policy")
    assert attachment.inputs == {
        "group": "app-one-push",
        "policyArn": "arn:aws:iam::123456789012:policy/app-one-state",
    }
