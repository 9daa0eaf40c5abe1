"""The engine's gRPC messages, and its property values as plain Python values.

Source: pulumi's provider.proto and the property-value encoding of its SDKs (deployment-schema, "Property values").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import struct_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

__all__ = [
    "UNKNOWN",
    "Properties",
    "Secret",
    "Unknown",
    "decode",
    "encode",
    "engine_pb2",
    "engine_pb2_grpc",
    "has_unknown",
    "plugin_pb2",
    "provider_pb2",
    "provider_pb2_grpc",
    "status_pb2",
    "struct_pb2",
]

Properties = dict[str, Any]
"""Properties of a resource by their Pulumi names (camelCase); values are str, bool, int, float, list, dict, UNKNOWN."""

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the wire's mark of a secret, not a secret
_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# The typed forms that older engines send for the same thing.
_UNKNOWNS = {
    _UNKNOWN,
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "030794c1-ac77-496b-92df-f27374a8bd58",
    "e48ece36-62e2-4504-bad9-02848725956a",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
}


class Unknown:
    """A value that is known only after ``up``."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Secret:
    """An output that the engine shall encrypt in the state."""

    value: Any


def has_unknown(value: Any) -> bool:
    """Tell whether a value is or holds ``UNKNOWN``."""
    if isinstance(value, dict):
        return any(has_unknown(each) for each in value.values())
    if isinstance(value, list):
        return any(has_unknown(each) for each in value)
    return value is UNKNOWN


def decode(struct: struct_pb2.Struct) -> Properties:
    """Turn a message's properties into Python values, without nulls; secrets arrive without their mark."""
    decoded = {key: _decode(value) for key, value in struct.fields.items()}
    return {key: value for key, value in decoded.items() if value is not None}


def _decode(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_decode(each) for each in value.list_value.values]
    if kind == "struct_value":
        fields = value.struct_value.fields
        if fields[_SIGNATURE].string_value == _SECRET if _SIGNATURE in fields else False:
            return _decode(fields["value"])
        return decode(value.struct_value)
    return None


def encode(properties: Mapping[str, Any], *, nulls: bool = False) -> struct_pb2.Struct:
    """Turn Python values into a message's properties; ``None`` is null if ``nulls`` are asked for, else left out."""
    fields = {key: _encode(value, nulls=nulls) for key, value in properties.items() if nulls or value is not None}
    return struct_pb2.Struct(fields=fields)


def _encode(value: Any, *, nulls: bool) -> struct_pb2.Value:
    if value is None:
        return struct_pb2.Value(null_value=struct_pb2.NULL_VALUE)
    if value is UNKNOWN:
        return struct_pb2.Value(string_value=_UNKNOWN)
    if isinstance(value, Secret):
        marked = {_SIGNATURE: struct_pb2.Value(string_value=_SECRET), "value": _encode(value.value, nulls=nulls)}
        return struct_pb2.Value(struct_value=struct_pb2.Struct(fields=marked))
    if isinstance(value, bool):
        return struct_pb2.Value(bool_value=value)
    if isinstance(value, int | float):
        return struct_pb2.Value(number_value=value)
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    if isinstance(value, Mapping):
        return struct_pb2.Value(struct_value=encode(value, nulls=nulls))
    if isinstance(value, Sequence):
        values = [_encode(each, nulls=nulls) for each in value]
        return struct_pb2.Value(list_value=struct_pb2.ListValue(values=values))
    raise TypeError(f"no property value: {type(value).__name__}")
