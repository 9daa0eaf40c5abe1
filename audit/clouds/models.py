"""The descriptions of AWS's services that come with botocore."""

from functools import cache
from pathlib import Path

from botocore.loaders import Loader, create_loader


class _Loader(Loader):
    """Takes each folder of a service for one: what is in it is seen when it is read. botocore looks through the folders
    of all 400 first, once for each kind of description, which takes longer than to read those of one service."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 (botocore's signature)
        """The names of services, whatever kind of description is asked for."""
        places = [Path(place) for place in self.search_paths]
        return [path.name for place in places if place.is_dir() for path in place.iterdir()]


@cache
def loader(data_path: str | None) -> Loader:
    """The one loader of all sessions with this path (AWS_DATA_PATH): each description is read once."""
    return _Loader(create_loader(data_path).search_paths, include_default_search_paths=False)
