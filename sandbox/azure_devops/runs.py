"""Runs of pipelines, which the API calls builds, as the state keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.azure_devops.errors import build

if TYPE_CHECKING:
    from sandbox.azure_devops.store import Draft, Json


def find(draft: Draft, project: Json, number: object) -> Json:
    """Return a build of a project by its id, or raise the service's 404."""
    known = draft.table("builds").get(str(number))
    if known is None or known["projectId"] != project["id"]:
        raise build(404, "BuildNotFoundException", f"The requested build {number} could not be found.")
    return known
