"""The audit against the clouds' own APIs: each drift made by hand is named, and mending it silences the report; the
history of real updates; real keys; live previews get the classes of the golden ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from audit.command import main
from tests.audit.scenarios import BASE, SCENARIOS, STAGES, preview
from tests.workstation import CHECKOUT, Sandbox, Workstation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.e2e

REPOSITORY = "app-one"
USER = GROUP = "app-one-push"
WIDE = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}]})
WIDE_ARN = "arn:aws:iam::123456789012:policy/wide"


@dataclass
class Audited:
    """A stack that is up, its state, and the audit of it."""

    workstation: Workstation
    state: str
    scratch: Path

    @property
    def sandbox(self) -> Sandbox:
        return self.workstation.sandbox

    def audit(self, *arguments: str, state: str | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the audit as a user would, with the state on standard input."""
        return subprocess.run(
            [sys.executable, "-m", "audit", *arguments],
            cwd=CHECKOUT,
            env=self.sandbox.environment | variables,
            input=self.state if state is None else state,
            capture_output=True,
            text=True,
            check=False,
        )

    def report(self, command: str, given: str, *arguments: str, **variables: str) -> dict[str, Any]:
        """What the audit writes as JSON; in this process, since most of a look-up's second is the start of another."""
        answer, read = self.scratch / "report.json", self.scratch / "given.json"
        read.write_text(given, encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (self.sandbox.environment | variables).items():
                patch.setenv(name, value)
            assert main([command, *arguments, str(read), "--format", "json", "-o", str(answer)]) == 0
        return dict(json.loads(answer.read_text(encoding="utf-8")))

    def drift(self, state: str | None = None, **variables: str) -> list[dict[str, Any]]:
        """The findings of `audit drift`."""
        return list(self.report("drift", self.state if state is None else state, **variables)["findings"])

    def rules(self, state: str | None = None) -> list[str]:
        """The names of the findings."""
        return [finding["rule"] for finding in self.drift(state)]

    def export(self, *arguments: str) -> str:
        """The state of now."""
        return self.workstation.pulumi("stack", "export", *arguments).stdout

    def recorded(self, kind: str, name: str = "") -> dict[str, Any]:
        """The one resource of a type, and of a name where there are several, as the state has it."""
        resources = json.loads(self.state)["deployment"]["resources"]
        (found,) = [item for item in resources if item["type"].endswith(f":{kind}") and item["urn"].endswith(name)]
        return dict(found)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, as the state has them."""
        return dict(self.recorded("pulumi:Stack")["outputs"])

    def devops(self, method: str, path: str, **arguments: Any) -> Any:
        """A call of Azure DevOps that must succeed."""
        answer = self.sandbox.azure_devops(method, path, **arguments)
        assert answer.ok, answer.text
        return answer.json() if answer.text else None


def at(stage: int, folder: Path, sandbox: Sandbox) -> Workstation:
    """A stack that is where the previews of a stage of the story begin; it is brought there once."""

    def make(folder: Path) -> None:
        workstation = Workstation.deployed(folder, sandbox)
        workstation.config(**BASE | (STAGES[stage].up or {}))
        workstation.up()

    if STAGES[stage].up is None:
        workstation = Workstation.make(folder, sandbox)
        workstation.config(**BASE)
        return workstation
    sandbox.begin(f"stage-{stage}", folder, make)
    return Workstation(folder / "checkout", sandbox)


@pytest.fixture
def audited(sandbox: Sandbox, tmp_path: Path) -> Audited:
    """The stack after the story, with the rotation ended, and its state."""

    def make(folder: Path) -> None:
        workstation = at(len(STAGES) - 1, folder, sandbox)
        workstation.config(accessKeyKeepPrevious="false", forceDelete="false")
        workstation.up()
        (folder / "state.json").write_text(workstation.pulumi("stack", "export").stdout, encoding="utf-8")

    folder = tmp_path / "audited"
    sandbox.begin("audited", folder, make)
    state = (folder / "state.json").read_text(encoding="utf-8")
    return Audited(Workstation(folder / "checkout", sandbox), state, tmp_path)


# --- live previews


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_live_preview_gets_the_classes_of_its_golden_one(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    (stage,) = [number for number, stage in enumerate(STAGES) if SCENARIOS[name] in stage.scenarios]
    workstation = at(stage, tmp_path / "live", sandbox)
    printed = preview(workstation, SCENARIOS[name])
    report = Audited(workstation, "", tmp_path).report("plan", printed)
    assert Counter(report["classes"]) == SCENARIOS[name].classes


# --- drift: made by hand, named, mended


def test_a_stack_as_it_was_left_shows_no_drift(audited: Audited) -> None:
    assert audited.rules() == []
    assert audited.rules(audited.export("--show-secrets")) == []


@dataclass(frozen=True)
class ByHand:
    """Something done by hand: how, how it is undone, and the findings it must give."""

    make: Callable[[Audited], None]
    mend: Callable[[Audited], None]
    rules: tuple[str, ...]
    named: str


def iam(audited: Audited) -> Any:
    return audited.sandbox.client("iam")


def ecr(audited: Audited) -> Any:
    return audited.sandbox.client("ecr")


def arn(audited: Audited) -> str:
    return str(audited.outputs()["push_policy_arn"])


def new_version(audited: Audited) -> None:
    iam(audited).create_policy_version(PolicyArn=arn(audited), PolicyDocument=WIDE, SetAsDefault=True)


def old_version(audited: Audited) -> None:
    versions = iam(audited).list_policy_versions(PolicyArn=arn(audited))["Versions"]
    first = min(versions, key=lambda item: int(item["VersionId"][1:]))["VersionId"]
    iam(audited).set_default_policy_version(PolicyArn=arn(audited), VersionId=first)
    for item in versions:
        if item["VersionId"] != first:
            iam(audited).delete_policy_version(PolicyArn=arn(audited), VersionId=item["VersionId"])


def attached(holder: str) -> Callable[[Audited], None]:
    def make(audited: Audited) -> None:
        iam(audited).create_policy(PolicyName="wide", PolicyDocument=WIDE)
        attach = getattr(iam(audited), f"attach_{holder}_policy")
        attach(**{f"{holder.capitalize()}Name": USER, "PolicyArn": WIDE_ARN})

    return make


def detached(holder: str) -> Callable[[Audited], None]:
    def mend(audited: Audited) -> None:
        detach = getattr(iam(audited), f"detach_{holder}_policy")
        detach(**{f"{holder.capitalize()}Name": USER, "PolicyArn": WIDE_ARN})
        iam(audited).delete_policy(PolicyArn=WIDE_ARN)

    return mend


def another_member(audited: Audited) -> None:
    iam(audited).create_user(UserName="mallory")
    iam(audited).add_user_to_group(GroupName=GROUP, UserName="mallory")


def member_gone(audited: Audited) -> None:
    iam(audited).remove_user_from_group(GroupName=GROUP, UserName="mallory")
    iam(audited).delete_user(UserName="mallory")


def another_group(audited: Audited) -> None:
    iam(audited).create_group(GroupName="others")
    iam(audited).add_user_to_group(GroupName="others", UserName=USER)


def group_gone(audited: Audited) -> None:
    iam(audited).remove_user_from_group(GroupName="others", UserName=USER)
    iam(audited).delete_group(GroupName="others")


def keys_but_the_stacks(audited: Audited) -> None:
    own = audited.outputs()["access_key_id"]
    for key in iam(audited).list_access_keys(UserName=USER)["AccessKeyMetadata"]:
        if key["AccessKeyId"] != own:
            iam(audited).delete_access_key(UserName=USER, AccessKeyId=key["AccessKeyId"])


def key_status(status: str) -> Callable[[Audited], None]:
    def change(audited: Audited) -> None:
        own = audited.outputs()["access_key_id"]
        iam(audited).update_access_key(UserName=USER, AccessKeyId=own, Status=status)

    return change


def lifecycle(policy: dict[str, Any]) -> Callable[[Audited], None]:
    def change(audited: Audited) -> None:
        text = json.dumps({"rules": [policy]})
        ecr(audited).put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=text)

    return change


def recorded_lifecycle(audited: Audited) -> None:
    text = audited.recorded("LifecyclePolicy")["inputs"]["policy"]
    ecr(audited).put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=text)


AFTER_A_DAY = {
    "rulePriority": 1,
    "selection": {"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1},
    "action": {"type": "expire"},
}
AFTER_MANY = {
    "rulePriority": 1,
    "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 99},
    "action": {"type": "expire"},
}


def opened(value: bool) -> Callable[[Audited], None]:
    def change(audited: Audited) -> None:
        group = audited.outputs()["variable_group_id"]
        path = f"app-one/_apis/pipelines/pipelinePermissions/variablegroup/{group}?api-version=7.1-preview.1"
        audited.devops("PATCH", path, json={"allPipelines": {"authorized": value}})

    return change


def resource_id(audited: Audited, kind: str, name: str = "") -> str:
    return str(audited.recorded(kind, name)["id"])


def approval(*, by_requester: bool) -> Callable[[Audited], None]:
    def change(audited: Audited) -> None:
        path = f"app-one/_apis/pipelines/checks/configurations/{resource_id(audited, 'CheckApproval')}"
        check = audited.devops("GET", f"{path}?$expand=settings&api-version=7.1-preview.1")
        check["settings"]["requesterCannotBeApprover"] = not by_requester
        audited.devops("PATCH", f"{path}?api-version=7.1-preview.1", json=check)

    return change


def branches(allowed: str) -> Callable[[Audited], None]:
    def change(audited: Audited) -> None:
        number = resource_id(audited, "CheckBranchControl", "::pipeline-branch")
        path = f"app-one/_apis/pipelines/checks/configurations/{number}"
        check = audited.devops("GET", f"{path}?$expand=settings&api-version=7.1-preview.1")
        check["settings"]["inputs"]["allowedBranches"] = allowed
        audited.devops("PATCH", f"{path}?api-version=7.1-preview.1", json=check)

    return change


def validation(*, enabled: bool) -> Callable[[Audited], None]:
    def change(audited: Audited) -> None:
        number = resource_id(audited, "BranchPolicyBuildValidation")
        path = f"app-one/_apis/policy/configurations/{number}?api-version=7.1"
        audited.devops("PUT", path, json=audited.devops("GET", path) | {"isEnabled": enabled})

    return change


def yaml(name: str) -> Callable[[Audited], None]:
    def change(audited: Audited) -> None:
        path = f"app-one/_apis/build/definitions/{resource_id(audited, 'BuildDefinition')}?api-version=7.1"
        definition = audited.devops("GET", path)
        definition["process"]["yamlFilename"] = name
        audited.devops("PUT", path, json=definition)

    return change


def environment_opened(value: bool) -> Callable[[Audited], None]:
    def change(audited: Audited) -> None:
        number = resource_id(audited, "Environment")
        path = f"app-one/_apis/pipelines/pipelinePermissions/environment/{number}?api-version=7.1-preview.1"
        audited.devops("PATCH", path, json={"allPipelines": {"authorized": value}})

    return change


def settable(*, limited: bool) -> Callable[[Audited], None]:
    def change(audited: Audited) -> None:
        path = "app-one/_apis/build/generalsettings?api-version=7.1-preview.1"
        audited.devops("PATCH", path, json={"enforceSettableVar": limited})

    return change


BY_HAND = {
    "a policy edited (new default version)": ByHand(
        new_version, old_version, ("drift-access-broadened",), "default version v"
    ),
    "a policy attached to the user": ByHand(
        attached("user"),
        detached("user"),
        ("drift-access-broadened",),
        "policy/wide is attached to user",
    ),
    "a policy attached to the group": ByHand(
        attached("group"),
        detached("group"),
        ("drift-access-broadened",),
        "policy/wide is attached to group",
    ),
    "the policy detached": ByHand(
        lambda on: iam(on).detach_group_policy(GroupName=GROUP, PolicyArn=arn(on)),
        lambda on: iam(on).attach_group_policy(GroupName=GROUP, PolicyArn=arn(on)),
        ("drift-missing",),
        "is not attached to group",
    ),
    "an inline policy of the user": ByHand(
        lambda on: iam(on).put_user_policy(UserName=USER, PolicyName="mine", PolicyDocument=WIDE),
        lambda on: iam(on).delete_user_policy(UserName=USER, PolicyName="mine"),
        ("drift-access-broadened",),
        "Inline policy 'mine' of user",
    ),
    "an inline policy of the group": ByHand(
        lambda on: iam(on).put_group_policy(GroupName=GROUP, PolicyName="ours", PolicyDocument=WIDE),
        lambda on: iam(on).delete_group_policy(GroupName=GROUP, PolicyName="ours"),
        ("drift-access-broadened",),
        "Inline policy 'ours' of group",
    ),
    "an extra access key": ByHand(
        lambda on: iam(on).create_access_key(UserName=USER),
        keys_but_the_stacks,
        ("drift-credential",),
        "which the stack does not record",
    ),
    "a password": ByHand(
        lambda on: iam(on).create_login_profile(UserName=USER, Password="Correct-horse-1"),
        lambda on: iam(on).delete_login_profile(UserName=USER),
        ("drift-credential",),
        "has a password",
    ),
    "the key deactivated": ByHand(
        key_status("Inactive"), key_status("Active"), ("drift-property",), "is Inactive, recorded is Active"
    ),
    "a member of the group": ByHand(another_member, member_gone, ("drift-membership",), "User 'mallory' is a member"),
    "the user in another group": ByHand(another_group, group_gone, ("drift-membership",), "of group 'others'"),
    "the user out of its group": ByHand(
        lambda on: iam(on).remove_user_from_group(GroupName=GROUP, UserName=USER),
        lambda on: iam(on).add_user_to_group(GroupName=GROUP, UserName=USER),
        ("drift-membership",),
        "is not a member of group",
    ),
    "tags made mutable": ByHand(
        lambda on: ecr(on).put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="MUTABLE"),
        lambda on: ecr(on).put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE"),
        ("drift-exposure",),
        "imageTagMutability is MUTABLE",
    ),
    "scanning switched off": ByHand(
        lambda on: ecr(on).put_image_scanning_configuration(
            repositoryName=REPOSITORY, imageScanningConfiguration={"scanOnPush": False}
        ),
        lambda on: ecr(on).put_image_scanning_configuration(
            repositoryName=REPOSITORY, imageScanningConfiguration={"scanOnPush": True}
        ),
        ("drift-exposure",),
        "not scanned on push",
    ),
    "a repository policy": ByHand(
        lambda on: ecr(on).set_repository_policy(
            repositoryName=REPOSITORY,
            policyText=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}],
                }
            ),
        ),
        lambda on: ecr(on).delete_repository_policy(repositoryName=REPOSITORY),
        ("drift-access-broadened",),
        "which the stack does not have",
    ),
    "a lifecycle rule that expires the deployed image": ByHand(
        lifecycle(AFTER_A_DAY),
        recorded_lifecycle,
        ("drift-lifecycle-expires-deployed", "drift-lifecycle"),
        "the deployed image sha256:",
    ),
    "a lifecycle rule that does not": ByHand(
        lifecycle(AFTER_MANY), recorded_lifecycle, ("drift-lifecycle",), "its rules are not the recorded ones"
    ),
    "the lifecycle policy deleted": ByHand(
        lambda on: ecr(on).delete_lifecycle_policy(repositoryName=REPOSITORY),
        recorded_lifecycle,
        ("drift-missing",),
        "LifecyclePolicy 'repository-lifecycle' is recorded",
    ),
    "an approval that its requester can give": ByHand(
        approval(by_requester=True),
        approval(by_requester=False),
        ("drift-guard-weakened",),
        "requesterCanApprove is True",
    ),
    "an environment for every branch": ByHand(
        branches("*"), branches("refs/heads/main"), ("drift-guard-weakened",), "allowedBranches is *"
    ),
    "the branch policy switched off": ByHand(
        validation(enabled=False), validation(enabled=True), ("drift-guard-weakened",), "enabled is False"
    ),
    "a pipeline that runs another file": ByHand(
        yaml("other.yml"), yaml("azure-pipelines.yml"), ("drift-guard-weakened",), "ymlPath is other.yml"
    ),
    "runs that take any variable": ByHand(
        settable(limited=False), settable(limited=True), ("drift-guard-weakened",), "may set any variable of it"
    ),
    "the environment opened to all pipelines": ByHand(
        environment_opened(True),
        environment_opened(False),
        ("drift-group-opened",),
        "Environment 'pipeline-environment'",
    ),
    "the group opened to all pipelines": ByHand(
        opened(True), opened(False), ("drift-group-opened",), "is open to all pipelines of the project, by Operator"
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_what_was_done_by_hand_is_named_and_mended(audited: Audited, name: str) -> None:
    case = BY_HAND[name]
    case.make(audited)
    try:
        found = audited.drift()
        assert tuple(finding["rule"] for finding in found) == case.rules
        assert case.named in found[0]["reason"]
    finally:
        case.mend(audited)
    assert audited.rules() == []


def test_an_edited_policy_comes_with_a_request_that_should_be_refused(audited: Audited) -> None:
    new_version(audited)
    try:
        (finding,) = audited.drift()
    finally:
        old_version(audited)
    assert finding["policy"]["newlyAllowed"]
    assert all(witness["action"].startswith("ecr:") for witness in finding["policy"]["newlyAllowed"])


def test_an_image_deleted_from_the_registry_is_named(audited: Audited) -> None:
    outputs = audited.outputs()
    image = [{"imageTag": outputs["image_tag"]}]
    manifest = ecr(audited).batch_get_image(repositoryName=REPOSITORY, imageIds=image)["images"][0]["imageManifest"]
    digest = outputs["image_by_digest"].rpartition("@")[2]
    deleted = ecr(audited).batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": digest}])
    assert not deleted["failures"]
    try:
        assert audited.rules() == ["drift-image-missing", "drift-tag-moved"]
    finally:
        media = "application/vnd.docker.distribution.manifest.v2+json"
        ecr(audited).put_image(
            repositoryName=REPOSITORY,
            imageManifest=manifest,
            imageManifestMediaType=media,
            imageTag=outputs["image_tag"],
        )
    assert audited.rules() == []


def test_a_tag_moved_to_another_image_is_named_and_the_deployed_digest_is_still_found(audited: Audited) -> None:
    outputs = audited.outputs()
    tag = outputs["image_tag"]
    images = ecr(audited).batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag}])["images"]
    manifest = json.loads(images[0]["imageManifest"])
    media = manifest["mediaType"]
    other = json.dumps({**manifest, "layers": manifest["layers"][:-1]})
    client = ecr(audited)
    client.put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="MUTABLE")
    try:
        moved = client.put_image(
            repositoryName=REPOSITORY, imageManifest=other, imageManifestMediaType=media, imageTag=tag
        )
        client.put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
        (finding,) = [item for item in audited.drift() if item["rule"] != "drift-lifecycle-expires-deployed"]
        assert finding["rule"] == "drift-tag-moved"
        assert moved["image"]["imageId"]["imageDigest"] in finding["reason"]
    finally:
        client.put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="MUTABLE")
        client.put_image(
            repositoryName=REPOSITORY,
            imageManifest=images[0]["imageManifest"],
            imageManifestMediaType=media,
            imageTag=tag,
        )
        client.batch_delete_image(
            repositoryName=REPOSITORY, imageIds=[{"imageDigest": moved["image"]["imageId"]["imageDigest"]}]
        )
        client.put_image_tag_mutability(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
    assert audited.rules() == []


def test_a_pipeline_authorised_by_hand_is_named(audited: Audited) -> None:
    project = audited.devops("GET", "_apis/projects/app-one?api-version=7.1")["id"]
    repository = audited.devops("GET", "app-one/_apis/git/repositories?api-version=7.1")["value"][0]["id"]
    body = {
        "name": "by-hand",
        "path": "\\",
        "type": "build",
        "queueStatus": "enabled",
        "project": {"id": project},
        "process": {"type": 2, "yamlFilename": "azure-pipelines.yml"},
        "repository": {"id": repository, "type": "TfsGit", "defaultBranch": "refs/heads/main"},
    }
    pipeline = audited.devops("POST", "app-one/_apis/build/definitions?api-version=7.1", json=body)["id"]
    group = audited.outputs()["variable_group_id"]
    path = f"app-one/_apis/pipelines/pipelinePermissions/variablegroup/{group}?api-version=7.1-preview.1"
    audited.devops("PATCH", path, json={"pipelines": [{"id": pipeline, "authorized": True}]})
    try:
        (finding,) = audited.drift()
        assert finding["rule"] == "drift-pipeline-authorized"
        assert f"Pipeline {pipeline} may use" in finding["reason"]
    finally:
        audited.devops("PATCH", path, json={"pipelines": [{"id": pipeline, "authorized": False}]})
        audited.devops("DELETE", f"app-one/_apis/build/definitions/{pipeline}?api-version=7.1")
    assert audited.rules() == []


# --- variables


def changed_variables(audited: Audited, **variables: dict[str, Any]) -> None:
    """Change the group by hand, as the web page does: the whole group is sent, secrets without a value keep theirs."""
    group = audited.outputs()["variable_group_id"]
    found = audited.devops("GET", f"app-one/_apis/distributedtask/variablegroups/{group}?api-version=7.1")
    found["variables"] |= variables
    audited.devops("PUT", f"_apis/distributedtask/variablegroups/{group}?api-version=7.1", json=found)


def test_variables_changed_by_hand_are_named_one_by_one_from_an_open_state(audited: Audited) -> None:
    # Over 10 s: a refresh and an update.
    changed_variables(audited, EXTRA={"value": "x"}, aws_account_number={"value": "999999999999"})
    found = audited.drift(audited.export("--show-secrets"))
    assert [finding["rule"] for finding in found] == ["drift-variables"] * 2
    assert {"'EXTRA'", "'aws_account_number'"} == {finding["reason"].split()[1] for finding in found}
    (sealed,) = audited.drift()
    assert sealed["rule"] == "drift-variables"
    assert not sealed["proved"]
    audited.workstation.pulumi("refresh", "--yes", "--skip-preview")
    audited.workstation.up()
    audited.state = audited.export()
    assert audited.rules() == []


def test_a_secret_changed_by_hand_shows_by_its_time_and_no_report_shows_a_value(audited: Audited) -> None:
    # Over 10 s: nine look-ups of drift, seven of them as commands, and an update.
    before = next(
        item for item in json.loads(audited.export("--show-secrets"))["deployment"]["resources"]
        if item["type"] == "aws:iam/accessKey:AccessKey"
    )  # fmt: skip
    secret = json.loads(before["outputs"]["secret"]["plaintext"])
    changed_variables(audited, **{"App-One.SecretKey": {"value": "put-in-by-hand-4711", "isSecret": True}})
    opened_state = audited.export("--show-secrets")
    (finding,) = audited.drift(opened_state)
    assert finding["rule"] == "drift-variables"
    assert "by Operator" in finding["reason"]
    assert "a secret may have another value" in finding["reason"]
    for form in ("terminal", "markdown", "html", "json", "sarif", "junit", "azure"):
        done = audited.audit("drift", "-", "--format", form, state=opened_state)
        assert done.returncode == 0
        assert secret not in done.stdout + done.stderr
        assert "put-in-by-hand-4711" not in done.stdout + done.stderr
    # A provider cannot see it; a rotation writes the group anew.
    audited.workstation.config(accessKeyGeneration="3")
    audited.workstation.up()
    audited.state = audited.export()
    assert audited.rules() == []


def test_a_secret_that_was_made_readable_is_named_and_its_value_is_not_shown(audited: Audited) -> None:
    changed_variables(audited, **{"App-One.SecretKey": {"value": "readable-by-all-4711", "isSecret": False}})
    done = audited.audit("drift", "-", "--format", "json", state=audited.export("--show-secrets"))
    assert [item["rule"] for item in json.loads(done.stdout)["findings"]] == ["drift-secret-in-clear"]
    assert "readable-by-all-4711" not in done.stdout
    audited.workstation.config(accessKeyGeneration="3")
    audited.workstation.up()
    audited.state = audited.export()
    assert audited.rules() == []


# --- rights, reachability, exit codes


@pytest.fixture
def stranger(audited: Audited) -> dict[str, str]:
    """The key of a user whom no policy allows anything."""
    iam(audited).create_user(UserName="stranger")
    key = iam(audited).create_access_key(UserName="stranger")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def test_a_look_up_that_is_refused_is_a_finding_that_names_the_permission(
    audited: Audited, stranger: dict[str, str]
) -> None:
    found = audited.drift(**stranger)
    assert {finding["rule"] for finding in found} == {"look-up-refused"}
    needed = {detail.removeprefix("Needed: ") for finding in found for detail in finding["details"]}
    assert {
        "ecr:DescribeRepositories",
        "ecr:DescribeImages",
        "ecr:GetLifecyclePolicy",
        "iam:GetPolicy",
        "iam:ListEntitiesForPolicy",
        "iam:ListAttachedUserPolicies",
        "iam:ListUserPolicies",
        "iam:ListGroupsForUser",
        "iam:ListAccessKeys",
        "iam:GetGroup",
    } <= needed
    assert not any(finding["proved"] for finding in found)


def test_exit_codes(audited: Audited, stranger: dict[str, str]) -> None:
    assert audited.audit("drift", "-", "--fail-on", "change").returncode == 0
    assert audited.audit("drift", "-", "--fail-on", "incomplete", **stranger).returncode == 3
    assert audited.audit("drift", "-", state="{").returncode == 2
    unreachable = audited.audit("drift", "-", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert unreachable.returncode == 2
    assert "AWS_ENDPOINT_URL" in unreachable.stderr
    wrong = audited.audit("drift", "-", AZDO_PERSONAL_ACCESS_TOKEN="wrong" * 10)
    assert wrong.returncode == 2
    assert "AZDO_PERSONAL_ACCESS_TOKEN" in wrong.stderr
    for done in (unreachable, wrong):
        assert "Traceback" not in done.stderr


# --- keys


def keys(audited: Audited, *arguments: str) -> dict[str, Any]:
    return audited.report("keys", audited.state, *arguments, "--state")


def test_the_stacks_key_is_known_by_its_resource_and_the_variable_that_publishes_it(audited: Audited) -> None:
    report = keys(audited)
    (key,) = report["keys"]
    outputs = audited.outputs()
    assert key["id"] == outputs["access_key_id"]
    assert key["recordedBy"] == "access-key-2"
    assert [item["variable"] for item in key["publishedIn"]] == ["App-One.AccessKey"]
    assert report["findings"] == []


def test_old_unused_inactive_second_and_unpublished_keys_are_findings(audited: Audited) -> None:
    extra = iam(audited).create_access_key(UserName=USER)["AccessKey"]["AccessKeyId"]
    try:
        found = {(item["rule"], item["subject"].rpartition("/")[2]) for item in keys(audited)["findings"]}
        own = audited.outputs()["access_key_id"]
        assert found == {("key-two-active", own), ("key-not-published", extra)}
        iam(audited).update_access_key(UserName=USER, AccessKeyId=extra, Status="Inactive")
        found = {(item["rule"], item["subject"].rpartition("/")[2]) for item in keys(audited)["findings"]}
        assert found == {("key-inactive", extra)}
        rules = {item["rule"] for item in keys(audited, "--as-of", "2099-01-01")["findings"]}
        assert rules == {"key-inactive", "key-old", "key-unused"}
    finally:
        keys_but_the_stacks(audited)


def test_a_published_key_that_is_gone_is_a_finding(audited: Audited) -> None:
    extra = iam(audited).create_access_key(UserName=USER)["AccessKey"]["AccessKeyId"]
    iam(audited).delete_access_key(UserName=USER, AccessKeyId=extra)
    body = {
        "name": "stale",
        "variables": {"AWS_ACCESS_KEY_ID": {"value": extra}},
        "variableGroupProjectReferences": [{"name": "stale", "projectReference": {"name": "app-one"}}],
    }
    group = audited.devops("POST", "_apis/distributedtask/variablegroups?api-version=7.1", json=body)
    try:
        (finding,) = keys(audited)["findings"]
        assert finding["rule"] == "key-published-but-gone"
        assert extra in finding["reason"]
        assert "app-one/stale: AWS_ACCESS_KEY_ID" in finding["reason"]
    finally:
        project = group["variableGroupProjectReferences"][0]["projectReference"]["id"]
        path = f"_apis/distributedtask/variablegroups/{group['id']}?projectIds={project}&api-version=7.1"
        audited.devops("DELETE", path)


# --- history


def ledger(audited: Audited, *arguments: str) -> dict[str, Any]:
    """The ledger, by default of the sandbox's own backend."""
    done = audited.audit("history", *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_the_history_of_real_updates_says_what_each_did(audited: Audited) -> None:
    audited.workstation.config(accessKeyGeneration="3")
    audited.workstation.up()
    found = ledger(audited)
    assert len(found["entries"]) == 4
    first = next(entry for entry in found["entries"] if entry["worst"] == "access-broadened")
    assert first["kind"] == "update"
    assert {"credential-created", "group-membership"} <= {step["risk"] for step in first["steps"]}
    rotated = found["entries"][-1]
    changed = {setting["name"]: (setting["old"], setting["new"]) for setting in rotated["settings"]}
    assert changed["app-one:accessKeyGeneration"] == ("2", "3")
    assert {step["urn"].rpartition("::")[2]: step["op"] for step in rotated["steps"]} == {
        "access-key-2": "delete",
        "access-key-3": "create",
        "variable-group": "update",
    }
    text = json.dumps(found)
    assert not any(secret in text for secret in audited.sandbox.secrets().values())


def test_the_ledger_is_the_same_from_a_bucket_and_from_a_folder(audited: Audited) -> None:
    s3 = audited.sandbox.client("s3")
    region = {"LocationConstraint": audited.sandbox.environment["AWS_REGION"]}
    s3.create_bucket(Bucket="audit-history", CreateBucketConfiguration=region)
    root = audited.sandbox.home / "state"
    for path in (root / ".pulumi" / "history").rglob("*.json"):
        s3.put_object(Bucket="audit-history", Key=path.relative_to(root).as_posix(), Body=path.read_bytes())
    endpoint = audited.sandbox.environment["AWS_ENDPOINT_URL"]
    url = f"s3://audit-history?region=us-east-2&endpoint={endpoint}&s3ForcePathStyle=true&awssdk=v2"
    assert ledger(audited, url)["entries"] == ledger(audited)["entries"]
