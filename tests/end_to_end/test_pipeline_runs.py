"""The real pipeline run by an agent against the sandbox, under the variable group's own key, with authorisation on.

After every run: the cleanup ran, nothing is left on the agent's disk, and no secret is in any log, page or artefact.
Here are pull requests, releases, and what no run may do; setbacks and identities have files of their own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from azure_pipelines import conditions as runs
from sandbox.files import write
from tests import states
from tests.end_to_end.delivery import BUCKET, CHECKS, CHECKS_OF_PULL_REQUEST, IMAGE_BUCKET, Delivery
from tests.end_to_end.pipeline_runs import change_the_app, cleaned, release, succeeded
from tests.organization import PROJECT, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.end_to_end.pipeline_runs import Start
    from tests.pipeline_run import PipelineRun

pytestmark = pytest.mark.e2e

INCLUDED = "stages:\n  - {template: pipelines/templates/run.yml@trusted, parameters: {stricter: as-configured}}\n"


@pytest.fixture
def unpreviewed(delivery: Delivery) -> None:
    """No previews of pull requests, as it is by default; tests come in any order."""
    delivery.preview_pull_requests(on=False)


@pytest.fixture
def previewed(delivery: Delivery) -> None:
    """Previews of pull requests, behind an environment with an approval."""
    delivery.preview_pull_requests(on=True)


@pytest.mark.usefixtures("unpreviewed")
def test_a_pull_request_is_checked_and_built_and_gets_no_credential_and_no_state(
    delivery: Delivery, start: Start
) -> None:
    before = (delivery.state(), delivery.access(), delivery.tags())
    with delivery.branch("page") as branch:
        number = delivery.organization.open_pull_request(branch)
        change_the_app(delivery, "pull request")
        _, results = start(branch=f"refs/pull/{number}/merge", reason="pullRequest")
    assert results.stages == {"checks": runs.SUCCEEDED, "build_dev": runs.SUCCEEDED}, succeeded(results)
    assert "the image of dev-image builds" in results.log()
    assert delivery.organization.comments(number) == []
    assert (delivery.state(), delivery.access(), delivery.tags()) == before


@pytest.mark.usefixtures("unpreviewed")
@pytest.mark.parametrize(
    ("group", "environment"),
    [("app-one", ""), ("app-one-reader", ""), ("app-one-state", ""), ("", "app-one-dev")],
)
def test_a_pull_request_that_names_what_is_not_given_to_it_is_refused(
    delivery: Delivery, start: Start, group: str, environment: str
) -> None:
    """Its run uses its own YAML."""
    job = {"steps": [{"bash": "env"}]}
    deployment = {"deployment": "a", "environment": environment, "strategy": {"runOnce": {"deploy": job}}}
    asked = {"variables": [{"group": group}], "jobs": [{"job": "a", **job}]} if group else {"jobs": [deployment]}
    text = json.dumps({"stages": [{"stage": "take", **asked}]})
    with delivery.branch(f"take-{group or environment}") as branch:
        number = delivery.organization.open_pull_request(branch)
        delivery.edit("azure-pipelines.yml", lambda _: text)
        _, results = start(branch=f"refs/pull/{number}/merge", reason="pullRequest")
    assert results.stages == {"take": runs.FAILED}
    assert results.steps == []
    (said,) = (text for _, text in results.issues)
    assert "is not among the allowed branches" in said
    assert "The pipeline does not extend a required template" in said


@pytest.mark.usefixtures("previewed")
def test_a_pull_request_is_previewed_where_its_stack_asks_for_it_and_its_one_comment_is_of_the_newest_run(
    delivery: Delivery, start: Start
) -> None:
    before = (delivery.state(), delivery.access(), delivery.tags())
    with delivery.branch("previewed") as branch:
        number = delivery.organization.open_pull_request(branch)
        change_the_app(delivery, "previewed pull request")
        # What this pull request makes of wiring, steps, audit and rules is not what its run with rights does.
        for file in ("templates/run.yml", "__main__.py", "preview.py", "gate.py", "comment.py"):
            delivery.edit(f"pipelines/{file}", lambda _: "raise SystemExit('a pull request judges itself')\n")
        for file in ("audit/__main__.py", "policies/__main__.py", "infra/state.yml"):
            delivery.edit(file, lambda _: "raise SystemExit('a pull request judges itself')\n")
        for _ in range(2):
            run, results = start(branch=f"refs/pull/{number}/merge", reason="pullRequest", skip=CHECKS_OF_PULL_REQUEST)
            assert results.stages["preview_dev"] == runs.SUCCEEDED, succeeded(results)
            assert cleaned(results)
            assert results.approved == [("preview_dev", "Environment app-one-dev-preview")]
            (comment,) = delivery.organization.comments(number)
            assert comment["content"].startswith("## Preview of dev-image by ")
            assert delivery.organization.build(run.build)["buildNumber"] in comment["content"]
            assert "docker:index/image:Image" in comment["content"]
            assert comment["status"] == "closed"
    assert (delivery.state(), delivery.access(), delivery.tags()) == before


@pytest.mark.usefixtures("previewed")
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("own-file", lambda text: text.replace("run.yml@trusted", "run.yml")),
        ("own-branch", lambda text: text.replace("ref: refs/heads/trusted", "ref: refs/heads/own-branch")),
        ("included", lambda text: text.partition("extends:")[0] + INCLUDED),
    ],
)
def test_a_pull_request_with_a_wiring_of_its_own_gets_no_credential(
    delivery: Delivery, start: Start, name: str, change: Callable[[str], str]
) -> None:
    with delivery.branch(name) as branch:
        number = delivery.organization.open_pull_request(branch)
        delivery.edit("azure-pipelines.yml", change)
        _, results = start(branch=f"refs/pull/{number}/merge", reason="pullRequest", skip=CHECKS_OF_PULL_REQUEST)
    assert results.stages["preview_dev"] == runs.FAILED
    assert results.steps == []
    assert "The pipeline does not extend a required template" in results.issues[0][1]


@pytest.mark.usefixtures("previewed")
@pytest.mark.parametrize("reason", ["manual", "schedule", "individualCI"])
def test_a_pull_requests_branch_that_somebody_queues_by_hand_gets_no_preview(
    delivery: Delivery, start: Start, reason: str
) -> None:
    with delivery.branch(f"by-hand-{reason}") as branch:
        number = delivery.organization.open_pull_request(branch)
        _, results = start(branch=f"refs/pull/{number}/merge", reason=reason, skip=CHECKS_OF_PULL_REQUEST)
    assert set(results.stages) == {*CHECKS_OF_PULL_REQUEST, "preview_dev"}
    assert results.stages["preview_dev"] == runs.SKIPPED
    assert (results.steps, results.approved) == ([], [])


@pytest.mark.usefixtures("previewed")
def test_a_fork_gets_no_secret_and_no_preview(delivery: Delivery, start: Start) -> None:
    with delivery.branch("fork") as branch:
        number = delivery.organization.open_pull_request(branch, fork=True)
        _, results = start(branch=f"refs/pull/{number}/merge", reason="pullRequest", skip=CHECKS_OF_PULL_REQUEST)
    assert results.stages["preview_dev"] == runs.SKIPPED
    assert results.steps == []
    assert delivery.organization.comments(number) == []


def test_main_releases_a_new_image_under_its_build_number_and_leaves_iam_alone(
    delivery: Delivery, start: Start
) -> None:
    # The keys of both groups were made a moment ago, and AWS does not know them everywhere yet.
    new_keys = delivery.sandbox.home / "aws" / "new-keys.json"
    write(new_keys, json.dumps({"refused": 2}))
    delivery.operator.config(accessKeyGeneration="2")
    delivery.operator.up()
    access = delivery.access()
    commit = change_the_app(delivery, "released")
    run, results = start(skip=CHECKS)
    new_keys.unlink()
    assert results.stages["deploy_dev"] == runs.SUCCEEDED, succeeded(results)
    for stage, title in (("preview_dev", "Preview dev-image"), ("deploy_dev", "Log in to ECR")):
        log = results.step(title, stage).log
        assert len([line for line in log if "AWS does not know the access key AKIA" in line]) == 2, log
    assert cleaned(results)
    number = delivery.organization.build(run.build)["buildNumber"]
    assert number in delivery.tags()
    released = release(results)
    assert (released["tag"], released["commit"]) == (number, commit)
    assert released["digest"] == delivery.image_stack.outputs()["image_by_digest"]
    assert sorted(results.approved) == [
        ("deploy_dev", "Environment app-one-dev"),
        ("deploy_dev", "Variable group app-one"),
    ]
    assert any("# Released to dev" in page and number in page for page in results.summaries)
    assert ("ECR scan of dev", "no findings", True) in results.tests
    assert delivery.access() == access


@pytest.mark.usefixtures("released")
def test_a_change_between_approval_and_update_is_refused_before_anything_changes(
    delivery: Delivery, start: Start
) -> None:
    change_the_app(delivery, "approved")
    seen: list[tuple[dict[str, Any], set[str]]] = []

    def meddle(_run: PipelineRun, stage: str, step: str, _line: str) -> None:
        if stage == "deploy_dev" and step == "Log in to ECR" and not seen:
            urn = next(urn for urn in delivery.state() if "docker:index/image:Image::" in urn)
            delivery.image_stack.pulumi("state", "delete", "--yes", urn)
            seen.append((delivery.state(), delivery.tags()))

    _, results = start(skip=CHECKS, on_line=meddle)
    assert results.stages == {"checks": runs.SKIPPED, "preview_dev": runs.SUCCEEDED, "deploy_dev": runs.FAILED}
    assert results.step("Is it what was approved?").result == runs.FAILED, succeeded(results)
    assert any("is not what was approved" in text for _, text in results.issues)
    assert results.step("Update dev-image").result == runs.SKIPPED
    assert (delivery.state(), delivery.tags()) == seen[0]
    assert cleaned(results)


@pytest.mark.usefixtures("released")
def test_a_program_that_behaves_otherwise_outside_of_a_preview_fails_the_run_and_its_step_is_named(
    delivery: Delivery, start: Start
) -> None:
    commit = delivery.edit(
        "__main__.py",
        lambda text: text.replace(
            "revision=settings.image_revision",
            "revision=settings.image_revision if pulumi.runtime.is_dry_run() else 'x'",
        ),
    )
    _, results = start(skip=CHECKS)
    delivery.revert(commit)
    step = results.step("Update dev-image")
    assert step.result == runs.FAILED, succeeded(results)
    assert "became something else than was previewed" in "\n".join(step.log)
    assert any("build.args.REVISION" in line for line in step.log)
    assert any("did something else than was previewed and approved" in text for _, text in results.issues)
    assert cleaned(results)


@pytest.mark.usefixtures("released")
def test_a_change_between_the_second_preview_and_the_update_is_refused_too(delivery: Delivery, start: Start) -> None:
    change_the_app(delivery, "approved and compared")
    seen: list[tuple[dict[str, Any], set[str]]] = []

    def meddle(_run: PipelineRun, stage: str, step: str, _line: str) -> None:
        if stage == "deploy_dev" and step == "Is it within the pipeline's rights?" and not seen:
            delivery.image_stack.pulumi("refresh", "--yes", "--skip-preview")
            seen.append((delivery.state(), delivery.tags()))

    _, results = start(skip=CHECKS, on_line=meddle)
    assert results.step("Is it what was approved?", "deploy").result == runs.SUCCEEDED, succeeded(results)
    assert results.step("Update dev-image").result == runs.FAILED, succeeded(results)
    assert any("somebody changed the stack dev-image" in text for _, text in results.issues)
    assert (delivery.state(), delivery.tags()) == seen[0]
    assert cleaned(results)


@pytest.mark.usefixtures("released")
def test_no_state_that_the_pipeline_can_read_holds_a_secret(delivery: Delivery) -> None:
    held = list(states.contents(delivery.sandbox.client("s3"), IMAGE_BUCKET))
    kinds = {kind for kind in ("/stacks/", "/history/", "/backups/") for name, _ in held if kind in name}
    assert kinds == {"/stacks/", "/history/", "/backups/"}
    assert any(b"docker:index/image:Image" in content for _, content in held)
    assert any(b"imageName" in text for _, content in held for text in states.opened(content))
    secrets = delivery.secrets()
    assert len(secrets) > 10
    assert states.found(held, secrets) == []
    # And the foundation's, for comparison, which no passphrase opens.
    foundation = list(states.contents(delivery.sandbox.client("s3"), BUCKET))
    assert any(b"ciphertext" in content for _, content in foundation)
    assert states.found(foundation, secrets) == []


def test_a_change_of_rights_is_the_operators_and_no_run_makes_it(delivery: Delivery, start: Start) -> None:
    access = delivery.access()
    delivery.operator.config(allowPull="true")
    delivery.commit("Allow pulling")
    change_the_app(delivery, "with a change of rights beside it")
    _, results = start(skip=CHECKS)
    assert results.stages["deploy_dev"] == runs.SUCCEEDED, succeeded(results)
    assert delivery.access() == access
    delivery.operator.up()
    assert delivery.access() != access


def test_a_pipelines_stack_cannot_become_the_operators(delivery: Delivery, start: Start) -> None:
    access, state = delivery.access(), delivery.state()
    for declares in ("everything", "foundation"):
        change = f"declares: {declares}"
        delivery.edit("Pulumi.dev-image.yaml", lambda text, change=change: text.replace("declares: image", change))  # type: ignore[misc]
        _, results = start(skip=CHECKS)
        assert "a pipeline runs the stack of the image alone" in results.log()
        assert results.stages == {"checks": runs.SKIPPED, "preview_dev": runs.FAILED, "deploy_dev": runs.SKIPPED}
        delivery.revert()
    assert (delivery.access(), delivery.state()) == (access, state)


def test_another_pipeline_is_refused_the_group_before_any_step(delivery: Delivery, start: Start) -> None:
    other = delivery.organization.create_pipeline("other")
    with pytest.raises(Refused, match=r"Variable group app-one\S* was not found or is not authorized for use"):
        start(skip=CHECKS, pipeline=other)


def test_a_run_that_nobody_approves_deploys_nothing(delivery: Delivery) -> None:
    state, tags = delivery.state(), delivery.tags()
    change_the_app(delivery, "not approved")
    run = delivery.run(skip=CHECKS)
    run.decide = lambda approval: delivery.organization.answer(approval["id"], "rejected")
    results = run.start()
    assert results.stages == {"checks": runs.SKIPPED, "preview_dev": runs.SUCCEEDED, "deploy_dev": runs.FAILED}
    assert "the approval was rejected" in results.issues[-1][1]
    assert not [row for row in results.steps if row.stage == "deploy_dev"]
    assert (delivery.state(), delivery.tags()) == (state, tags)
    delivery.revert()


@pytest.mark.usefixtures("released")
def test_a_night_without_drift_is_green_and_one_without_the_image_says_so(delivery: Delivery, start: Start) -> None:
    if delivery.deployed != delivery.git("rev-parse", "HEAD"):
        _, results = start(skip=CHECKS)
        assert results.stages["deploy_dev"] == runs.SUCCEEDED, succeeded(results)
    state = delivery.state()
    _, results = start(reason="schedule")
    assert results.stages == {"drift_dev": runs.SUCCEEDED}, succeeded(results)
    assert cleaned(results)
    digest = delivery.image_stack.outputs()["image_by_digest"].partition("@")[2]
    delivery.sandbox.client("ecr").batch_delete_image(repositoryName="app-one", imageIds=[{"imageDigest": digest}])
    limits = f"{PROJECT}/_apis/build/generalsettings"
    delivery.organization.give("PATCH", limits, {"enforceSettableVar": False})
    _, results = start(reason="schedule")
    delivery.organization.give("PATCH", limits, {"enforceSettableVar": True})
    assert results.stages == {"drift_dev": runs.FAILED}, succeeded(results)
    said = [text for kind, text in results.issues if kind == "error"]
    assert "audit drift has findings" in said[0]
    assert any(text.startswith("whoever queues a run may set any variable of it") for text in said), said
    assert any(digest in page for page in results.summaries)
    assert cleaned(results)
    assert delivery.state() == state


def test_nobody_skips_the_checks_by_hand(delivery: Delivery) -> None:
    template = "pipelines/templates/checks.yml"
    delivery.edit(template, lambda text: text.replace("dependsOn: []\n", "dependsOn: []\n    isSkippable: 'false'\n"))
    try:
        with pytest.raises(Refused, match="checks cannot be skipped: their isSkippable is false"):
            delivery.run(skip=CHECKS)
    finally:
        delivery.revert()
