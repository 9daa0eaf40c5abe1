"""Whether parameters are there and of the types that AWS's service models give them.

moto takes whatever it is sent, and fails somewhere inside (500) or acts on it; AWS refuses such a request while it
reads it, before anything is judged.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.model import Shape

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "character": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str, datetime),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
}
"""Python's types by the model's; a blob is a text or bytes, or a stream."""


def mistake(shape: Shape | None, value: Any, where: str = "") -> str | None:
    """What is of a wrong type, in words; None where nothing is. A null is as good as nothing."""
    if shape is None or value is None:
        return None
    kind: Any = shape
    allowed = _TYPES.get(shape.type_name)
    wrong = allowed is not None and not isinstance(value, allowed)
    if wrong or (isinstance(value, bool) and shape.type_name != "boolean"):
        return f"{where or 'the request'} is no {shape.type_name}"
    found: list[str | None] = []
    if shape.type_name == "structure":
        found = [mistake(kind.members.get(name), each, f"{where}.{name}".lstrip(".")) for name, each in value.items()]
    elif shape.type_name == "list":
        found = [mistake(kind.member, each, f"{where}[{place}]") for place, each in enumerate(value)]
    elif shape.type_name == "map":
        found = [mistake(kind.value, each, f"{where}.{name}") for name, each in value.items()]
    return next((each for each in found if each), None)


def missing(shape: Shape | None, value: Any, where: str = "") -> str | None:
    """The first required parameter that is not there, also within another; an empty list of the Query protocol is."""
    kind: Any = shape
    if shape is None or value is None:
        return None
    found: list[str | None] = []
    if shape.type_name == "structure":
        names = (name for name in kind.required_members if kind.members[name].type_name != "list")
        found = [f"{where}.{name}".lstrip(".") for name in names if value.get(name) is None]
        found += [missing(kind.members.get(name), each, f"{where}.{name}") for name, each in value.items()]
    elif shape.type_name == "list":
        found = [missing(kind.member, each, f"{where}[{place}]") for place, each in enumerate(value)]
    return next((each for each in found if each), None)
