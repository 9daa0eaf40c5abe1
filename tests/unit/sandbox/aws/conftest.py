"""The AWS service before a real registry, as fixtures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import bcrypt
import pytest

from sandbox.layout import Layout
from sandbox.packages import unpack
from sandbox.processes import ReadyPort
from tests.unit.sandbox.aws.support import REGISTRY_PASSWORD, Service, free_ports, make_service

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real registry (Debian's docker-registry, unpacked into the cache if it is not installed)."""
    program = shutil.which("docker-registry")
    if program is None:
        program = str(unpack(["docker-registry"], Layout.find().cache, print) / "usr/bin/docker-registry")
    folder = tmp_path_factory.mktemp("registry")
    (port,) = free_ports(1)
    hashed = bcrypt.hashpw(REGISTRY_PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (folder / "htpasswd").write_text(f"sandbox:{hashed}\n")
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "relativeurls": True, "secret": "tests"},
        "auth": {"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}},
    }
    (folder / "config.yml").write_text(json.dumps(config))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    pidfd = os.pidfd_open(process.pid)
    try:
        assert ReadyPort(port).wait(pidfd, 30), (folder / "log").read_text()
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
