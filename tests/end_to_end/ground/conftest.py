"""An engine with the base image in it, for the tests that build and run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sandbox import base_image, docker_engine
from sandbox.errors import SandboxError
from sandbox.layout import CHECKOUT
from tests.end_to_end.ground.machine import CACHE, private_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The right to start a private engine."""
    if os.geteuid() == 0:
        return
    try:
        docker_engine.find(tmp_path_factory.mktemp("none"))
    except SandboxError as error:
        pytest.fail(str(error), pytrace=False)
    pytest.skip("a private Docker engine needs root; this machine has an engine, so the sandbox does not need one")


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """DOCKER_HOST of an engine that has the base image: the machine's own, else a private one."""
    home: Path = tmp_path_factory.mktemp("engine")
    try:
        found = docker_engine.find(home)
    except SandboxError as error:
        pytest.fail(str(error), pytrace=False)
    if found:
        base_image.ensure(CHECKOUT / "Dockerfile", found, CACHE, print)
        yield found
        return
    with private_engine(home) as own:
        base_image.ensure(CHECKOUT / "Dockerfile", own.address, CACHE, print)
        yield own.address
