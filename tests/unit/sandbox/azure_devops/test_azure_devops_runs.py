"""How a run goes on at the service: what waits for what, who is asked, what an agent is given, what is shown."""

from __future__ import annotations

import base64
import io
import itertools
import os
import subprocess
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.sandbox.azure_devops.service import Json, Service, definition_body, group_body, push

if TYPE_CHECKING:
    from pathlib import Path

BUILDS = "app-one/_apis/build/builds"
AGENT = "_apis/sandbox/agent"
APPROVAL, LOCK = "8c6f20a7-a545-4486-9777-f762fafe0d4d", "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563"

Queue = Callable[..., Json]
_numbers = itertools.count(1)


@pytest.fixture
def queue(service: Service) -> Queue:
    """Queue a run of a YAML on a branch of the test's own, as the service does for the developer."""
    branch = f"refs/heads/run-{next(_numbers)}"
    made: list[Json] = []

    def start(text: str, **more: object) -> Json:
        push(service, {"/azure-pipelines.yml": text}, branch)
        if not made:
            made.append(service.post("app-one/_apis/build/definitions", definition_body(service, branch[11:])))
        body = {"reason": "individualCI", "sourceBranch": branch, **more}
        answer: Json = service.post(f"app-one/_apis/sandbox/triggers/{made[0]['id']}", body)
        return answer

    return start


@pytest.fixture
def environment(service: Service, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Make an environment that is open to all pipelines, with checks."""

    def make(*checks: tuple[str, Json]) -> str:
        name = f"env-{request.node.name[:60]}"
        number = service.post("app-one/_apis/distributedtask/environments", {"name": name})["id"]
        body = {"allPipelines": {"authorized": True}}
        service.patch(f"app-one/_apis/pipelines/pipelinePermissions/environment/{number}", body)
        for kind, settings in checks:
            resource = {"type": "environment", "id": str(number)}
            check = {"type": {"id": kind}, "resource": resource, "settings": settings}
            service.post("app-one/_apis/pipelines/checks/configurations", check)
        return name

    return make


def administrators(service: Service) -> str:
    groups = service.get("_apis/graph/groups")["value"]
    return next(str(one["originId"]) for one in groups if one["displayName"] == "Project Administrators")


def deployment(environment: str, more: str = "") -> str:
    return (
        f"{more}\njobs:\n- deployment: d\n  environment: {environment}\n"
        "  strategy: {runOnce: {deploy: {steps: [{bash: echo}]}}}\n"
    )


def take(service: Service, build: Json) -> Json:
    answer: Json = service.post(f"{AGENT}/requests", {"build": build["id"]})
    return answer


def finish(service: Service, job: Json, result: str = "Succeeded", **outputs: str) -> None:
    body = {"result": result, "outputs": outputs}
    service.patch(f"{AGENT}/requests/{job['id']}", body, token=job["accessToken"])


def records(service: Service, build: Json, kind: str) -> list[Json]:
    found = service.get(f"{BUILDS}/{build['id']}/timeline")["records"]
    return sorted((one for one in found if one["type"] == kind), key=lambda one: int(one["order"]))


def ended(service: Service, build: Json) -> dict[str, Any]:
    return {one["identifier"]: one["result"] or one["state"] for one in records(service, build, "Stage")}


STAGES = """
stages:
- stage: a
  jobs: [{job: x, steps: [{bash: echo}]}, {job: y, dependsOn: x, condition: failed(), steps: [{bash: echo}]}]
- stage: b
  jobs: [{job: x, steps: [{bash: echo}]}]
- stage: c
  condition: always()
  jobs: [{job: x, steps: [{bash: echo}]}]
- stage: d
  dependsOn: [a]
  condition: eq(dependencies.a.outputs['x.s.word'], 'go')
  jobs: [{job: x, variables: {word: "$[ stageDependencies.a.x.outputs['s.word'] ]"}, steps: [{bash: echo}]}]
"""


def test_stages_and_jobs_follow_their_dependencies_and_conditions(service: Service, queue: Queue) -> None:
    build = queue(STAGES)
    first = take(service, build)["job"]
    assert (first["stage"], first["job"]["job"]) == ("a", "x")
    finish(service, first, "Failed", **{"s.word": "go"})
    later = take(service, build)["job"]
    assert (later["stage"], later["job"]["job"]) == ("a", "y")
    finish(service, later)
    # b is skipped; c runs in any case; d reads an output.
    job = take(service, build)["job"]
    assert job["stage"] == "c"
    finish(service, job)
    job = take(service, build)["job"]
    assert job["stage"] == "d"
    assert {"name": "word", "value": "go", "isSecret": False} in job["variables"]
    finish(service, job)
    assert ended(service, build) == {"a": "failed", "b": "skipped", "c": "succeeded", "d": "succeeded"}
    assert take(service, build) == {"job": None, "status": "completed", "approvals": []}
    assert service.get(f"{BUILDS}/{build['id']}")["result"] == "failed"
    assert service.ask("GET", f"{BUILDS}/{build['id']}", token=job["accessToken"]).status_code == 401


def test_what_did_not_succeed_runs_again_with_what_comes_after_it(service: Service, queue: Queue) -> None:
    build = queue(
        "stages:\n- stage: a\n  jobs: [{job: x, steps: []}, {job: y, steps: []}]\n- {stage: b, jobs: [{job: x}]}\n"
    )
    for result in ("Succeeded", "Failed"):
        finish(service, take(service, build)["job"], result)
    path = f"{BUILDS}/{build['id']}/stages/a"
    assert service.refused("PATCH", path, {"state": "cancel"})[0] == 400
    assert service.ask("PATCH", path, {"state": "retry", "forceRetryAllJobs": False}).status_code == 204
    job = take(service, build)["job"]
    assert (job["job"]["job"], job["stageAttempt"], job["jobAttempt"]) == ("y", 2, 2)
    assert service.refused("PATCH", path, {"state": "retry"})[0] == 400
    finish(service, job)
    finish(service, take(service, build)["job"])
    assert ended(service, build) == {"a": "succeeded", "b": "succeeded"}


def test_a_stage_that_is_left_out_counts_as_succeeded_for_those_after_it(service: Service, queue: Queue) -> None:
    build = queue("stages:\n- {stage: a, jobs: [{job: x}]}\n- {stage: b, jobs: [{job: x}]}\n", stagesToSkip=["a"])
    job = take(service, build)["job"]
    assert job["stage"] == "b"
    finish(service, job)
    assert ended(service, build) == {"a": "skipped", "b": "succeeded"}


def test_an_approver_is_asked_before_a_stage_begins_and_whoever_asked_for_the_run_is_none(
    service: Service, queue: Queue, environment: Callable[..., str]
) -> None:
    settings = {"approvers": [{"id": administrators(service)}], "requesterCannotBeApprover": True}
    name = environment((APPROVAL, settings))
    own = queue(deployment(name), requestedFor="Operator")
    (asked,) = take(service, own)["approvals"]
    body = [{"approvalId": asked["id"], "status": "approved"}]
    status, _, message = service.refused("PATCH", "app-one/_apis/pipelines/approvals", body)
    assert (status, message) == (401, "Whoever queued a run cannot approve it (see the check).")

    build = queue(deployment(name))
    waiting = take(service, build)
    assert waiting["job"] is None
    (asked,) = waiting["approvals"]
    assert (asked["stage"], asked["status"]) == ("stage", "pending")
    assert service.get(f"app-one/_apis/pipelines/approvals/{asked['id']}")["id"] == asked["id"]
    body = [{"approvalId": asked["id"], "status": "approved"}]
    service.patch("app-one/_apis/pipelines/approvals", body)
    assert service.refused("PATCH", "app-one/_apis/pipelines/approvals", body)[0] == 400
    finish(service, take(service, build)["job"])
    assert ended(service, build) == {"stage": "succeeded"}


def test_a_stage_whose_approval_is_rejected_fails_without_an_agent(
    service: Service, queue: Queue, environment: Callable[..., str]
) -> None:
    name = environment((APPROVAL, {"approvers": [{"id": administrators(service)}]}))
    build = queue(deployment(name))
    (asked,) = take(service, build)["approvals"]
    answer = [{"approvalId": asked["id"], "status": "rejected", "comment": "not today"}]
    service.patch("app-one/_apis/pipelines/approvals", answer)
    assert take(service, build)["status"] == "completed"
    (stage,) = records(service, build, "Stage")
    assert stage["result"] == "failed"
    assert stage["issues"][0]["message"] == f"Environment {name}: the approval was rejected. not today"


def test_a_cancelled_run_asks_nobody_any_more(service: Service, queue: Queue, environment: Callable[..., str]) -> None:
    name = environment((APPROVAL, {"approvers": [{"id": administrators(service)}]}))
    build = queue(deployment(name))
    (asked,) = take(service, build)["approvals"]
    assert service.patch(f"{BUILDS}/{build['id']}", {"status": "cancelling"})["result"] == "canceled"
    body = [{"approvalId": asked["id"], "status": "approved"}]
    assert service.refused("PATCH", "app-one/_apis/pipelines/approvals", body)[0] == 400


def test_an_exclusive_lock_lets_one_run_in_after_another(
    service: Service, queue: Queue, environment: Callable[..., str]
) -> None:
    text = deployment(environment((LOCK, {})), "lockBehavior: sequential")
    first, second, third = queue(text), queue(text), queue(text)
    job = take(service, first)["job"]
    assert [ended(service, one) for one in (second, third)] == [{"stage": "pending"}] * 2
    finish(service, job)
    assert ended(service, third) == {"stage": "pending"}
    finish(service, take(service, second)["job"])
    finish(service, take(service, third)["job"])


def test_without_a_word_on_the_lock_only_the_newest_run_waits_for_it(
    service: Service, queue: Queue, environment: Callable[..., str]
) -> None:
    text = deployment(environment((LOCK, {})))
    first, second, third = queue(text), queue(text), queue(text)
    finish(service, take(service, first)["job"])
    assert ended(service, second) == {"stage": "skipped"}
    finish(service, take(service, third)["job"])


def test_an_agent_tells_of_steps_and_their_logs_are_read_line_by_line(service: Service, queue: Queue) -> None:
    build = queue("steps: [{bash: echo}]\n")
    job = take(service, build)["job"]

    def say(**what: object) -> None:
        service.post(f"{AGENT}/steps/{job['id']}", what, token=job["accessToken"])

    say(number=1, name="One", state="inProgress")
    say(number=1, lines=["first", "second ##[error]"])
    say(number=1, state="completed", result="Failed", lines=["third"], issues=[{"type": "error", "message": "no"}])
    assert service.refused("POST", f"{AGENT}/steps/{job['id']}", {"number": 3}, token=job["accessToken"])[0] == 400
    (record,) = records(service, build, "Task")
    assert (record["name"], record["result"], record["errorCount"]) == ("One", "failed", 1)
    log = f"{BUILDS}/{build['id']}/logs/{record['log']['id']}"
    assert service.get(log)["value"] == ["first", "second ##[error]", "third"]
    assert service.get(f"{log}?startLine=2&endLine=2")["value"] == ["second ##[error]"]
    assert service.refused("GET", f"{BUILDS}/{build['id']}/logs/99")[0] == 404


def test_an_artefact_is_kept_once_and_leaves_no_folder(service: Service, queue: Queue) -> None:
    build = queue("steps: [{bash: echo}]\n")
    job = take(service, build)["job"]
    path, token = f"{AGENT}/artifacts/{job['id']}", job["accessToken"]
    content = base64.b64encode(b"text").decode()
    service.post(path, {"name": "a", "files": {"d/f.txt": content}}, token=token)
    assert service.refused("POST", path, {"name": "a", "files": {}}, token=token)[0] == 409
    for name, file in (("b", "../f"), ("b", "/f"), ("..", "f"), ("x/y", "f")):
        assert service.refused("POST", path, {"name": name, "files": {file: content}}, token=token)[0] == 400
    assert service.get(path, token=token) == {"a": {"d/f.txt": content}}
    assert service.refused("GET", f"{path}?name=none", token=token)[0] == 404
    (listed,) = service.get(f"{BUILDS}/{build['id']}/artifacts")["value"]
    assert listed["name"] == "a"
    packed = service.ask("GET", f"{BUILDS}/{build['id']}/artifacts?artifactName=a&$format=zip").content
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.read("a/d/f.txt") == b"text"


def test_the_token_of_a_run_speaks_of_no_other_run(service: Service, queue: Queue) -> None:
    text = "steps: [{bash: echo}]\n"
    mine, other = (take(service, queue(text))["job"] for _ in range(2))
    refused = service.refused(
        "PATCH", f"{AGENT}/requests/{other['id']}", {"result": "Failed"}, token=mine["accessToken"]
    )
    assert refused[0] == 404
    assert service.ask("POST", f"{AGENT}/requests", {}, token=mine["accessToken"]).status_code == 401


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages:\n- {stage: a, dependsOn: z, jobs: [{job: x}]}\n", "Stage a depends on unknown stage z."),
        ("jobs:\n- {job: a, dependsOn: z}\n", "Stage stage job a depends on unknown job z."),
        ("steps: [{template: none.yml}]\n", "File /none.yml not found in repository"),
        ("extends: {template: none.yml}\n", "File /none.yml not found in repository"),
        ("steps: [", "is no YAML"),
        (
            "jobs:\n- {deployment: d, environment: e, strategy: {runOnce: {}}}\n",
            "no steps in strategy: runOnce: deploy",
        ),
        (
            "jobs:\n- {deployment: d, environment: e, strategy: {canary: {}}}\n",
            "the strategy canary of deployment d is not known here",
        ),
        ("jobs:\n- {job: a, strategy: {parallel: many}}\n", "parallel is 'many', no whole number"),
        ("parameters: [{name: p, type: number, default: x}]\nsteps: []\n", "no number"),
        ("pool: own\nsteps: []\n", "Could not find a pool with name own. The pool does not exist"),
        ("jobs:\n- {job: a, pool: {name: own, demands: x}}\n", "Could not find a pool with name own."),
        ("stages:\n- {stage: a, pool: {name: own}, jobs: []}\n", "Could not find a pool with name own."),
        ("variables: [{group: none}]\nsteps: []\n", "Variable group none was not found or is not authorized for use."),
    ],
)
def test_a_run_that_cannot_be_is_not_queued_and_the_reason_is_named(queue: Queue, text: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        queue(text)


def test_a_group_whose_permission_is_taken_back_stops_the_stage(service: Service, queue: Queue) -> None:
    group = service.post("_apis/distributedtask/variablegroups", group_body(service.project_id(), "taken-back"))
    path = f"app-one/_apis/pipelines/pipelinePermissions/variablegroup/{group['id']}"
    service.patch(path, {"allPipelines": {"authorized": True}})
    build = queue(
        "stages:\n- {stage: a, jobs: [{job: x}]}\n- {stage: b, variables: [{group: taken-back}], jobs: [{job: x}]}\n"
    )
    service.patch(path, {"allPipelines": {"authorized": False}})
    finish(service, take(service, build)["job"])
    assert ended(service, build) == {"a": "succeeded", "b": "failed"}


def git(token: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    header = "Authorization: Basic " + base64.b64encode(f":{token}".encode()).decode()
    own = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraheader", "GIT_CONFIG_VALUE_0": header}
    own |= {"GIT_TERMINAL_PROMPT": "0", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    return subprocess.run(
        ["git", *who, *arguments], cwd=cwd, env=os.environ | own, capture_output=True, text=True, check=False
    )


def test_git_itself_clones_and_pushes_by_its_scopes(service: Service, tmp_path: Path) -> None:
    url = f"{service.url}/app-one/_git/app-one"
    reads, writes, other = (service.issue(scope) for scope in ("vso.code", "vso.code_write", "vso.build"))
    assert git(reads, "clone", "-q", url, "c", cwd=tmp_path).returncode == 0
    clone = tmp_path / "c"
    (clone / "new.txt").write_text("new")
    for arguments in (("checkout", "-qb", "by-git"), ("add", "."), ("commit", "-qm", "By git")):
        assert git(reads, *arguments, cwd=clone).returncode == 0
    assert "TF401027" in git(reads, "push", "origin", "by-git", cwd=clone).stderr
    done = git(writes, "push", "-q", "origin", "by-git", cwd=clone)
    assert done.returncode == 0, done.stderr
    path = "app-one/_apis/git/repositories/app-one"
    head = git(reads, "rev-parse", "HEAD", cwd=clone).stdout.strip()
    commit = service.get(f"{path}/commits/{head}")
    assert (commit["comment"], commit["author"]["email"]) == ("By git", "t@example.com")
    item = service.get(f"{path}/items?path=/new.txt&versionDescriptor.version=by-git&includeContent=true")
    assert item["content"] == "new"
    assert git(other, "ls-remote", url, cwd=tmp_path).returncode != 0
    assert git("nobody", "ls-remote", url, cwd=tmp_path).returncode != 0
    assert git(reads, "ls-remote", url + "-not-there", cwd=tmp_path).returncode != 0
