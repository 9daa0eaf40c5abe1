"""The registry behind ECR takes what docker pushes, from one user, and keeps it."""

from __future__ import annotations

import io
import socket
from typing import TYPE_CHECKING

import pytest
import requests

from sandbox import docker_engine, image_archive, processes, registry
from tests.end_to_end.ground.machine import CACHE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "a password of the tests"


class Service:
    """A registry on a free port of the loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[processes.Starting] = []
        (folder / "keys").mkdir()
        (folder / "keys" / "registry-password").write_text(PASSWORD, encoding="utf-8")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v2/"

    def start(self) -> None:
        command = registry.prepare(self.folder / "registry", self.folder / "keys", self.port, CACHE, print)
        ready = processes.ReadyPort(self.port)
        started = processes.start("registry", command, run=self.folder / "run", logs=self.folder / "logs", ready=ready)
        assert started is not None
        self._started.append(started)
        started.wait()

    def stop(self) -> None:
        processes.stop(self.folder / "run", "registry")
        for each in self._started:
            each.process.wait()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    each = Service(tmp_path)
    each.start()
    yield each
    each.stop()


pytestmark = pytest.mark.e2e


def test_only_the_sandbox_with_its_password_gets_in(service: Service) -> None:
    assert requests.get(service.url, timeout=300).status_code == 401
    assert requests.get(service.url, auth=(registry.USER, "another"), timeout=300).status_code == 401
    assert requests.get(service.url, auth=(registry.USER, PASSWORD), timeout=300).status_code == 200


def test_it_listens_on_the_loopback_alone(service: Service) -> None:
    with socket.socket() as everywhere:
        everywhere.settimeout(300)
        with pytest.raises(ConnectionRefusedError):
            everywhere.connect(("127.0.0.2", service.port))


def test_its_settings_hold_no_password_in_clear(service: Service) -> None:
    requests.get(service.url, auth=(registry.USER, PASSWORD), timeout=300)
    for folder in ("registry", "logs"):
        for file in (service.folder / folder).rglob("*"):
            assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file
    assert (service.folder / "registry" / "htpasswd").stat().st_mode & 0o077 == 0


def test_a_changed_password_is_taken_over(service: Service) -> None:
    service.stop()
    (service.folder / "keys" / "registry-password").write_text("a new one", encoding="utf-8")
    service.start()
    assert requests.get(service.url, auth=(registry.USER, PASSWORD), timeout=300).status_code == 401
    assert requests.get(service.url, auth=(registry.USER, "a new one"), timeout=300).status_code == 200


def test_an_image_goes_in_and_comes_back_by_digest_after_a_restart(service: Service, engine: str) -> None:
    layer = image_archive.Layer()
    layer.file("hello", b"hello\n")
    name = f"127.0.0.1:{service.port}/hello"
    who = {"username": registry.USER, "password": PASSWORD}
    with docker_engine.client(engine) as client:
        archive = io.BytesIO()
        identifier = image_archive.write(archive, f"{name}:1", layer, str(client.version()["Arch"]), {})
        client.images.load(archive.getvalue())
        pushed = list(client.images.push(name, tag="1", auth_config=who, stream=True, decode=True))
        digest = next(event["aux"]["Digest"] for event in pushed if "aux" in event)
        client.images.remove(f"{name}:1")
        service.stop()
        service.start()
        image = client.images.pull(f"{name}@{digest}", auth_config=who)
        assert image.id in {identifier, digest}  # the latter where the engine keeps images in containerd
        client.images.remove(f"{name}@{digest}")


def test_a_manifest_can_be_deleted(service: Service) -> None:
    answer = requests.delete(
        f"{service.url}hello/manifests/sha256:{'0' * 64}", auth=(registry.USER, PASSWORD), timeout=300
    )
    assert answer.status_code == 404, "405 would say that deleting is off"
