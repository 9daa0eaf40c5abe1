"""What the runs of the pipeline share: a sandbox of their own, and a delivery in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azure_pipelines import conditions as runs
from tests.end_to_end.delivery import CHECKS, Delivery
from tests.end_to_end.pipeline_runs import started, succeeded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.end_to_end.pipeline_runs import Start
    from tests.workstation import Sandbox


@pytest.fixture(scope="session")
def deliveries() -> list[tuple[int, Delivery]]:
    """Those that were made, and how often the sandbox had been brought into another state by then."""
    return []


@pytest.fixture(scope="module")
def delivery(
    running: Sandbox, tmp_path_factory: pytest.TempPathFactory, deliveries: list[tuple[int, Delivery]]
) -> Iterator[Delivery]:
    """A delivery in the session's sandbox, emptied before: every other test brings it into a state of its own.

    The files of the pipeline's runs share one, as long as no test of another file has had the sandbox.
    """
    if not deliveries or deliveries[-1][0] != running.restored[running.home]:
        made = Delivery.make(running.empty(), tmp_path_factory.mktemp("delivery"))
        deliveries.append((running.restored[running.home], made))
    yield deliveries[-1][1]
    running.made.update(deliveries[-1][1].sandbox.made)


@pytest.fixture
def start(delivery: Delivery) -> Iterator[Start]:
    """Start runs of a test."""
    with started(delivery) as run:
        yield run


@pytest.fixture(scope="module")
def released(delivery: Delivery) -> None:
    """The stack of the image has an image."""
    if delivery.image() is None:
        with started(delivery) as start:
            _, results = start(skip=CHECKS)
        assert results.stages["deploy_dev"] == runs.SUCCEEDED, succeeded(results)
