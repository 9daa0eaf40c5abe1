"""What every test shares: the switch for the end-to-end part, and one sandbox for all that need it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.workstation import CHECKOUT, Sandbox, Workstation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

E2E = os.environ.get("E2E", "1") != "0"
_left_out: list[str] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only an explicit E2E=0 leaves the end-to-end tests out."""
    if E2E:
        return
    for item in items:
        if item.get_closest_marker("e2e"):
            _left_out.append(item.nodeid)
            item.add_marker(pytest.mark.skip(reason="E2E=0"))


def pytest_unconfigure() -> None:
    """Say last, and loudly, what was not run."""
    if _left_out:
        print(f"\nNOT RUN because of E2E=0: {len(_left_out)} end-to-end tests. Nothing above proves the whole path.")


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of the tests' own, up for the session; its folder is searched and removed at the end."""
    home = tmp_path_factory.mktemp("sandbox")
    environment = {**os.environ, "SANDBOX_HOME": str(home)}
    command = [sys.executable, "-m", "sandbox"]
    up = subprocess.run([*command, "up"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    if up.returncode:
        pytest.fail(f"the end-to-end tests need the sandbox, and it did not start:\n{up.stderr}", pytrace=False)
    try:
        yield Sandbox.of(home)
    finally:
        subprocess.run([*command, "down"], cwd=CHECKOUT, env=environment, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path, sandbox: Sandbox) -> Callable[..., Workstation]:
    """Make one more checkout of the program, with its own umask, against the sandbox."""

    def make(name: str = "checkout", umask: int = 0o022) -> Workstation:
        return Workstation.make(tmp_path / name, sandbox, umask=umask)

    return make
