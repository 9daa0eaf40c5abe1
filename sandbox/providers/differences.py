"""What would change between the outputs of a state and checked inputs, told as a bridged plugin tells it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sandbox.providers.protocol import UNKNOWN, Properties

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.providers.schema import Field, Fields

Change = Literal["add", "delete", "update"]


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
        yield from compare(declared, old.get(name), wanted, path + name, force=force or declared.replace)


def compare(declared: Field, old: Any, new: Any, path: str, *, force: bool) -> Iterator[Difference]:
    if is_empty(old) and is_empty(new):
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
    before = [identity(declared, each) for each in old]
    after = [identity(declared, each) for each in new]
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


def identity(declared: Field, element: Any) -> str:
    """What tells one element of a set from another: all that the program can set of it."""
    if declared.fields and isinstance(element, dict):
        return repr(
            {name: _identity_of(each, element.get(name)) for name, each in declared.fields.items() if not each.output}
        )
    return repr(_canonical(declared, element))


def _identity_of(declared: Field, value: Any) -> Any:
    value = declared.default if value is None else value
    if is_empty(value):
        return None
    if declared.kind == "set":
        return sorted(identity(declared, each) for each in value) if isinstance(value, list) else value
    if declared.kind == "object":
        return identity(declared, value)
    if declared.kind == "list":
        return [identity(declared, each) for each in value] if isinstance(value, list) else value
    return _canonical(declared, value)


def _is_whole(declared: Field, element: Any) -> bool:
    if not declared.fields or not isinstance(element, dict):
        return True
    plain = [name for name, each in declared.fields.items() if not (each.output or each.computed or each.fields)]
    return all(element.get(name) is not None or declared.fields[name].kind in ("list", "set", "map") for name in plain)


def _canonical(declared: Field, value: Any) -> Any:
    return declared.canonical(value) if declared.canonical and isinstance(value, str) else value


def is_empty(value: Any) -> bool:
    """Unset and the zero value of a type are one in the underlying plugins."""
    return value is not UNKNOWN and not value


def _is_unset(value: Any) -> bool:
    """No value to show; false, 0 and an empty text are values."""
    return value is not UNKNOWN and value in (None, [], {})
