"""What a bridged plugin writes into the state besides a resource's values: its empty fields, its id and its own notes.

Two notes are the bridge's: ``__meta`` holds the timeouts of the underlying type, and on import its schema's version;
``__pulumi_raw_state_delta`` says how the underlying state differs from the values. Source: the bridge's documentation
of both, and states that the genuine plugins wrote.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.providers.protocol import UNKNOWN, Secret, has_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.providers.protocol import Properties
    from sandbox.providers.schema import Field, Fields

META = "__meta"
DELTA = "__pulumi_raw_state_delta"
_TIMEOUTS = "e2bfb730-ecaa-11e6-8f88-34363bc7c4c0"
_MINUTE = 60_000_000_000  # nanoseconds


def with_blanks(fields: Fields, outputs: Properties) -> Properties:
    """Word values as the plugin does, and add what is not set: null, or an empty list of objects."""
    full = {name: _blank(each) if outputs.get(name) is None else outputs[name] for name, each in fields.items()}
    return {name: _within(fields[name], value) for name, value in full.items()}


def _blank(declared: Field) -> Any:
    return [] if declared.kind in ("list", "set") and declared.fields else None


def _within(declared: Field, value: Any) -> Any:
    if declared.recorded and isinstance(value, str):
        return declared.recorded(value)
    if declared.fields and isinstance(value, dict):
        return with_blanks(declared.fields, value)
    if declared.fields and isinstance(value, list):
        return [_within(declared, each) for each in value]
    return value


def known_only(fields: Fields, outputs: Properties) -> Properties:
    """Take zero values for what is not known, as after an operation that failed before the service was asked."""
    return {name: _known(fields[name], value) for name, value in outputs.items() if name in fields}


def _known(declared: Field, value: Any) -> Any:
    if value is UNKNOWN:
        return {"string": "", "boolean": False, "integer": 0}.get(declared.kind)
    if declared.fields and isinstance(value, dict):
        return known_only(declared.fields, value)
    if declared.fields and isinstance(value, list):
        return [_known(declared, each) for each in value]
    return value


def nulls_kept(fields: Fields, outputs: Properties, wanted: Properties, state: Properties | None) -> Properties:
    """A collection that nobody asked for and that came back empty stays what it was: null at first.

    A refresh records it empty; so does an update, of what lies in an object.
    """
    return {name: _null_kept(fields.get(name), value, wanted.get(name), name, state) for name, value in outputs.items()}


def _null_kept(declared: Field | None, value: Any, wanted: Any, name: str, state: Properties | None) -> Any:
    if declared is None:
        return value
    if not declared.fields and value in ([], {}) and wanted is None and (state or {}).get(name) is None:
        return None
    if declared.kind == "object" and state is None and isinstance(value, dict) and isinstance(wanted, dict):
        return nulls_kept(declared.fields, value, wanted, None)
    return value


def meta(minutes: Mapping[str, int], *, preview: bool = False, imported: bool = False) -> str | None:
    """Return ``__meta`` for the timeouts of a type in minutes; None where there is nothing to note."""
    noted: dict[str, Any] = {}
    if preview:
        noted["_new_extra_shim"] = {}
    if minutes:
        noted[_TIMEOUTS] = {name: each * _MINUTE for name, each in sorted(minutes.items())}
    if imported:
        noted["schema_version"] = "0"
    return json.dumps(noted, separators=(",", ":")) if noted else None


def delta(fields: Fields, outputs: Properties) -> Properties | None:
    """Return the raw-state delta of outputs with their blanks; None for a preview's, where something is unknown."""
    return None if has_unknown(outputs) else {"obj": _object_delta(fields, outputs)}


def _object_delta(fields: Fields, outputs: Properties) -> Properties:
    changed = {name: found for name, each in fields.items() if (found := _delta(each, outputs.get(name)))}
    renamed = {name: each.underlying for name, each in fields.items() if each.underlying}
    return {key: value for key, value in (("ps", changed), ("renamed", renamed)) if value}


def _delta(declared: Field, value: Any) -> Properties:
    if isinstance(value, Secret):
        value = value.value
    if declared.kind == "object":
        return {"plu": {"i": {} if value is None else {"obj": _object_delta(declared.fields, value)}}}
    if declared.kind == "map" and value is not None:
        return {"map": {}}
    if declared.kind in ("list", "set") and value is not None:
        if not declared.fields or not value:
            return {"arr": {}}
        return {
            "arr": {"el": {str(at): {"obj": _object_delta(declared.fields, each)} for at, each in enumerate(value)}}
        }
    return {}
