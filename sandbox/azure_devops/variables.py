"""Variables of groups and pipelines: kept, shown without their secrets, and given to an agent with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.azure_devops.errors import bad_argument
from sandbox.azure_devops.store import SECRET_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.azure_devops.store import Draft, Json

_FLAGS = ("isSecret", "isReadOnly", "allowOverride")


def kept(draft: Draft, given: Mapping[str, Any], before: Mapping[str, Json]) -> dict[str, Json]:
    """Return what to keep of a request's variables `{name: {"value", "isSecret", ...}}`.

    A secret sent with null, "" or no value keeps the value that `before` has under its name, in whatever case.
    """
    earlier = {name.lower(): variable for name, variable in before.items()}
    after: dict[str, Json] = {}
    for name, variable in given.items():
        if not name.strip():
            raise bad_argument("A variable has no name.")
        # An object is documented; the service also takes a bare string.
        sent = variable if isinstance(variable, dict) else {"value": variable}
        value = sent.get("value")
        if value is not None and not isinstance(value, str):
            raise bad_argument(f"The value of the variable '{name}' is not a string.")
        old = earlier.get(name.lower(), {})
        one: Json = {flag: True for flag in _FLAGS if sent.get(flag)}
        if not sent.get("isSecret"):
            one["value"] = value
        elif not value and SECRET_ID in old:
            one[SECRET_ID] = old[SECRET_ID]
        else:
            one[SECRET_ID] = draft.keep_secret(value or old.get("value") or "")
        after[name] = one
    return after


def shown(variables: Mapping[str, Json]) -> Json:
    """Return the variables as the API shows them: a secret's value is null."""
    return {
        name: {"value": variable.get("value")} | {flag: True for flag in _FLAGS if variable.get(flag)}
        for name, variable in variables.items()
    }


def values(draft: Draft, variables: Mapping[str, Json]) -> dict[str, Json]:
    """Return the variables with their values, secrets too: `{name: {"value", "isSecret"}}`. Only an agent gets this."""
    return {
        name: {
            "value": draft.secret(variable[SECRET_ID]) if SECRET_ID in variable else variable.get("value") or "",
            "isSecret": SECRET_ID in variable,
        }
        for name, variable in variables.items()
    }
