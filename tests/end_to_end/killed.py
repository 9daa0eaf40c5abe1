"""`pulumi` that is killed at a chosen request: what it leaves is what a machine that dies there leaves."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from sandbox import stack
from tests.workstation import Workstation, with_children

if TYPE_CHECKING:
    from collections.abc import Callable

_READS = ("Get", "List", "Simulate")


@dataclass
class Between:
    """A way to both clouds that tells of each change that was carried out, before its answer goes back.

    told: called with the change, an action of IAM, or method and path of Azure DevOps' REST; where it returns True
    nobody gets the answer, nor any later one.
    """

    targets: dict[str, str]
    told: Callable[[str], bool]
    _servers: list[ThreadingHTTPServer] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _cut: bool = False

    def __enter__(self) -> dict[str, str]:
        """The environment in which everything goes this way."""
        found = {}
        for name, url in self.targets.items():
            parts = urlsplit(url)
            server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(parts.netloc))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self._servers.append(server)
            found[name] = parts._replace(netloc=f"127.0.0.1:{server.server_port}").geturl()
        return found

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _handler(self, target: str) -> type[BaseHTTPRequestHandler]:
        between = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                between.pass_on(self, target)

            def log_message(self, *_: object) -> None:
                """Nothing: the clouds have logs of their own."""

        return Handler

    def pass_on(self, request: BaseHTTPRequestHandler, target: str) -> None:
        """Carry one request to its cloud, and the answer back."""
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        change = _change(request, body)
        if change is None:
            status, headers, content = _ask(target, request, body)
        else:
            with self._lock:  # changes one by one, so that none is carried out after the last one
                if not self._cut:
                    status, headers, content = _ask(target, request, body)
                    self._cut = self.told(change)
        if self._cut:
            request.close_connection = True
            return
        with suppress(ConnectionError):  # a client that is gone, as some are at their end
            request.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    request.send_header(name, value)
            if status not in (204, 304):
                request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            if request.command != "HEAD":
                request.wfile.write(content)


def _ask(target: str, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection(target, timeout=300)
    try:
        connection.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():  # with Host, which is signed
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()
    finally:
        connection.close()


def _change(request: BaseHTTPRequestHandler, body: bytes) -> str | None:
    """What the request changes; None for one that only reads, or is of another service than IAM and Azure DevOps."""
    if "/_apis/" in request.path:
        if request.command in ("GET", "OPTIONS", "HEAD"):
            return None
        return f"{request.command} {request.path.partition('?')[0].rpartition('/_apis/')[2]}"
    if "/iam/" not in request.headers.get("Authorization", ""):
        return None
    (action,) = parse_qs(body.decode())["Action"]
    return None if action.startswith(_READS) else action


def up(
    workstation: Workstation, told: Callable[[str], bool], env: dict[str, str], *, arguments: tuple[str, ...] = ()
) -> bool:
    """`pulumi up`, killed with all that it started as soon as `told` says so of a change; whether it was.

    The change is carried out then, its answer never comes back, and nothing after it is done.
    """
    environment = workstation.sandbox.environment
    targets = {name: environment[name] for name in ("AWS_ENDPOINT_URL", "AZDO_ORG_SERVICE_URL")}
    running: list[subprocess.Popen[str]] = []
    killed = False

    def kill_at(change: str) -> bool:
        nonlocal killed
        if told(change):
            killed = True
            for each in sorted(with_children({running[0].pid})):
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
        return killed

    with Between(targets, kill_at) as way:
        process = subprocess.Popen(
            ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", *arguments],
            cwd=workstation.folder,
            env=environment | env | way,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        printed, _ = process.communicate()
    workstation.sandbox.printed.append(printed)
    assert killed or process.returncode == 0, printed
    if killed:  # as `make up` does it
        stack.unlock(workstation.sandbox.layout, workstation.sandbox.printed.append)
    return killed
