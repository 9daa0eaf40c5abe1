"""The comment on a pull request: written once, updated ever after, through the REST protocol of Azure DevOps."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines import agent
from pipelines.comment import PullRequest, text
from tests.organization import PROJECT, REPOSITORY, Organization
from tests.unit.sandbox.azure_devops.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator


CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def organization(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organization]:
    service = Service(tmp_path_factory.mktemp("azure-devops"))
    service.start()
    yield Organization(service.url, service.token)
    assert service.stop() == 0


@pytest.fixture
def number(organization: Organization, request: pytest.FixtureRequest) -> int:
    """A new pull request."""
    name = re.sub(r"[^a-z_0-9]", "-", request.node.name)  # git's rule for names is stricter than that of tests
    branch = f"refs/heads/{name}"
    organization.push({f"{name}.txt": "x"}, branch)
    return organization.open_pull_request(branch)


def of(organization: Organization, number: int, token: str = "") -> PullRequest:
    return PullRequest(f"{organization.url}/{REPOSITORY}/pullRequests/{number}", token or organization.token)


def test_ten_runs_of_two_stacks_leave_one_comment_each_with_the_newest_text(
    organization: Organization, number: int
) -> None:
    for run in range(10):
        for stack in ("dev", "prod"):
            of(organization, number).upsert(stack, text(stack, f"report {run}", None), status="closed")
    comments = organization.comments(number)
    assert len(comments) == 2
    assert all("report 9" in comment["content"] for comment in comments)
    assert {comment["status"] for comment in comments} == {"closed"}


def test_a_plan_that_needs_an_operator_is_a_thread_to_resolve_and_becomes_closed_again(
    organization: Organization, number: int
) -> None:
    of(organization, number).upsert("dev", "needs somebody", status="active")
    assert organization.comments(number)[0]["status"] == "active"
    of(organization, number).upsert("dev", "all is fine", status="closed")
    (comment,) = organization.comments(number)
    assert (comment["status"], comment["content"]) == ("closed", "all is fine")


def test_two_runs_at_once_leave_one_comment_after_the_next(organization: Organization, number: int) -> None:
    properties = {"app-one.plan": {"$type": "System.String", "$value": "dev"}}
    for words in ("one", "other"):
        body = {"comments": [{"content": words}], "status": "closed", "properties": properties}
        organization.give("POST", f"{REPOSITORY}/pullRequests/{number}/threads", body)
    of(organization, number).upsert("dev", "the newest", status="closed")
    assert [comment["content"] for comment in organization.comments(number)] == ["the newest"]


def test_a_double_that_another_run_removed_meanwhile_is_done(
    organization: Organization, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = of(organization, number)
    first = one.upsert("dev", "one", status="closed")
    (thread,) = one.ours("dev")
    stale = {**thread, "id": first + 1000, "comments": [{"id": 1, "content": "other"}]}
    monkeypatch.setattr(one, "ours", lambda _stack: [thread, stale])
    assert one.upsert("dev", "the newest", status="closed") == first
    assert [comment["content"] for comment in organization.comments(number)] == ["the newest"]


def test_threads_of_people_are_left_alone(organization: Organization, number: int) -> None:
    words = {"comments": [{"content": "## Preview of dev by somebody"}], "status": "active"}
    organization.give("POST", f"{REPOSITORY}/pullRequests/{number}/threads", words)
    of(organization, number).upsert("dev", "ours", status="closed")
    assert sorted(comment["content"] for comment in organization.comments(number)) == [
        "## Preview of dev by somebody",
        "ours",
    ]


def test_a_thread_of_somebody_else_with_our_property_neither_blocks_the_comment_nor_is_edited(
    organization: Organization, number: int
) -> None:
    threads = f"{REPOSITORY}/pullRequests/{number}/threads"
    properties = {"app-one.plan": {"$type": "System.String", "$value": "dev"}}
    foreign = {"comments": [{"content": "nothing to see"}], "status": "closed", "properties": properties}
    organization.give("POST", threads, foreign)
    pipeline = organization.create_pipeline(f"run-{number}")
    organization.push({"azure-pipelines.yml": "steps: []"}, "refs/heads/main")
    run = organization.give("POST", f"{PROJECT}/_apis/build/builds", {"definition": {"id": pipeline}})
    token = organization.give("POST", f"{PROJECT}/_apis/sandbox/agent/jobs/{run['id']}")["accessToken"]
    for words in ("first", "second"):
        of(organization, number, token).upsert("dev", words, status="active")
    assert [(each["content"], each["status"]) for each in organization.comments(number)] == [
        ("nothing to see", "closed"),
        ("second", "active"),
    ]
    # Nor the other way round: who wrote the foreign one is not given ours.
    of(organization, number).upsert("dev", "theirs", status="closed")
    assert [each["content"] for each in organization.comments(number)] == ["theirs", "second"]


def test_a_deleted_comment_is_written_anew(organization: Organization, number: int) -> None:
    thread = of(organization, number).upsert("dev", "first", status="closed")
    answer = organization.ask("DELETE", f"{REPOSITORY}/pullRequests/{number}/threads/{thread}/comments/1")
    assert answer.ok
    of(organization, number).upsert("dev", "second", status="closed")
    assert [comment["content"] for comment in organization.comments(number)] == ["second"]


def test_a_deleted_comment_whose_answer_stays_is_written_anew_in_a_thread_of_its_own(
    organization: Organization, number: int
) -> None:
    thread = of(organization, number).upsert("dev", "first", status="closed")
    comments = f"{REPOSITORY}/pullRequests/{number}/threads/{thread}/comments"
    organization.give("POST", comments, {"content": "somebody's answer", "parentCommentId": 1})
    assert organization.ask("DELETE", f"{comments}/1").ok
    for words in ("second", "third"):
        of(organization, number).upsert("dev", words, status="closed")
    assert sorted(comment["content"] for comment in organization.comments(number)) == ["somebody's answer", "third"]


@pytest.mark.parametrize("status", ["closed", "fixed", "wontFix", "active"])
def test_a_thread_that_somebody_closed_or_opened_is_updated_and_says_what_is_so_now(
    organization: Organization, number: int, status: str
) -> None:
    thread = of(organization, number).upsert("dev", "needs somebody", status="active")
    organization.give("PATCH", f"{REPOSITORY}/pullRequests/{number}/threads/{thread}", {"status": status})
    of(organization, number).upsert("dev", "still needs somebody", status="active")
    (comment,) = organization.comments(number)
    assert (comment["status"], comment["content"]) == ("active", "still needs somebody")


def run_of(organization: Organization, number: int, *arguments: str, build: str) -> None:
    """Run the entry point as a step of a pull request's run does."""
    repository = organization.give("GET", REPOSITORY)
    env = {
        "PATH": os.environ["PATH"],
        "SYSTEM_COLLECTIONURI": f"{organization.url}/",
        "SYSTEM_TEAMPROJECTID": repository["project"]["id"],
        "SYSTEM_PULLREQUEST_PULLREQUESTID": str(number),
        "SYSTEM_ACCESSTOKEN": organization.token,
        "BUILD_REPOSITORY_ID": repository["id"],
        "BUILD_BUILDID": build,
        "BUILD_BUILDNUMBER": f"20260101.{build}",
    }
    command = [sys.executable, "-m", "pipelines.comment", "--stack", "dev", *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == agent.OK, done.stderr


def test_a_run_whose_preview_failed_takes_the_place_of_the_report_before_it_and_the_next_one_of_that(
    organization: Organization, number: int, tmp_path: Path
) -> None:
    (tmp_path / "report.json").write_text('{"fingerprint": "a", "steps": []}', encoding="utf-8")
    (tmp_path / "report.md").write_text("Nothing would change.", encoding="utf-8")
    run_of(organization, number, "--report", str(tmp_path), build="1")
    run_of(organization, number, "--failed", build="2")
    (comment,) = organization.comments(number)
    assert "**The preview failed**" in comment["content"]
    assert "Nothing would change." not in comment["content"]
    assert "20260101.1" not in comment["content"]
    project = organization.give("GET", REPOSITORY)["project"]["id"]
    link = f"[20260101.2]({organization.url}/{project}/_build/results?buildId=2)"
    assert comment["content"].startswith(f"## Preview of dev by {link}\n")
    assert comment["status"] == "active"
    run_of(organization, number, "--failed", "checks", build="2")
    assert "**The checks failed**" in organization.comments(number)[0]["content"]
    run_of(organization, number, "--report", str(tmp_path), build="3")
    (comment,) = organization.comments(number)
    assert "Nothing would change." in comment["content"]
    assert comment["status"] == "closed"


def test_a_token_that_the_service_does_not_know_is_an_error_with_a_remedy(
    organization: Organization, number: int
) -> None:
    with pytest.raises(agent.Stop, match="Contribute to pull requests"):
        of(organization, number, "wrong-token").upsert("dev", "x", status="closed")


def test_an_unknown_pull_request_is_an_error_with_the_services_words(organization: Organization) -> None:
    with pytest.raises(agent.Stop, match="TF401180") as stop:
        of(organization, 999).upsert("dev", "x", status="closed")
    assert stop.value.code == agent.FAILED


def test_a_service_out_of_reach_is_an_error_without_the_token() -> None:
    with pytest.raises(agent.Stop, match="could not be reached") as stop:
        PullRequest("http://127.0.0.1:9/x", "secret-token").upsert("dev", "x", status="closed")
    assert "secret-token" not in str(stop.value)
