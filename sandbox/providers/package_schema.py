"""The schema that a stand-in gives of itself, so that ``pulumi import`` can write the code of what it imported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.providers.schema import Field, Fields

_TYPES = {"string": "string", "boolean": "boolean", "integer": "integer"}


def package_schema(name: str, version: str, resources: Mapping[str, Fields]) -> str:
    """Return the package schema as JSON: the types of this stand-in and no more.

    resources: the fields of each type, by its token.
    """
    types: dict[str, Any] = {}
    described = {token: _resource(token, fields, types) for token, fields in resources.items()}
    return json.dumps({"name": name, "version": version, "resources": described, "types": types})


def _resource(token: str, fields: Fields, types: dict[str, Any]) -> dict[str, Any]:
    properties = {name: _property(each, token, name, types) for name, each in fields.items()}
    inputs = {name: value for name, value in properties.items() if not fields[name].output}
    return {
        "type": "object",
        "properties": properties,
        "inputProperties": inputs,
        "requiredInputs": [name for name, each in fields.items() if each.required],
    }


def _property(field: Field, token: str, name: str, types: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any]
    if field.kind in _TYPES:
        described = {"type": _TYPES[field.kind]}
    elif field.kind == "map":
        described = {"type": "object", "additionalProperties": {"type": "string"}}
    else:
        inner = {"type": "string"} if not field.fields else _nested(field.fields, token, name, types)
        described = inner if field.kind == "object" else {"type": "array", "items": inner}
    return {**described, "secret": True} if field.secret else described


def _nested(fields: Fields, token: str, name: str, types: dict[str, Any]) -> dict[str, Any]:
    package, module, kind = token.split(":")
    own = kind + name[0].upper() + name[1:]
    nested = f"{package}:{module.split('/')[0]}/{own}:{own}"
    types[nested] = {
        "type": "object",
        "properties": {key: _property(each, nested, key, types) for key, each in fields.items()},
        "required": [key for key, each in fields.items() if each.required],
    }
    return {"$ref": f"#/types/{nested}"}
