"""The Docker engine's HTTP API, as far as an image's build and push need it.

Not docker-py: importing it takes longer than a whole preview, the provider is started for every command, and it knows
neither BuildKit's sessions nor ``version=2`` builds. Source: Docker Engine API, https://docs.docker.com/reference/api/.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from sandbox.providers.base import PlainError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_HOST = "unix:///var/run/docker.sock"


class DockerError(PlainError):
    """The engine refused, failed or cannot be reached."""


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker")
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self._path)


class DockerEngine:
    """One engine, by its address: unix:///path or tcp://host:port, with TLS where a certificate folder is named."""

    def __init__(self, host: str, certificates: str | None = None) -> None:
        self.host = host
        self._certificates = certificates
        if urlsplit(host).scheme not in ("unix", "tcp"):
            raise DockerError(f"the sandbox's stand-in for the docker plugin speaks unix:// and tcp://, not {host}")

    def connect(self) -> http.client.HTTPConnection:
        """Open a connection to the engine."""
        parts = urlsplit(self.host)
        if parts.scheme == "unix":
            return _UnixConnection(parts.path)
        if not self._certificates:
            return http.client.HTTPConnection(parts.hostname or "", parts.port or 2375)
        folder = Path(self._certificates)
        tls = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        return http.client.HTTPSConnection(parts.hostname or "", parts.port or 2376, context=tls)

    def ping(self) -> bool:
        """Tell whether an engine answers."""
        connection = self.connect()
        try:
            connection.request("GET", "/_ping")
            answer = connection.getresponse()
            answer.read()
            return answer.status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def inspect(self, image: str) -> dict[str, Any]:
        """Describe a local image."""
        found: dict[str, Any] = next(self._call("GET", f"/images/{quote(image)}/json"))
        return found

    def build(
        self, archive: IO[bytes], options: Mapping[str, str | list[str]], credentials: dict[str, Any]
    ) -> Iterator[Any]:
        """Build a context; yield the engine's messages."""
        headers = {"Content-Type": "application/x-tar", "X-Registry-Config": _header(credentials)}
        return self._call("POST", f"/build?{urlencode(options, doseq=True)}", archive, headers)

    def push(self, image: str, credentials: dict[str, str]) -> Iterator[Any]:
        """Push an image; yield the engine's messages."""
        name, tag = split_tag(image)
        path = f"/images/{quote(name)}/push?{urlencode({'tag': tag})}"
        return self._call("POST", path, None, {"X-Registry-Auth": _header(credentials)})

    def pull(self, image: str, platform: str, credentials: dict[str, str]) -> Iterator[Any]:
        """Pull an image; yield the engine's messages."""
        name, tag = split_tag(image)
        query = {"fromImage": name, "tag": tag, **({"platform": platform} if platform else {})}
        return self._call("POST", f"/images/create?{urlencode(query)}", None, {"X-Registry-Auth": _header(credentials)})

    def _call(
        self, method: str, path: str, body: IO[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> Iterator[Any]:
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            if answer.status >= 300:
                text = answer.read().decode(errors="replace")
                raise DockerError(f"Error response from daemon: {_message(text)}")
            yield from _messages(answer)
        except (OSError, http.client.HTTPException) as error:
            raise DockerError(f"the Docker engine at {self.host} failed: {error or type(error).__name__}") from error
        finally:
            connection.close()


def _messages(answer: http.client.HTTPResponse) -> Iterator[Any]:
    """Yield the JSON values of an answer; the engine writes one a line."""
    for line in answer:
        if line.strip():
            yield json.loads(line)


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()


def _header(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def split_tag(image: str) -> tuple[str, str]:
    """Split an image's name from its tag; without one it is latest."""
    name, colon, tag = image.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (image, "latest")


def stored_credentials(server: str) -> dict[str, str]:
    """Return what ``docker login`` keeps in the user's configuration file for a registry, or nothing."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        stored = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("auths", {})
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DockerError(f"cannot read {folder / 'config.json'}: {error}") from error
    for name, entry in stored.items():
        if name.removeprefix("https://").split("/")[0] == server and entry.get("auth"):
            user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
            return {"username": user, "password": password, "serveraddress": server}
    return {}
