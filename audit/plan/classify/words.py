"""Small words that all rules share: how a thing is called, how a value is shown and read."""

from typing import Any

from audit.model import Finding, Step, is_hidden, is_unknown

MISSING = None
KNOWN_AFTER_APPLY = "(known after apply)"


def finding(step: Step, risk: str, reason: str, *details: str, proved: bool = True) -> Finding:
    """A finding about a step; `reason` is a sentence without its full stop."""
    return Finding(risk, step.urn, f"{reason}.", list(details), proved)


def both(step: Step, name: str) -> tuple[Any, Any]:
    """The property before and after; None where there is no side. A property that is only computed is looked up in
    the outputs."""
    old = step.old.get(name) if step.old else None
    new = step.new.inputs.get(name) if step.new else None
    return old, new


def empty(value: Any) -> bool:
    """Whether nothing is declared."""
    return value is None or value == "" or value == [] or value == {}


def visible(*values: Any) -> bool:
    """Whether none of the values is masked or known only after apply."""
    return not any(is_unknown(value) or is_hidden(value) for value in values)


def property_details(step: Step) -> list[str]:
    """The first properties that change, with both values."""
    return [f"{change.path}: {show(change.old)} becomes {show(change.new)}" for change in step.changes[:10]]


def number(value: Any) -> float | None:
    """A number, also as a text."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def is_true(value: Any) -> bool:
    """Also as a text, which providers accept for a boolean."""
    return value is True or str(value).lower() == "true"


def is_false(value: Any) -> bool:
    """Also as a text, which providers accept for a boolean."""
    return value is False or str(value).lower() == "false"


def subject(step: Step) -> str:
    """How findings call the resource."""
    return f"{step.kind.rsplit(':', 1)[-1]} '{step.name}'"


def show(value: Any) -> str:
    """A value for people, cut where it is long."""
    if value is MISSING:
        return "nothing"
    if is_unknown(value):
        return KNOWN_AFTER_APPLY
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else text[:200] + "…"
