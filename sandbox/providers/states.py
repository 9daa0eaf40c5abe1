"""What a state holds: what a preview plans, the words that are kept, the inputs after a read, the secrets."""

from __future__ import annotations

from typing import Any

from sandbox.providers.differences import compare, identity, is_empty
from sandbox.providers.protocol import UNKNOWN, Properties, Secret, has_unknown
from sandbox.providers.schema import Field, Fields, without_empty_marks


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
        return before if is_empty(before) else declared.default
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
            known = {identity(declared, each): each for each in held}
            pairs = [(each, known.get(identity(declared, each))) for each in wanted]
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
        if not list(compare(declared, found[name], value, name, force=False)):
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
            (at for at, other in enumerate(rest) if not list(compare(element, other, each, "", force=False))), None
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
            if not is_empty(outputs.get(name)) and (each.required or outputs[name] != each.default)
        }
        return {**chosen, "__defaults": []}
    result: Properties = without_empty_marks(inputs)
    for name, each in settable.items():
        if name in inputs and list(compare(each, outputs.get(name), inputs[name], name, force=False)):
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
                if each.required or each.secret or (not is_empty(value[name]) and value[name] != each.default)
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
