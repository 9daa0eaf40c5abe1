"""The console over a running service: who gets in, what a page shows, and what it never does."""

from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests
from aiohttp import web

from sandbox.console import invitation
from sandbox.console.pages import Pages
from sandbox.console.pull_requests import BUILD, REVIEWERS
from sandbox.console.server import POLICY, Console
from sandbox.console.sources import Aws, AzureDevOps, Release
from tests.unit.sandbox.azure_devops.service import Json, Service, definition_body, group_body, push

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
APPROVAL = "8c6f20a7-a545-4486-9777-f762fafe0d4d"
SECRET = "a-secret-of-the-group"
DIGEST = f"sha256:{'a' * 64}"
PAGES = ("/runs", "/pull-requests", "/library", "/environments", "/connections", "/images")


class Account(Aws):
    """An account with one image, of a hostile finding; how a real one is read: test_sources."""

    def images(self) -> list[Json]:
        return [
            {
                "repositoryName": "app-one",
                "imageDigest": DIGEST,
                "imageTags": ["1.0"],
                "imageScanStatus": {"status": "COMPLETE"},
                "imageScanFindingsSummary": {"findingSeverityCounts": {"LOW": 1, "HIGH": 2}},
            }
        ]

    def findings(self, repository: str, digest: str) -> Json:
        assert (repository, digest) == ("app-one", DIGEST)
        return {
            "imageScanFindings": {"findings": [{"name": HOSTILE, "severity": "HIGH", "uri": "javascript:alert(1)"}]}
        }

    def releases(self) -> list[Release]:
        return [Release("dev-image", f"app-one@{DIGEST}", 0)]


@dataclass
class Browser:
    """A console that is served, and one person's session with it."""

    console: Console
    session: requests.Session

    def invite(self) -> str:
        """Return the path of a new address."""
        return f"/library?token={invitation.new(self.console.keys)}"

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        url = f"http://{self.console.host}{path}"
        return self.session.request(method, url, allow_redirects=False, timeout=60, **more)


def serve(console: Console, listening: socket.socket, ready: threading.Event, stop: list[Any]) -> None:
    async def run() -> None:
        ended = asyncio.Event()
        stop.append((asyncio.get_running_loop(), ended))
        runner = web.AppRunner(console.application())
        await runner.setup()
        await web.SockSite(runner, listening).start()
        ready.set()
        await ended.wait()
        await runner.cleanup()

    asyncio.run(run())


@pytest.fixture
def stranger(service: Service, tmp_path: Path) -> Iterator[Browser]:
    """A console of which nobody has opened an address yet."""
    azure = AzureDevOps(service.url, service.token, "app-one")
    listening = socket.create_server(("127.0.0.1", 0))
    pages = Pages(azure.ask, "app-one", Account("", "", {}, tmp_path))
    console, ready = Console(pages, listening.getsockname()[1], tmp_path), threading.Event()
    stop: list[Any] = []
    thread = threading.Thread(target=serve, args=(console, listening, ready, stop), daemon=True)
    thread.start()
    assert ready.wait(60)
    session = requests.Session()
    session.trust_env = False
    yield Browser(console, session)
    session.close()
    loop, ended = stop[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join()


@pytest.fixture
def person(stranger: Browser) -> Browser:
    """The person who opened an address."""
    answer = stranger.ask("GET", stranger.invite())
    assert (answer.status_code, answer.headers["Location"]) == (303, "/library"), "the page is left without the token"
    assert all(word in answer.headers["Set-Cookie"] for word in ("HttpOnly", "SameSite=Strict"))
    return stranger


@pytest.fixture(scope="module")
def waiting(service: Service) -> Json:
    """A run with a hostile name that waits for an approval."""
    number = service.post("app-one/_apis/distributedtask/environments", {"name": "console"})["id"]
    open_ = {"allPipelines": {"authorized": True}}
    service.patch(f"app-one/_apis/pipelines/pipelinePermissions/environment/{number}", open_)
    groups = service.get("_apis/graph/groups")["value"]
    who = next(one["originId"] for one in groups if one["displayName"] == "Project Administrators")
    resource = {"type": "environment", "id": str(number)}
    check = {"type": {"id": APPROVAL}, "resource": resource, "settings": {"approvers": [{"id": who}]}}
    service.post("app-one/_apis/pipelines/checks/configurations", check)
    text = (
        "stages:\n- stage: one\n  jobs: [{job: x, steps: [{bash: echo}]}]\n- stage: two\n  jobs:\n  - deployment: d\n"
        "    environment: console\n    strategy: {runOnce: {deploy: {steps: [{bash: echo}]}}}\n"
    )
    push(service, {"/azure-pipelines.yml": text}, "refs/heads/console")
    made = service.post("app-one/_apis/build/definitions", definition_body(service, "console"))
    body = {"reason": "individualCI", "sourceBranch": "refs/heads/console"}
    build: Json = service.post(f"app-one/_apis/sandbox/triggers/{made['id']}", body)
    job = service.post("_apis/sandbox/agent/requests", {"build": build["id"]})["job"]
    said = {"number": 1, "name": HOSTILE, "state": "completed", "result": "Succeeded", "lines": [HOSTILE]}
    service.post(f"_apis/sandbox/agent/steps/{job['id']}", said, token=job["accessToken"])
    done = {"result": "Succeeded", "outputs": {}}
    service.patch(f"_apis/sandbox/agent/requests/{job['id']}", done, token=job["accessToken"])
    assert service.post("_apis/sandbox/agent/requests", {"build": build["id"]})["approvals"]
    return build


def push_both(service: Service) -> tuple[str, str]:
    """Two branches with a pipeline, and their names."""
    names = ("refs/heads/console-main", "refs/heads/console-topic")
    for name in names:
        push(service, {"/azure-pipelines.yml": "jobs: [{job: x, steps: [{bash: echo}]}]"}, name)
    return names


def due(service: Service, build: Json) -> str:
    rows = service.get(f"app-one/_apis/build/builds/{build['id']}/timeline")["records"]
    return next(str(one["id"]) for one in rows if one["type"] == "Checkpoint.Approval")


@pytest.mark.parametrize("path", [*PAGES, "/runs/1", "/runs/1/logs/1", "/nothing", "/", "/?token=guess", "/?token="])
def test_nobody_without_an_address_sees_a_page(stranger: Browser, path: str) -> None:
    stranger.invite()
    answer = stranger.ask("GET", path)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
    assert "python -m sandbox console" in answer.text


def test_an_address_is_good_once_and_only_the_newest(stranger: Browser) -> None:
    first, second = stranger.invite(), stranger.invite()
    assert stranger.ask("GET", first).status_code == 403
    assert stranger.ask("GET", second).status_code == 303
    assert stranger.ask("GET", "/library").status_code == 200
    stranger.session.cookies.clear()
    assert stranger.ask("GET", second).status_code == 403
    assert stranger.ask("GET", "/library").status_code == 403


def test_an_address_takes_whoever_is_signed_in_to_its_page_and_is_used_up(person: Browser) -> None:
    again = person.invite()
    for _ in range(2):  # the second time by the session alone
        answer = person.ask("GET", again)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/library")
    person.session.cookies.clear()
    assert person.ask("GET", again).status_code == 403


def test_an_address_leads_nowhere_but_to_a_page_of_the_console(person: Browser) -> None:
    for path in ("//attacker.example", "/nothing", "/images/x"):
        answer = person.ask("GET", f"{path}?token=any")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/runs"), path


def test_a_token_in_a_form_signs_nobody_in(stranger: Browser) -> None:
    path = f"/runs/1/approvals/{APPROVAL}?token={invitation.new(stranger.console.keys)}"
    assert stranger.ask("POST", path, data={"answer": "approve"}).status_code == 403
    assert "Set-Cookie" not in stranger.ask("POST", path).headers


@pytest.mark.parametrize("host", ["localhost", "attacker.example", "attacker.example:80", ""])
def test_a_name_that_was_rebound_to_the_loopback_is_refused(person: Browser, host: str) -> None:
    assert person.ask("GET", "/runs", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("path", [*PAGES, "/style.css", "/nothing"])
def test_every_answer_lets_a_browser_load_nothing_but_the_style(person: Browser, path: str) -> None:
    answer = person.ask("GET", path)
    assert answer.status_code == (404 if path == "/nothing" else 200)
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["Cache-Control"] == "no-store"
    assert "script-src" not in POLICY
    assert "default-src 'none'" in POLICY


def test_a_page_takes_no_other_method(person: Browser) -> None:
    assert person.ask("POST", "/runs").status_code == 405
    assert person.ask("DELETE", "/library").status_code == 405


def test_names_and_logs_are_shown_as_text(person: Browser, waiting: Json, service: Service) -> None:
    rows = service.get(f"app-one/_apis/build/builds/{waiting['id']}/timeline")["records"]
    log = next(one["log"]["id"] for one in rows if one["name"] == HOSTILE)
    for path in (f"/runs/{waiting['id']}", f"/runs/{waiting['id']}/logs/{log}"):
        page = person.ask("GET", path).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert "<script" not in page
        assert "<img" not in page


def test_the_library_names_secrets_and_no_page_holds_one(person: Browser, waiting: Json, service: Service) -> None:
    variables = {"Open": {"value": "seen"}, "Hidden": {"value": SECRET, "isSecret": True}}
    service.post(
        "_apis/distributedtask/variablegroups",
        group_body(service.get("_apis/projects/app-one")["id"], "console", **variables),
    )
    library = person.ask("GET", "/library").text
    assert "seen" in library
    assert "Hidden" in library
    for path in (*PAGES, f"/runs/{waiting['id']}"):
        page = person.ask("GET", path).text
        assert SECRET not in page
        assert service.token not in page


def test_images_are_shown_with_what_released_them_and_each_with_its_findings(person: Browser) -> None:
    page = person.ask("GET", "/images").text
    assert all(word in page for word in (DIGEST, "1.0", "2 HIGH, 1 LOW", "dev-image\n1970-01-01 00:00:00 UTC"))
    image = person.ask("GET", f"/images/app-one@{DIGEST}").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in image
    assert "javascript:alert(1)" in image, "a link is shown as text"
    assert 'href="javascript' not in image
    assert person.ask("GET", f"/images/other@{DIGEST}").status_code == 404


def test_an_environment_is_shown_with_who_may_use_it_and_who_approves(person: Browser, waiting: Json) -> None:
    assert waiting["id"]
    page = person.ask("GET", "/environments").text
    assert "Approver: Project Administrators." in page
    assert "Every pipeline of the project may use it." in page


def test_a_service_connection_is_shown_without_what_it_signs_in_with(person: Browser, service: Service) -> None:
    reference = {"projectReference": {"id": service.project_id(), "name": "app-one"}, "name": "to-aws"}
    given = {"username": "AKIAEXAMPLE", "password": SECRET}
    body = {
        "name": "to-aws",
        "type": "aws",
        "url": "https://aws.amazon.com/",
        "authorization": {"scheme": "UsernamePassword", "parameters": given},
        "serviceEndpointProjectReferences": [reference],
    }
    service.post("_apis/serviceendpoint/endpoints", body)
    page = person.ask("GET", "/connections").text
    assert "to-aws (aws, UsernamePassword, ready)" in page
    assert SECRET not in page


def test_a_pull_request_is_shown_with_its_policies_votes_and_comments(person: Browser, service: Service) -> None:
    main, topic = push_both(service)
    pipeline = service.post("app-one/_apis/build/definitions", definition_body(service, "validates"))
    scope = [{"repositoryId": None, "refName": main, "matchKind": "Exact"}]
    build = {"buildDefinitionId": pipeline["id"], "displayName": "checks", "validDuration": 0, "scope": scope}
    reviewers = {"minimumApproverCount": 1, "creatorVoteCounts": False, "scope": scope}
    for kind, settings in ((BUILD, build), (REVIEWERS, reviewers)):
        policy = {"isEnabled": True, "isBlocking": True, "type": {"id": kind}, "settings": settings}
        service.post("app-one/_apis/policy/configurations", policy)
    requests_ = "app-one/_apis/git/repositories/app-one/pullrequests"
    body = {"sourceRefName": topic, "targetRefName": main, "title": HOSTILE}
    number = service.post(requests_, body)["pullRequestId"]
    service.post(f"{requests_}/{number}/threads", {"comments": [{"content": "Two resources change."}]})

    def shown() -> str:
        return person.ask("GET", f"/pull-requests/{number}").text

    before = shown()
    assert all(word in before for word in ("Two resources change.", "At least 1 approve.", "Nobody has voted."))
    assert before.count('<span class="waits">queued</span>') == 2
    assert "<script" not in before
    queued = {"reason": "pullRequest", "sourceBranch": f"refs/pull/{number}/merge"}
    run = service.post(f"app-one/_apis/sandbox/triggers/{pipeline['id']}", queued)["id"]
    job = service.post("_apis/sandbox/agent/requests", {"build": run})["job"]
    assert f'<a href="/runs/{run}">run {run}</a>' in (running := shown())
    assert '<span class="waits">running</span>' in running
    service.patch(f"_apis/sandbox/agent/requests/{job['id']}", {"result": "Failed"}, token=job["accessToken"])
    me = service.get("_apis/connectionData")["authenticatedUser"]["id"]
    service.put(f"{requests_}/{number}/reviewers/{me}", {"vote": -10})
    assert shown().count('<span class="bad">rejected</span>') == 3, "the build, the reviewers, the vote"
    assert f'<a href="/pull-requests/{number}">pull request {number}</a>' in person.ask("GET", f"/runs/{run}").text


def test_a_run_that_is_not_there_is_an_error_of_one_line(person: Browser) -> None:
    answer = person.ask("GET", "/runs/99999")
    assert answer.status_code == 502
    assert "Azure DevOps refuses" in answer.text
    assert "Traceback" not in answer.text


def test_an_approval_is_given_by_the_form_of_the_session_alone(
    person: Browser, waiting: Json, service: Service
) -> None:
    approval = due(service, waiting)
    path = f"/runs/{waiting['id']}/approvals/{approval}"
    known = person.ask("GET", f"/runs/{waiting['id']}").text
    form = known.split('name="form" value="')[1].split('"')[0]
    for sent, headers in (
        ({"answer": "approve"}, {}),
        ({"answer": "approve", "form": "guess"}, {}),
        ({"answer": "approve", "form": form}, {"Origin": "http://attacker.example"}),
    ):
        assert person.ask("POST", path, data=sent, headers=headers).status_code == 403
    assert person.ask("POST", path, data={"answer": "perhaps", "form": form}).status_code == 400
    assert service.get(f"app-one/_apis/pipelines/approvals/{approval}")["status"] == "pending"
    assert person.ask("POST", path, data={"answer": "approve", "form": form}).status_code == 303
    assert service.get(f"app-one/_apis/pipelines/approvals/{approval}")["status"] == "approved"
    assert 'value="approve"' not in person.ask("GET", f"/runs/{waiting['id']}").text
    assert person.ask("POST", path, data={"answer": "reject", "form": form}).status_code == 502
