"""What the runs of the pipeline share: a sandbox of their own, and a delivery in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.workstation import Sandbox


@pytest.fixture(scope="module")
def delivery(running: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    """A delivery in the session's sandbox, emptied before: every other test brings it into a state of its own."""
    sandbox = running.empty()
    made = Delivery.make(sandbox, tmp_path_factory.mktemp("delivery"))
    yield made
    made.discarded()
    running.made.update(sandbox.made)
