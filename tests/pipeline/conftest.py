"""What the runs of the pipeline share: a sandbox of their own, and a delivery in it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.pipeline.delivery import Delivery
from tests.workstation import CHECKOUT, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    """A delivery in a sandbox of its own: its runs change and block the stack that others would look at."""
    home = tmp_path_factory.mktemp("delivery-sandbox")
    environment = {**os.environ, "SANDBOX_HOME": str(home)}
    command = [sys.executable, "-m", "sandbox"]
    up = subprocess.run([*command, "up"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    if up.returncode:
        pytest.fail(f"the pipeline's runs need the sandbox, and it did not start:\n{up.stderr}", pytrace=False)
    try:
        yield Delivery.make(Sandbox.of(home), tmp_path_factory.mktemp("delivery"))
    finally:
        subprocess.run([*command, "down"], cwd=CHECKOUT, env=environment, check=True, capture_output=True)
