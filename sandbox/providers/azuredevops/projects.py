"""What azuredevops types share: the project they lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.providers.azuredevops.client import PROJECT, Client
from sandbox.providers.base import Declared, ProviderError
from sandbox.providers.schema import Fields, text, uuid

if TYPE_CHECKING:
    from sandbox.providers.protocol import Properties

PROJECT_FIELD: Fields = {"projectId": text(required=True, replace=True, rule=uuid)}


class ProjectResource(Declared[Client]):
    """A type that lies in a project; it is imported as PROJECT/ID, the project by its name or id."""

    def import_id(self, resource_id: str) -> tuple[str, Properties]:
        project, slash, own = resource_id.partition("/")
        if not slash or not own:
            raise ProviderError(
                f"unexpected format of ID ({resource_id}), expected projectID/resourceId or projectName/resourceId"
            )
        found = self.session.call("GET", PROJECT, projectId=project)
        return own, {"projectId": found["id"]}
