"""Closed by default: what no rule judges and no table calls harmless is `unreviewed`, with its property and values.

Values decide before names do. Policy statements are compared wherever they stand, also in text within text; and a
harmless name does not make its value harmless if that is an account, an ARN of an identity or key, a principal, a
network or an address.
"""

import re
from collections.abc import Generator, Iterator
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from audit.model import QUIET_OPS, REPLACEMENT_OPS, Change, Finding, Step, is_hidden, is_unknown
from audit.plan.changes import MAX_CHANGES, NOTES, announced, first_part, partly_hidden
from audit.plan.classify import access, documents, values
from audit.plan.classify.known import Known
from audit.plan.classify.reviewed import ALL, ANY_TYPE, PARTLY, ruled
from audit.plan.classify.words import MISSING, finding, show, subject

OPERATIONS = frozenset({"create", "update", "delete", "import", "same"}) | REPLACEMENT_OPS | QUIET_OPS
SHOWN = 20
"""Properties named in one finding."""

POLICY = "(policy)"
_PLACE = re.compile(r"\[[^\]]*\]")
_BOUNDARY = re.compile(r"[.\[]|$")
_IMAGE = re.compile(
    r"(?:^|[._\]])(?:container)?image(?:Uri|Url|Name|Identifier|Tag|Digest)?s?$|^taskDefinition$", re.IGNORECASE
)
_TASK = re.compile(r"(arn:aws[\w-]*:ecs:[\w-]+:\d{12}:task-definition/[\w-]+|[\w-]+):\d+")
Leaf = tuple[str, Any, Any]


def judge(step: Step, known: Known) -> Iterator[Finding]:
    """The findings of one step besides those of the rules of its type."""
    if step.op not in OPERATIONS:
        yield finding(
            step, "unreviewed", f"{subject(step)}: nobody has reviewed the operation {show(step.op)}", proved=False
        )
    yield from _ignored(step)
    if step.op == "same":
        return
    leaves: list[Leaf] = []
    kind, fresh = step.kind, step.old is None
    for name, changes in _properties(step).items():
        if _judged(kind, name):
            old, new = _sides(step, name)
            if old == new and not fresh and not partly_hidden([old, new]) and announced(step, name):
                leaves.append((name, old, new))
            if name not in access.DOCUMENTS and (values.mentions(old) or values.mentions(new)):
                yield from _property(step, name, old, new, known)  # its rule does not look for documents
        elif changes and all(map(_is_plain, changes)):
            if step.new is None:
                continue  # what deleting means is said by the type
            found = ((change.path, change.old, change.new) for change in changes)
            leaves += [leaf for leaf in found if not _harmless(step, *leaf, fresh=fresh, known=known)]
        else:
            leaves += yield from _property(step, name, *_sides(step, name), known)
    yield from _unreviewed(step, leaves)


def _properties(step: Step) -> dict[str, list[Change]]:
    """Top-level properties that a step can change, with their changes where all are known."""
    old, new = step.old, step.new
    names: dict[str, list[Change]] = {}
    if len(step.changes) < MAX_CHANGES:
        for change in step.changes:
            names.setdefault(first_part(change.path), []).append(change)
    else:
        told = (first_part(path) for path in (*step.detailed_diff, *step.diff_reasons, *step.replace_reasons))
        sides = (name for side in (old, new) if side is not None for name in side.inputs)
        names = {name: [] for name in (*sides, *told) if name not in NOTES}
    if (
        old is not None
        and new is not None
        and (old.protect, old.retain_on_delete) != (new.protect, new.retain_on_delete)
    ):
        names.pop("(protect)", None)  # judged as a loss, as the next
        names.pop("(retainOnDelete)", None)
    if old is not None and new is not None and old.provider != new.provider:
        names.pop("provider", None)  # as the engine calls it; a rule judges it
    return names


def _sides(step: Step, name: str) -> tuple[Any, Any]:
    return (
        step.old.get(name) if step.old is not None else MISSING,
        step.new.inputs.get(name) if step.new is not None else MISSING,
    )


def _is_plain(change: Change) -> bool:
    """Whether a change is of one plain value that holds nothing and stands in no policy."""
    old, new = change.old, change.new
    if change.kind == "hidden" or old == new or isinstance(old, _HOLDS) or isinstance(new, _HOLDS):
        return False
    return not (_IN_POLICY.search(change.path) or values.may_hold(old) or values.may_hold(new))


_HOLDS = (dict, list)
_IN_POLICY = re.compile(r"Statement|Effect|Action|Resource|Principal|Condition|Version|Sid|\bId$")


def _property(step: Step, name: str, old: Any, new: Any, known: Known) -> Generator[Finding, None, list[Leaf]]:
    """The findings of the documents in a property, and what else in it changes and is not harmless."""
    before, after = values.opened(old), values.opened(new)
    (old_documents, before_rest), (new_documents, after_rest) = values.parted(before), values.parted(after)
    for path in dict.fromkeys((*old_documents, *new_documents)):
        place = f"{name}{path if path.startswith('[') or not path else '.' + path}"
        was, document = old_documents.get(path), new_documents.get(path)
        if was != document or (announced(step, name) and documents.masked(document)):
            # What is unknown or masked as a whole can be what the other side shows.
            gone = document is None and step.new is not None and (is_unknown(after) or is_hidden(after))
            yield from access.judged(step, place, was, after if gone else document)
    if step.new is None:
        return []  # what deleting means is said by the type
    leaves = list(_leaves(name, before_rest, after_rest))
    if not leaves and step.old is not None and before == after and announced(step, name):
        if _is_result(step, name):
            return []
        leaves = [(path, before, after) for path in _announced_paths(step, name, after)]
    fresh = step.old is None
    return [leaf for leaf in leaves if not _harmless(step, *leaf, fresh=fresh, known=known)]


@lru_cache(maxsize=4096)
def _judged(kind: str, name: str) -> bool:
    entry = ruled(kind)
    return entry is not None and (entry.judged == ALL or name in entry.judged)


def _announced_paths(step: Step, name: str, value: Any) -> list[str]:
    """Where a property differs that looks alike on both sides: as the engine says, else what is masked in it."""
    told = (*step.detailed_diff, *step.diff_reasons, *step.replace_reasons)
    paths = [path for path in dict.fromkeys(told) if first_part(path) == name and path != name]
    return paths or list(_masked(name, value)) or [name]


def _masked(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _masked(f"{path}.{name}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _masked(f"{path}[{index}]", item)
    elif partly_hidden(value):
        yield path


def _is_result(step: Step, name: str) -> bool:
    """Whether it is declared on neither side and comes out otherwise than before: a result of the change, such as the
    number of a version."""
    old, new = step.old, step.new
    if old is None or new is None or name in old.inputs or name in new.inputs:
        return False
    return name in new.outputs and new.outputs[name] != old.outputs.get(name)


def _leaves(path: str, old: Any, new: Any) -> Iterator[Leaf]:
    """The differing leaves, below objects and lists that are on one side only too."""
    if type(old) is type(new) and old == new:
        return
    if _either(old, new, dict):
        before, after = old if isinstance(old, dict) else {}, new if isinstance(new, dict) else {}
        for name in (name for name in dict.fromkeys((*before, *after)) if name not in NOTES):
            yield from _leaves(f"{path}.{name}", before.get(name, MISSING), after.get(name, MISSING))
        if not before and not after:
            yield path, old, new
    elif _either(old, new, list) and any(isinstance(item, (dict, list)) for item in (*(old or ()), *(new or ()))):
        for index, (left, right) in enumerate(zip_longest(old or [], new or [], fillvalue=MISSING)):
            yield from _leaves(f"{path}[{index}]", left, right)
    elif POLICY not in (old, new):  # these are compared as documents
        yield path, old, new


def _either(old: Any, new: Any, kind: type) -> bool:
    """Whether both are of the kind, or one is and the other is nothing."""
    sides = [side for side in (old, new) if side is not MISSING]
    return bool(sides) and all(isinstance(side, kind) for side in sides)


def _harmless(step: Step, path: str, old: Any, new: Any, *, fresh: bool, known: Known) -> bool:
    why = _reason(step.kind, _PLACE.sub("[]", path) if "[" in path else path, fresh=fresh)
    if why == RULE:
        return True
    image = _IMAGE.search(_PLACE.sub("", path))
    if is_unknown(new) and (image or path == "registry.server"):
        urns = step.new.property_dependencies.get(first_part(path), ()) if step.new is not None else ()
        return known.releases(urns)
    if image and _same_release(old, new):
        return True
    return bool(why) and not _is_somebody(path, old, new)


RULE = "judged by a rule, or it says which new thing it is"


@lru_cache(maxsize=1 << 14)
def _reason(kind: str, path: str, *, fresh: bool) -> str:
    """Why a change at a path is harmless by name; "" where nothing says so."""
    entry = ruled(kind)
    prefixes = {path[: match.start()] for match in _BOUNDARY.finditer(path)}
    prefixes |= {prefix + "[]" for prefix in prefixes}
    if entry is not None:
        if "*" in entry.harmless or prefixes & entry.rules.keys() or (fresh and prefixes & entry.fresh):
            return RULE
        found = prefixes & entry.harmless.keys()
        if found:
            return entry.harmless[min(found)]
    for table in (PARTLY.get(kind, {}), ANY_TYPE):
        found = prefixes & table.keys()
        if found:
            return table[min(found)]
    return ""


_WORDS = ("tags", "tagsAll", "labels", "metadata.labels", "description", "comment", "displayName")


def _is_somebody(path: str, old: Any, new: Any) -> bool:
    """Whether a whole value is an account, an ARN, a principal, a network or an address that was not there. An address
    in a text for people reaches nothing."""
    came = {item for item in _wholes(new) if item not in set(_wholes(old))}
    if path.startswith(_WORDS):
        came = {item for item in came if item[0] != "host"}
    return bool(came)


def _wholes(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        whole = values.whole(value)
        if whole:
            yield whole
    elif isinstance(value, list):
        for item in value:
            yield from _wholes(item)


def _same_release(old: Any, new: Any) -> bool:
    """Whether only the release differs: another tag or digest of the same image, another number of the same task."""
    if isinstance(new, list):
        names = {values.image_name(item) for item in old} if isinstance(old, list) else set()
        return bool(new) and "" not in names and all(values.image_name(item) in names for item in new)
    if values.same_image(old, new):
        return True
    tasks = [_TASK.fullmatch(side) if isinstance(side, str) else None for side in (old, new)]
    return all(tasks) and len({task[1] for task in tasks if task}) == 1


def _unreviewed(step: Step, leaves: list[Leaf]) -> Iterator[Finding]:
    entry = ruled(step.kind)
    if entry is None and (step.old is None or step.new is None or step.replaces):
        verb = (
            "made anew"
            if step.replaces
            else "deleted"
            if step.new is None
            else f"{step.op}d"
            if step.op == "create"
            else "imported"
        )
        reason = f"{subject(step)} is {verb}, and nobody has reviewed its type {step.kind}"
        if step.old is None and step.new is not None:
            leaves = leaves or [(name, MISSING, value) for name, value in step.new.inputs.items() if name not in NOTES]
        elif step.new is None and step.old is not None:
            leaves = [(name, value, MISSING) for name, value in step.old.inputs.items() if name not in NOTES]
            reason += ": what it forbade may be allowed then"
    elif leaves:
        names = list(dict.fromkeys(path for path, _, _ in leaves))
        more = " and more" if len(names) > 6 else ""
        reason = f"{subject(step)}: nobody has reviewed what a change of {', '.join(names[:6])}{more} means"
    elif entry is None and step.op == "update" and not step.changes and not _options_differ(step):
        reason = f"{subject(step)} is updated, and the preview does not say what differs"
    else:
        return
    details = [_detail(step, *leaf) for leaf in sorted(leaves, key=_quiet)[:SHOWN]]
    if len(leaves) > SHOWN:
        details.append(f"{len(leaves) - SHOWN:,} more properties.")
    yield finding(step, "unreviewed", reason, *details, proved=False)


def _quiet(leaf: Leaf) -> bool:
    return not values.telling(*leaf)


def _detail(step: Step, path: str, old: Any, new: Any) -> str:
    said = values.telling(path, old, new)
    what = f" ({', '.join(said[:5])})" if said else ""
    if old is MISSING and step.old is None:
        return f"{path}: {show(new)}{what}"
    if new is MISSING and step.new is None:
        return f"{path}: {show(old)}{what}"
    same = "; the engine says that it differs" if old == new else ""
    return f"{path}: {show(old)} becomes {show(new)}{same}{what}"


def _options_differ(step: Step) -> bool:
    return (
        step.old is not None
        and step.new is not None
        and (step.old.guards != step.new.guards or step.old.options != step.new.options)
    )


# --- what the program stops looking at


def _ignored(step: Step) -> Iterator[Finding]:
    """`ignoreChanges` that covers more than before: what is declared there does not count any more."""
    if step.old is None or step.new is None or not step.new.options:
        return
    added = [path for path in _paths(step.new) if path not in _paths(step.old)]
    entry = ruled(step.kind)
    guarded = [path for path in added if _matters(step.kind, path)]
    if guarded:
        risk = "unreviewed" if entry is None else "guard-weakened"
        reason = f"{subject(step)}: ignoreChanges now covers {', '.join(guarded[:10])}"
        yield finding(
            step,
            risk,
            reason,
            "What the program declares there does not count any more, and no preview shows how it differs.",
        )


def _paths(state: Any) -> list[str]:
    value = state.options.get("ignoreChanges")
    return [path for path in value if isinstance(path, str)] if isinstance(value, list) else []


def _matters(kind: str, path: str) -> bool:
    if "*" in path.split(".", maxsplit=1)[0]:
        return True
    if _judged(kind, first_part(path)):
        return True
    return _reason(kind, _PLACE.sub("[]", path), fresh=False) in ("", RULE)
