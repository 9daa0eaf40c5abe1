"""What a resource type takes and gives: its fields, and what follows from them alone.

A field says what the real plugin's schema says of it (type, required, default, forces replacement, filled by the
service, secret). From the fields follow, for every type alike: the checks, the defaults and the physical name here,
the differences (differences.py), the planned outputs of a preview and the inputs of an import (states.py).
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.providers.protocol import UNKNOWN, Properties, has_unknown

Kind = Literal["string", "boolean", "integer", "map", "list", "set", "object"]


@dataclass(frozen=True, kw_only=True)
class Field:
    """One property of a resource type."""

    kind: Kind = "string"
    required: bool = False
    default: Any = None
    """What an unset input means. A default that is not empty is written into the inputs, as the real plugins do."""
    replace: bool = False
    """A change makes a new resource."""
    computed: bool = False
    """An input that the service fills when it is unset: unset is then no difference."""
    output: bool = False
    """Only the service sets it."""
    derived: bool = False
    """An output that the plugin itself writes among the checked inputs: it is compared and planned like one."""
    secret: bool = False
    fields: Mapping[str, Field] = field(default_factory=dict)
    """The properties of an object, or of the elements of a list or set; empty: elements are plain values."""
    autoname: int = 0
    """The greatest length of a generated physical name; 0: none is generated."""
    rule: Callable[[Any], str | None] | None = None
    """Says what is wrong with a known value, or None."""
    canonical: Callable[[Any], Any] | None = None
    """Maps values that mean the same to equal ones (policy documents, say)."""
    recorded: Callable[[Any], Any] | None = None
    """How the plugin words a value of the program in the state, where it has words of its own."""
    underlying: str = ""
    """The underlying schema's name where it is not the property's in snake case: includes is include."""


Fields = Mapping[str, Field]


def text(**options: Any) -> Field:
    """A string."""
    return Field(kind="string", **options)


def flag(**options: Any) -> Field:
    """A truth value."""
    return Field(kind="boolean", **options)


def number(**options: Any) -> Field:
    """A whole number."""
    return Field(kind="integer", **options)


def mapping(**options: Any) -> Field:
    """A map of strings."""
    return Field(kind="map", **options)


def items(fields: Fields | None = None, **options: Any) -> Field:
    """A list of strings, or of objects with these fields; its order has a meaning."""
    return Field(kind="list", fields=fields or {}, **options)


def unordered(fields: Fields | None = None, **options: Any) -> Field:
    """A set of strings, or of objects with these fields."""
    return Field(kind="set", fields=fields or {}, **options)


def block(fields: Fields, **options: Any) -> Field:
    """One object with these fields."""
    return Field(kind="object", fields=fields, **options)


def given(**options: Any) -> Field:
    """A string that only the service sets."""
    return Field(kind="string", output=True, **options)


# --- rules -----------------------------------------------------------------------------------------------------------

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def one_of(*choices: str) -> Callable[[Any], str | None]:
    """The value is one of these words."""
    listed = " ".join(f'"{choice}"' for choice in choices)
    return lambda value: None if value in choices else f"to be one of [{listed}], got {value}"


def uuid(value: Any) -> str | None:
    """The value is a UUID."""
    return None if _UUID.fullmatch(str(value)) else f"to be a valid UUID, got {value}"


def not_blank(value: Any) -> str | None:
    """The value is no empty or white string."""
    return None if str(value).strip() else "to not be an empty string or whitespace"


def between(low: int, high: int) -> Callable[[Any], str | None]:
    """The value lies in this range, both ends included."""
    return lambda value: None if low <= value <= high else f"to be in the range ({low} - {high}), got {value}"


def at_least(low: int) -> Callable[[Any], str | None]:
    """The value is not below this."""
    return lambda value: None if value >= low else f"to be at least ({low}), got {value}"


# --- documents -------------------------------------------------------------------------------------------------------


def json_document(value: Any) -> str | None:
    """The value is JSON."""
    try:
        json.loads(value)
    except ValueError as error:
        return f"contains an invalid JSON: {error}"
    return None


def same_json(value: Any) -> Any:
    """JSON texts that parse to the same value are equal."""
    try:
        return json.loads(value)
    except (TypeError, ValueError):  # not known yet, or no JSON
        return value


def compact_json(value: Any) -> Any:
    """A JSON text as the plugins for Go write it: no white space, keys in order, three signs escaped."""
    document = same_json(value)
    if document is value:
        return value
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def same_policy(value: Any) -> Any:
    """IAM policies that differ in white space, the order of sets, or a scalar for a list of one are equal."""
    document = same_json(value)
    if not isinstance(document, dict):
        return document
    statements = document.get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    simple = {**document, "Statement": sorted((_simple(each) for each in statements), key=repr)}
    return json.dumps(simple, sort_keys=True)


def _simple(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _simple(each) for key, each in sorted(value.items())}
    if isinstance(value, list):
        ordered = sorted((_simple(each) for each in value), key=repr)
        return ordered[0] if len(ordered) == 1 else ordered
    return str(value).lower() if isinstance(value, bool) else value


# --- checks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Failure:
    """What is wrong with an input; the engine names the resource."""

    property: str
    reason: str


_PYTHON_TYPES: dict[Kind, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "map": (dict,),
    "list": (list,),
    "set": (list,),
    "object": (dict,),
}


def check(fields: Fields, inputs: Properties, resource: str) -> list[Failure]:
    """Judge inputs by their fields alone: unknown names, missing ones, types and rules."""
    return list(_check(fields, inputs, resource, ""))


def _check(fields: Fields, inputs: Properties, resource: str, path: str) -> Iterator[Failure]:
    for name, value in inputs.items():
        where = f"{path}{name}"
        declared = fields.get(name)
        if name == "__defaults":
            continue
        if declared is None or declared.output:
            yield Failure("", f"Invalid or unknown key. Examine values at '{resource}.{where}'.")
        elif value is not UNKNOWN:
            yield from _check_value(declared, value, resource, where)
    for name, declared in fields.items():
        if declared.required and inputs.get(name) is None:
            yield Failure(
                "",
                f'Missing required argument. The argument "{snake(name)}" is required, but no definition was found.. '
                f"Examine values at '{resource}.{path}{name}'.",
            )


def _check_value(declared: Field, value: Any, resource: str, where: str) -> Iterator[Failure]:
    fits = isinstance(value, _PYTHON_TYPES[declared.kind])
    if not fits or (declared.kind == "integer" and isinstance(value, bool)):
        got = {str: "string", bool: "bool", int: "number", float: "number", list: "list", dict: "object"}[type(value)]
        yield Failure("", f"expected a {declared.kind}, got a {got}. Examine values at '{resource}.{where}'.")
        return
    if declared.kind == "object":
        yield from _check(declared.fields, value, resource, f"{where}.")
    elif declared.kind in ("list", "set") and declared.fields:
        for index, element in enumerate(value):
            if isinstance(element, dict):
                yield from _check(declared.fields, element, resource, f"{where}[{index}].")
    if declared.required and declared.kind in ("list", "set") and not value:
        needed = (
            f"Attribute {snake(declared.underlying or where)} requires 1 item minimum, but config has only 0 declared."
        )
        yield Failure("", f"Not enough list items. {needed}. Examine values at '{resource}.{where}'.")
    values = value if declared.kind in ("list", "set") and not declared.fields else [value]
    for each in values:
        if declared.rule and not has_unknown(each) and (wrong := declared.rule(each)):
            yield Failure("", f"expected \"{snake(where)}\" {wrong}. Examine values at '{resource}.{where}'.")


def snake(name: str) -> str:
    """The underlying schema's spelling of a property: imageTagMutability is image_tag_mutability."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), name)


# --- defaults and names ----------------------------------------------------------------------------------------------


def with_defaults(fields: Fields, inputs: Properties) -> Properties:
    """Fill defaults that are not empty, and note in ``__defaults`` at every level which ones were filled."""
    filled = {name: _nested_defaults(fields.get(name), value) for name, value in inputs.items()}
    defaulted = [name for name, each in fields.items() if each.default and not each.output and name not in inputs]
    filled.update({name: fields[name].default for name in defaulted})
    filled["__defaults"] = sorted({*defaulted, *inputs.get("__defaults", [])})
    return filled


def _nested_defaults(declared: Field | None, value: Any) -> Any:
    if declared is None or not declared.fields:
        return value
    if isinstance(value, dict):
        return with_defaults(declared.fields, value)
    if isinstance(value, list):
        return [_nested_defaults(declared, each) for each in value]
    return value


def without_empty_marks(value: Any) -> Any:
    """Drop every ``__defaults`` that is empty, as a refresh does."""
    if isinstance(value, dict):
        return {key: without_empty_marks(each) for key, each in value.items() if key != "__defaults" or each}
    if isinstance(value, list):
        return [without_empty_marks(each) for each in value]
    return value


def without_marks(value: Any) -> Any:
    """Drop ``__defaults`` at every level."""
    if isinstance(value, dict):
        return {key: without_marks(each) for key, each in value.items() if key != "__defaults"}
    if isinstance(value, list):
        return [without_marks(each) for each in value]
    return value


def physical_name(logical: str, longest: int, seed: bytes) -> str:
    """Make the generated physical name: the logical one, a hyphen and 7 hexadecimal digits."""
    digits = hashlib.sha256(seed).hexdigest()[:7] if seed else secrets.token_hex(4)[:7]
    return f"{logical[: longest - 8]}-{digits}"
