"""What the runs of the pipeline share: a sandbox of their own, and a delivery in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.files import remove
from tests.end_to_end.delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.workstation import Sandbox


@pytest.fixture(scope="session")
def discarded() -> Iterator[list[Path]]:
    """Folders that are removed when all tests have ended.

    Not before: an ext4 without a journal, as many a virtual machine has, gives no inode of a removed file to another
    for minutes, and looks at each of them whenever a file is made (`recently_deleted` in fs/ext4/ialloc.c). Beside
    removals a job's environment costs twice the CPU.
    """
    folders: list[Path] = []
    yield folders
    for folder in folders:
        remove(folder)


@pytest.fixture(scope="module")
def delivery(running: Sandbox, tmp_path_factory: pytest.TempPathFactory, discarded: list[Path]) -> Iterator[Delivery]:
    """A delivery in the session's sandbox, emptied before: every other test brings it into a state of its own."""
    sandbox = running.empty()
    made = Delivery.make(sandbox, tmp_path_factory.mktemp("delivery"))
    made.discarded = discarded
    yield made
    running.made.update(sandbox.made)
