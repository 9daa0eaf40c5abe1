"""What a resource type takes and gives: its fields, and what follows from them alone.

A field says what the real plugin's schema says of it (type, required, default, forces replacement, filled by the
service, secret). From the fields follow, for every type alike: the checks, the defaults, the physical name, the
differences, the planned outputs of a preview and the inputs of an import.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.providers.protocol import UNKNOWN, Properties, Secret, has_unknown

Kind = Literal["string", "boolean", "integer", "map", "list", "set", "object"]
Change = Literal["add", "delete", "update"]


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
        yield Failure("", f"Not enough list items: at least 1 is required. Examine values at '{resource}.{where}'.")
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


# --- differences -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """One property that would change; ``path`` is in the engine's form, such as tags.Owner or rules[0].name."""

    path: str
    change: Change
    replace: bool

    @property
    def property(self) -> str:
        """The top-level property that it lies in."""
        return re.split(r"[.\[]", self.path, maxsplit=1)[0]


def differences(fields: Fields, state: Properties, inputs: Properties) -> list[Difference]:
    """Compare what is (the outputs of the state) with what is wanted (checked inputs)."""
    return list(_compare_object(fields, state, inputs, "", force=False))


def _compare_object(
    fields: Fields, old: Properties, new: Properties, path: str, *, force: bool
) -> Iterator[Difference]:
    for name, declared in fields.items():
        if declared.output and not declared.derived:
            continue
        wanted = new.get(name)
        if wanted is None:
            if declared.computed or declared.derived:
                continue
            wanted = declared.default
        yield from _compare(declared, old.get(name), wanted, path + name, force=force or declared.replace)


def _compare(declared: Field, old: Any, new: Any, path: str, *, force: bool) -> Iterator[Difference]:
    if _is_empty(old) and _is_empty(new):
        return
    if new is UNKNOWN or _is_unset(old) or _is_unset(new):
        yield Difference(path, "add" if _is_unset(old) else "delete" if _is_unset(new) else "update", force)
    elif declared.kind == "object":
        yield from _compare_object(declared.fields, old, new, path + ".", force=force)
    elif declared.kind == "map":
        yield from _compare_map(old, new, path, force=force)
    elif declared.kind == "list":
        yield from _compare_list(declared, old, new, path, force=force)
    elif declared.kind == "set":
        yield from _compare_set(declared, old, new, path, force=force)
    elif _canonical(declared, old) != _canonical(declared, new):
        yield Difference(path, "update", force)


def _compare_map(old: Properties, new: Properties, path: str, *, force: bool) -> Iterator[Difference]:
    for key in sorted({*old, *new}):
        where = f"{path}.{key}" if re.fullmatch(r"[A-Za-z_][\w$]*", key) else f"{path}[{json.dumps(key)}]"
        if key not in old:
            yield Difference(where, "add", force)
        elif key not in new:
            yield Difference(where, "delete", force)
        elif old[key] != new[key]:
            yield Difference(where, "update", force)


def _compare_element(declared: Field, old: Any, new: Any, path: str, *, force: bool) -> Iterator[Difference]:
    if declared.fields and isinstance(old, dict) and isinstance(new, dict):
        yield from _compare_object(declared.fields, old, new, path + ".", force=force)
    elif _canonical(declared, old) != _canonical(declared, new):
        yield Difference(path, "update", force)


def _compare_list(declared: Field, old: list[Any], new: list[Any], path: str, *, force: bool) -> Iterator[Difference]:
    if not declared.fields:
        for at, change in sorted(_edits(old, new).items()):
            yield Difference(f"{path}[{at}]", change, force)
        return
    for index in range(max(len(old), len(new))):
        where = f"{path}[{index}]"
        if index >= len(old):
            yield Difference(where, "add", force)
        elif index >= len(new):
            yield Difference(where, "delete", force)
        else:
            yield from _compare_element(declared, old[index], new[index], where, force=force)


def _edits(old: list[Any], new: list[Any]) -> dict[int, Change]:
    """The fewest elements to take out and to put in, each at its place in the old and in the new list."""
    lengths = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for at in reversed(range(len(old))):
        for to in reversed(range(len(new))):
            kept = lengths[at + 1][to + 1] + 1 if old[at] == new[to] else 0
            lengths[at][to] = max(kept, lengths[at + 1][to], lengths[at][to + 1])
    edits: dict[int, Change] = {}
    at = to = 0
    while at < len(old) or to < len(new):
        rest = lengths[at][to]
        if at < len(old) and (to == len(new) or lengths[at + 1][to] == rest):
            edits[at] = "update" if at in edits else "delete"
            at += 1
        elif to < len(new) and (at == len(old) or lengths[at][to + 1] == rest):
            edits[to] = "update" if to in edits else "add"
            to += 1
        else:
            at, to = at + 1, to + 1
    return edits


def _compare_set(declared: Field, old: list[Any], new: list[Any], path: str, *, force: bool) -> Iterator[Difference]:
    """As the bridged plugins: by element where each new one is told apart, else the set as a whole.

    The plugin finds a new element in the program's inputs only where these set every field of it.
    """
    before = [_identity(declared, each) for each in old]
    after = [_identity(declared, each) for each in new]
    gone = {index for index, each in enumerate(before) if each not in after}
    come = {index for index, each in enumerate(after) if each not in before}
    if any(not _is_whole(declared, new[index]) for index in come):
        yield Difference(path, "update", force)
        return
    for index in sorted(gone | come):
        where = f"{path}[{index}]"
        if index in gone and index in come:
            yield from _compare_element(declared, old[index], new[index], where, force=force)
        else:
            yield Difference(where, "delete" if index in gone else "add", force)


def _identity(declared: Field, element: Any) -> str:
    """What tells one element of a set from another: all that the program can set of it."""
    if declared.fields and isinstance(element, dict):
        return repr(
            {name: _identity_of(each, element.get(name)) for name, each in declared.fields.items() if not each.output}
        )
    return repr(_canonical(declared, element))


def _identity_of(declared: Field, value: Any) -> Any:
    value = declared.default if value is None else value
    if _is_empty(value):
        return None
    if declared.kind == "set":
        return sorted(_identity(declared, each) for each in value) if isinstance(value, list) else value
    if declared.kind == "object":
        return _identity(declared, value)
    if declared.kind == "list":
        return [_identity(declared, each) for each in value] if isinstance(value, list) else value
    return _canonical(declared, value)


def _is_whole(declared: Field, element: Any) -> bool:
    if not declared.fields or not isinstance(element, dict):
        return True
    plain = [name for name, each in declared.fields.items() if not (each.output or each.computed or each.fields)]
    return all(element.get(name) is not None or declared.fields[name].kind in ("list", "set", "map") for name in plain)


def _canonical(declared: Field, value: Any) -> Any:
    return declared.canonical(value) if declared.canonical and isinstance(value, str) else value


def _is_empty(value: Any) -> bool:
    """Unset and the zero value of a type are one in the underlying plugins."""
    return value is not UNKNOWN and not value


def _is_unset(value: Any) -> bool:
    """No value to show; false, 0 and an empty text are values."""
    return value is not UNKNOWN and value in (None, [], {})


# --- states ----------------------------------------------------------------------------------------------------------


def planned(fields: Fields, inputs: Properties, state: Properties | None = None) -> Properties:
    """Say what a preview shows as outputs: what is wanted, what stays, and UNKNOWN for what the service will set."""
    outputs = _planned_object(fields, inputs, state, in_set=False)
    return {name: value for name, value in outputs.items() if value is not None}


def _planned_object(fields: Fields, inputs: Properties, state: Properties | None, *, in_set: bool) -> Properties:
    outputs: Properties = {}
    for name, declared in fields.items():
        before = None if state is None else state.get(name)
        wanted = inputs.get(name)
        if wanted is not None and (not declared.output or declared.derived):
            outputs[name] = _planned(declared, wanted, before)
        elif declared.output or declared.computed:
            outputs[name] = UNKNOWN if state is None else before
        else:
            outputs[name] = _planned_default(declared, before, in_set=in_set)
    return outputs


_ZEROS = {"string": "", "boolean": False, "integer": 0}


def _planned_default(declared: Field, before: Any, *, in_set: bool) -> Any:
    if in_set:
        return _ZEROS.get(declared.kind) if declared.default is None else declared.default
    if declared.default in (None, ""):
        # Nothing and an empty text are one in the underlying plan: what the state has of the two stays.
        return before if _is_empty(before) else declared.default
    return declared.default


def _planned(declared: Field, wanted: Any, before: Any) -> Any:
    if declared.recorded and wanted is not UNKNOWN:
        return declared.recorded(wanted)
    if declared.kind == "object" and isinstance(wanted, dict):
        return _planned_object(declared.fields, wanted, before if isinstance(before, dict) else None, in_set=False)
    if declared.fields and isinstance(wanted, list):
        held = list(before or []) if isinstance(before, list) else []
        if declared.kind == "list":
            pairs = [(each, held[index] if index < len(held) else None) for index, each in enumerate(wanted)]
        else:
            known = {_identity(declared, each): each for each in held}
            pairs = [(each, known.get(_identity(declared, each))) for each in wanted]
        in_set = declared.kind == "set"
        return [
            _planned_object(declared.fields, each, old, in_set=in_set) if isinstance(each, dict) else each
            for each, old in pairs
        ]
    return wanted


def keep_wording(fields: Fields, found: Properties, known: Properties) -> Properties:
    """Take what the service says, but in the words of ``known`` wherever both mean the same.

    A service that returns a policy with other white space or a set in another order has changed nothing.
    """
    kept = dict(found)
    for name, declared in fields.items():
        value = known.get(name)
        if value is None or name not in found or has_unknown(value):
            continue
        if not list(_compare(declared, found[name], value, name, force=False)):
            kept[name] = _merged(declared, found[name], value)
    return kept


def _merged(declared: Field, found: Any, known: Any) -> Any:
    """Take the words of ``known`` and add what only the service sets."""
    if declared.fields and isinstance(found, dict) and isinstance(known, dict):
        inner = declared.fields
        worded = {
            name: _merged(inner[name], found[name], each) if name in inner and name in found else each
            for name, each in known.items()
        }
        return {**found, **worded}
    if declared.fields and isinstance(found, list) and isinstance(known, list) and len(found) == len(known):
        return _merged_objects(declared, found, known)
    return known


def _merged_objects(declared: Field, found: list[Any], known: list[Any]) -> list[Any]:
    """Keep the order of ``known``."""
    element = Field(kind="object", fields=declared.fields)
    rest = list(found)
    merged = []
    for each in known:
        match = next(
            (at for at, other in enumerate(rest) if not list(_compare(element, other, each, "", force=False))), None
        )
        merged.append(each if match is None else _merged(element, rest.pop(match), each))
    return merged


def refreshed_inputs(fields: Fields, inputs: Properties, outputs: Properties) -> Properties:
    """Say what the inputs of a resource are after it was read.

    Without earlier inputs (an import) they are all that is set and not a default. With them, each keeps its wording
    unless the service says something else.
    """
    settable = {name: each for name, each in fields.items() if not each.output or (each.derived and inputs)}
    if not inputs:
        chosen = {
            name: _only_inputs(each, outputs[name])
            for name, each in settable.items()
            if not _is_empty(outputs.get(name)) and (each.required or outputs[name] != each.default)
        }
        return {**chosen, "__defaults": []}
    result: Properties = without_empty_marks(inputs)
    for name, each in settable.items():
        if name in inputs and list(_compare(each, outputs.get(name), inputs[name], name, force=False)):
            found = outputs.get(name)
            if found is None:
                del result[name]
            else:
                result[name] = _only_inputs(each, found)
    return result


def _only_inputs(declared: Field, value: Any) -> Any:
    """What a program would write of a value: what it may set, and no zero values but where it has to."""
    if isinstance(value, dict) and declared.fields:
        settable = {
            name: each for name, each in declared.fields.items() if not each.output and value.get(name) is not None
        }
        return {
            "__defaults": [],
            **{
                name: _only_inputs(each, value[name])
                for name, each in settable.items()
                if each.required or each.secret or (not _is_empty(value[name]) and value[name] != each.default)
            },
        }
    if isinstance(value, list):
        return [_only_inputs(declared, each) for each in value]
    return value


def with_secrets(fields: Fields, outputs: Properties) -> Properties:
    """Mark secret outputs, at every level."""
    return {name: _marked(fields[name], value) if name in fields else value for name, value in outputs.items()}


def _marked(declared: Field, value: Any) -> Any:
    if declared.secret and value is not None:
        return Secret(value)
    if declared.fields and isinstance(value, dict):
        return with_secrets(declared.fields, value)
    if declared.fields and isinstance(value, list):
        return [_marked(declared, each) for each in value]
    return value
