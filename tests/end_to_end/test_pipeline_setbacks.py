"""A release that meets one setback after another, each of which leaves the stack as it was."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from azure_pipelines import conditions as runs
from tests.end_to_end.delivery import CHECKS
from tests.end_to_end.pipeline_runs import change_the_app, cleaned, release, started, succeeded
from tests.pipeline_run import Outcome

if TYPE_CHECKING:
    from tests.end_to_end.delivery import Delivery
    from tests.pipeline_run import PipelineRun

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Attempt:
    """What one attempt of a deployment left: the run as it was then, ECR's tags, and what the stack recorded."""

    results: Outcome
    tags: set[str]
    state: dict[str, Any]
    image: Any


@pytest.fixture(scope="module")
def setbacks(delivery: Delivery, released: None) -> dict[str, Attempt]:  # noqa: ARG001 (an image is there before)
    """A change that meets one setback after another until it is released: each test looks at its own part.

    The broken build is mended by a new run; what comes after is met by one run, whose failed job runs again and again.
    """
    iam, attempts = delivery.sandbox.client("iam"), dict[str, Attempt]()
    deny = {"Effect": "Deny", "Action": "ecr:PutImage", "Resource": "*"}
    refusal = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    finding = {"image": "*", "name": "CVE-2026-0001", "severity": "HIGH", "description": "bad ##vso[task.complete]"}
    seeded = delivery.sandbox.home / "aws" / "scan-findings.json"
    now = ["before"]

    def record(results: Outcome) -> None:
        attempts[now[0]] = Attempt(deepcopy(results), delivery.tags(), delivery.state(), delivery.image())

    def meet(run: PipelineRun, _stage: str, step: str, line: str) -> None:
        if now[0] == "refused push" and step == "Is it what was approved?":
            iam.put_user_policy(UserName="app-one-push", PolicyName="no-push", PolicyDocument=refusal)
        if now[0] == "cancelled" and step == "Update dev-image" and "docker:index" in line:
            run.cancel()

    record(Outcome())
    with started(delivery) as start:
        broken = delivery.edit("Dockerfile", lambda text: f"{text}RUN echo the build is broken && exit 7\n")
        now[0] = "broken build"
        record(start(skip=CHECKS)[1])

        delivery.revert(broken)
        change_the_app(delivery, "released in the end")
        now[0] = "refused push"
        run, results = start(skip=CHECKS, on_line=meet)
        iam.delete_user_policy(UserName="app-one-push", PolicyName="no-push")
        record(results)

        now[0] = "cancelled"
        record(run.rerun_failed())

        now[0] = "finding"
        seeded.parent.mkdir(exist_ok=True)
        seeded.write_text(json.dumps({"seconds": 0, "findings": [finding]}), encoding="utf-8")
        results = run.rerun_failed()
        seeded.unlink()
        record(results)

        now[0] = "released"
        record(run.rerun_failed())
    return attempts


def test_a_failing_build_leaves_the_stack_as_it_was_and_the_next_run_goes_on(setbacks: dict[str, Attempt]) -> None:
    before, broken, released = setbacks["before"], setbacks["broken build"], setbacks["released"]
    assert broken.results.step("Update dev-image").result == runs.FAILED, succeeded(broken.results)
    assert broken.results.step("Wait for ECR's findings").result == runs.SKIPPED
    assert cleaned(broken.results)
    assert before.image is not None
    assert broken.tags == before.tags
    assert broken.image == before.image
    assert released.results.stages["deploy_dev"] == runs.SUCCEEDED, succeeded(released.results)


def test_a_failing_push_is_retried_by_running_the_failed_job_again(setbacks: dict[str, Attempt]) -> None:
    broken, refused, released = setbacks["broken build"], setbacks["refused push"], setbacks["released"]
    assert refused.results.step("Update dev-image").result == runs.FAILED, succeeded(refused.results)
    assert cleaned(refused.results)
    assert refused.tags == broken.tags
    assert released.results.stages["deploy_dev"] == runs.SUCCEEDED, succeeded(released.results)
    assert release(released.results)["tag"] in released.tags - refused.tags


def test_a_cancelled_update_is_cleaned_up_and_gives_the_stacks_lock_back(setbacks: dict[str, Attempt]) -> None:
    results = setbacks["cancelled"].results
    assert results.stages["deploy_dev"] == runs.CANCELED, succeeded(results)
    assert results.step("Update dev-image").result == runs.CANCELED
    assert results.step("Summarise the release").result == runs.SKIPPED
    assert cleaned(results)
    assert [command for kind, command in results.issues if kind == "orphan"] == []
    after = setbacks["finding"].results
    assert after.step("Update dev-image").result == runs.SUCCEEDED, succeeded(after)


def test_a_finding_in_the_image_stops_the_release_and_shows_as_a_failed_test(setbacks: dict[str, Attempt]) -> None:
    results = setbacks["finding"].results
    assert results.stages["deploy_dev"] == runs.FAILED, succeeded(results)
    assert results.step("Wait for ECR's findings").result == runs.FAILED
    assert ("ECR scan of dev", "CVE-2026-0001", False) in results.tests
    assert not [name for name in results.artifacts if name.startswith("release")]
    assert cleaned(results)
    released = setbacks["released"].results
    assert released.stages["deploy_dev"] == runs.SUCCEEDED, succeeded(released)


def test_a_finished_deployment_can_be_run_again_and_changes_nothing(setbacks: dict[str, Attempt]) -> None:
    before, after = setbacks["finding"], setbacks["released"]
    assert after.results.stages["deploy_dev"] == runs.SUCCEEDED, succeeded(after.results)
    assert not any("applied before" in page for page in after.results.summaries)
    assert "nothing is left to do" in "\n".join(after.results.step("Is it what was approved?").log)
    assert (after.state, after.tags) == (before.state, before.tags)
