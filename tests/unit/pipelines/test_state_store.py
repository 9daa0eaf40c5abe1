"""The places of the two states, made in the sandbox's AWS, where every call is judged by its caller's policies."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest

import iam
from pipelines import agent
from pipelines.state_store import __main__ as state_store
from pipelines.state_store.aws import Change
from tests.unit.sandbox.aws.support import ACCOUNT, ADMIN, CHECKOUT, REGION, SESSION, Service, allow, make_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NUMBERS = itertools.count(1)
RIGHTS = [
    "kms:CreateAlias",
    "kms:CreateKey",
    "kms:DescribeKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "kms:ListKeys",
    "kms:ListResourceTags",
    "kms:TagResource",
    "s3:CreateBucket",
    "s3:GetBucketLocation",
    "s3:GetBucketOwnershipControls",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetBucketTagging",
    "s3:GetBucketVersioning",
    "s3:GetEncryptionConfiguration",
    "s3:ListBucket",
    "s3:PutBucketOwnershipControls",
    "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock",
    "s3:PutBucketTagging",
    "s3:PutBucketVersioning",
    "s3:PutEncryptionConfiguration",
    "sts:GetCallerIdentity",
]
"""What docs/azure-devops.md says that it needs."""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """AWS without a registry, which nothing here asks for."""
    service = make_service(tmp_path_factory.mktemp("aws"), "http://127.0.0.1:9")
    service.start()
    yield service
    assert service.end() == 0, service.log()


@pytest.fixture(scope="module")
def clients(aws: Service) -> tuple[Any, Any]:
    """Of the operator: S3 and KMS."""
    return aws.client("s3"), aws.client("kms")


class Run:
    """Runs the command for one pair of buckets and one key."""

    def __init__(
        self,
        aws: Service,
        clients: tuple[Any, Any],
        patch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        number = next(NUMBERS)
        self.aws, self._patch, self._capsys = aws, patch, capsys
        self.own, self.images, self.alias = f"state-{number}", f"images-{number}", f"alias/pulumi-{number}"
        self.key = ADMIN
        self.s3, self.kms = clients

    def __call__(self, *options: str) -> str:
        """What it prints. Raises Stop."""
        self._patch.setenv("AWS_ACCESS_KEY_ID", self.key["AccessKeyId"])
        self._patch.setenv("AWS_SECRET_ACCESS_KEY", self.key["SecretAccessKey"])
        self._patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{self.aws.port}")
        self._patch.setenv("AWS_REGION", REGION)
        self._patch.setattr(sys, "argv", ["state_store", *self.arguments, *options])
        self._capsys.readouterr()
        state_store.main()
        return self._capsys.readouterr().out

    @property
    def arguments(self) -> list[str]:
        return ["--foundation", self.own, "--image", self.images, "--key", self.alias]

    def refused(self, *options: str, code: int = agent.REFUSED) -> str:
        """The error of a run that changes nothing."""
        before = self.snapshot()
        with pytest.raises(agent.Stop) as raised:
            self(*options)
        assert raised.value.code == code
        assert self.snapshot() == before
        return str(raised.value)

    def planned(self) -> list[str]:
        """What a run would do."""
        with pytest.raises(agent.Stop, match="nothing was changed"):
            self()
        lines = self._capsys.readouterr().out.splitlines()
        return [line.strip() for line in lines if line.startswith("  ")]

    def snapshot(self) -> Any:
        """What there is, as far as these buckets and keys go."""
        s3, kms = self.s3, self.kms
        there = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
        tags = {}
        for name in (self.own, self.images):
            try:
                tags[name] = s3.get_bucket_tagging(Bucket=name)["TagSet"]
            except s3.exceptions.ClientError:
                tags[name] = None
        return there, tags, [key["KeyId"] for key in kms.list_keys()["Keys"]]


@pytest.fixture
def run(
    aws: Service,
    clients: tuple[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    make, models = boto3.session.Session, SESSION._session.get_component("data_loader")

    def session(**given: Any) -> boto3.session.Session:
        """One that does not read the service models again: that is most of a run's time."""
        core = botocore.session.Session()
        core.register_component("data_loader", models)
        return make(botocore_session=core, **given)

    monkeypatch.setattr("boto3.session.Session", session)
    return Run(aws, clients, monkeypatch, capsys)


def test_it_says_what_it_would_do_and_does_it_when_told_to(run: Run) -> None:
    plan = run.planned()
    assert len(plan) == 17
    assert plan[0] == f"key {run.alias}: make it, for encryption within this account"
    printed = run("--yes")
    assert f"In the account {ACCOUNT}, {REGION}" in printed
    assert all(line in printed for line in plan)
    assert "nothing to do" in run()
    assert f"pulumi login 's3://{run.own}/app-one?region={REGION}&endpoint=" in printed
    s3, kms = run.s3, run.kms
    key = kms.describe_key(KeyId=run.alias)["KeyMetadata"]
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is True
    for name, of, algorithm in ((run.own, "foundation", "aws:kms"), (run.images, "image", "AES256")):
        assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
        assert set(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values()) == {True}
        owners = s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"]
        assert owners == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        rule = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
        default = rule["ApplyServerSideEncryptionByDefault"]
        assert default["SSEAlgorithm"] == algorithm
        assert default.get("KMSMasterKeyID", key["Arn"]) == key["Arn"]
        assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "app-one:state", "Value": of}]


def test_without_tls_nobody_reaches_a_state(run: Run) -> None:
    run("--yes")
    s3 = run.s3
    document = iam.parse(s3.get_bucket_policy(Bucket=run.own)["Policy"])
    who = f"arn:aws:iam::{ACCOUNT}:root"
    for action, resource in (
        ("s3:GetObject", f"arn:aws:s3:::{run.own}/a"),
        ("s3:ListBucket", f"arn:aws:s3:::{run.own}"),
    ):
        clear, tls = (
            iam.decide([document], iam.Request(action, resource, who, {"aws:SecureTransport": secure})).effect
            for secure in ("false", "true")
        )
        assert (clear, tls) == ("explicit_deny", "implicit_deny")
    s3.put_object(Bucket=run.own, Key="app-one/.pulumi/meta.yaml", Body=b"version: 1\n")


def test_the_rights_that_are_documented_are_enough_and_each_is_needed(run: Run) -> None:
    text = (CHECKOUT / "docs/azure-devops.md").read_text(encoding="utf-8")
    assert not [right for right in RIGHTS if right.partition(":")[2] not in text]
    run.key = run.aws.user(run.own, allow(RIGHTS))
    run("--yes")
    assert "nothing to do" in run()


@pytest.mark.parametrize(
    "missing", ["s3:PutBucketPolicy", "kms:CreateAlias", "s3:CreateBucket", "kms:EnableKeyRotation"]
)
def test_a_right_that_is_missing_is_one_sentence_and_the_next_run_goes_on(run: Run, missing: str) -> None:
    run.key = run.aws.user(run.own, allow([right for right in RIGHTS if right != missing]))
    with pytest.raises(agent.Stop) as raised:
        run("--yes")
    assert missing in str(raised.value)
    assert "\n" not in str(raised.value)
    run.key = ADMIN
    run("--yes")
    assert "nothing to do" in run()


def test_a_run_that_is_ended_anywhere_is_finished_by_the_next_without_a_second_key(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    kms = run.kms
    keys = len(kms.list_keys()["Keys"])
    find = state_store._changes

    def end() -> None:
        raise KeyboardInterrupt

    def only_the_first(*given: Any) -> list[Change]:
        found = find(*given)
        return [found[0], Change("be ended", end)] if len(found) > 1 else found

    monkeypatch.setattr(state_store, "_changes", only_the_first)
    for _ in range(16):
        with pytest.raises(KeyboardInterrupt):
            run("--yes")
    run("--yes")
    assert "nothing to do" in run()
    assert len(kms.list_keys()["Keys"]) == keys + 1


@pytest.mark.parametrize(
    ("weaken", "mended"),
    [
        (
            lambda s3, _, name: s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"}),
            "keep every version",
        ),
        (lambda s3, _, name: s3.delete_public_access_block(Bucket=name), "close it to the public"),
        (lambda s3, _, name: s3.delete_bucket_ownership_controls(Bucket=name), "close it to ACLs"),
        (lambda s3, _, name: s3.delete_bucket_policy(Bucket=name), "refuse whatever does not come by TLS"),
        (
            lambda s3, _, name: s3.put_bucket_encryption(
                Bucket=name,
                ServerSideEncryptionConfiguration={
                    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
                },
            ),
            "encrypt what is in it by",
        ),
    ],
)
def test_what_was_weakened_by_hand_is_named_and_mended(
    run: Run, weaken: Callable[[Any, Any, str], object], mended: str
) -> None:
    run("--yes")
    weaken(run.s3, None, run.own)
    (only,) = run.planned()
    assert only.startswith(f"bucket {run.own}: {mended}")
    run("--yes")
    assert "nothing to do" in run()


def test_a_key_that_rotates_no_more_is_mended(run: Run) -> None:
    run("--yes")
    kms = run.kms
    kms.disable_key_rotation(KeyId=kms.describe_key(KeyId=run.alias)["KeyMetadata"]["KeyId"])
    assert run.planned() == [f"key {run.alias}: rotate it every 365 days"]


def test_another_statement_of_a_policy_stays(run: Run) -> None:
    run("--yes")
    s3 = run.s3
    other = {
        "Sid": "Backup",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/backup"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{run.own}/*",
    }
    s3.put_bucket_policy(Bucket=run.own, Policy=json.dumps({"Version": "2012-10-17", "Statement": [other]}))
    assert f"(bucket {run.own}: its policy has 1 more statements, which stay)" in run("--yes")
    statements = json.loads(s3.get_bucket_policy(Bucket=run.own)["Policy"])["Statement"]
    assert [each["Sid"] for each in statements] == ["Backup", "OnlyByTls"]


def make_bucket(run: Run, name: str, *keys: str, region: str = REGION) -> None:
    s3 = run.s3 if region == REGION else run.aws.client("s3", region=region)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    for key in keys:
        s3.put_object(Bucket=name, Key=key, Body=b"x")


def test_a_foreign_bucket_is_refused_and_nothing_is_made(run: Run) -> None:
    make_bucket(run, run.images, "payroll.csv")
    assert f"the bucket {run.images} is there and is not marked" in run.refused("--yes")
    assert "holds more than a Pulumi state at /app-one" in run.refused("--yes", "--adopt")


def test_a_bucket_with_more_than_a_state_below_the_prefix_is_refused(run: Run) -> None:
    make_bucket(run, run.own, "app-one/.pulumi/meta.yaml", "app-one/payroll.csv")
    assert "holds more than a Pulumi state" in run.refused("--yes", "--adopt")


def test_a_bucket_of_ones_own_that_holds_a_state_is_adopted(run: Run) -> None:
    make_bucket(run, run.own, "app-one/.pulumi/meta.yaml")
    assert "--adopt takes it" in run.refused("--yes")
    run("--yes", "--adopt")
    assert "nothing to do" in run()


def test_the_bucket_of_the_other_state_is_refused(run: Run) -> None:
    run("--yes")
    run.own, run.images = run.images, run.own
    assert "is marked for the state of the image" in run.refused("--yes", "--adopt")


def test_a_bucket_in_another_region_is_refused(run: Run) -> None:
    make_bucket(run, run.own, region="eu-west-1")
    assert "is in eu-west-1, not in us-east-2" in run.refused("--yes")


def test_a_foreign_key_is_refused_and_ones_own_is_adopted(run: Run) -> None:
    kms = run.kms
    key = kms.create_key(KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=run.alias, TargetKeyId=key)
    assert f"{run.alias} means the key {key}, which is there and is not marked" in run.refused("--yes")
    kms.disable_key(KeyId=key)
    assert "its KeyState is Disabled" in run.refused("--yes", "--adopt")
    kms.enable_key(KeyId=key)
    run("--yes", "--adopt")
    assert kms.describe_key(KeyId=run.alias)["KeyMetadata"]["KeyId"] == key


@pytest.mark.parametrize(("answer", "done"), [("yes", True), ("y", False), ("no", False), ("", False)])
def test_in_a_terminal_it_asks(run: Run, monkeypatch: pytest.MonkeyPatch, answer: str, done: bool) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return f"{answer}\n" if answer else ""

    monkeypatch.setattr(sys, "stdin", Terminal())
    if done:
        run()
        assert "nothing to do" in run()
    else:
        assert "nothing was changed" in run.refused()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--image", "same", "--foundation", "same"], "two buckets"),
        (["--key", "pulumi"], "--key pulumi: an alias"),
        (["--key", "alias/aws/s3"], "--key alias/aws/s3: an alias"),
        (["--prefix", "/a"], "--prefix /a: a folder"),
        (["--foundation", "No_Bucket"], "No_Bucket: no name of a bucket"),
        (["--region", ""], "--region, or AWS_REGION"),
    ],
)
def test_a_wrong_use_is_named(run: Run, wrong: list[str], said: str) -> None:
    assert said in run.refused(*wrong, code=agent.USAGE)


def test_credentials_that_are_none_are_one_sentence(run: Run) -> None:
    run.key = {"AccessKeyId": "AKIANOBODY", "SecretAccessKey": "nothing"}
    with pytest.raises(agent.Stop, match="AWS: ") as raised:
        run()
    assert raised.value.code == agent.FAILED


def test_its_help_says_what_it_does_and_its_exit_codes() -> None:
    command = [sys.executable, "-m", "pipelines.state_store"]
    shown = subprocess.run([*command, "--help"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    assert "exit codes: 0 done, 1 failed, 2 wrong use" in shown
    assert subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=False).returncode == agent.USAGE
