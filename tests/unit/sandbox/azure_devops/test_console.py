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

from sandbox.agent.channel import Organization
from sandbox.console.pages import Pages
from sandbox.console.server import POLICY, Console
from tests.unit.sandbox.azure_devops.service import Json, Service, definition_body, group_body, push

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
APPROVAL = "8c6f20a7-a545-4486-9777-f762fafe0d4d"
SECRET = "a-secret-of-the-group"
IMAGE = {
    "repositoryName": "app-one",
    "imageDigest": "sha256:abc",
    "imageTags": ["1.0"],
    "imageScanStatus": {"status": "COMPLETE"},
    "imageScanFindingsSummary": {"findingSeverityCounts": {"HIGH": 2}},
}
PAGES = ("/runs", "/pull-requests", "/library", "/environments", "/images")


@dataclass
class Browser:
    """A console that is served, and one person's session with it."""

    console: Console
    session: requests.Session

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
def stranger(service: Service) -> Iterator[Browser]:
    """A console whose address nobody has opened yet."""
    organization = Organization(service.url, service.token)
    listening = socket.create_server(("127.0.0.1", 0))
    pages = Pages(
        lambda method, path, body: organization.ask(method, f"app-one/{path}", body), "app-one", lambda: [IMAGE]
    )
    console, ready = Console(pages, listening.getsockname()[1]), threading.Event()
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
    """The person who opened the address."""
    answer = stranger.ask("GET", stranger.console.address.split(stranger.console.host)[1])
    assert (answer.status_code, answer.headers["Location"]) == (303, "/runs")
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


def due(service: Service, build: Json) -> str:
    rows = service.get(f"app-one/_apis/build/builds/{build['id']}/timeline")["records"]
    return next(str(one["id"]) for one in rows if one["type"] == "Checkpoint.Approval")


@pytest.mark.parametrize("path", [*PAGES, "/runs/1", "/runs/1/logs/1", "/nothing", "/", "/?token=guess"])
def test_nobody_without_the_address_sees_a_page(stranger: Browser, path: str) -> None:
    answer = stranger.ask("GET", path)
    assert answer.status_code == 403
    assert stranger.console.invitation not in answer.text


def test_the_address_is_good_once(person: Browser) -> None:
    assert person.console.invitation == ""
    person.session.cookies.clear()
    assert person.ask("GET", "/?token=").status_code == 403


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


def test_images_are_shown_with_digest_and_findings(person: Browser) -> None:
    page = person.ask("GET", "/images").text
    assert all(word in page for word in ("sha256:abc", "1.0", "COMPLETE", "2 HIGH"))


def test_an_environment_is_shown_with_its_check(person: Browser, waiting: Json) -> None:
    assert waiting["id"]
    assert "Approval" in person.ask("GET", "/environments").text


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
