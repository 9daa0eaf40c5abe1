"""The whole path with the real engine: what `up` makes, what a second one leaves alone, and what nobody may do."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.exceptions
import pytest

from sandbox import base_image, docker_engine, processes, summary
from sandbox.agent.channel import Assignment, Organization as Service
from sandbox.providers.docker.context import archive
from sandbox.providers.docker.engine import DockerEngine
from sandbox.providers.docker.session import session
from tests.end_to_end.ground.machine import CACHE, private_engine
from tests.end_to_end.registry import authorization_token, layer_status, login, pull, push
from tests.organization import Organization, Refused
from tests.workstation import CHECKOUT, Sandbox, Workstation

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.e2e

REPOSITORY = "app-one"
USER = "app-one-push"
DEVOPS = "app-one/_apis"
REPOSITORY_API = f"{DEVOPS}/git/repositories/app-one"


@pytest.fixture
def first(sandbox: Sandbox, tmp_path: Path) -> Workstation:
    """A checkout whose first `up` has made everything."""
    return Workstation.deployed(tmp_path / "first", sandbox)


@pytest.fixture
def organization(sandbox: Sandbox) -> Organization:
    """Azure DevOps over plain REST, as the operator."""
    return Organization(sandbox.environment["AZDO_ORG_SERVICE_URL"], sandbox.environment["AZDO_PERSONAL_ACCESS_TOKEN"])


@pytest.fixture
def engine(sandbox: Sandbox) -> Iterator[Any]:
    """A client of the sandbox's Docker engine."""
    with docker_engine.client(sandbox.environment["DOCKER_HOST"]) as client:
        yield client


@pytest.fixture
def pushers_key(first: Workstation) -> dict[str, str]:
    """The access key that the stack made, as environment variables; read from the state as its owner can."""
    shown = json.loads(first.pulumi("stack", "export", "--show-secrets").stdout)
    keys = [each for each in shown["deployment"]["resources"] if each["type"] == "aws:iam/accessKey:AccessKey"]
    for key in keys:
        for name in ("secret", "sesSmtpPasswordV4"):
            first.sandbox.made[f"{name} of {key['id']}"] = json.loads(key["outputs"][name]["plaintext"])
    return {
        "AWS_ACCESS_KEY_ID": keys[0]["id"],
        "AWS_SECRET_ACCESS_KEY": json.loads(keys[0]["outputs"]["secret"]["plaintext"]),
    }


def as_boto3(key: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in key.items()}


def errors(done: subprocess.CompletedProcess[str]) -> str:
    """The `error:` lines of a failed run, each with what follows up to an empty line; fail where there is none.

    The language host adds none of its own, such as that the program exited with a status.
    """
    printed = done.stdout + done.stderr
    assert done.returncode != 0, printed
    assert "exited with" not in printed, printed
    assert "KeyboardInterrupt" not in printed, printed
    assert "Traceback" not in printed, printed
    found = re.findall(r"\berror: .+(?:\n.*\S.*)*", printed)
    assert found, printed
    return "\n\n".join(found)


def code(call: Callable[[], object]) -> str:
    """The error code of a refused AWS call."""
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        call()
    return str(refused.value.response["Error"]["Code"])


# 1 ------------------------------------------------------------------------------------------------------------------


def test_an_operator_signs_in_with_a_token_of_entra_and_without_any_personal_one(
    first: Workstation, organization: Organization, tmp_path: Path
) -> None:
    answer = organization.give("POST", "_apis/sandbox/entratokens")
    token = first.sandbox.made["a token of Entra"] = answer["accessToken"]
    (tmp_path / "az").write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n", encoding="utf-8")
    (tmp_path / "az").chmod(0o755)
    by_cli = {"AZDO_PERSONAL_ACCESS_TOKEN": "", "PATH": f"{tmp_path}:{first.sandbox.environment['PATH']}"}
    # A refresh asks Azure DevOps for every resource.
    for signed_in in (by_cli, {"AZDO_PERSONAL_ACCESS_TOKEN": token}):
        first.pulumi("preview", "--refresh", "--expect-no-changes", env=signed_in)
    ended = organization.give("POST", "_apis/sandbox/entratokens?seconds=-1")["accessToken"]
    refused = first.pulumi("preview", expect=None, env={"AZDO_PERSONAL_ACCESS_TOKEN": ended})
    assert refused.returncode != 0
    assert "az login" in refused.stdout + refused.stderr


def test_up_makes_the_repository_as_declared(first: Workstation) -> None:
    ecr = first.sandbox.client("ecr")
    repository = ecr.describe_repositories(repositoryNames=[REPOSITORY])["repositories"][0]
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert repository["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert [each["filter"] for each in repository["imageTagMutabilityExclusionFilters"]] == ["content-*"]
    assert repository["encryptionConfiguration"]["encryptionType"] == "AES256"
    rules = json.loads(ecr.get_lifecycle_policy(repositoryName=REPOSITORY)["lifecyclePolicyText"])["rules"]
    assert [rule["selection"]["tagStatus"] for rule in rules] == ["untagged"]


def test_up_makes_a_user_who_gets_the_push_policy_through_a_group(first: Workstation) -> None:
    iam = first.sandbox.client("iam")
    outputs = first.outputs()
    assert iam.list_attached_user_policies(UserName=USER)["AttachedPolicies"] == []
    groups = [group["GroupName"] for group in iam.list_groups_for_user(UserName=USER)["Groups"]]
    attached = iam.list_attached_group_policies(GroupName=groups[0])["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [outputs["push_policy_arn"]]
    keys = iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]
    assert [(key["AccessKeyId"], key["Status"]) for key in keys] == [(outputs["access_key_id"], "Active")]


def test_up_makes_the_variable_group_with_its_secret_hidden_and_closed_to_other_pipelines(first: Workstation) -> None:
    outputs = first.outputs()
    group = summary.variable_group(first.sandbox.environment, outputs["variable_group_id"])
    assert group["name"] == "app-one"
    assert group["variables"]["App-One.SecretKey"] == {"value": None, "isSecret": True}
    assert group["variables"]["App-One.AccessKey"]["value"] in {outputs["access_key_id"], None}
    assert group["variables"]["aws_account_number"]["value"] == "123456789012"
    path = f"app-one/_apis/pipelines/pipelinePermissions/variablegroup/{group['id']}?api-version=7.1-preview.1"
    opened = first.sandbox.azure_devops("GET", path).json()
    assert not opened.get("allPipelines", {}).get("authorized", False)


def test_up_makes_the_pipeline_on_the_yaml_of_main(first: Workstation, organization: Organization) -> None:
    definition = organization.give("GET", f"{DEVOPS}/build/definitions/{first.outputs()['pipeline_id']}")
    assert definition["name"] == "app-one"
    assert definition["process"] == {"yamlFilename": "azure-pipelines.yml", "type": 2}
    assert definition["repository"]["id"] == organization.give("GET", REPOSITORY_API)["id"]
    assert definition["repository"]["defaultBranch"] == "refs/heads/main"
    assert [(trigger["triggerType"], trigger["settingsSourceType"]) for trigger in definition["triggers"]] == [
        ("continuousIntegration", 2)
    ]


@pytest.mark.usefixtures("first")
def test_up_makes_an_environment_with_an_approval_by_others_a_lock_and_a_branch_control(
    organization: Organization,
) -> None:
    (environment,) = organization.give("GET", f"{DEVOPS}/distributedtask/environments")["value"]
    assert environment["name"] == "app-one-dev"
    path = f"{DEVOPS}/pipelines/checks/configurations?resourceType=environment&resourceId={environment['id']}"
    checks = {one["type"]["name"]: one for one in organization.give("GET", f"{path}&$expand=settings")["value"]}
    assert {name: check["timeout"] for name, check in checks.items()} == {
        "Approval": 7 * 24 * 60,
        "ExclusiveLock": 24 * 60,
        "Task Check": 5,
        "ExtendsCheck": 30 * 24 * 60,
    }
    assert checks["ExtendsCheck"]["settings"] == {
        "extendsChecks": [
            {
                "repositoryType": "git",
                "repositoryName": "app-one/app-one",
                "repositoryRef": "refs/heads/trusted",
                "templatePath": "pipelines/templates/run.yml",
            }
        ]
    }
    approval = checks["Approval"]["settings"]
    approvers = [approver["id"] for approver in approval.pop("approvers")]
    assert approvers == [organization.id_of("Project Administrators")]
    assert approval == {
        "blockedApprovers": [],
        "executionOrder": "anyOrder",
        "instructions": "Read the run's audit report: it says what this deployment will change.",
        "minRequiredApprovers": 0,
        "requesterCannotBeApprover": True,
    }
    assert checks["Task Check"]["settings"] == {
        "definitionRef": {
            "id": "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b",
            "name": "evaluatebranchProtection",
            "version": "0.0.1",
        },
        "displayName": "Only main, while it is protected",
        "inputs": {
            "allowedBranches": "refs/heads/main",
            "ensureProtectionOfBranch": "true",
            "allowUnknownStatusBranch": "false",
        },
    }


def test_exactly_the_pipeline_may_use_the_group_and_the_environment(
    first: Workstation, organization: Organization
) -> None:
    outputs = first.outputs()
    (environment,) = organization.give("GET", f"{DEVOPS}/distributedtask/environments")["value"]
    for resource in (f"variablegroup/{outputs['variable_group_id']}", f"environment/{environment['id']}"):
        found = organization.give("GET", f"{DEVOPS}/pipelines/pipelinePermissions/{resource}")
        assert not found.get("allPipelines", {}).get("authorized", False)
        assert [(one["id"], one["authorized"]) for one in found["pipelines"]] == [(int(outputs["pipeline_id"]), True)]


def test_a_pull_request_to_main_can_merge_only_after_the_pipeline_has_passed_and_somebody_else_has_read_it(
    first: Workstation, organization: Organization
) -> None:
    policies = {
        one["type"]["displayName"]: one for one in organization.give("GET", f"{DEVOPS}/policy/configurations")["value"]
    }
    assert set(policies) == {"Build", "Minimum number of reviewers"}
    for policy in policies.values():
        assert (policy["isEnabled"], policy["isBlocking"], policy["isDeleted"]) == (True, True, False)
    repository = organization.give("GET", REPOSITORY_API)["id"]
    scope = [{"matchKind": "Exact", "refName": "refs/heads/main", "repositoryId": repository}]
    assert policies["Build"]["settings"] == {
        "buildDefinitionId": int(first.outputs()["pipeline_id"]),
        "displayName": "app-one: checks and build",
        "filenamePatterns": [],
        "manualQueueOnly": False,
        "queueOnSourceUpdateOnly": True,
        "scope": scope,
        "validDuration": 12 * 60,
    }
    reviewers = policies["Minimum number of reviewers"]["settings"]
    assert reviewers["scope"] == scope
    assert reviewers["minimumApproverCount"] == 1
    assert (reviewers["creatorVoteCounts"], reviewers["blockLastPusherVote"]) == (False, True)


DEPLOYMENT = """
jobs:
- deployment: d
  environment: app-one-dev
  strategy: {runOnce: {deploy: {steps: [{bash: echo}]}}}
"""


def test_another_pipeline_is_refused_the_group_and_another_branch_the_environment(
    first: Workstation, organization: Organization
) -> None:
    # The service reads what a run uses from its branch's YAML, when the run is queued.
    group = "variables:\n- group: app-one\n"
    files = {"azure-pipelines.yml": (CHECKOUT / "azure-pipelines.yml").read_text(encoding="utf-8")}
    wired = "parameters: [{name: stricter, type: string}]\n" + group + DEPLOYMENT
    organization.push({**files, "pipelines/templates/run.yml": wired}, "refs/heads/trusted")
    organization.push(files, "refs/heads/main")
    organization.push({"azure-pipelines.yml": DEPLOYMENT}, "refs/heads/without")
    own, other = int(first.outputs()["pipeline_id"]), organization.create_pipeline("another")
    with pytest.raises(Refused, match="Variable group app-one was not found or is not authorized for use"):
        organization.queue(other, "refs/heads/main")
    for pipeline, why in (
        (other, "app-one-dev could not be found. The environment does not exist or has not been authorized for use."),
        (own, "refs/heads/without is not among the allowed branches: refs/heads/main"),
    ):
        build = organization.queue(pipeline, "refs/heads/without")
        (stage,) = organization.records(build, "Stage")
        assert stage["result"] == "failed"
        assert why in stage["issues"][0]["message"]
    build = organization.queue(own, "refs/heads/main", reason="individualCI")
    (asked,) = organization.records(build, "Checkpoint.Approval")
    assert asked["state"] == "inProgress"
    organization.answer(asked["id"], "approved")
    job = Service(organization.url, organization.token).take(build)
    assert isinstance(job, Assignment)
    assert job.variables.get("App-One.AccessKey") == first.outputs()["access_key_id"]


def test_the_image_is_in_the_registry_by_digest_and_in_describe_images(first: Workstation, engine: Any) -> None:
    outputs = first.outputs()
    image = first.sandbox.client("ecr").describe_images(repositoryName=REPOSITORY)["imageDetails"][0]
    assert outputs["image_by_digest"] == f"{outputs['repository_url']}@{image['imageDigest']}"
    assert image["imageTags"] == [outputs["image_tag"]]
    assert image["imageSizeInBytes"] > 1_000_000
    assert pull(engine, outputs["image_by_digest"], login(first.sandbox)) == ""
    assert outputs["image_by_digest"] in engine.images.get(outputs["image_by_digest"]).attrs["RepoDigests"]


def test_a_container_of_the_pushed_digest_answers(first: Workstation) -> None:
    token = authorization_token(first.sandbox)
    answer = summary.app_answer(first.outputs()["image_by_digest"], token, first.sandbox.environment["DOCKER_HOST"])
    assert re.search(r"\b[0-9a-f]{12}\b", answer), f"the page does not show the container's host name: {answer}"


# 2 ------------------------------------------------------------------------------------------------------------------


def test_a_second_up_a_preview_and_a_refresh_change_nothing(first: Workstation) -> None:
    # Over 10 s: four runs of the engine.
    first.up("--expect-no-changes")
    first.pulumi("preview", "--expect-no-changes")
    first.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    first.pulumi("preview", "--refresh", "--expect-no-changes")


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_another_checkout_under_another_umask_changes_nothing(checkout: Callable[..., Workstation], umask: int) -> None:
    other = checkout("somewhere/else", umask=umask)
    assert other.steps() == {}
    other.up("--expect-no-changes")


# 3 ------------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("first")
def test_a_changed_app_file_changes_exactly_the_image(checkout: Callable[..., Workstation]) -> None:
    changed = checkout("changed")
    page = changed.folder / "app" / "app.js"
    page.write_text(page.read_text(encoding="utf-8") + "\n// changed\n", encoding="utf-8")
    assert changed.steps() == {"update": ["image"]}


@pytest.mark.usefixtures("first")
def test_a_change_can_be_taken_back(checkout: Callable[..., Workstation]) -> None:
    changing = checkout("changing")
    before = changing.outputs()
    page = changing.folder / "app" / "app.js"
    original = page.read_bytes()
    page.write_bytes(original + b"\n// changed\n")
    changing.up()
    changed = changing.outputs()
    assert changed["image_by_digest"] != before["image_by_digest"]
    page.write_bytes(original)
    changing.up()
    assert changing.outputs() == before


def test_a_new_build_number_pushes_a_new_tag_and_the_old_one_still_pulls(first: Workstation, engine: Any) -> None:
    before = first.outputs()
    assert first.steps(env={"BUILD_BUILDNUMBER": "20261123.1"}) == {"update": ["image"]}
    first.up(env={"BUILD_BUILDNUMBER": "20261123.1"})
    after = first.outputs()
    assert after["image_tag"] == "20261123.1"
    assert after["image_by_digest"] == before["image_by_digest"], "the same content has to be the same digest"
    tags = {
        tag
        for image in first.sandbox.client("ecr").describe_images(repositoryName=REPOSITORY)["imageDetails"]
        for tag in image.get("imageTags", [])
    }
    assert {before["image_tag"], "20261123.1"} <= tags
    assert pull(engine, before["image_by_tag"], login(first.sandbox)) == ""


@pytest.fixture
def fresh_engine(sandbox: Sandbox, tmp_path: Path) -> Iterator[str]:
    """DOCKER_HOST of an engine that has built nothing yet; where the machine has its own engine, of that one.

    Not the sandbox's private one: a build that leaves its cache aside puts others in its place, with other times.
    """
    if sandbox.environment["DOCKER_HOST"] != docker_engine.host(sandbox.home):
        yield sandbox.environment["DOCKER_HOST"]
        return
    with private_engine(tmp_path / "engine") as own:
        base_image.ensure(CHECKOUT / "Dockerfile", own.address, CACHE, print)
        yield own.address


def test_a_build_without_any_cache_gives_the_same_image(
    first: Workstation, engine: Any, fresh_engine: str, tmp_path: Path
) -> None:
    # As on an agent that has never built it. An engine before Docker 23 (BuildKit 0.11) takes the times in the image's
    # configuration from the clock, so that there only the layers, which hold all files, can be the same.
    first.pulumi("preview", "--expect-no-changes")  # this checkout has its build context too
    resources = json.loads(first.pulumi("stack", "export").stdout)["deployment"]["resources"]
    (build,) = (each["inputs"]["build"] for each in resources if each["type"] == "docker:index/image:Image")
    direct = DockerEngine(fresh_engine)
    with (tmp_path / "context.tar").open("w+b") as packed, session(direct, {}) as identity:
        dockerfile = archive(first.folder / build["context"], first.folder / build["dockerfile"], packed)
        packed.seek(0)
        options = {"buildargs": json.dumps(build["args"]), "platform": build["platform"], "dockerfile": dockerfile}
        messages = list(direct.build(packed, {**options, "nocache": "1", "version": "2", "session": identity}, {}))
    told = [message["aux"] for message in messages if isinstance(message.get("aux"), dict)]
    (made,) = (aux["ID"] for aux in told if "ID" in aux)
    with docker_engine.client(fresh_engine) as client:
        again = client.images.get(made).attrs
    deployed = engine.images.get(first.outputs()["image_by_tag"]).attrs
    assert again["RootFS"] == deployed["RootFS"]
    differing = {name for name in again if again[name] != deployed[name]}
    takes_times = int(engine.version()["Version"].partition(".")[0]) >= 23
    ours = {"RepoTags", "RepoDigests", "Metadata", "GraphDriver"}  # of the engine, not of the image
    assert differing <= {*ours, *(() if takes_times else ("Id", "Created"))}


# 4 ------------------------------------------------------------------------------------------------------------------


def test_the_stacks_key_may_push_to_its_repository(
    first: Workstation, engine: Any, pushers_key: dict[str, str]
) -> None:
    outputs = first.outputs()
    engine.images.get(outputs["image_by_tag"]).tag(outputs["repository_url"], "by-the-pusher")
    assert push(engine, f"{outputs['repository_url']}:by-the-pusher", login(first.sandbox, pushers_key)) == ""


def test_the_stacks_key_may_do_nothing_else(first: Workstation, engine: Any, pushers_key: dict[str, str]) -> None:
    outputs, user = first.outputs(), login(first.sandbox, pushers_key)
    first.sandbox.client("ecr").create_repository(repositoryName="another")
    other = outputs["repository_url"].replace("/app-one", "/another")
    engine.images.get(outputs["image_by_tag"]).tag(other, "x")
    assert "is not authorized to perform: ecr:" in push(engine, f"{other}:x", user)
    assert layer_status(first.sandbox, outputs["image_by_tag"], user) == 403
    ecr = first.sandbox.client("ecr", **as_boto3(pushers_key))
    denied = "AccessDeniedException"
    tag = [{"imageTag": outputs["image_tag"]}]
    assert code(lambda: ecr.batch_delete_image(repositoryName=REPOSITORY, imageIds=tag)) == denied
    layer = "sha256:" + "0" * 64
    assert code(lambda: ecr.get_download_url_for_layer(repositoryName=REPOSITORY, layerDigest=layer)) == denied
    assert code(lambda: ecr.create_repository(repositoryName="its-own")) == denied
    assert code(lambda: ecr.delete_repository(repositoryName=REPOSITORY, force=True)) == denied
    assert code(ecr.describe_repositories) == denied
    first.sandbox.client("ecr").delete_repository(repositoryName="another", force=True)


IAM_CALLS = {
    "list_users": {},
    "get_user": {"UserName": USER},
    "list_access_keys": {"UserName": USER},
    "create_access_key": {"UserName": USER},
    "create_user": {"UserName": "another"},
    "list_groups_for_user": {"UserName": USER},
    "add_user_to_group": {"UserName": USER, "GroupName": USER},
    "attach_user_policy": {"UserName": USER, "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
    "put_user_policy": {"UserName": USER, "PolicyName": "x", "PolicyDocument": "{}"},
    "create_policy": {"PolicyName": "x", "PolicyDocument": "{}"},
    "list_policies": {},
}


def test_the_stacks_key_is_refused_every_iam_call(first: Workstation, pushers_key: dict[str, str]) -> None:
    iam = first.sandbox.client("iam", **as_boto3(pushers_key))
    answers = {call: code(partial(getattr(iam, call), **given)) for call, given in IAM_CALLS.items()}
    assert answers == dict.fromkeys(IAM_CALLS, "AccessDenied")


def test_a_program_run_under_the_stacks_key_pushes_a_new_build_and_nobody_pushes_over_its_number(
    first: Workstation, engine: Any, pushers_key: dict[str, str]
) -> None:
    first.up(env={"BUILD_BUILDNUMBER": "20261123.2", **pushers_key})
    outputs = first.outputs()
    assert outputs["image_tag"] == "20261123.2"
    assert outputs["image_by_tag"] == f"{outputs['repository_url']}:20261123.2"
    assert "already exists" in push(engine, outputs["image_by_tag"], login(first.sandbox, pushers_key))


def test_pulling_is_granted_by_its_setting(first: Workstation, engine: Any, pushers_key: dict[str, str]) -> None:
    # Over 10 s: a preview and two updates.
    image = first.outputs()["image_by_tag"]
    first.config(allowPull="true")
    assert first.steps() == {"update": ["access-policy"]}
    first.up()
    assert pull(engine, image, login(first.sandbox, pushers_key)) == ""
    assert layer_status(first.sandbox, image, login(first.sandbox, pushers_key)) == 200
    first.pulumi("config", "rm", "app-one:allowPull")
    first.up()
    assert layer_status(first.sandbox, image, login(first.sandbox, pushers_key)) == 403


def test_a_rotated_key_overlaps_with_the_one_before(first: Workstation, pushers_key: dict[str, str]) -> None:
    # Over 10 s: two updates.
    iam = first.sandbox.client("iam")
    first.config(accessKeyGeneration="2", accessKeyKeepPrevious="true")
    first.up()
    keys = {key["AccessKeyId"] for key in iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]}
    new = first.outputs()["access_key_id"]
    assert keys == {pushers_key["AWS_ACCESS_KEY_ID"], new}
    assert new != pushers_key["AWS_ACCESS_KEY_ID"]
    assert login(first.sandbox, pushers_key)
    first.config(accessKeyKeepPrevious="false")
    first.up()
    assert [key["AccessKeyId"] for key in iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]] == [new]


# 6 ------------------------------------------------------------------------------------------------------------------

BAD = {
    "repositoryName": "App_One!",
    "imageTagMutability": "SOMETIMES",
    "scanOnPush": "perhaps",
    "encryptionType": "ROT13",
    "kmsKeyArn": "not-an-arn",
    "keepImages": "0",
    "expireUntaggedDays": "-1",
    "forceDelete": "yes please",
    "iamPath": "no/slashes",
    "pushPolicyName": "a name with spaces",
    "pushGroupName": "group/slash",
    "pushUserName": "x" * 65,
    "permissionsBoundaryArn": "arn:oops",
    "accessKeyGeneration": "0",
    "accessKeyVariable": "a$(b)",
    "variableGroupName": "",
    "platform": "windows",
    "imageTag": "bad tag",
    "dockerfile": "../Dockerfile",
    "keepImagse": "3",
}


@pytest.mark.usefixtures("first")
def test_all_errors_of_a_bad_configuration_come_in_one_message_and_nothing_is_touched(
    checkout: Callable[..., Workstation],
) -> None:
    bad = checkout("bad")
    before = bad.record()
    bad.config(**BAD)
    done = bad.up(expect=None)
    printed = done.stdout + done.stderr
    assert done.returncode != 0
    missing = [name for name in BAD if f"app-one:{name}" not in printed]
    assert not missing, f"not named: {missing}\n{printed}"
    assert "Traceback" not in printed
    assert bad.record() == before


# Each of them alone: tests/unit/infra/test_settings.py. Here that the engine passes on what a program says of one.
@pytest.mark.parametrize("name", ["imageTag", "keepImagse"])
def test_a_bad_setting_alone_is_refused(checkout: Callable[..., Workstation], name: str) -> None:
    bad = checkout("bad")
    bad.config(**{name: BAD[name]})
    done = bad.pulumi("preview", expect=None)
    printed = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"app-one:{name}" in printed
    assert "Traceback" not in printed


# 7 ------------------------------------------------------------------------------------------------------------------


def test_a_registry_that_is_down_is_named_and_the_next_up_converges(first: Workstation) -> None:
    # Over 10 s: three updates, two of which build, and an `up` of the sandbox.
    number = {"BUILD_BUILDNUMBER": "20261123.7"}
    assert processes.stop(first.sandbox.home / "run", "registry")
    said = errors(first.up(env=number, expect=None))
    assert "the sandbox's registry does not answer: start it with `python -m sandbox up`" in said
    first.sandbox.up()
    first.up(env=number)
    first.up("--expect-no-changes", env=number)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        (
            {"AZDO_PERSONAL_ACCESS_TOKEN": "wrong" * 10},
            r"(?s)the Azure DevOps project 'app-one' could not be looked up: .*Check .*AZDO_PERSONAL_ACCESS_TOKEN",
        ),
        ({"DOCKER_HOST": "unix:///nonexistent/docker.sock"}, r"(?i)docker.*failed to connect to any docker daemon"),
    ],
    ids=["wrong Azure DevOps token", "no Docker engine"],
)
def test_what_is_missing_is_named_and_the_next_up_converges(
    first: Workstation, variables: dict[str, str], named: str
) -> None:
    said = errors(first.up(env=variables, expect=None))
    assert re.search(named, said), said
    first.up("--expect-no-changes")


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("pipelineRepository", "nowhere", r"the git repository 'nowhere' in Azure Repos could not be looked up"),
        ("pipelineApprovers", '["Nobody"]', r"the group 'Nobody' of the Azure DevOps project could not be looked up"),
    ],
)
def test_what_the_pipeline_needs_is_named_before_anything_is_touched(
    first: Workstation, setting: str, value: str, named: str
) -> None:
    before = sorted(first.record())  # a failed run orders the state anew
    own = {
        "requiredTemplateRepository": "app-one/app-one"
    }  # else the file's template is another's, which is said first
    first.config(**{setting: value}, **own)
    said = errors(first.up(expect=None))
    assert re.search(named, said), said
    assert sorted(first.record()) == before


def test_an_unknown_project_is_named_and_the_next_up_converges(first: Workstation) -> None:
    first.config(azureDevOpsProject="nowhere", requiredTemplateRepository="app-one/app-one")
    done = first.up(expect=None)
    assert done.returncode != 0
    assert "nowhere" in done.stdout + done.stderr
    for name in ("azureDevOpsProject", "requiredTemplateRepository"):
        first.pulumi("config", "rm", f"app-one:{name}")
    first.up("--expect-no-changes")


# 5 ------------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("pushers_key")
def test_no_secret_value_occurs_in_clear_outside_of_the_key_store(first: Workstation) -> None:
    # Over 10 s: two previews, and a search of all files, those of the Docker engine too.
    first.pulumi("preview", "--diff")
    first.pulumi("preview", "--json", env={"BUILD_BUILDNUMBER": "20261123.9"})
    first.pulumi("stack", "output")
    first.pulumi("stack", "export")
    first.pulumi("config")
    assert first.folder in first.sandbox.checkouts
    assert sum(1 for _ in first.sandbox.places()) > 100
    assert not first.sandbox.leaks()


# 8 ------------------------------------------------------------------------------------------------------------------


def test_destroy_refuses_to_delete_images_without_permission_and_leaves_all(first: Workstation) -> None:
    before = first.record()
    images = first.sandbox.client("ecr").describe_images(repositoryName=REPOSITORY)["imageDetails"]
    done = first.pulumi("destroy", "--yes", expect=None)
    assert done.returncode != 0
    assert "protect" in done.stdout + done.stderr
    assert first.record() == before
    assert len(first.sandbox.client("ecr").describe_images(repositoryName=REPOSITORY)["imageDetails"]) == len(images)
    assert first.sandbox.client("iam").get_user(UserName=USER)


def test_destroy_with_permission_leaves_no_resource(first: Workstation, organization: Organization) -> None:
    group = first.outputs()["variable_group_id"]
    first.config(forceDelete="true")
    first.up()
    first.pulumi("destroy", "--yes", "--skip-preview")
    assert first.resources() == []
    iam, ecr = first.sandbox.client("iam"), first.sandbox.client("ecr")
    assert ecr.describe_repositories()["repositories"] == []
    assert iam.list_users()["Users"] == []
    assert iam.list_groups()["Groups"] == []
    assert iam.list_policies(Scope="Local")["Policies"] == []
    path = f"app-one/_apis/distributedtask/variablegroups/{group}?api-version=7.1"
    assert first.sandbox.azure_devops("GET", path).json() is None
    for what in ("build/definitions", "distributedtask/environments", "policy/configurations"):
        assert organization.give("GET", f"{DEVOPS}/{what}")["value"] == [], what
    assert Path(first.sandbox.home / "registry").exists()
