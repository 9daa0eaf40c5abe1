"""What the tests of the Azure DevOps service share: a running service for each module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.sandbox.azure_devops.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service with its first project, shared by the tests of a module."""
    one = Service(tmp_path_factory.mktemp("azure-devops"))
    try:
        one.start()
        yield one
        assert one.stop() == 0
    finally:
        one.abandon()
