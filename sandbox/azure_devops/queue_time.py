"""Variables that somebody sets when a run is queued, and the project's setting that limits them.

https://learn.microsoft.com/rest/api/azure/devops/build/general-settings: of its settings this service acts on
`enforceSettableVar` ("Limit variables that can be set at queue time"), which new organisations have on.
.../azure/devops/pipelines/security/inputs#limit-variables-that-can-be-set-at-queue-time
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sandbox.azure_devops import locations, projects, shapes
from sandbox.azure_devops.errors import bad_argument
from sandbox.azure_devops.protocol import Router

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Json

router = Router()

_SETTINGS: Json = {
    "disableClassicPipelineCreation": True,
    "enforceJobAuthScope": True,
    "enforceJobAuthScopeForReleases": True,
    "enforceReferencedRepoScopedToken": True,
    "enforceSettableVar": True,
    "publishPipelineMetadata": False,
    "statusBadgesArePrivate": True,
}
"""What a new project has."""


class NotSettableError(Exception):
    """A run may not be queued with these variables; the message is the service's."""


@router.on(locations.GENERAL_SETTINGS, "GET", "vso.build")
def get(call: Call) -> Json:
    """Give the settings of a project's pipelines."""
    return _of(projects.of(call))


@router.on(locations.GENERAL_SETTINGS, "PATCH", "vso.build_execute", shape=shapes.GENERAL_SETTINGS)
def update(call: Call) -> Json:
    """Change settings; what the body does not name stays."""
    project = projects.of(call)
    body = call.object()
    changed = {name: bool(body[name]) for name in _SETTINGS if body.get(name) is not None}
    project["generalSettings"] = project.get("generalSettings", {}) | changed
    return _of(project)


def _of(project: Json) -> Json:
    return {**_SETTINGS, **project.get("generalSettings", {})}


def given(project: Json, definition: Json, body: Json) -> dict[str, str]:
    """The variables that a request for a run sets: `variables` of the runs API, `parameters` (JSON) of the builds API.

    Raises NotSettableError where the project limits them and the pipeline does not offer one of them.
    """
    try:
        named = json.loads(body.get("parameters") or "{}")
    except ValueError:
        raise bad_argument("The parameters of the build are no JSON object of variables.") from None
    wanted = {**(named if isinstance(named, dict) else {}), **(body.get("variables") or {})}
    found = {name: str(one.get("value") or "") if isinstance(one, dict) else str(one) for name, one in wanted.items()}
    if any(isinstance(one, dict) and one.get("isSecret") for one in wanted.values()):
        raise bad_argument("This service takes no secret variable with a run: put it into a variable group.")
    offered = {name.lower() for name, one in definition["variables"].items() if one.get("allowOverride")}
    refused = sorted(name for name in found if name.lower() not in offered | {"system.debug"})
    if refused and _of(project)["enforceSettableVar"]:
        raise NotSettableError(
            f"You can't set the following variables ({', '.join(refused)}). If you want to be able to set these "
            "variables, then edit the pipeline and select Settable at queue time on the variables tab of the pipeline "
            "editor."
        )
    return found
