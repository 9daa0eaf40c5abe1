"""What branch policies refuse in the Azure DevOps service: pushes, and pull requests without votes or builds."""

from __future__ import annotations

import base64
import itertools
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.sandbox.azure_devops.service import Json, Service, definition_body, push

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = "app-one/_apis/git/repositories/app-one"
POLICIES = "app-one/_apis/policy/configurations"
REVIEWERS = "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd"
BUILD = "0609b952-1397-4640-95ec-e00a01b2c241"
STRICT = {"minimumApproverCount": 1, "creatorVoteCounts": False, "blockLastPusherVote": True, "resetOnSourcePush": True}
_numbers = itertools.count(1)


class Repository:
    """A protected branch of the test's own, with people who work on it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        number = next(_numbers)
        self.target, self.source = f"refs/heads/target-{number}", f"refs/heads/source-{number}"
        push(service, {"/target.txt": "target"}, self.target)
        found = service.get("_apis/graph/users")["value"]
        self.ids = {row["displayName"].lower(): row["originId"] for row in found}
        self.tokens: dict[str, str] = {}
        for name in self.ids:
            self.tokens[name] = service.post(f"_apis/sandbox/usertokens/{name}")["token"]

    def protect(self, kind: str, **settings: object) -> None:
        scope = [{"repositoryId": None, "refName": self.target, "matchKind": "Exact"}]
        body: Json = {
            "type": {"id": kind},
            "isEnabled": True,
            "isBlocking": True,
            **{name: settings.pop(name) for name in ("isEnabled", "isBlocking") if name in settings},
            "settings": {"scope": scope, **settings},
        }
        self.service.post(POLICIES, body)

    def push(self, who: str, branch: str = "") -> Any:
        """Push a commit by the public REST, as somebody."""
        branch = branch or self.source
        refs = {ref["name"]: ref["objectId"] for ref in self.service.get(f"{REPOSITORY}/refs")["value"]}
        tip = refs.get(branch)
        if tip is None:
            tip = refs[self.target]
            made = [{"name": branch, "oldObjectId": "0" * 40, "newObjectId": tip}]
            self.service.post(f"{REPOSITORY}/refs", made, token=self.tokens[who])
        change = {"changeType": "add", "item": {"path": f"/{who}-{next(_numbers)}.txt"}, "newContent": {"content": "x"}}
        body = {
            "refUpdates": [{"name": branch, "oldObjectId": tip}],
            "commits": [{"comment": "c", "changes": [change]}],
        }
        return self.service.ask("POST", f"{REPOSITORY}/pushes", body, token=self.tokens[who])

    def open(self, who: str) -> str:
        """Open a pull request; its path."""
        body = {"sourceRefName": self.source, "targetRefName": self.target, "title": "t"}
        made = self.service.post(f"{REPOSITORY}/pullrequests", body, token=self.tokens[who])
        return f"{REPOSITORY}/pullrequests/{made['pullRequestId']}"

    def vote(self, path: str, who: str, value: int) -> None:
        self.service.put(f"{path}/reviewers/{self.ids[who]}", {"vote": value}, token=self.tokens[who])

    def votes(self, path: str) -> dict[str, int]:
        return {row["displayName"]: row["vote"] for row in self.service.get(f"{path}/reviewers")["value"]}

    def refusal(self, path: str, who: str, **more: object) -> str:
        """Why the service does not complete a pull request; empty if it does."""
        answer = self.service.ask("PATCH", path, {"status": "completed", **more}, token=self.tokens[who])
        if answer.status_code == 200:
            return ""
        assert answer.status_code == 403
        assert answer.json()["typeKey"] == "GitPullRequestUpdateRejectedByPolicyException"
        return str(answer.json()["message"])


@pytest.fixture
def repository(service: Service) -> Repository:
    return Repository(service)


def test_the_author_cannot_approve_and_a_second_person_can(repository: Repository) -> None:
    repository.protect(REVIEWERS, **STRICT)
    repository.push("developer")
    path = repository.open("developer")
    assert "0 of at least 1 reviewers approved" in repository.refusal(path, "developer")
    repository.vote(path, "developer", 10)
    assert "0 of at least 1 reviewers approved" in repository.refusal(path, "developer")
    repository.vote(path, "reviewer", 5)
    assert repository.votes(path) == {"Developer": 10, "Reviewer": 5}
    assert repository.refusal(path, "developer") == ""


def test_the_authors_vote_counts_where_the_policy_says_so(repository: Repository) -> None:
    repository.protect(REVIEWERS, minimumApproverCount=1, creatorVoteCounts=True)
    repository.push("developer")
    path = repository.open("developer")
    repository.vote(path, "developer", 10)
    assert repository.refusal(path, "developer") == ""


def test_who_pushed_last_cannot_approve_what_they_pushed(repository: Repository) -> None:
    repository.protect(REVIEWERS, **STRICT)
    repository.push("developer")
    path = repository.open("developer")
    assert repository.push("reviewer").status_code == 201
    repository.vote(path, "reviewer", 10)
    assert "0 of at least 1 reviewers approved" in repository.refusal(path, "developer")
    repository.vote(path, "operator", 10)
    assert repository.refusal(path, "developer") == ""


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ({"resetOnSourcePush": True}, {"Reviewer": 0, "Operator": -5}),
        ({"resetRejectionsOnSourcePush": True}, {"Reviewer": 0, "Operator": 0}),
        ({}, {"Reviewer": 10, "Operator": -5}),
    ],
)
def test_a_push_takes_back_the_votes_that_the_policy_resets(
    repository: Repository, rule: Json, left: dict[str, int]
) -> None:
    repository.protect(REVIEWERS, minimumApproverCount=1, **rule)
    repository.push("developer")
    path = repository.open("developer")
    repository.vote(path, "reviewer", 10)
    repository.vote(path, "operator", -5)
    repository.push("developer")
    assert repository.votes(path) == left


@pytest.mark.parametrize("vote", [-5, -10])
@pytest.mark.parametrize("allowed", [False, True])
def test_who_waits_or_rejects_blocks_unless_the_policy_allows_it(
    repository: Repository, vote: int, allowed: bool
) -> None:
    repository.protect(REVIEWERS, minimumApproverCount=1, allowDownvotes=allowed)
    repository.push("developer")
    path = repository.open("developer")
    repository.vote(path, "reviewer", 10)
    repository.vote(path, "operator", vote)
    assert bool(repository.refusal(path, "developer")) is not allowed


def test_nobody_votes_for_another(repository: Repository) -> None:
    repository.push("developer")
    path = repository.open("developer")
    other = f"{path}/reviewers/{repository.ids['reviewer']}"
    token = repository.tokens["developer"]
    assert repository.service.refused("PUT", other, {"vote": 10}, token=token)[0] == 403
    assert repository.service.put(other, {"vote": 0}, token=token)["vote"] == 0
    assert repository.service.refused("PUT", other, {"vote": 7}, token=repository.tokens["reviewer"])[0] == 400


def test_a_vote_on_what_was_there_before_is_not_one_on_the_last_iteration(repository: Repository) -> None:
    repository.protect(REVIEWERS, minimumApproverCount=1, requireVoteOnLastIteration=True)
    repository.push("developer")
    path = repository.open("developer")
    repository.vote(path, "reviewer", 10)
    repository.push("developer")
    assert "nobody approved the last iteration" in repository.refusal(path, "developer")
    repository.vote(path, "reviewer", 10)
    assert repository.refusal(path, "developer") == ""


def test_a_build_has_to_have_succeeded_on_the_sources_last_commit(repository: Repository) -> None:
    service = repository.service
    name = f"validation-{next(_numbers)}"
    pipeline = service.post("app-one/_apis/build/definitions", definition_body(service, name))["id"]
    repository.protect(BUILD, buildDefinitionId=pipeline, displayName="checks")
    push(service, {"/azure-pipelines.yml": "jobs: [{job: x, steps: [{bash: echo}]}]"}, repository.source)
    path = repository.open("developer")
    assert "checks has not run" in repository.refusal(path, "developer")

    artifact = f"vstfs:///CodeReview/CodeReviewId/{service.project_id()}/{path.rpartition('/')[2]}"

    def run(result: str) -> None:
        body = {"reason": "pullRequest", "sourceBranch": f"refs/pull/{path.rpartition('/')[2]}/merge"}
        build = service.post(f"app-one/_apis/sandbox/triggers/{pipeline}", body)
        assert "checks runs" in repository.refusal(path, "developer") or result == "Failed"
        job = service.post("_apis/sandbox/agent/requests", {"build": build["id"]})["job"]
        service.patch(f"_apis/sandbox/agent/requests/{job['id']}", {"result": result}, token=job["accessToken"])

    run("Failed")
    assert "checks failed" in repository.refusal(path, "developer")
    run("Succeeded")
    (row,) = service.get(f"app-one/_apis/policy/evaluations?artifactId={artifact}")["value"]
    assert (row["configuration"]["type"]["displayName"], row["status"]) == ("Build", "approved")
    told = service.get(f"app-one/_apis/build/builds/{row['context']['buildId']}")
    assert (told["result"], told["definition"]["id"]) == ("succeeded", row["context"]["buildDefinitionId"])
    assert row["completedDate"] == told["finishTime"]
    assert (row["artifactId"], row["context"]["buildDefinitionName"]) == (artifact, name)
    repository.push("developer")
    assert "checks has not run" in repository.refusal(path, "developer")
    run("Succeeded")
    assert repository.refusal(path, "developer") == ""


def test_policies_are_bypassed_by_whom_may_and_only_when_they_say_so(repository: Repository) -> None:
    repository.protect(REVIEWERS, **STRICT)
    repository.push("developer")
    path = repository.open("developer")
    bypass = {"completionOptions": {"bypassPolicy": True}}
    assert repository.refusal(path, "developer", **bypass)
    assert repository.refusal(path, "operator")
    assert repository.refusal(path, "operator", **bypass) == ""


def test_a_policy_that_is_off_or_optional_blocks_nothing(repository: Repository) -> None:
    repository.protect(REVIEWERS, minimumApproverCount=2, isEnabled=False)
    repository.protect(REVIEWERS, minimumApproverCount=2, isBlocking=False)
    assert repository.push("developer", repository.target).status_code == 201
    repository.push("developer")
    assert repository.refusal(repository.open("developer"), "developer") == ""


def test_a_pull_request_is_completed_at_the_commit_that_was_looked_at(repository: Repository) -> None:
    repository.push("developer")
    path = repository.open("developer")
    seen = repository.service.get(path)["lastMergeSourceCommit"]
    repository.push("developer")
    body = {"status": "completed", "lastMergeSourceCommit": seen}
    status, key, _ = repository.service.refused("PATCH", path, body, token=repository.tokens["developer"])
    assert (status, key) == (409, "GitPullRequestStaleException")


def test_a_protected_branch_is_pushed_by_nobody_but_who_may_bypass(repository: Repository, tmp_path: Path) -> None:
    repository.protect(REVIEWERS, **STRICT)
    service = repository.service
    refused = repository.push("developer", repository.target)
    assert (refused.status_code, refused.json()["typeKey"]) == (403, "GitRefUpdateRejectedByPolicyException")
    tip = service.get(f"{REPOSITORY}/refs?filter={repository.target[5:]}")["value"][0]["objectId"]
    for new in (tip[::-1], "0" * 40):
        move = [{"name": repository.target, "oldObjectId": tip, "newObjectId": new}]
        (answer,) = service.post(f"{REPOSITORY}/refs", move, token=repository.tokens["developer"])["value"]
        assert (answer["success"], answer["updateStatus"]) == (False, "rejectedByPolicy")

    def git(who: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        header = base64.b64encode(f":{repository.tokens[who]}".encode()).decode()
        given = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraheader"}
        given["GIT_CONFIG_VALUE_0"] = f"Authorization: Basic {header}"
        named = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        command = ["git", "-C", str(tmp_path), *named, *arguments]
        return subprocess.run(command, env={**os.environ, **given}, capture_output=True, text=True, check=False)

    url = f"{service.url}/app-one/_git/app-one"
    assert git("developer", "clone", "--quiet", "--branch", repository.target[11:], url, ".").returncode == 0
    git("developer", "commit", "--quiet", "--allow-empty", "--message", "alone")
    alone = git("developer", "push", url, f"HEAD:{repository.target}", f"HEAD:{repository.source}")
    assert alone.returncode == 1
    assert "TF402455: Pushes to this branch are not permitted" in alone.stderr
    refs = {ref["name"]: ref["objectId"] for ref in service.get(f"{REPOSITORY}/refs")["value"]}
    assert refs[repository.target] == tip
    assert refs[repository.source] != tip
    path = repository.open("operator")
    repository.vote(path, "developer", 10)
    # Git's own push counts as one: the developer pushed last.
    assert "0 of at least 1 reviewers approved" in repository.refusal(path, "operator")
    assert git("operator", "push", url, f"HEAD:{repository.target}").returncode == 0
