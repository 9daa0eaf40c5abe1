"""The expression language of Azure Pipelines: parse, and evaluate for templates, runtime values and conditions.

Source: https://learn.microsoft.com/azure/devops/pipelines/process/expressions
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any


class ExpressionError(ValueError):
    """A text that is no expression, or one that cannot be evaluated; says where."""


@dataclass(frozen=True)
class Literal:
    """A constant: null, boolean, number or string."""

    value: Any


@dataclass(frozen=True)
class Name:
    """A named value such as `variables` or `parameters`."""

    name: str


@dataclass(frozen=True)
class Index:
    """`target.key` or `target[key]`."""

    target: Node
    key: Node


@dataclass(frozen=True)
class Call:
    """A function with its arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Star:
    """The key `*`: every value of a list or object, and what follows is asked of each (a filtered array)."""


@dataclass(frozen=True)
class Version:
    """A version of three or four numbers, such as `1.2.3`; compared number by number."""

    parts: tuple[int, ...]

    def __str__(self) -> str:
        """As it is written."""
        return ".".join(map(str, self.parts))


Node = Literal | Name | Index | Call | Star

STATUS = frozenset({"always", "canceled", "failed", "succeeded", "succeededorfailed"})
"""Functions that ask how earlier jobs or steps ended; a condition that has none of them ignores failures."""

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>[-+]?(?:\d+(?:\.\d+)*|\.\d+))|(?P<name>[A-Za-z_][\w-]*)|(?P<mark>[()\[\],.*]))"
)

_ARITY: dict[str, tuple[int, int | None]] = {
    "and": (2, None), "or": (2, None), "not": (1, 1), "xor": (2, 2),
    "eq": (2, 2), "ne": (2, 2), "gt": (2, 2), "ge": (2, 2), "lt": (2, 2), "le": (2, 2),
    "in": (1, None), "notin": (1, None), "contains": (2, 2), "containsvalue": (2, 2),
    "startswith": (2, 2), "endswith": (2, 2), "coalesce": (2, None), "format": (1, None), "iif": (3, 3),
    "join": (2, 2), "split": (2, 2), "length": (1, 1), "lower": (1, 1), "upper": (1, 1), "trim": (1, 1),
    "replace": (3, 3), "converttojson": (1, 1), "counter": (1, 2),
    "always": (0, 0), "canceled": (0, 0), "succeeded": (0, None), "failed": (0, None), "succeededorfailed": (0, None),
}  # fmt: skip
"""Every function with its fewest and most arguments, by lower-case name."""


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """The expression's tree. Raises ExpressionError for anything malformed, an unknown function, a wrong arity."""
    tokens = _tokens(text)
    node, rest = _expression(tokens, text)
    if rest:
        raise ExpressionError(f"unexpected {rest[0][1]!r} in {text!r}")
    return node


def _tokens(text: str) -> list[tuple[str, str]]:
    found, place = [], 0
    stripped = text.rstrip()
    while place < len(stripped):
        match = _TOKEN.match(stripped, place)
        if match is None:
            raise ExpressionError(f"unexpected {stripped[place:].strip()[:10]!r} in {text!r}")
        kind = match.lastgroup or ""
        found.append((kind, match[kind]))
        place = match.end()
    if not found:
        raise ExpressionError("the expression is empty")
    return found


def _expression(tokens: list[tuple[str, str]], text: str) -> tuple[Node, list[tuple[str, str]]]:
    if not tokens:
        raise ExpressionError(f"{text!r} ends too early")
    (kind, value), rest = tokens[0], tokens[1:]
    node: Node
    if kind == "string":
        return Literal(value[1:-1].replace("''", "'")), rest
    if kind == "number":
        return Literal(_number(value)), rest
    if kind != "name":
        raise ExpressionError(f"unexpected {value!r} in {text!r}")
    if value.lower() in ("true", "false", "null"):
        return Literal({"true": True, "false": False, "null": None}[value.lower()]), rest
    if rest[:1] == [("mark", "(")]:
        node, rest = _call(value, rest[1:], text)
    else:
        node = Name(value)
    return _suffixes(node, rest, text)


def _call(name: str, tokens: list[tuple[str, str]], text: str) -> tuple[Call, list[tuple[str, str]]]:
    if name.lower() not in _ARITY:
        raise ExpressionError(f"{name} is no function, in {text!r}")
    arguments: list[Node] = []
    while tokens[:1] != [("mark", ")")]:
        node, tokens = _expression(tokens, text)
        arguments.append(node)
        if tokens[:1] == [("mark", ",")]:
            tokens = tokens[1:]
            if tokens[:1] == [("mark", ")")]:
                raise ExpressionError(f"an argument of {name} is missing in {text!r}")
        elif tokens[:1] != [("mark", ")")]:
            raise ExpressionError(f"{name}( is not closed in {text!r}")
    fewest, most = _ARITY[name.lower()]
    if len(arguments) < fewest or (most is not None and len(arguments) > most):
        raise ExpressionError(f"{name} does not take {len(arguments)} arguments, in {text!r}")
    return Call(name.lower(), tuple(arguments)), tokens[1:]


def _suffixes(node: Node, tokens: list[tuple[str, str]], text: str) -> tuple[Node, list[tuple[str, str]]]:
    while tokens:
        if tokens[0] == ("mark", "."):
            if tokens[1:2] == [("mark", "*")]:
                node, tokens = Index(node, Star()), tokens[2:]
                continue
            if len(tokens) < 2 or tokens[1][0] not in ("name", "number"):
                raise ExpressionError(f"a name is missing after '.' in {text!r}")
            node, tokens = Index(node, Literal(tokens[1][1])), tokens[2:]
        elif tokens[:3] == [("mark", "["), ("mark", "*"), ("mark", "]")]:
            node, tokens = Index(node, Star()), tokens[3:]
        elif tokens[0] == ("mark", "["):
            key, tokens = _expression(tokens[1:], text)
            if tokens[:1] != [("mark", "]")]:
                raise ExpressionError(f"[ is not closed in {text!r}")
            node, tokens = Index(node, key), tokens[1:]
        else:
            break
    return node, tokens


def _number(text: str) -> Any:
    if text.count(".") > 1:
        found = _version(text)
        if found is None:
            raise ExpressionError(f"{text} is neither a number nor a version of three or four numbers")
        return found
    return float(text) if "." in text else int(text)


def _version(text: str) -> Version | None:
    """The version that a text stands for; two to four numbers, the service's own limits."""
    return Version(tuple(map(int, text.split(".")))) if re.fullmatch(r"\d+(\.\d+){1,3}", text) else None


def calls(node: Node) -> set[str]:
    """The functions that an expression uses, in lower case."""
    if isinstance(node, Call):
        return {node.function}.union(*(calls(part) for part in node.arguments))
    if isinstance(node, Index):
        return calls(node.target) | calls(node.key)
    return set()


def paths(node: Node) -> list[tuple[str, ...]]:
    """The constant paths that an expression reads, such as `("variables", "Build.Reason")`."""
    if isinstance(node, Call):
        return [path for part in node.arguments for path in paths(part)]
    if isinstance(node, Name):
        return [(node.name,)]
    if isinstance(node, Index):
        keys = [node.key]
        target: Node = node.target
        while isinstance(target, Index):
            keys.append(target.key)
            target = target.target
        inner = [path for key in keys for path in paths(key)]
        if isinstance(target, Name) and all(isinstance(key, Literal) for key in keys):
            constant = [str(key.value) for key in reversed(keys) if isinstance(key, Literal)]
            return [(target.name, *constant), *inner]
        return [*paths(target), *inner]
    return []


def asked_whether_set(node: Node) -> set[tuple[str, ...]]:
    """The constant paths that an expression compares with an empty text: one that is not there is what it asks for."""
    if not isinstance(node, Call):
        return set()
    found = {path for part in node.arguments for path in asked_whether_set(part)}
    if node.function.lower() in ("eq", "ne") and Literal("") in node.arguments:
        found |= {path for part in node.arguments for path in paths(part)}
    return found


@dataclass
class Scope:
    """What an expression sees.

    names: the named values, found whatever their case.
    status: the status functions (by lower-case name), for conditions only; each takes the names of jobs or stages.
    counter: for `$[ ]` of variables only: the next number of a prefix and its seed, in the pipeline.
    """

    names: Mapping[str, Any]
    status: Mapping[str, Callable[..., bool]] = field(default_factory=dict)
    counter: Callable[[str, int], int] | None = None


class Parameters(dict[str, Any]):
    """A named value of which a key that is not there is an error, where elsewhere it is null."""


def evaluate(node: Node, scope: Scope) -> Any:
    """The expression's value. A property that is not there is None; an unknown named value is an ExpressionError."""
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Name):
        found = _lookup(scope.names, node.name)
        if found is _MISSING:
            raise ExpressionError(f"{node.name} is no named value here; there are: {', '.join(sorted(scope.names))}")
        return found
    if isinstance(node, Index):
        target = evaluate(node.target, scope)
        return _every(target) if isinstance(node.key, Star) else _at(target, evaluate(node.key, scope))
    if isinstance(node, Star):
        raise ExpressionError("* stands for an index only")
    return _apply(node, scope)


def _apply(node: Call, scope: Scope) -> Any:
    name, parts = node.function, node.arguments
    if name in STATUS:
        if name not in scope.status:
            raise ExpressionError(f"{name}() is for conditions only")
        return scope.status[name](*(text(evaluate(part, scope)) for part in parts))
    if name == "and":
        return all(truth(evaluate(part, scope)) for part in parts)
    if name == "or":
        return any(truth(evaluate(part, scope)) for part in parts)
    if name == "counter":
        return _count(parts, scope)
    if name not in _FUNCTIONS:
        raise ExpressionError(f"the function {name} is not known here")
    return _FUNCTIONS[name](*(evaluate(part, scope) for part in parts))


def _count(parts: tuple[Node, ...], scope: Scope) -> int:
    if scope.counter is None:
        raise ExpressionError("counter() is for the value of a variable in $[ ] only")
    prefix, seed = text(evaluate(parts[0], scope)), _as_number(evaluate(parts[1], scope) if len(parts) > 1 else 0)
    if seed is None or seed != int(seed):
        raise ExpressionError(f"the seed of counter({prefix!r}, ...) is no whole number")
    return scope.counter(prefix, int(seed))


_MISSING = object()


def _lookup(table: Mapping[str, Any], name: str) -> Any:
    if name in table:
        return table[name]
    return next((value for key, value in table.items() if key.lower() == name.lower()), _MISSING)


class _Filtered(list[Any]):
    """The values of a filtered array: an index is asked of each, and those without it drop out."""


def _every(target: Any) -> _Filtered:
    if isinstance(target, _Filtered):
        return _Filtered(value for one in target for value in _every(one))
    if isinstance(target, Mapping):
        return _Filtered(target.values())
    return _Filtered(target if isinstance(target, list) else ())


def _at(target: Any, key: Any) -> Any:
    if isinstance(target, _Filtered):
        return _Filtered(found for one in target if (found := _at(one, key)) is not None)
    if isinstance(target, Mapping):
        found = _lookup(target, text(key))
        if found is _MISSING and isinstance(target, Parameters):
            raise ExpressionError(
                f"there is no parameter {text(key)!r}; there are: {', '.join(sorted(target)) or 'none'}"
            )
        return None if found is _MISSING else found
    if isinstance(target, Sequence) and not isinstance(target, str) and isinstance(key, int):
        return target[key] if 0 <= key < len(target) else None
    return None


def truth(value: Any) -> bool:
    """The value as a boolean: null, "", 0 and False are false; every other string and object is true."""
    return bool(value) if not isinstance(value, (Mapping, list)) else True


def text(value: Any) -> str:
    """The value as a string: True, False, "" for null."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _same(left: Any, right: Any) -> bool:
    """Equality after the right side is converted to the type of the left; strings without regard to case."""
    if isinstance(left, bool):
        return left == truth(right)
    if isinstance(left, Version):
        return left == (_version(right) if isinstance(right, str) else right)
    if isinstance(left, (int, float)):
        return left == _as_number(right)
    if left is None:
        return right is None or right == ""
    if isinstance(left, str):
        return not isinstance(right, (Mapping, list)) and left.lower() == text(right).lower()
    return bool(left == right)


def _as_number(value: Any) -> float | None:
    try:
        return float(value) if value not in (None, "") else 0.0
    except (TypeError, ValueError):
        return None


def _less(left: Any, right: Any) -> bool:
    if isinstance(left, Version):
        found = _version(right) if isinstance(right, str) else right
        if not isinstance(found, Version):
            raise ExpressionError(f"{text(right)!r} is no version")
        return left.parts < found.parts
    if isinstance(left, (int, float)):
        other = _as_number(right)
        if other is None:
            raise ExpressionError(f"{right!r} is no number")
        return left < other
    return text(left).lower() < text(right).lower()


def _format(pattern: str, *values: Any) -> str:
    def part(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] is None:
            raise ExpressionError(f"the format {pattern!r} has a brace that is neither {{N}} nor doubled")
        if int(match[1]) >= len(values):
            raise ExpressionError(f"the format {pattern!r} asks for argument {match[1]}, and {len(values)} are given")
        return text(values[int(match[1])])

    return re.sub(r"\{\{|\}\}|\{(\d+)\}|[{}]", part, text(pattern))


def _join(mark: Any, values: Any) -> str:
    """Objects in the list become empty text; what is no list is itself, as text."""
    if not isinstance(values, list):
        return text(values)
    return text(mark).join("" if isinstance(value, (Mapping, list)) else text(value) for value in values)


def _split(whole: Any, mark: Any) -> list[str]:
    """The delimiter is one text, however many characters it has; without one the text stays whole."""
    return text(whole).split(text(mark)) if text(mark) else [text(whole)]


def _length(value: Any) -> int:
    if isinstance(value, (str, Mapping, list)):
        return len(value)
    raise ExpressionError(f"length takes a text, a list or an object, not {text(value) or 'null'!r}")


def _contains(whole: Any, part: Any) -> bool:
    return text(part).lower() in text(whole).lower()


def _contains_value(whole: Any, part: Any) -> bool:
    """Each value is converted to the type of part."""
    return any(_same(part, value) for value in _every(whole))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "not": lambda value: not truth(value),
    "xor": lambda left, right: truth(left) != truth(right),
    "eq": _same,
    "ne": lambda left, right: not _same(left, right),
    "lt": _less,
    "ge": lambda left, right: not _less(left, right),
    "gt": lambda left, right: not _less(left, right) and not _same(left, right),
    "le": lambda left, right: _less(left, right) or _same(left, right),
    "in": lambda value, *others: any(_same(value, other) for other in others),
    "notin": lambda value, *others: not any(_same(value, other) for other in others),
    "contains": _contains,
    "containsvalue": _contains_value,
    "startswith": lambda whole, part: text(whole).lower().startswith(text(part).lower()),
    "endswith": lambda whole, part: text(whole).lower().endswith(text(part).lower()),
    "iif": lambda condition, yes, no: yes if truth(condition) else no,
    "coalesce": lambda *values: next((value for value in values if value not in (None, "")), None),
    "format": _format,
    "join": _join,
    "split": _split,
    "length": _length,
    "lower": lambda value: text(value).lower(),
    "upper": lambda value: text(value).upper(),
    "trim": lambda value: text(value).strip(),
    "replace": lambda whole, old, new: text(whole).replace(old, new),
    "converttojson": lambda value: json.dumps(value, indent=2),
}
