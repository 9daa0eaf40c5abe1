"""The docker stand-in: the context's digest, differences, and a build and push through the engine's API."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import socket
import socketserver
import tarfile
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from sandbox.providers.docker.context import archive, digest
from sandbox.providers.docker.ignore import Ignore, IgnoreError
from sandbox.providers.docker.protobuf import decode_fields, encode_field, progress
from sandbox.providers.protocol import UNKNOWN
from tests.unit.sandbox.providers.plugin_client import PluginError, is_secret, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.sandbox.providers.plugin_client import Plugin

IMAGE = "docker:index/image:Image"
NAME = "127.0.0.1:5000/app:1"
REGISTRY = {"server": "127.0.0.1:5000", "username": "AWS", "password": "a-token"}


def fill(root: Path) -> None:
    """Make a context with what a digest has to tell apart: modes, links, order of names, ignored files."""
    for name, mode in {
        "Dockerfile": 0o644, "a/b.txt": 0o644, "a.txt": 0o600, "a-b/run.sh": 0o755, "ü/x.log": 0o644,
        "keep/x.log": 0o644, "setuid": 0o4755, "node_modules/m/index.js": 0o644,
    }.items():  # fmt: skip
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
        path.chmod(mode)
    (root / "a" / "link").symlink_to("../a.txt")
    (root / "z").mkdir()
    (root / "z" / "1-dangling").symlink_to("nowhere")
    (root / "z" / "2-after").write_text("never hashed")
    (root / ".dockerignore").write_text("# a comment\nnode_modules\n**/*.log\n!keep/*.log\n")
    (root / ".dockerignore").chmod(0o644)


def test_the_digest_is_that_of_the_real_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "app")
    monkeypatch.chdir(tmp_path)
    # Both were computed by the hash function of pulumi-docker 5.2 over the same files.
    assert (
        digest(Path("app"), Path("app/Dockerfile"))
        == "50ac56f7352f40a66e6fbc325fdfa158772fd692f77dd85f574541fafba9a415"
    )
    (tmp_path / "app" / "a.txt").chmod(0o640)
    assert (
        digest(Path("app"), Path("app/Dockerfile"))
        == "38a463793ba6c0bab37e2278a81cefcc345547efcb8519a8e37d5ca048847fc8"
    )


def test_an_ignored_file_does_not_count_and_a_mode_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    first = digest(Path(), Path("Dockerfile"))
    (tmp_path / "node_modules" / "m" / "index.js").write_text("other")
    assert digest(Path(), Path("Dockerfile")) == first
    (tmp_path / "keep" / "x.log").write_text("other")
    second = digest(Path(), Path("Dockerfile"))
    assert second != first
    (tmp_path / "a" / "b.txt").chmod(0o755)
    assert digest(Path(), Path("Dockerfile")) != second


@pytest.mark.parametrize(
    ("lines", "path", "expected"),
    [
        (["*.log"], "x.log", True),
        (["*.log"], "a/x.log", False),
        (["**/*.log"], "a/b/x.log", True),
        (["node_modules"], "node_modules/a/b", True),
        (["/node_modules/"], "node_modules/a", True),
        (["a", "!a/b"], "a/b", False),
        (["a", "!a/b"], "a/c", True),
        (["**", "!keep"], "keep/inside", False),
        (["**/*.js", "!lib"], "lib/x.js", True),
        (["?"], "ab", False),
        (["[ab]"], "b", True),
        (["#x"], "#x", False),
        (["  spaced  "], "spaced", True),
        (["a/../b"], "b", True),
    ],
)
def test_patterns_ignore_what_docker_ignores(lines: list[str], path: str, *, expected: bool) -> None:
    assert Ignore(lines).excludes(path) is expected


def test_a_pattern_that_cannot_be_read_is_named() -> None:
    with pytest.raises(IgnoreError, match="illegal exclusion pattern"):
        Ignore(["!"])
    with pytest.raises(IgnoreError, match="syntax error in pattern"):
        Ignore(["[z-a]"])


def test_the_archive_holds_what_is_not_ignored_as_roots_files(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / ".dockerignore").write_text("node_modules\nDockerfile\n.dockerignore\nz\n")
    packed = io.BytesIO()
    assert archive(tmp_path, tmp_path / "Dockerfile", packed) == "Dockerfile"
    packed.seek(0)
    with tarfile.open(fileobj=packed) as tar:
        members = {each.name: each for each in tar}
    assert {"Dockerfile", ".dockerignore", "a/b.txt", "a/link", "setuid"} <= set(members)
    assert not [name for name in members if name.startswith(("node_modules", "z/"))]
    assert {(each.uid, each.gid, each.uname) for each in members.values()} == {(0, 0, "")}
    assert members["setuid"].mode == 0o4755


def test_a_dockerfile_from_outside_is_put_into_the_archive(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "Outside").write_text("FROM scratch")
    packed = io.BytesIO()
    name = archive(tmp_path / "app", tmp_path / "Outside", packed)
    packed.seek(0)
    with tarfile.open(fileobj=packed) as tar:
        assert tar.getnames() == [name]


def test_protobuf_texts_survive_and_progress_is_read() -> None:
    assert list(decode_fields(encode_field(1, "x" * 300))) == [(1, b"x" * 300)]
    vertex = encode_field(3, "[1/2] FROM scratch").decode()
    log = encode_field(4, "npm error").decode()
    number_field = b"\x20\x96\x01"  # field 4 is a number: passed over
    assert progress(encode_field(1, vertex) + number_field + encode_field(3, log)) == [
        "[1/2] FROM scratch",
        "npm error",
    ]


# --- an engine that answers as Docker's does --------------------------------------------------------------------------


class Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Takes builds and pushes; with BuildKit it calls back over the session, as Docker's does."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[str] = []
        self.files: list[str] = []
        self.pushed_with: dict[str, str] = {}
        self.session_gave: list[str] = []
        self.build_error = ""
        self.push_error = ""
        self._sessions: dict[str, socket.socket] = {}
        self._opened = threading.Condition()
        self.called_back = threading.Event()
        super().__init__(str(path / "docker.sock"), Handler)

    def keep_session(self, identity: str, connection: socket.socket) -> None:
        """Keep a client's connection, on which this engine now calls."""
        with self._opened:
            self._sessions[identity] = connection
            self._opened.notify_all()

    def call_back(self, identity: str) -> None:
        """Ask the client's session for its health and for a registry's credentials."""
        with self._opened:
            assert self._opened.wait_for(lambda: identity in self._sessions, timeout=300)
        connection = self._sessions[identity]
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.path / "back.sock"))
            listener.listen()
            with grpc.insecure_channel(f"unix:{self.path / 'back.sock'}") as channel:
                health: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
                credentials: Any = channel.unary_unary("/moby.filesync.v1.Auth/Credentials")
                checked = health.future(b"", timeout=300)
                own, _ = listener.accept()
                with own:
                    for source, target in ((own, connection), (connection, own)):
                        threading.Thread(target=pump, args=(source, target), daemon=True).start()
                    assert checked.result() == b"\x08\x01"
                    answer = credentials(encode_field(1, REGISTRY["server"]), timeout=300)
                    self.session_gave = [value.decode() for _, value in decode_fields(answer)]
        self.called_back.set()


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)


class Handler(BaseHTTPRequestHandler):
    """The engine's API, as far as an image needs it."""

    server: Engine
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Ping and inspect."""
        self._answer([{"Id": "sha256:local"}])

    def do_POST(self) -> None:
        """Session, build and push."""
        self.server.asked.append(self.path)
        if self.path == "/session":
            self.send_response(101)
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.flush()
            self.server.keep_session(self.headers["X-Docker-Expose-Session-Uuid"], self.connection)
            assert self.server.called_back.wait(timeout=300)
            self.close_connection = True
        elif self.path.startswith("/build"):
            self._build()
        else:
            self.server.pushed_with = json.loads(base64.urlsafe_b64decode(self.headers["X-Registry-Auth"]))
            error = self.server.push_error
            digest_told: dict[str, Any] = {"aux": {"Digest": "sha256:" + "1" * 64}}
            last = {"errorDetail": {"message": error}, "error": error} if error else digest_told
            self._answer([{"status": "Pushing", "progress": "[=>]"}, last])

    def _build(self) -> None:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        with tarfile.open(fileobj=io.BytesIO(body)) as tar:
            self.server.files = tar.getnames()
        if "session=" in self.path:
            self.server.call_back(self.path.split("session=")[1].split("&")[0])
        trace = base64.b64encode(encode_field(1, encode_field(3, "[1/1] COPY . /").decode())).decode()
        steps: list[dict[str, Any]] = [{"id": "moby.buildkit.trace", "aux": trace}, {"stream": "Step 1/1\n"}]
        error = self.server.build_error
        last: dict[str, Any] = {"errorDetail": {"message": error}} if error else {"aux": {"ID": "sha256:built"}}
        self._answer([*steps, last])

    def _answer(self, messages: list[dict[str, Any]]) -> None:
        data = "".join(json.dumps(each) + "\r\n" for each in messages).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine on a socket."""
    folder = tmp_path / "e"
    folder.mkdir()
    with Engine(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def docker(engine: Engine, tmp_path: Path) -> Iterator[Plugin]:
    """The docker stand-in in the folder of a program that has an app."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    environment = {"DOCKER_HOST": f"unix://{engine.path}/docker.sock", "DOCKER_CONFIG": str(tmp_path)}
    with running("docker", tmp_path, **environment) as plugin:
        assert plugin.configure() == []
        yield plugin


def declared(**more: Any) -> dict[str, Any]:
    build = {"context": "app", "platform": "linux/amd64", "args": {"TAG": "1"}}
    return {"imageName": NAME, "build": build, "registry": REGISTRY, **more}


def test_an_image_is_built_with_buildkit_and_pushed_with_the_programs_credentials(
    docker: Plugin, engine: Engine
) -> None:
    checked = docker.check(IMAGE, declared())
    assert checked["build"]["dockerfile"] == "app/Dockerfile"
    assert len(checked["build"]["contextDigest"]) == 64
    own, outputs, raw = docker.create(IMAGE, checked)
    assert own == NAME
    assert outputs["repoDigest"] == "127.0.0.1:5000/app@sha256:" + "1" * 64
    assert (outputs["dockerfile"], outputs["context"], outputs["registryServer"]) == (
        "Dockerfile", "app", REGISTRY["server"],
    )  # fmt: skip
    assert is_secret(raw, "__inputs")
    assert engine.session_gave == [REGISTRY["username"], REGISTRY["password"]]
    assert engine.pushed_with == {
        **{key: REGISTRY[key] for key in ("username", "password")},
        "serveraddress": "127.0.0.1:5000",
    }
    assert engine.files == ["Dockerfile"]
    assert any("version=2" in each and "platform=linux%2Famd64" in each for each in engine.asked)
    assert "/images/127.0.0.1%3A5000/app/push?tag=1" in engine.asked
    assert docker.kinds(IMAGE, outputs, checked) == {}
    found = docker.read(IMAGE, own, outputs, checked)
    assert found == (own, outputs, checked)


def test_the_old_builder_needs_no_session(docker: Plugin, engine: Engine) -> None:
    build = {"context": "app", "builderVersion": "BuilderV1"}
    checked = docker.check(IMAGE, declared(build=build, skipPush=True))
    _, outputs, _ = docker.create(IMAGE, checked)
    assert outputs["repoDigest"] == "sha256:built"
    assert not any("session" in each or "push" in each for each in engine.asked)


def test_a_new_token_is_no_change_but_a_file_or_another_registry_is(docker: Plugin, tmp_path: Path) -> None:
    checked = docker.check(IMAGE, declared())
    _, outputs, _ = docker.create(IMAGE, checked)
    renewed = docker.check(IMAGE, declared(registry={**REGISTRY, "password": "another", "username": "other"}))
    assert docker.kinds(IMAGE, outputs, renewed) == {}
    moved = docker.check(IMAGE, declared(registry={**REGISTRY, "server": "127.0.0.1:6000"}))
    assert docker.kinds(IMAGE, outputs, moved) == {"registry": "UPDATE"}
    (tmp_path / "app" / "new").write_text("x")
    changed = docker.check(IMAGE, declared())
    answer = docker.diff(IMAGE, outputs, changed)
    assert set(answer.detailedDiff) == {"build"}
    assert (list(answer.diffs), list(answer.replaces)) == ([], [])
    assert docker.kinds(IMAGE, outputs, declared(imageName="127.0.0.1:5000/app:2")) != {}


def test_a_preview_does_not_build_unless_it_is_told_to(docker: Plugin, engine: Engine) -> None:
    checked = docker.check(IMAGE, declared())
    own, outputs, _ = docker.create(IMAGE, checked, preview=True)
    assert (own, engine.asked) == ("", [])
    assert "repoDigest" not in outputs, "the engine then shows it as unknown"
    told = docker.check(IMAGE, declared(buildOnPreview=True))
    _, outputs, _ = docker.create(IMAGE, told, preview=True)
    assert outputs["repoDigest"] == "sha256:built"
    assert not any("push" in each for each in engine.asked)
    unresolved = docker.check(IMAGE, declared(buildOnPreview=True, imageName=UNKNOWN))
    assert "repoDigest" not in docker.create(IMAGE, unresolved, preview=True)[1]


def test_a_missing_dockerfile_fails_the_check_with_the_path_to_set(docker: Plugin, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(PluginError, match='could not open dockerfile at relative path "other/Dockerfile": stat'):
        docker.check(IMAGE, declared(build={"context": "other"}))
    with pytest.raises(PluginError, match='Try setting `dockerfile` to "app/Dockerfile"'):
        docker.check(IMAGE, declared(build={"context": "app", "dockerfile": "Dockerfile"}))


def test_a_name_that_names_no_registry_and_a_wrong_builder_are_refused(docker: Plugin) -> None:
    with pytest.raises(PluginError, match="requires all image names to be fully qualified"):
        docker.check(IMAGE, declared(imageName="app:1", registry={}))
    assert isinstance(docker.check(IMAGE, declared(imageName="app:1", registry={}, skipPush=True)), dict)
    with pytest.raises(PluginError, match="invalid Docker Builder version"):
        docker.check(IMAGE, declared(build={"context": "app", "builderVersion": "3"}))


@pytest.mark.parametrize(
    ("attribute", "message", "expected"),
    [
        ("build_error", "COPY failed", "error reading build output: COPY failed"),
        ("push_error", "unauthorized: authentication required", "error reading push output: unauthorized"),
        ("push_error", "EOF", "mismatched registry credentials"),
    ],
)
def test_a_failed_build_or_push_is_told_without_the_password(
    docker: Plugin, engine: Engine, attribute: str, message: str, expected: str
) -> None:
    setattr(engine, attribute, message)
    with pytest.raises(PluginError, match=expected) as failed:
        docker.create(IMAGE, docker.check(IMAGE, declared()))
    assert REGISTRY["password"] not in str(failed.value)


def test_without_credentials_those_of_docker_login_are_used(docker: Plugin, engine: Engine, tmp_path: Path) -> None:
    stored = base64.b64encode(b"somebody:their-password").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"127.0.0.1:5000": {"auth": stored}}}))
    docker.create(IMAGE, docker.check(IMAGE, declared(registry={"server": "127.0.0.1:5000"})))
    assert engine.pushed_with["username"] == "somebody"


def test_without_an_engine_nothing_works_and_the_message_is_the_genuine_plugins(tmp_path: Path) -> None:
    nowhere = f"unix://{tmp_path}/none.sock"
    with running("docker", tmp_path, DOCKER_HOST=nowhere) as plugin, pytest.raises(PluginError) as failed:
        plugin.configure()
    assert str(failed.value).endswith("failed to connect to any docker daemon")
