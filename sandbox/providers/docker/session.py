"""BuildKit's session: the engine calls back over the client's own connection, for the credentials of registries.

The client upgrades ``POST /session`` to a plain connection, on which the engine is then the gRPC client. gRPC for
Python cannot serve a connection that is already open, so a server on a private socket does, and bytes are passed on
between the two. Source: moby/buildkit's session package, auth.proto, and the gRPC health checking protocol.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import tempfile
import threading
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from sandbox.providers.docker.engine import DockerEngine, DockerError
from sandbox.providers.docker.protobuf import decode_fields, encode_field

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVING = b"\x08\x01"  # HealthCheckResponse{status: SERVING}
_CHUNK = 65536


@contextlib.contextmanager
def session(engine: DockerEngine, credentials: dict[str, dict[str, str]]) -> Iterator[str]:
    """Open a session for a build; yield its id. ``credentials`` are asked for by the host name of a registry."""
    identity = secrets.token_hex(12)
    with tempfile.TemporaryDirectory(prefix="session-") as folder:  # only its owner can enter
        address = Path(folder) / "grpc.sock"
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        server.add_generic_rpc_handlers(tuple(_handlers(credentials)))
        server.add_insecure_port(f"unix:{address}")
        server.start()
        with contextlib.ExitStack() as opened:
            opened.callback(server.stop, None)
            remote = opened.enter_context(contextlib.closing(_upgrade(engine, identity)))
            local = opened.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX)))
            local.connect(str(address))
            threads = [
                threading.Thread(target=_pass_on, args=pair, daemon=True) for pair in ((remote, local), (local, remote))
            ]
            for thread in threads:
                thread.start()
            try:
                yield identity
            finally:
                for connection in (remote, local):
                    with contextlib.suppress(OSError):  # closed by the other side already
                        connection.shutdown(socket.SHUT_RDWR)
                for thread in threads:
                    thread.join()


def _upgrade(engine: DockerEngine, identity: str) -> socket.socket:
    """Ask for a session and take the connection over."""
    connection = engine.connect()
    connection.connect()
    opened: socket.socket = connection.sock
    lines = [
        "POST /session HTTP/1.1",
        "Host: docker",
        "Connection: Upgrade",
        "Upgrade: h2c",
        f"X-Docker-Expose-Session-Uuid: {identity}",
        "X-Docker-Expose-Session-Name: app-one",
        "X-Docker-Expose-Session-Sharedkey: app-one",
        "X-Docker-Expose-Session-Grpc-Method: /grpc.health.v1.Health/Check",
        "X-Docker-Expose-Session-Grpc-Method: /moby.filesync.v1.Auth/Credentials",
    ]
    opened.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):  # byte by byte: what follows belongs to gRPC
        byte = opened.recv(1)
        if not byte:
            break
        head += byte
    status = head.split(b"\r\n", 1)[0].decode(errors="replace")
    if " 101 " not in status:
        opened.close()
        raise DockerError(f"the Docker engine at {engine.host} opens no BuildKit session: {status or 'no answer'}")
    return opened


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other direction closed both
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _handlers(credentials: dict[str, dict[str, str]]) -> list[grpc.GenericRpcHandler]:
    def give(request: bytes, context: grpc.ServicerContext) -> bytes:
        del context
        host = next((value.decode() for number, value in decode_fields(request) if number == 1), "")
        known = credentials.get(host, {})
        return encode_field(1, known.get("username", "")) + encode_field(2, known.get("password", ""))

    def healthy(request: bytes, context: grpc.ServicerContext) -> bytes:
        del request, context
        return _SERVING

    def handler(service: str, method: str, call: Any) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(service, {method: grpc.unary_unary_rpc_method_handler(call)})

    return [handler("moby.filesync.v1.Auth", "Credentials", give), handler("grpc.health.v1.Health", "Check", healthy)]
