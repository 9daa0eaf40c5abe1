"""What the runs of the pipeline share: a sandbox of their own, and a delivery in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.delivery import Delivery
from tests.workstation import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    """A delivery in a sandbox of its own: its runs change and block the stack that others would look at."""
    with Sandbox.running(tmp_path_factory.mktemp("delivery-sandbox")) as sandbox:
        yield Delivery.make(sandbox, tmp_path_factory.mktemp("delivery"))
