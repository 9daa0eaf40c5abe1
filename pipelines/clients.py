"""Clients of AWS's services, by botocore: what boto3 adds is not needed, and its import takes its time in each step."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any


def client(service: str, region: str, **options: Any) -> Any:
    """A client with what the environment says of endpoint and credentials; options: of botocore's `create_client`."""
    import botocore.session

    session = botocore.session.Session()
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
    return session.create_client(service, region_name=region, **options)


@cache
def _loader(data_path: str | None) -> Any:
    """The one loader of all clients with this path (AWS_DATA_PATH): each description of a service is read once."""
    from botocore.loaders import Loader, create_loader

    class Services(Loader):
        """Takes each folder for a service. botocore looks through all 400 of them for each kind of description."""

        def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 (botocore's signature)
            places = [Path(place) for place in self.search_paths]
            return [path.name for place in places if place.is_dir() for path in place.iterdir()]

    return Services(create_loader(data_path).search_paths, include_default_search_paths=False)
