"""The AWS service before a real registry, as fixtures."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from sandbox.layout import Layout
from sandbox.processes import ReadyPort
from sandbox.registry import prepare
from tests.unit.sandbox.aws.support import REGISTRY_PASSWORD, Service, free_ports, make_service

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the sandbox's own registry, running."""
    folder = tmp_path_factory.mktemp("registry")
    keys = tmp_path_factory.mktemp("registry-keys")
    (keys / "registry-password").write_text(REGISTRY_PASSWORD)
    (port,) = free_ports(1)
    command = prepare(folder, keys, port, Layout.find().cache, print)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    pidfd = os.pidfd_open(process.pid)
    try:
        assert ReadyPort(port).wait(process.pid, pidfd, 300), (folder / "log").read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        os.close(pidfd)
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory, registry: str) -> Iterator[Service]:
    """A running service, one for each test file."""
    service = make_service(tmp_path_factory.mktemp("aws"), registry)
    service.start()
    yield service
    assert service.end() == 0, service.log()
