"""Who a run is to AWS: the key that it is given, or a role by an identity token that it asks for when it needs it."""

from __future__ import annotations

import http.server
import json
import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from pipelines import agent, build, identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "header.claims.signature-of-a-test"


class Service(http.server.BaseHTTPRequestHandler):
    """Answers as Azure DevOps does, each of `answers` once, the last one for ever."""

    answers: list[tuple[int, object]]
    asked: list[tuple[str, str]]
    sends_to = ""

    def do_POST(self) -> None:
        type(self).asked.append((self.path, self.headers["Authorization"]))
        code, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(code)
        if self.sends_to:
            self.send_header("Location", self.sends_to)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    do_GET = do_POST  # noqa: N815 (what is sent on is asked so)

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[Service]]:
    """The service, and the environment of a step with identity tokens; nobody waits between two tries."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    Service.answers, Service.asked, Service.sends_to = [(200, {"oidcToken": TOKEN})], [], ""
    environment = {
        "PIPELINE_IDENTITY": "oidc",
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/push",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "private" / "identity"),
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "a-secret-of-a-test",
        "OIDC_CONNECTION": "connection-id",
        "SYSTEM_OIDCREQUESTURI": f"http://127.0.0.1:{server.server_port}/oidctoken",
        "SYSTEM_ACCESSTOKEN": "a-run-token",
        "BUILD_BUILDID": "17",
    }
    monkeypatch.setattr(os, "environ", {**os.environ, **environment})
    monkeypatch.setattr(identity, "FIRST_DELAY", 0.0)
    yield Service
    server.shutdown()
    server.server_close()


def test_a_step_takes_the_role_and_leaves_every_key_out(service: type[Service], tmp_path: Path) -> None:
    identity.take("dev")
    assert service.asked == [("/oidctoken?api-version=7.1&serviceConnectionId=connection-id", "Bearer a-run-token")]
    file = tmp_path / "private" / "identity"
    assert file.read_text(encoding="utf-8") == TOKEN
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    kept = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    assert kept["AWS_ROLE_SESSION_NAME"] == "azure-pipelines-17"
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & set(kept)
    assert "SYSTEM_ACCESSTOKEN" not in os.environ


def test_with_a_key_nothing_is_asked_for(service: type[Service], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(os.environ, "PIPELINE_IDENTITY")
    identity.take("dev")
    assert service.asked == []
    assert os.environ["AWS_ACCESS_KEY_ID"] == "AKIA"


@pytest.mark.parametrize("failure", [(503, {}), (429, {}), (500, {}), (200, {}), (200, {"oidcToken": None})])
def test_a_service_that_is_busy_is_asked_again(service: type[Service], failure: tuple[int, object]) -> None:
    service.answers = [failure, failure, (200, {"oidcToken": TOKEN})]
    assert identity.ask("connection-id") == TOKEN
    assert len(service.asked) == 3


def test_a_service_that_stays_busy_is_an_error_without_the_token_of_the_run(service: type[Service]) -> None:
    service.answers = [(503, {})]
    with pytest.raises(agent.Stop, match="gave no identity token after 5 tries: it answered 503") as stop:
        identity.take("dev")
    assert len(service.asked) == identity.TRIES
    assert "a-run-token" not in str(stop.value)


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_a_refusal_is_not_asked_again_and_says_what_to_look_at(service: type[Service], code: int) -> None:
    service.answers = [(code, {"message": "no"})]
    with pytest.raises(agent.Stop, match=f"it answered {code}. Does the job use the connection") as stop:
        identity.take("dev")
    assert stop.value.code == agent.REFUSED
    assert len(service.asked) == 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_an_answer_that_sends_on_is_a_refusal_and_the_runs_token_goes_nowhere(
    service: type[Service], code: int
) -> None:
    service.answers = [(code, {})]
    service.sends_to = os.environ["SYSTEM_OIDCREQUESTURI"].replace("oidctoken", "elsewhere")
    with pytest.raises(agent.Stop, match=f"it answered {code}"):
        identity.take("dev")
    assert [path.partition("?")[0] for path, _ in service.asked] == ["/oidctoken"]


@pytest.mark.parametrize(
    "name",
    ["AWS_ROLE_ARN", "OIDC_CONNECTION", "AWS_WEB_IDENTITY_TOKEN_FILE", "SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN"],
)
def test_what_is_missing_is_named(service: type[Service], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(os.environ, name, "$(Not.There)")
    with pytest.raises(agent.Stop, match=f"{name} is not set") as stop:
        identity.take("dev")
    assert stop.value.code == agent.USAGE
    assert service.asked == []


# --- the build of a pull request ---


def test_a_pull_requests_build_is_the_programs_without_a_name_or_a_push() -> None:
    config = {"buildContext": ".", "dockerfile": "Dockerfile", "platform": "linux/arm64", "baseImage": "node:24.1.0"}
    assert build.command(config, "1764000000") == [
        "docker",
        "build",
        "--quiet",
        "--platform",
        "linux/arm64",
        "--file",
        "Dockerfile",
        "--build-arg",
        "BASE_IMAGE=node:24.1.0",
        "--build-arg",
        "SOURCE_DATE_EPOCH=1764000000",
        ".",
    ]


def test_a_builds_settings_are_the_defaults_and_the_stacks_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(agent.Stop, match=r"Pulumi\.yaml is missing"):
        build.settings("dev-image")
    (tmp_path / "Pulumi.yaml").write_text("config: {platform: {default: linux/amd64}, dockerfile: {default: D}}")
    (tmp_path / "Pulumi.dev-image.yaml").write_text("config: {app-one:dockerfile: E, aws:region: r}")
    assert build.settings("ORGANIZATION/dev-image") == {"platform": "linux/amd64", "dockerfile": "E", "region": "r"}
    (tmp_path / "Pulumi.yaml").write_text("name: a")
    with pytest.raises(agent.Stop, match=r"Pulumi\.yaml has no `config`"):
        build.settings("dev-image")
