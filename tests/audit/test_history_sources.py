"""Backends: which histories are found, and what is said of broken ones."""

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from audit.errors import AuditError
from audit.history import ledger as ledgers
from audit.history.sources import Source, checkpoint, open_source
from audit.secrets.redact import Redactor
from tests.audit import histories


def count(source: Source) -> int:
    return len(list(source.updates()))


@pytest.fixture
def backend(tmp_path: Path) -> Path:
    histories.delivered(tmp_path, 3)
    return tmp_path


def folder(backend: Path) -> Path:
    return backend / ".pulumi" / "history" / "app-one" / "dev"


def test_a_folder_is_found_by_its_path_and_by_its_address(backend: Path) -> None:
    assert count(open_source(str(backend), None)) == 3
    assert count(open_source(f"file://{backend}", "dev")) == 3
    assert count(open_source(f"file://{backend}?no_tmp_dir=true", "app-one/dev")) == 3


def test_a_gzipped_history_is_read(backend: Path) -> None:
    plain = ledgers.build(open_source(str(backend), None), Redactor())
    for path in list(folder(backend).iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    zipped = ledgers.build(open_source(str(backend), None), Redactor())
    assert [entry["steps"] for entry in zipped["entries"]] == [entry["steps"] for entry in plain["entries"]]


def test_the_layout_without_projects_is_read(backend: Path) -> None:
    history = backend / ".pulumi" / "history"
    folder(backend).rename(history / "dev")
    (history / "app-one").rmdir()
    source = open_source(str(backend), None)
    assert (source.project, source.stack, count(source)) == ("", "dev", 3)


def test_of_several_stacks_one_is_to_be_named(backend: Path) -> None:
    other = backend / ".pulumi" / "history" / "app-two" / "dev"
    other.mkdir(parents=True)
    for path in folder(backend).iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    with pytest.raises(AuditError, match="app-one/dev, app-two/dev"):
        open_source(str(backend), None)
    with pytest.raises(AuditError, match="app-one/dev, app-two/dev"):
        open_source(str(backend), "dev")
    assert open_source(str(backend), "app-two/dev").project == "app-two"


def test_a_missing_state_is_named(backend: Path) -> None:
    path = sorted(folder(backend).glob("*.checkpoint.json"))[1]
    path.unlink()
    with pytest.raises(AuditError, match="is missing") as raised:
        count(open_source(str(backend), None))
    assert path.name in str(raised.value)


def test_a_missing_description_is_named(backend: Path) -> None:
    path = sorted(folder(backend).glob("*.history.json"))[1]
    path.unlink()
    with pytest.raises(AuditError, match="is missing") as raised:
        open_source(str(backend), None)
    assert path.name in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\x00\xff", b'{"a": "secret-in-a-broken-file', b"\x1f\x8bnot"])
@pytest.mark.parametrize("kind", ["history", "checkpoint"])
def test_a_corrupt_file_is_named_and_nothing_of_it_is_shown(backend: Path, kind: str, content: bytes) -> None:
    path = sorted(folder(backend).glob(f"*.{kind}.json"))[1]
    path.write_bytes(content)
    with pytest.raises(AuditError, match="corrupt") as raised:
        count(open_source(str(backend), None))
    assert path.name in str(raised.value)
    assert "secret-in-a-broken-file" not in str(raised.value)


@pytest.mark.parametrize("state", [{"version": 9}, {"hello": 1}, {"version": 3, "steps": []}])
def test_a_file_that_is_no_state_is_named(backend: Path, state: dict[str, Any]) -> None:
    path = sorted(folder(backend).glob("*.checkpoint.json"))[1]
    path.write_text(json.dumps(state), encoding="utf-8")
    with pytest.raises(AuditError, match=r"\.checkpoint\.json"):
        ledgers.build(open_source(str(backend), None), Redactor())


def test_what_is_no_backend_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="is no folder"):
        open_source(str(tmp_path / "absent"), None)
    with pytest.raises(AuditError, match=r"holds no \.pulumi/history"):
        open_source(str(tmp_path), None)
    with pytest.raises(AuditError, match="gs:// is no backend"):
        open_source("gs://bucket", None)


# --- Pulumi Cloud, by its documented protocol

TOKEN = "pul-" + "0123456789" * 4


class Cloud(BaseHTTPRequestHandler):
    """GET /api/stacks/ORG/PROJECT/STACK/updates and /export/VERSION, for a token."""

    updates: ClassVar[list[dict[str, Any]]] = []
    states: ClassVar[dict[int, dict[str, Any]]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.headers["Authorization"] != f"token {TOKEN}":
            return self.reply(401, {"code": 401, "message": "Unauthorized"})
        assert self.headers["Accept"] == "application/vnd.pulumi+8"
        parts = urlsplit(self.path)
        base = "/api/stacks/acme/app-one/dev/"
        if parts.path == f"{base}updates":
            query = parse_qs(parts.query)
            page, size = int(query["page"][0]), int(query["pageSize"][0])
            newest = self.updates[::-1][(page - 1) * size : page * size]
            return self.reply(200, {"updates": newest, "itemsPerPage": size, "total": len(self.updates)})
        if parts.path == f"{base}export":  # the newest
            return self.reply(200, {"version": 3, "deployment": self.states[max(self.states)]})
        version = parts.path.removeprefix(f"{base}export/")
        if version.isdigit() and int(version) in self.states:
            return self.reply(200, {"version": 3, "deployment": self.states[int(version)]})
        return self.reply(404, {"code": 404, "message": "Not Found"})

    def reply(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", TOKEN)
    Cloud.updates, Cloud.states, Cloud.asked = [], {}, []
    for version in range(1, 121):
        Cloud.updates.append(
            {
                "info": histories.info(version, version=version),
                "updateID": f"id-{version}",
                "version": version,
                "latestVersion": 120,
                "requestedBy": {"name": "R. Operator", "githubLogin": "operator"},
            }
        )
        stack = histories.stack(tag=f"build-{version:03d}", seal=str(version))
        stack[-1]["modified"] = f"2026-01-02T00:00:{version % 60:02d}.{version:03d}Z"
        Cloud.states[version] = {"manifest": {}, "resources": stack}
    with ThreadingHTTPServer(("127.0.0.1", 0), Cloud) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_pulumi_cloud_gives_the_whole_history_oldest_first(cloud: str) -> None:
    made = ledgers.build(open_source(cloud, "acme/app-one/dev"), Redactor())
    assert [entry["id"] for entry in made["entries"]] == [f"id-{version}" for version in range(1, 121)]
    assert made["entries"][0]["who"] == {"name": "R. Operator", "email": "", "source": "backend"}
    assert made["entries"][1]["steps"][0]["urn"].endswith("::image")
    assert ledgers.problems(made) == []
    assert sum("updates?page=" in path for path in Cloud.asked) == 2


def test_previews_and_updates_under_way_are_no_entries(cloud: str) -> None:
    Cloud.updates[10]["info"]["kind"] = "preview"
    Cloud.updates[119]["info"]["result"] = "in-progress"
    made = ledgers.build(open_source(cloud, "acme/app-one/dev"), Redactor())
    assert len(made["entries"]) == 118


def test_pulumi_cloud_needs_a_token_a_whole_name_and_https(cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AuditError, match="ORGANIZATION/PROJECT/STACK"):
        open_source(cloud, "dev")
    with pytest.raises(AuditError, match="must begin with https"):
        open_source("http://pulumi.example", "acme/app-one/dev")
    with pytest.raises(AuditError, match="is not there"):
        count(open_source(cloud, "acme/app-one/absent"))
    monkeypatch.setenv("PULUMI_ACCESS_TOKEN", "pul-wrong")
    with pytest.raises(AuditError, match="refuses PULUMI_ACCESS_TOKEN") as raised:
        count(open_source(cloud, "acme/app-one/dev"))
    assert "pul-wrong" not in str(raised.value)
    monkeypatch.delenv("PULUMI_ACCESS_TOKEN")
    with pytest.raises(AuditError, match="PULUMI_ACCESS_TOKEN is not set"):
        open_source(cloud, "acme/app-one/dev")


@pytest.mark.parametrize("stack", ["acme/dev", "acme/app-one/dev"])
def test_pulumi_cloud_gives_the_checkpoint_as_it_is_now(cloud: str, stack: str) -> None:
    where, data = checkpoint(cloud, "app-one", stack)
    assert where == f"{cloud}/api/stacks/acme/app-one/dev/export"
    assert json.loads(data)["deployment"] == Cloud.states[120]
    with pytest.raises(AuditError, match="ORGANIZATION/PROJECT/STACK"):
        checkpoint(cloud, "app-one", "dev")


def test_an_answer_of_another_service_is_named(cloud: str) -> None:
    Cloud.updates[0] = {"something": "else"}
    with pytest.raises(AuditError, match="is not answered as Pulumi Cloud does"):
        count(open_source(cloud, "acme/app-one/dev"))
