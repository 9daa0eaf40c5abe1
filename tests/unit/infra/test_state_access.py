"""The rights on state: what the engine's s3 backend calls for one stack, decided by the policy language itself."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import parliament
import pytest

import iam
from infra.state_access import StateFiles, state_policy_document

KEY = "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BACKEND = "s3://acme-state/team?region=us-east-2&awssdk=v2"
ARGS = StateFiles(partition="aws", backend=BACKEND, project="app-one", stack="dev")
BUCKET = "arn:aws:s3:::acme-state"
ROOT = f"{BUCKET}/team/.pulumi"


def allowed(
    action: str, resource: str, args: StateFiles = ARGS, prefix: str | None = None, *, write: bool = True
) -> bool:
    policy = iam.parse(state_policy_document(args, write=write))
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
        ("kms:Decrypt", KEY),
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


def test_the_layout_may_begin_at_the_bucket() -> None:
    args = dataclasses.replace(ARGS, backend="s3://acme-state")
    assert allowed("s3:GetObject", f"{BUCKET}/.pulumi/stacks/app-one/dev.json", args)


@pytest.mark.parametrize(
    ("action", "resource", "expected"),
    [
        ("s3:GetObject", f"{ROOT}/stacks/app-one/dev.json", True),
        ("s3:GetObject", f"{ROOT}/history/app-one/dev/dev-17.history.json", True),
        ("s3:GetObject", f"{ROOT}/stacks/app-one/prod.json", False),
        ("s3:PutObject", f"{ROOT}/stacks/app-one/dev.json", False),
        ("s3:PutObject", f"{ROOT}/locks/organization/app-one/dev/1.json", False),
        ("s3:DeleteObject", f"{ROOT}/locks/organization/app-one/dev/1.json", False),
        ("kms:Decrypt", KEY, False),
    ],
)
def test_who_only_reads_changes_nothing(action: str, resource: str, expected: bool) -> None:
    assert allowed(action, resource, write=False) is expected


@pytest.mark.parametrize("write", [False, True])
def test_the_linter_finds_nothing(write: bool) -> None:
    document = state_policy_document(ARGS, write=write)
    assert [str(finding) for finding in parliament.analyze_policy_string(document).findings] == []


def test_a_foundation_attaches_the_rights_behind_a_setting(run_program: Callable[..., Any]) -> None:
    foundation = {"app-one:declares": "foundation", "app-one:pipelineEnabled": True}
    assert run_program(foundation).names("aws:iam/policy:Policy") == ["access-policy", "reader-policy"]
    program = run_program(foundation | {"app-one:imageBackend": BACKEND})
    policies = {one.name: one for one in program.resources if one.type == "aws:iam/policy:Policy"}
    files = dataclasses.replace(ARGS, stack="dev-image")
    for name, write, own in (
        ("state-access-policy", True, "app-one-state"),
        ("reader-state-access-policy", False, "app-one-state-app-one-reader"),
    ):
        inputs = dict(policies[name].inputs)
        assert json.loads(inputs.pop("policy")) == json.loads(state_policy_document(files, write=write))
        assert (inputs["name"], inputs["path"], inputs["tags"]) == (own, "/", {})
    attached = {
        one.inputs["policyArn"].rpartition("/")[2]: one.inputs["group"]
        for one in program.resources
        if one.type == "aws:iam/groupPolicyAttachment:GroupPolicyAttachment"
    }
    assert attached == {
        "app-one-push": "app-one-push",
        "app-one-state": "app-one-push",
        "app-one-reader": "app-one-reader",
        "app-one-state-app-one-reader": "app-one-reader",
    }


def test_the_group_that_says_where_the_state_is_holds_no_secret(run_program: Callable[..., Any]) -> None:
    changed = {"app-one:declares": "foundation", "app-one:imageBackend": BACKEND, "app-one:imageStack": "one-image"}
    (group,) = (one for one in run_program(changed).resources if one.name == "state-group" and "azure" in one.type)
    assert group.inputs["variables"] == [
        {"name": "Pulumi.Backend", "value": BACKEND},
        {"name": "Pulumi.Stack", "value": "one-image"},
    ]
    assert group.secrets == set()
