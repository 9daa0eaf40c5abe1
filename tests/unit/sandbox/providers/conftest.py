"""The stand-in providers against the sandbox's own services, as fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.sandbox.aws.support import ADMIN, REGION, free_ports, make_service
from tests.unit.sandbox.azure_devops.service import Service as AzureDevOps
from tests.unit.sandbox.providers.plugin_client import Plugin, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.sandbox.aws.support import Service


@pytest.fixture(scope="module")
def aws_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The sandbox's AWS; no image is pushed, so no registry is behind it."""
    (nobody,) = free_ports(1)
    service = make_service(tmp_path_factory.mktemp("aws"), f"http://127.0.0.1:{nobody}")
    service.start()
    yield service
    assert service.end() == 0, service.log()


@pytest.fixture(scope="module")
def aws_environment(aws_service: Service) -> dict[str, str]:
    """What an operator's shell has."""
    return {
        "AWS_ACCESS_KEY_ID": ADMIN["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": ADMIN["SecretAccessKey"],
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{aws_service.port}",
    }


@pytest.fixture(scope="module")
def aws(aws_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    """The aws stand-in, configured."""
    with running("aws", tmp_path_factory.mktemp("plugin"), **aws_environment) as plugin:
        assert plugin.configure(region=REGION) == []
        yield plugin


@pytest.fixture(scope="module")
def azure_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureDevOps]:
    """The sandbox's Azure DevOps."""
    service = AzureDevOps(tmp_path_factory.mktemp("azure-devops"))
    service.start()
    yield service
    assert service.stop() == 0


@pytest.fixture(scope="module")
def azure(azure_service: AzureDevOps, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    """The azuredevops stand-in, configured."""
    environment = {"AZDO_ORG_SERVICE_URL": azure_service.url, "AZDO_PERSONAL_ACCESS_TOKEN": azure_service.token}
    with running("azuredevops", tmp_path_factory.mktemp("plugin"), **environment) as plugin:
        assert plugin.configure() == []
        yield plugin
