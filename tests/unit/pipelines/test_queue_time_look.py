"""The night says whether whoever queues a run may set variables of it."""

from __future__ import annotations

import base64
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines import agent, queue_time

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[3]
LIMITED = {"enforceSettableVar": True}


class Service(http.server.BaseHTTPRequestHandler):
    """Answers as Azure DevOps does, by path."""

    answers: dict[str, tuple[int, str]]
    asked: list[str | None]

    def do_GET(self) -> None:
        type(self).asked.append(self.headers["Authorization"])
        code, body = self.answers[self.path]
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def service() -> Iterator[str]:
    Service.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def look(service: str, settings: object, definition: object, code: int = 200) -> subprocess.CompletedProcess[str]:
    Service.answers = {
        "/p/_apis/build/generalsettings?api-version=7.1": (code, json.dumps(settings)),
        "/p/_apis/build/definitions/7?api-version=7.1": (200, json.dumps(definition)),
    }
    given = {"SYSTEM_COLLECTIONURI": service, "SYSTEM_TEAMPROJECTID": "p", "SYSTEM_DEFINITIONID": "7"}
    env = {"PATH": os.environ["PATH"], "TF_BUILD": "True", "SYSTEM_ACCESSTOKEN": "token-of-the-run", **given}
    command = [sys.executable, "-m", "pipelines.queue_time"]
    return subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False)


def test_a_limited_project_with_a_pipeline_that_offers_nothing_is_fine(service: str) -> None:
    done = look(service, LIMITED, {"variables": {"fixed": {"value": "x"}}})
    assert (done.returncode, done.stdout) == (agent.OK, "who queues a run sets no variable of it\n")
    assert Service.asked == ["Basic " + base64.b64encode(b":token-of-the-run").decode()] * 2


@pytest.mark.parametrize("settings", [{"enforceSettableVar": False}, {}])
def test_a_project_that_does_not_say_that_it_limits_is_named_with_the_remedy(service: str, settings: object) -> None:
    done = look(service, settings, {})
    assert done.returncode == agent.REFUSED
    assert "error: whoever queues a run may set any variable of it: switch on Project settings" in done.stderr
    assert "##vso[task.logissue type=error]whoever queues a run" in done.stdout


def test_a_variable_that_the_pipeline_offers_is_named() -> None:
    variables = {"BASH_ENV": {"value": "", "allowOverride": True}, "a": {"allowOverride": True}, "b": {}}
    (said,) = queue_time.findings(LIMITED, {"variables": variables})
    assert said.startswith("the pipeline lets whoever queues a run set BASH_ENV, a: take them out under")


@pytest.mark.parametrize("code", [203, 302, 401, 403])
def test_a_token_that_is_not_shown_it_is_one_error_with_the_right_that_it_needs(service: str, code: int) -> None:
    done = look(service, LIMITED, {}, code)
    assert done.returncode == agent.FAILED
    assert f'to this run ({code}): give the build service "View builds"' in done.stderr
    assert "token-of-the-run" not in done.stdout + done.stderr


def test_a_page_is_no_answer(service: str) -> None:
    done = look(service, ["no object"], {})
    assert done.returncode == agent.FAILED
    assert "answered GET generalsettings with no JSON object" in done.stderr
    assert "Traceback" not in done.stderr
