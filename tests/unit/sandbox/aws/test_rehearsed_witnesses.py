"""`audit prove` against the running service: what a plan newly allows is refused before and allowed after, and nothing
else is."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import jsonschema
import pytest

from audit.command import entry
from tests.unit.sandbox.aws.support import ACCOUNT, ADMIN, CHECKOUT, REGION, Service, allow, repository_arn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GOLDEN = CHECKOUT / "tests" / "audit" / "golden"
SCHEMA = jsonschema.Draft202012Validator(json.loads((CHECKOUT / "docs" / "audit-report.schema.json").read_text()))
POLICY_URN = "urn:pulumi:dev::app-one::aws:iam/policy:Policy::push"
NOTHING: Mapping[str, str] = {}
Run = subprocess.CompletedProcess[str]


def variables(aws: Service, key: Mapping[str, str] = ADMIN, more: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """The environment of whoever has the key, with no other configuration of AWS."""
    own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    given = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws.port}",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        **more,
    }
    return {**own, **{name: text for name, text in given.items() if text}}


def audit(aws: Service, *words: str, key: Mapping[str, str] = ADMIN, environment: Mapping[str, str] = NOTHING) -> Run:
    """`audit` as whoever has the key, with no variable but theirs; in this process, which has loaded the SDK."""
    usual = signal.getsignal(signal.SIGTERM)  # which the command changes
    with (
        patch.dict(os.environ, variables(aws, key, environment), clear=True),
        contextlib.chdir(CHECKOUT),
        contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) as said,
        contextlib.redirect_stderr(io.StringIO()) as complained,
    ):
        try:
            code = entry(words)
        finally:
            signal.signal(signal.SIGTERM, usual)
    said.seek(0)
    return subprocess.CompletedProcess(words, code, said.read(), complained.getvalue())


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def request(action: str, resource: str, principal: str | None = None, **context: Any) -> dict[str, Any]:
    return {"action": action, "resource": resource, "principal": principal, "context": context}


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    """The report of the golden preview in which the push policy is broadened."""
    command = [sys.executable, "-m", "audit", "plan", str(GOLDEN / "broadened-policy.json"), "--format", "json"]
    made = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    report: dict[str, Any] = json.loads(made.stdout)
    return report


def policy_of(report: dict[str, Any]) -> dict[str, Any]:
    """The documents and requests of the finding about a policy."""
    found: dict[str, Any] = next(finding["policy"] for finding in report["findings"] if "policy" in finding)
    return found


def report_of(golden: dict[str, Any], old: Any, new: Any, *witnesses: dict[str, Any]) -> dict[str, Any]:
    """The golden report with these documents and requests."""
    report: dict[str, Any] = json.loads(json.dumps(golden))
    finding = next(finding for finding in report["findings"] if "policy" in finding)
    report["findings"] = [finding]
    finding["policy"].update(old=old, new=new, newlyAllowed=list(witnesses))
    return report


def write(path: Path, report: dict[str, Any]) -> str:
    path.write_text(json.dumps(report, separators=(",", ":")))
    return str(path)


def rehearsed(run: Run) -> list[dict[str, Any]]:
    """What the run wrote beside every witness of a report that follows the published schema."""
    assert not run.stderr, run.stderr
    report = json.loads(run.stdout)
    SCHEMA.validate(report)
    return [
        witness["rehearsed"]
        for finding in report["findings"]
        if "policy" in finding
        for witness in finding["policy"]["newlyAllowed"]
    ]


def answers(found: dict[str, Any]) -> tuple[str, ...]:
    """Result, and answer and way of both sides."""
    sides = (found[side] for side in ("before", "after") if side in found)
    return (found["result"], *(f"{side['answer']} by {side['how']}" for side in sides))


def sides(found: dict[str, Any]) -> list[str]:
    """The answers before and after."""
    return [found[side]["answer"] for side in ("before", "after")]


FLIPPED = ("flipped", "refused by call", "allowed by call")
DECIDED = ("flipped", "refused by decision", "allowed by decision")


def left_over(aws: Service) -> list[str]:
    """Everything in IAM, and every key of it."""
    iam = aws.client("iam")
    users = [user["UserName"] for user in iam.list_users()["Users"]]
    keys = [key["AccessKeyId"] for name in users for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]]
    return [*users, *keys, *(policy["Arn"] for policy in iam.list_policies(Scope="Local")["Policies"])]


def test_the_golden_broadened_policy_flips_exactly_its_witnesses(
    aws: Service, golden: dict[str, Any], tmp_path: Path
) -> None:
    aws.client("ecr").create_repository(repositoryName="app-one")
    before = left_over(aws)
    policy = policy_of(golden)
    own = policy["newlyAllowed"]
    arn = repository_arn("app-one")
    others = [
        *({**witness, "resource": repository_arn("another")} for witness in own),
        request("ecr:ListTagsForResource", arn),
        request("ecr:SetRepositoryPolicy", arn),
        request("ecr:DeleteRepository", arn),
        request("iam:ListUsers", "*"),
        request("ecr:GetAuthorizationToken", "*"),
    ]
    with_others = report_of(golden, policy["old"], policy["new"], *own, *others)
    run = audit(aws, "prove", write(tmp_path / "others.json", with_others), "--format", "json")
    found = rehearsed(run)
    flipped, not_flipped = found[: len(own)], found[len(own) :]
    assert own
    assert [(item["result"], sides(item)) for item in flipped] == [("flipped", ["refused", "allowed"])] * len(own)
    assert {item["result"] for item in not_flipped} == {"not flipped"}
    *never, always = map(sides, not_flipped)
    assert never == [["refused", "refused"]] * len(never)
    assert always == ["allowed", "allowed"]
    assert {item["before"]["how"] for item in found} == {"call", "decision"}
    assert run.returncode == 4
    assert left_over(aws) == before


@pytest.mark.parametrize("name", ["broadened-policy", "first-up", "wildcard-policy"])
def test_every_witness_of_a_golden_preview_flips(aws: Service, name: str) -> None:
    run = audit(aws, "prove", str(GOLDEN / f"{name}.json"), "--format", "json")
    found = rehearsed(run)
    assert found
    assert [(item["result"], sides(item)) for item in found] == [("flipped", ["refused", "allowed"])] * len(found)
    assert run.returncode == 0


def test_what_happened_stands_in_a_table(aws: Service, golden: dict[str, Any], tmp_path: Path) -> None:
    report = report_of(golden, None, document(allow("ecr:ListImages")), request("ecr:ListImages", REPOSITORY))
    path = write(tmp_path / "report.json", report)
    run = audit(aws, "prove", path, "--report", f"markdown={tmp_path / 'prove.md'}")
    line = next(line for line in run.stdout.splitlines() if "ecr:ListImages  " in line)
    assert line.split("  ")[-5:] == [
        REPOSITORY, "stand-in", "refused (call ecr:ListImages)", "allowed (call ecr:ListImages)", "flipped"
    ]  # fmt: skip
    assert "1 request newly allowed.\n1 flipped\n" in run.stdout
    assert "<code>allowed (call ecr:ListImages)</code>" in (tmp_path / "prove.md").read_text()


REPOSITORY = repository_arn("harmless")
HARMLESS = [
    ("ecr:BatchCheckLayerAvailability", REPOSITORY),
    ("ecr:BatchDeleteImage", REPOSITORY),
    ("ecr:BatchGetImage", REPOSITORY),
    ("ecr:CompleteLayerUpload", REPOSITORY),
    ("ecr:DescribeImages", REPOSITORY),
    ("ecr:DescribeRepositories", REPOSITORY),
    ("ecr:GetAuthorizationToken", "*"),
    ("ecr:GetLifecyclePolicy", REPOSITORY),
    ("ecr:GetRepositoryPolicy", REPOSITORY),
    ("ecr:ListImages", REPOSITORY),
    ("ecr:ListTagsForResource", REPOSITORY),
    ("ecr:PutLifecyclePolicy", REPOSITORY),
    ("ecr:SetRepositoryPolicy", REPOSITORY),
    ("ecr:UploadLayerPart", REPOSITORY),
    ("iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/harmless"),
    ("iam:ListAccessKeys", f"arn:aws:iam::{ACCOUNT}:user/harmless"),
    ("iam:ListUsers", "*"),
    ("iam:PutUserPolicy", f"arn:aws:iam::{ACCOUNT}:user/harmless"),
    ("s3:ListAllMyBuckets", "*"),
    ("s3:ListBucket", "arn:aws:s3:::harmless"),
    ("s3:GetObject", "arn:aws:s3:::harmless/file"),
    ("s3:GetBucketVersioning", "arn:aws:s3:::harmless"),
]
BY_DECISION = [
    ("ecr:DeleteRepository", REPOSITORY),
    ("ecr:PutImage", REPOSITORY),
    ("ecr:InitiateLayerUpload", REPOSITORY),
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/example"),
    ("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/harmless"),
    ("s3:PutObject", "arn:aws:s3:::harmless/file"),
    ("lambda:GetFunction", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:example"),
]

NOT_IN_THE_SANDBOX = ("ecr:GetDownloadUrlForLayer", REPOSITORY)
"""Refused to one who may not, and not implemented for one who may, so that the call does not show it."""


def state(aws: Service) -> list[Any]:
    """What the calls could have changed."""
    ecr, s3, iam = (aws.client(name) for name in ("ecr", "s3", "iam"))
    return [
        ecr.describe_repositories(repositoryNames=["harmless"])["repositories"],
        ecr.describe_images(repositoryName="harmless")["imageDetails"],
        s3.get_object(Bucket="harmless", Key="file")["Body"].read(),
        iam.list_user_policies(UserName="harmless")["PolicyNames"],
        left_over(aws),
    ]


def test_every_harmless_call_flips_and_changes_nothing_and_the_others_are_decided(
    aws: Service, golden: dict[str, Any], tmp_path: Path
) -> None:
    aws.client("ecr").create_repository(repositoryName="harmless")
    aws.client("s3").create_bucket(Bucket="harmless", CreateBucketConfiguration={"LocationConstraint": REGION})
    aws.client("s3").put_object(Bucket="harmless", Key="file", Body=b"content")
    aws.user("harmless")
    before = state(aws)
    asked = [*HARMLESS, *BY_DECISION, NOT_IN_THE_SANDBOX]
    new = document(*(allow(action, resource) for action, resource in asked))
    report = report_of(golden, document(), new, *(request(*item) for item in asked))
    run = audit(aws, "prove", write(tmp_path / "report.json", report), "--format", "json")
    found = dict(zip(asked, map(answers, rehearsed(run)), strict=True))
    expected = dict.fromkeys(HARMLESS, FLIPPED) | dict.fromkeys(BY_DECISION, DECIDED)
    expected[NOT_IN_THE_SANDBOX] = ("flipped", "refused by call", "allowed by decision")
    assert {item: answer for item, answer in found.items() if answer != expected[item]} == {}, run.stdout
    assert state(aws) == before


def test_a_condition_is_decided_and_a_deny_that_goes_away_is_called(
    aws: Service, golden: dict[str, Any], tmp_path: Path
) -> None:
    condition = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
    old = document({"Effect": "Deny", "Action": "ecr:DescribeImages", "Resource": "*"})
    new = document(allow("ecr:ListImages", Condition=condition))
    witnesses = [
        request("ecr:ListImages", REPOSITORY, **{"aws:SourceIp": "203.0.113.7"}),
        request("ecr:ListImages", REPOSITORY, **{"aws:SourceIp": "198.51.100.7"}),
        request("ecr:DescribeImages", REPOSITORY),
        request("ecr:DescribeImages", REPOSITORY, **{"aws:RequestedRegion": REGION}),
    ]
    report = report_of(golden, old, new, *witnesses)
    found = rehearsed(audit(aws, "prove", write(tmp_path / "report.json", report), "--format", "json"))
    refused = ("not flipped", "refused by decision", "refused by decision")
    assert [answers(item) for item in found] == [DECIDED, refused, FLIPPED, FLIPPED]


def test_what_cannot_be_rehearsed_says_why(aws: Service, golden: dict[str, Any], tmp_path: Path) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:user/alice"
    witness = request("ecr:BatchGetImage", REPOSITORY, arn)
    own = document({"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"})
    masked = document(allow("ecr:BatchGetImage", "[secret]"))
    for new, why in (
        (own, "a resource's own, which counts only where it is"),
        (masked, "a part of its document is not known"),
        ("04da6b54-80e4-46f7-96ec-b56ff0331ba9", "its document is not known"),
        (document(allow("ecr:BatchGetImage")), f"the request is one of {arn}"),
        (document(allow("ecr:BatchGetImage", "app-one")), "CreatePolicy is refused (MalformedPolicyDocument)"),
    ):
        run = audit(
            aws, "prove", write(tmp_path / "report.json", report_of(golden, None, new, witness)), "--format", "json"
        )
        (found,) = rehearsed(run)
        assert answers(found) == ("not rehearsed",)
        assert why in found["why"]
        assert run.returncode == 0


def changed(aws: Service, arn: str, new: Any) -> None:
    """What `pulumi up` does to the policy."""
    aws.client("iam").create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(new), SetAsDefault=True)


@pytest.mark.parametrize("kind", ["user", "role", "profile"])
def test_the_holder_itself_is_asked_before_the_change_and_after_it(
    aws: Service, golden: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    old, new = document(allow("ecr:ListImages")), document(allow(["ecr:ListImages", "ecr:BatchGetImage"]))
    iam = aws.client("iam")
    name = f"holder-{kind}"
    arn = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(old))["Policy"]["Arn"]
    key, profile = dict(ADMIN), ""
    if kind == "role":
        operator = aws.user("operator", allow("*"))
        trusted = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document(trusted)))
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        key = operator
    else:
        iam.create_group(GroupName=name)
        iam.attach_group_policy(GroupName=name, PolicyArn=arn)
        own = aws.user(name)
        iam.add_user_to_group(GroupName=name, UserName=name)
        if kind == "profile":
            lines = f"aws_access_key_id={own['AccessKeyId']}\naws_secret_access_key={own['SecretAccessKey']}\n"
            (tmp_path / "credentials").write_text(f"[{name}]\n{lines}")
            profile = str(tmp_path / "credentials")
    environment = {"AWS_SHARED_CREDENTIALS_FILE": profile} if profile else {}
    before = left_over(aws)
    asked = ("--holder", f"{kind}/{name}", "--format", "json")
    first = audit(
        aws,
        "prove",
        write(tmp_path / "report.json", report_of(golden, old, new, request("ecr:BatchGetImage", REPOSITORY))),
        "--moment",
        "before",
        *asked,
        key=key,
        environment=environment,
    )
    (found,) = rehearsed(first)
    assert answers(found) == ("not rehearsed", "refused by call")
    (tmp_path / "before.json").write_text(first.stdout)
    second = ("prove", str(tmp_path / "before.json"), "--moment", "after", *asked)
    unchanged = audit(aws, *second, key=key, environment=environment)
    assert answers(rehearsed(unchanged)[0]) == ("not flipped", "refused by call", "refused by call")
    assert unchanged.returncode == 4
    changed(aws, arn, new)
    run = audit(aws, *second, key=key, environment=environment)
    assert answers(rehearsed(run)[0]) == FLIPPED
    assert run.returncode == 0
    assert left_over(aws) == before


def test_a_real_cloud_is_left_alone_unless_it_is_said_and_then_only_decides(
    aws: Service, golden: dict[str, Any], tmp_path: Path
) -> None:
    path = write(tmp_path / "report.json", golden)
    for environment in (
        {"AWS_ENDPOINT_URL": ""},
        {"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{aws.port}"},
        {"AWS_ENDPOINT_URL": "https://localhost.example.com"},
    ):
        run = audit(aws, "prove", path, environment=environment)
        assert run.returncode == 2
        assert run.stderr.splitlines() == [
            "audit: the endpoint is not on this machine: set AWS_ENDPOINT_URL to the sandbox's, or --real-cloud"
        ]
    run = audit(aws, "prove", path, environment={"AWS_ENDPOINT_URL_ECR": "https://ecr.example.invalid"})
    assert run.returncode == 2
    assert "the endpoint of ecr is not on this machine, so nothing was called there" in run.stderr
    assert not aws.client("iam").list_users(PathPrefix="/audit-rehearsal/")["Users"]


def test_on_a_real_cloud_the_simulator_decides_and_no_key_is_made(
    aws: Service, golden: dict[str, Any], tmp_path: Path
) -> None:
    """The address reaches this machine, and is none of its own by name."""
    path = write(tmp_path / "report.json", golden)
    before, logged = left_over(aws), len(aws.log())
    elsewhere = {"AWS_ENDPOINT_URL": f"http://0.0.0.0:{aws.port}"}
    assert audit(aws, "prove", path, environment=elsewhere).returncode == 2
    run = audit(aws, "prove", path, "--real-cloud", "--format", "json", environment=elsewhere)
    assert [answers(found) for found in rehearsed(run)] == [DECIDED]
    log = aws.log()[logged:]
    assert "SimulatePrincipalPolicy" in log
    assert "CreateAccessKey" not in log
    assert left_over(aws) == before


def test_a_run_that_is_ended_removes_what_it_made(aws: Service, golden: dict[str, Any], tmp_path: Path) -> None:
    before = left_over(aws)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ecr = {"AWS_ENDPOINT_URL_ECR": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        command = [sys.executable, "-m", "audit", "prove", write(tmp_path / "report.json", golden)]
        run = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=variables(aws, more=ecr),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = silent.accept()
        assert left_over(aws) != before
        run.send_signal(signal.SIGTERM)
        said = run.communicate(timeout=300)
        connection.close()
    assert (run.returncode, *said) == (130, "", "audit: interrupted\n")
    assert left_over(aws) == before


def test_an_operator_without_the_right_is_told_which_and_nothing_is_left(
    aws: Service, golden: dict[str, Any], tmp_path: Path
) -> None:
    path = write(tmp_path / "report.json", golden)
    most = ["iam:CreateUser", "iam:DeleteUser", "iam:CreatePolicy", "iam:DeletePolicy", "iam:DetachUserPolicy"]
    operator = aws.user("half-an-operator", allow(most))
    before = left_over(aws)
    run = audit(aws, "prove", path, key=operator)
    assert run.returncode == 2
    assert "the operator needs iam:AttachUserPolicy" in run.stderr
    assert left_over(aws) == before


def test_no_secret_of_a_run_is_in_what_it_writes(aws: Service, golden: dict[str, Any], tmp_path: Path) -> None:
    """Nor one that a report holds."""
    policy = policy_of(golden)
    report = report_of(golden, policy["old"], policy["new"], request("ecr:BatchGetImage", repository_arn("s3cretname")))
    run = audit(
        aws, "prove", write(tmp_path / "report.json", report), "--format", "json",
        "--report", f"markdown={tmp_path / 'prove.md'}",
        "--known-secrets", "HIDDEN", environment={"HIDDEN": "s3cretname"},
    )  # fmt: skip
    written = run.stdout + (tmp_path / "prove.md").read_text()
    assert run.returncode == 4
    assert "[redacted]" in written
    assert "s3cretname" not in written
    assert ADMIN["SecretAccessKey"] not in written
    assert "SecretAccessKey" not in written


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--holder", "user/alice"], "--holder and --moment belong together"),
        (["--moment", "after"], "--holder and --moment belong together"),
        (["--holder", "alice", "--moment", "after"], "--holder alice: must be user/NAME, role/NAME or profile/NAME"),
        (["--holder", "user/nobody", "--moment", "after"], "GetUser of nobody: is not there"),
        (["--holder", "profile/nobody", "--moment", "after"], "nobody"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    aws: Service, golden: dict[str, Any], tmp_path: Path, words: list[str], said: str
) -> None:
    run = audit(aws, "prove", write(tmp_path / "report.json", golden), *words)
    assert run.returncode == 2
    assert said in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_a_broken_witness_is_one_sentence(aws: Service, golden: dict[str, Any], tmp_path: Path) -> None:
    whole = request("ecr:BatchGetImage", "*")
    for witness in ({"action": "ecr:BatchGetImage"}, {**whole, "context": None}, {**whole, "action": 1}):
        run = audit(aws, "prove", write(tmp_path / "r.json", report_of(golden, None, document(), witness)))
        assert (run.returncode, run.stderr) == (
            2,
            f"audit: {tmp_path / 'r.json'}: is no whole report of `audit plan --format json`; make it again\n",
        )
