"""The docker command line before an engine that only looks: which files of a context does it send?

The classic builder's context is an archive, made by the command. BuildKit's is asked for by the engine, in a session
that the command serves: with patterns to leave out, answered by the files that remain. Sources: Docker Engine API;
moby/buildkit's filesync.proto; tonistiigi/fsutil's wire.proto.
"""

from __future__ import annotations

import contextlib
import http.server
import io
import os
import shutil
import socket
import socketserver
import subprocess
import tarfile
import tempfile
import threading
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from sandbox.providers.docker.protobuf import decode_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_LIMIT = 600  # seconds; a busy machine is no reason to fail
_VERSION = b'{"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}'
_INFO = b'{"OSType":"linux","Architecture":"x86_64","ServerVersion":"20.10.24","Driver":"overlay2"}'


class _Engine(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, session: Callable[[socket.socket], None] | None = None) -> None:
        super().__init__(str(path), _Handler)
        self.archive = b""
        self.session = session
        self.asked = threading.Event()

    def finish_request(self, request: Any, client_address: Any) -> None:
        _Handler(request, client_address or ("", 0), self)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Engine

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name of the base class)
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer({"version": _VERSION, "info": _INFO}.get(self.path.rsplit("/", 1)[-1], b"OK"))

    def do_POST(self) -> None:
        if self.headers.get("Upgrade") == "h2c":
            self.wfile.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
            self.close_connection = True
            if self.path.endswith("/grpc"):
                _serve_control(self.connection, self.server.asked)
            elif any(
                "FileSync" in method for method in self.headers.get_all("X-Docker-Expose-Session-Grpc-Method", [])
            ):
                assert self.server.session is not None
                try:
                    self.server.session(self.connection)
                finally:
                    self.server.asked.set()
            else:
                assert self.server.asked.wait(_LIMIT)
            return
        body = self._body()
        if "version=2" in self.path:  # BuildKit: the files go over the session, which runs meanwhile
            assert self.server.asked.wait(_LIMIT)
        else:
            self.server.archive = body
        self._answer(b'{"stream":"seen"}\n')

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        for name, value in {"Api-Version": "1.41", "Ostype": "linux", "Builder-Version": "2"}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Docker:
    """The docker command of the packages that the sandbox unpacks, whatever else is on PATH."""

    def __init__(self, root: Path, folder: Path) -> None:
        """root: the unpacked packages. folder: for the command's own files."""
        self._root = root
        self._folder = folder
        plugins = folder / "config" / "cli-plugins"
        plugins.mkdir(parents=True)
        for plugin in self._root.glob("usr/libexec/docker/cli-plugins/*"):
            (plugins / plugin.name).symlink_to(plugin)

    @property
    def version(self) -> str:
        """As in `Docker version 20.10.24, build ...`."""
        return subprocess.run(
            [self._root / "usr/bin/docker", "--version"], capture_output=True, text=True, check=True
        ).stdout

    def classic(self, context: Path) -> set[str]:
        """The files of the classic builder's archive. Raises CalledProcessError, with stderr, where it refuses."""
        with self._engine() as (engine, address):
            self._build(address, context, buildkit=False)
        with tarfile.open(fileobj=io.BytesIO(engine.archive)) as archive:
            return {member.name for member in archive if not member.isdir()}

    def buildkit(self, context: Path, questions: Sequence[Sequence[str]]) -> list[set[str] | str]:
        """For each list of patterns the files that remain in the context, or the command's error."""
        answers: list[set[str] | str] = []

        def session(connection: socket.socket) -> None:
            with _channel(connection) as channel:
                answers.extend(_ask(channel, patterns) for patterns in questions)

        with self._engine(session) as (_, address):
            self._build(address, context, buildkit=True)
        return answers

    def _build(self, address: str, context: Path, *, buildkit: bool) -> None:
        environment = {
            "PATH": os.defpath,
            "HOME": str(self._folder),
            "DOCKER_CONFIG": str(self._folder / "config"),
            "DOCKER_BUILDKIT": str(int(buildkit)),
            "DOCKER_HOST": address,
        }
        command = [str(self._root / "usr/bin/docker"), "build", "-q", "."]
        subprocess.run(
            command, cwd=context, env=environment, capture_output=True, text=True, timeout=_LIMIT, check=not buildkit
        )

    @contextlib.contextmanager
    def _engine(self, session: Callable[[socket.socket], None] | None = None) -> Iterator[tuple[_Engine, str]]:
        folder = Path(tempfile.mkdtemp(prefix="engine-"))  # sockets have short paths
        engine = _Engine(folder / "s", session)
        thread = threading.Thread(target=engine.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield engine, f"unix://{folder / 's'}"
        finally:
            engine.shutdown()
            thread.join()
            engine.server_close()
            shutil.rmtree(folder)


@contextlib.contextmanager
def _channel(connection: socket.socket) -> Iterator[grpc.Channel]:
    """A gRPC client on a connection that is open already: gRPC for Python opens its own, to a socket of ours."""
    with tempfile.TemporaryDirectory(prefix="session-") as folder, socket.socket(socket.AF_UNIX) as listening:
        address = str(Path(folder) / "s")
        listening.bind(address)
        listening.listen(1)
        with grpc.insecure_channel(f"unix:{address}") as channel:
            ready = grpc.channel_ready_future(channel)
            with listening.accept()[0] as local, _joined(local, connection):
                ready.result(timeout=_LIMIT)
                yield channel


def _serve_control(connection: socket.socket, asked: threading.Event) -> None:
    """BuildKit's control service as far as a command needs it to open its session: empty answers to all it asks."""

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        del request, context
        return b""

    def wait(request: bytes, context: grpc.ServicerContext) -> bytes:
        if b"filename" not in request:  # buildx asks what the engine can do, before it builds
            return b""
        assert asked.wait(_LIMIT)
        context.abort(grpc.StatusCode.ABORTED, "seen")
        raise AssertionError

    class Handlers(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> Any:
            if details.method.endswith("/Status"):
                return grpc.unary_stream_rpc_method_handler(lambda request, context: iter(()))  # noqa: ARG005
            return grpc.unary_unary_rpc_method_handler(wait if details.method.endswith("/Solve") else answer)

    with tempfile.TemporaryDirectory(prefix="control-") as folder:
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), handlers=[Handlers()])
        address = str(Path(folder) / "s")
        server.add_insecure_port(f"unix:{address}")
        server.start()
        try:
            with socket.socket(socket.AF_UNIX) as local:
                local.connect(address)
                with _joined(local, connection):
                    assert asked.wait(_LIMIT)
        finally:
            server.stop(None).wait()


@contextlib.contextmanager
def _joined(first: socket.socket, second: socket.socket) -> Iterator[None]:
    """Pass bytes on between two connections, both ways, until the block ends."""

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the other direction closed both
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    threads = [threading.Thread(target=pass_on, args=pair) for pair in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for connection in (first, second):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def _ask(channel: grpc.Channel, patterns: Sequence[str]) -> set[str] | str:
    """What remains of the context without `patterns`: the packets of fsutil, of which only those with a file count."""
    call: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/moby.filesync.v1.FileSync/DiffCopy")
    over = threading.Event()

    def packets() -> Iterator[bytes]:
        over.wait(_LIMIT)
        yield b"\x08\x03"  # PACKET_FIN

    metadata = (("dir-name", "context"), *(("exclude-patterns", pattern) for pattern in patterns))
    files: set[str] = set()
    try:
        for packet in call(packets(), metadata=metadata, timeout=_LIMIT):
            fields = dict(decode_fields(packet))
            if 4 in fields and 2 not in fields:
                return fields[4].decode()
            if 2 in fields:
                path, is_folder = _stat(fields[2])
                if not is_folder:
                    files.add(path)
            elif packet in (b"", b"\x08\x00"):  # the last of the files
                over.set()
    except grpc.RpcError as error:
        return str(error.details())
    finally:
        over.set()
    return files


def _stat(message: bytes) -> tuple[str, bool]:
    """Path and whether it is a folder, of fsutil's Stat: the mode is its only number with the bit of a folder."""
    path = next(content.decode() for number, content in decode_fields(message) if number == 1)
    at = 2 + len(path.encode())
    if len(path.encode()) > 127:
        raise ValueError("a path of the tests is short")
    mode = shift = 0
    if message[at : at + 1] == b"\x10":
        at += 1
        while True:
            byte = message[at]
            mode |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                break
    return path, bool(mode & 1 << 31)  # Go's ModeDir
