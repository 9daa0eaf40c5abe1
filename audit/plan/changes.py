"""Which properties a step changes, from old to new inputs and from what the engine says about them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from audit.model import ENGINE_SECRET, REDACTED, Change, State, Step, holds_unknown, is_hidden, is_unknown, strings

MAX_CHANGES = 500
"""Properties shown for one step; a step with more says how many there are."""

_PATH_PART = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)')
_MISSING = object()
_TAGS, _ALL_TAGS = "tags", "tagsAll"
NOTES = frozenset({"__defaults", "__meta"})
"""What the bridge notes among the inputs: which defaults it filled in, and the form of the state."""


def changes_of(step: Step) -> list[Change]:
    """The changes of a step as they are shown: every input for a create or delete, the differing leaves for an update
    or a replacement."""
    if step.old is None or step.new is None:
        state, kind = (step.new, "add") if step.new is not None else (step.old, "delete")
        if state is None:
            return []
        shown = {name: value for name, value in state.inputs.items() if name not in NOTES}
        return [_one_sided(name, kind, value) for name, value in shown.items() if not _repeats(name, shown)]
    found = list(_differences("", step.old.inputs, step.new.inputs, step))
    if step.old.protect != step.new.protect:
        found.append(Change("(protect)", "update", step.old.protect, step.new.protect))
    if step.old.retain_on_delete != step.new.retain_on_delete:
        found.append(Change("(retainOnDelete)", "update", step.old.retain_on_delete, step.new.retain_on_delete))
    if step.detailed_diff or step.diff_reasons or step.replace_reasons:
        found.extend(_announced(step, {first_part(change.path) for change in found}))
    return _once(found)[:MAX_CHANGES]


def _repeats(name: str, inputs: Mapping[str, Any]) -> bool:
    """Whether all tags are the tags again. The aws provider writes both among the inputs, its default tags in one."""
    return name == _ALL_TAGS and (inputs[name] or {}) == (inputs.get(_TAGS) or {})


def _once(changes: list[Change]) -> list[Change]:
    """The changes without those of all tags that say what one of the tags says."""
    told = {change.path: change for change in changes if first_part(change.path) == _TAGS}
    return [change for change in changes if not told or not _told(change, told)]


def _told(change: Change, told: Mapping[str, Change]) -> bool:
    if first_part(change.path) != _ALL_TAGS:
        return False
    same = told.get(_TAGS + change.path.removeprefix(_ALL_TAGS))
    # No tags at all are nothing on the one side and an empty map on the other.
    return same is not None and (same.old or {}, same.new or {}) == (change.old or {}, change.new or {})


def as_recorded(step: Step) -> State | None:
    """The old side with what is really there in place of what was declared, wherever the engine says that a property
    differs: after a change by hand the two are not the same, and only the recorded one is what is replaced."""
    old, new = step.old, step.new
    if old is None or new is None or step.op == "same":
        return old
    if step.diff_reasons or step.replace_reasons or step.detailed_diff:
        told = {first_part(path) for path in (*step.diff_reasons, *step.replace_reasons, *step.detailed_diff)}
    elif step.op == "update" and old.inputs == new.inputs:
        told = set(new.inputs)  # the engine does not say what
    else:
        return old
    found = {}
    for name in told:
        if name in old.inputs and name in old.outputs and old.inputs[name] != old.outputs[name]:
            value = _recorded(old.inputs[name], old.outputs[name], new.inputs.get(name))
            if value != old.inputs[name]:
                found[name] = value
    return replace(old, inputs={**old.inputs, **found}) if found else old


def _recorded(declared: Any, shown: Any, new: Any) -> Any:
    """The recorded value in the form of the declared one: without what the provider only adds, in its order where a
    set is recorded in another, and as declared where nothing is shown of a secret."""
    if holds_hidden(shown) or is_unknown(shown) or is_unknown(declared) or is_hidden(declared):
        return declared
    if isinstance(declared, dict) and isinstance(shown, list) and len(shown) == 1:
        shown = shown[0]
    elif isinstance(declared, list) and len(declared) == 1 and isinstance(shown, dict):
        shown = [shown]
    if isinstance(declared, dict) and isinstance(shown, dict):
        wanted = new if isinstance(new, dict) else {}
        names = dict.fromkeys((*declared, *(name for name in wanted if name in shown)))
        return {
            name: _recorded(declared.get(name), shown[name], wanted.get(name)) if name in shown else declared[name]
            for name in names
        }
    if isinstance(declared, list) and isinstance(shown, list):
        if holds_hidden(declared) or _is_set_of(declared, shown):
            return declared
        if len(declared) != len(shown):
            return shown
        later = [*new, *declared[len(new) :]] if isinstance(new, list) else [None] * len(declared)
        return [_recorded(*items) for items in zip(declared, shown, later, strict=False)]
    if shown in (None, "") and declared != new and not str(declared).lstrip().startswith("{"):
        return declared  # written and never read back
    plain = not isinstance(declared, (dict, list)) and not isinstance(shown, (dict, list))
    return declared if plain and str(declared).lower() == str(shown).lower() else shown


def _is_set_of(declared: list[Any], shown: list[Any]) -> bool:
    """Whether the recorded list is the declared one in another order, with what the provider adds to each entry."""
    rest = list(shown)
    for item in declared:
        match = next((index for index, other in enumerate(rest) if _covers(other, item)), None)
        if match is None:
            return False
        del rest[match]
    return not rest


def _covers(shown: Any, declared: Any) -> bool:
    if isinstance(declared, dict) and isinstance(shown, dict):
        named = (name for name in declared if name not in NOTES)
        return all(name in shown and _covers(shown[name], declared[name]) for name in named)
    if isinstance(declared, list) and isinstance(shown, list):
        return _is_set_of(declared, shown)
    return type(shown) is type(declared) and bool(shown == declared)


def _one_sided(name: str, kind: str, value: Any) -> Change:
    if kind == "delete":
        return Change(name, "delete", old=value)
    return Change(name, "unknown" if is_unknown(value) else "add", new=value)


def _announced(step: Step, seen: set[str]) -> Iterator[Change]:
    """What the engine says that differs although both inputs look alike: masked values, and outputs that drifted."""
    told = {first_part(path) for path in step.detailed_diff}
    reasons = [path for path in (*step.diff_reasons, *step.replace_reasons) if first_part(path) not in told]
    for path in dict.fromkeys((*step.detailed_diff, *reasons)):
        if first_part(path) in seen or path in NOTES:
            continue
        old, new = lookup(step.old, path), lookup(step.new, path)
        hidden = holds_hidden(old) or holds_hidden(new)
        yield Change(path, "hidden" if hidden else "update", old, new, replaces=_replaces(step, path))


def _differences(path: str, old: Any, new: Any, step: Step) -> Iterator[Change]:
    if old is new or (type(old) is type(new) and old == new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys((*old, *new)):
            before, after = old.get(name, _MISSING), new.get(name, _MISSING)
            if before is not after and name not in NOTES:
                yield from _differences(_join(path, name), before, after, step)
        return
    if isinstance(old, list) and isinstance(new, list) and (sides := _by_name(old, new)) is not None:
        for name in dict.fromkeys((*sides[0], *sides[1])):
            before, after = (side.get(name, _MISSING) for side in sides)
            yield from _differences(f"{path}[{json.dumps(name)}]", before, after, step)
        return
    if isinstance(old, list) and isinstance(new, list) and _alike(old, new):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else _MISSING
            after = new[index] if index < len(new) else _MISSING
            yield from _differences(f"{path}[{index}]", before, after, step)
        return
    replaces = _replaces(step, path)
    if old is _MISSING:
        yield Change(path, "unknown" if is_unknown(new) else "add", new=new, replaces=replaces)
    elif new is _MISSING:
        yield Change(path, "delete", old=old, replaces=replaces)
    else:
        kind = "unknown" if holds_unknown(new) else "update"
        yield Change(path, kind, old, new, replaces=replaces)  # type: ignore[arg-type] # a literal


def _by_name(old: list[Any], new: list[Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Both sides by the names of their entries, as variables have: their places say nothing. None where an entry has
    no name of its own."""
    sides = []
    for items in (old, new):
        names = [item.get("name") if isinstance(item, dict) else None for item in items]
        if len(set(map(str, names))) < len(names) or not all(isinstance(name, str) for name in names):
            return None
        if any(is_hidden(name) or is_unknown(name) for name in names):
            return None
        sides.append(dict(zip(map(str, names), items, strict=True)))
    return (sides[0], sides[1])


def _alike(old: list[Any], new: list[Any]) -> bool:
    """Lists of objects are compared one by one, lists of plain values as a whole."""
    return any(isinstance(item, (dict, list)) for item in (*old, *new))


def _replaces(step: Step, path: str) -> bool:
    if not step.replace_reasons and not step.detailed_diff:
        return False
    if first_part(path) in step.replace_reasons:
        return True
    return any(
        kind.endswith("replace") and first_part(at) == first_part(path) for at, kind in step.detailed_diff.items()
    )


def differs(step: Step, name: str) -> bool:
    """Whether a top-level property differs. Where a part of it is masked two equal texts can hide different values:
    then the engine's word counts, if it says anything. A property that is only computed is looked up in the old
    outputs."""
    old = step.old.get(name) if step.old else None
    new = step.new.inputs.get(name) if step.new else None
    if old != new:
        return True
    silent = not (step.diff_reasons or step.replace_reasons or step.detailed_diff)
    return step.op != "same" and partly_hidden(new) and (silent or announced(step, name))


def partly_hidden(value: Any) -> bool:
    """Whether anything in the value is masked, also inside a longer text."""
    return any(ENGINE_SECRET in text or REDACTED in text for text in strings(value))


def announced(step: Step, name: str) -> bool:
    """Whether the engine says that the top-level property differs."""
    return any(first_part(path) == name for path in (*step.diff_reasons, *step.replace_reasons, *step.detailed_diff))


def first_part(path: str) -> str:
    """The top-level property of a path."""
    if "." not in path and "[" not in path:
        return path
    match = _PATH_PART.match(path)
    return next((group for group in match.groups() if group is not None), path) if match else path


def lookup(state: Any, path: str) -> Any:
    """The value at the path in the state's inputs, else in its outputs; None where there is none."""
    if state is None:
        return None
    for values in (state.inputs, state.outputs):
        found = _walk(values, path)
        if found is not _MISSING:
            return found
    return None


def _walk(value: Any, path: str) -> Any:
    for quoted, index, name in _PATH_PART.findall(path):
        if index and isinstance(value, list):
            position = int(index) if len(index) < 10 else len(value)
            if position >= len(value):
                return _MISSING
            value = value[position]
        elif isinstance(value, Mapping):
            key = quoted or name or index
            if key not in value:
                return _MISSING
            value = value[key]
        elif is_hidden(value) or is_unknown(value):
            return value
        else:
            return _MISSING
    return value


def holds_hidden(value: Any) -> bool:
    """Whether the value, or anything in it, is masked."""
    todo = [value]
    while todo:
        item = todo.pop()
        if is_hidden(item):
            return True
        if isinstance(item, dict):
            todo.extend(item.values())
        elif isinstance(item, list):
            todo.extend(item)
    return False


def _join(path: str, name: str) -> str:
    if not _PATH_PART.fullmatch(name) or name.startswith("["):
        return f"{path}[{json.dumps(name)}]"
    return f"{path}.{name}" if path else name
