"""Rules for single properties of a type: which direction of a change weakens something, and what class that is.

A rule sees the value before and after; a create has no value before, and then only what is declared counts.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from audit.model import Finding, Step, holds_unknown, is_hidden, is_unknown
from audit.plan.changes import announced, first_part, holds_hidden
from audit.plan.classify.values import opened
from audit.plan.classify.words import MISSING, is_true, number, show, subject


class Rule(NamedTuple):
    """`weaker` says when the new value is worse than the old one:

    - `on`: it becomes true; `off`: it is true no more (a create: it is declared false)
    - `order`: it moves to the right in `order`; a value that is not in it is worst
    - `less`, `more`: a number falls, rises
    - `grows`: a list or object gains something
    - `changes`: it differs; `differs`: also where it is new with the resource; `named`: only where it is visible then
    """

    risk: str
    weaker: Literal["on", "off", "order", "less", "more", "grows", "changes", "differs", "named"]
    says: str
    """What that means, a half-sentence after "the property goes from a to b: "."""
    order: tuple[Any, ...] = ()
    default: Any = MISSING
    """What the service takes where nothing is declared."""
    where: tuple[str, str] = ("", "")
    """Only in a resource whose other property has this value."""


Rules = Mapping[str, Rule]
"""Rules by the path of their property; `[]` in it stands for any place of a list."""


def judge(step: Step, rules: Rules) -> Iterator[Finding]:
    """The findings of the rules for one step that leaves the resource there."""
    if step.new is None:
        return
    for path, rule in rules.items():
        if rule.where[0] and str(step.new.get(rule.where[0])) != rule.where[1]:
            continue
        old = _values(_top(step, path, new=False), path) if step.old is not None else None
        new = _values(_top(step, path, new=True), path)
        places = dict.fromkeys((*(old or {}), *new))
        for place in places:
            before = MISSING if old is None else old.get(place, rule.default)
            yield from _judged(step, place, rule, before, new.get(place, rule.default if old is not None else MISSING))


def _top(step: Step, path: str, *, new: bool) -> Any:
    name = first_part(path)
    side = step.new if new else step.old
    if side is None:
        return None
    value = side.inputs.get(name) if new else side.get(name)
    return opened(value)


def _values(top: Any, path: str) -> dict[str, Any]:
    """The values at a path of a property, by their places. A masked or unknown part stands for what is below it."""
    found = {first_part(path): top}
    for index, part in enumerate(path.split(".")):
        if index:
            found = dict(_below(found, part.removesuffix("[]")))
        if part.endswith("[]"):
            found = dict(_items(found))
    return {place: value for place, value in found.items() if value is not MISSING}


def _below(values: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    for place, value in values.items():
        item = value[0] if isinstance(value, list) and len(value) == 1 else value  # a block that the SDK lists
        if isinstance(item, dict):
            if name in item:
                yield f"{place}.{name}", item[name]
        elif is_hidden(item) or is_unknown(item):
            yield f"{place}.{name}", item


def _items(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for place, value in values.items():
        if isinstance(value, list):
            yield from ((f"{place}[{index}]", item) for index, item in enumerate(value))
        elif isinstance(value, dict) or is_hidden(value) or is_unknown(value):
            yield place, value


def _judged(step: Step, place: str, rule: Rule, old: Any, new: Any) -> Iterator[Finding]:
    unseen = holds_unknown(new) or holds_hidden(new)
    if unseen:
        if old == new and not announced(step, first_part(place)):
            return
        if rule.weaker in ("changes", "named") and step.old is None:
            return
        verdict, proved = f"{place} is not visible", False
    elif (
        step.old is not None and old == new and not (step.replaces and rule.weaker in ("on", "differs"))
    ) or not _weaker(rule, old, new, created=step.old is None):
        return
    else:
        verdict, proved = (
            f"{place} goes from {show(old)} to {show(new)}" if step.old else f"{place} is {show(new)}",
            True,
        )
    yield Finding(rule.risk, step.urn, f"{subject(step)}: {verdict}: {rule.says}.", [], proved)


def _weaker(rule: Rule, old: Any, new: Any, *, created: bool) -> bool:
    if rule.weaker == "on":
        return is_true(new) and not (is_true(old) and not created)
    if rule.weaker == "off":
        return not is_true(new) and (new is not MISSING if created else is_true(old))
    if rule.weaker == "order":
        if created and (new is MISSING or new == rule.default):
            return False
        return _rank(rule, new) == len(rule.order) or _rank(rule, new) > (0 if created else _rank(rule, old))
    if rule.weaker in ("less", "more"):
        if created or old is MISSING:
            return False
        before, after = number(old), number(new)
        if before is None or after is None:
            return True
        return after < before if rule.weaker == "less" else after > before
    if rule.weaker == "grows":
        return bool(_gained(old, new))
    return rule.weaker in ("differs", "named") if created else True


def _rank(rule: Rule, value: Any) -> int:
    texts = [str(item).lower() for item in rule.order]
    text = str(rule.default if value is MISSING else value).lower()
    return texts.index(text) if text in texts else len(texts)


def _gained(old: Any, new: Any) -> bool:
    if isinstance(new, list):
        return any(item not in (old if isinstance(old, list) else [old]) for item in new)
    if isinstance(new, dict):
        return any(not isinstance(old, dict) or old.get(key) != item for key, item in new.items())
    return new is not MISSING and new != old
