"""Writes Python for what `pulumi import` took over: the engine describes the resources in its own language (PCL).

Resource declarations only, which is all that an import describes. Which keys are names of properties, and so are
written in snake case, and which are a map's own is read from the package's schema.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]
_TOKEN = re.compile(
    r'\s*(?:(?P<comment>#[^\n]*)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)'
    r"|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>[{}\[\]()=,.:]))"
)
_SIMPLE = {"true": True, "false": False, "null": None}
_CALLS = {"secret": "pulumi.Output.secret", "fileAsset": "pulumi.FileAsset", "stringAsset": "pulumi.StringAsset"}


class ProgramError(Exception):
    """The program has something in it that this writer does not know."""


@dataclass(frozen=True)
class Reference:
    """Another resource of the program, or one of its properties."""

    path: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """A function, such as `secret`."""

    name: str
    arguments: list[Any]


@dataclass
class Declaration:
    """One resource."""

    name: str
    token: str
    properties: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


# --- reading ----------------------------------------------------------------------------------------------------------


class _Reader:
    """A program's text, word by word."""

    def __init__(self, text: str) -> None:
        self._words = list(_words(text))
        self._at = 0

    def next(self) -> tuple[str, str]:
        if self._at >= len(self._words):
            raise ProgramError("the program ends in the middle of a declaration")
        self._at += 1
        return self._words[self._at - 1]

    def peek(self) -> str:
        return self._words[self._at][1] if self._at < len(self._words) else ""

    def take(self, sign: str) -> bool:
        if self.peek() != sign:
            return False
        self._at += 1
        return True

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise ProgramError(f"{sign} is missing before {self.peek() or 'the end'}")

    def declarations(self) -> Iterator[Declaration]:
        while self.peek():
            _, word = self.next()
            if word == "package":  # which plugin a package is: the SDK's import says it
                self._block()
                continue
            if word != "resource":
                raise ProgramError(f"it holds a {word}, and only resources can be written")
            made = Declaration(self.next()[1], _text(self.next()[1]))
            self.expect("{")
            while not self.take("}"):
                kind, key = self.next()
                if self.take("{"):
                    made.options |= self._attributes()
                else:
                    self.expect("=")
                    made.properties[_text(key) if kind == "string" else key] = self.value()
            yield made

    def _block(self) -> dict[str, Any]:
        while not self.take("{"):
            self.next()
        return self._attributes()

    def _attributes(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self.take("}"):
            name = self.next()[1]
            self.expect("=")
            found[name] = self.value()
        return found

    def value(self) -> Any:
        kind, word = self.next()
        if kind == "string":
            return _text(word)
        if kind == "number":
            return json.loads(word)
        if word == "[":
            return list(self._several("]", self.value))
        if word == "{":
            return dict(self._several("}", self._pair))
        if kind != "name":
            raise ProgramError(f"{word} is no value")
        if self.take("("):
            return Call(word, list(self._several(")", self.value)))
        if word in _SIMPLE:
            return _SIMPLE[word]
        path = [word]
        while self.take("."):
            path.append(self.next()[1])
        return Reference(tuple(path))

    def _pair(self) -> tuple[str, Any]:
        kind, key = self.next()
        if not self.take("="):
            self.expect(":")
        return (_text(key) if kind == "string" else key), self.value()

    def _several(self, end: str, one: Callable[[], Any]) -> Iterator[Any]:
        while not self.take(end):
            yield one()
            self.take(",")


def _words(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise ProgramError(f"{text[at:].split(maxsplit=1)[0]!r} cannot be read")
        at = match.end()
        if match.lastgroup != "comment":
            yield str(match.lastgroup), match[match.lastgroup or 0]


def _text(quoted: str) -> str:
    """The text of a quoted template that holds no expression."""
    if re.search(r"(?<![$%])(?:\$\$|%%)*[$%]\{", quoted):
        raise ProgramError(f"{quoted} holds an expression")
    raw = re.sub(r"\\U([0-9a-fA-F]{8})", lambda match: json.dumps(chr(int(match[1], 16)))[1:-1], quoted)
    return str(json.loads(raw)).replace("$${", "${").replace("%%{", "%{")


# --- writing ----------------------------------------------------------------------------------------------------------


def python_program(sources: Mapping[str, str], schema_of: Callable[[str], Schema]) -> str:
    """Return the Python program of PCL sources; `schema_of` gives a package's schema by its name."""
    resources = [each for _, text in sorted(sources.items()) for each in _Reader(text).declarations()]
    packages = sorted({each.token.split(":")[0] for each in resources} - {"pulumi"})
    imports = ["import pulumi", *(f"import pulumi_{_module(each)} as {_module(each)}" for each in packages)]
    schemas = {each: schema_of(each) for each in packages}
    written = [_resource(each, schemas.get(each.token.split(":")[0], {})) for each in resources]
    return "\n".join([*imports, "", *written]) + "\n"


def _module(package: str) -> str:
    return package.replace("-", "_")


def _resource(made: Declaration, schema: Schema) -> str:
    package, module, kind = made.token.split(":")
    place = module.split("/")[0]
    cls = ".".join([_module(package), *([place.lower()] if place and place != "index" else []), kind])
    described = schema.get("resources", {}).get(made.token, {}).get("inputProperties", {})
    name = made.properties.pop("__logicalName", made.name)
    lines = [f"{_identifier(made.name)} = {cls}({json.dumps(name)}"]
    for key, value in made.properties.items():
        lines.append(f"    {snake(key)}={_value(value, described.get(key, {}), schema, 1)}")
    if made.options:
        options = ", ".join(f"{snake(key)}={_value(value, {}, schema, 1)}" for key, value in made.options.items())
        lines.append(f"    opts=pulumi.ResourceOptions({options})")
    return ",\n".join(lines) + ")"


def _value(value: Any, described: Schema, schema: Schema, depth: int) -> str:
    inner, end = "    " * (depth + 1), "    " * depth
    if isinstance(value, dict):
        properties = _properties(described, schema)
        element = described.get("additionalProperties", {})
        entries = (
            f"{inner}{json.dumps(snake(key) if properties is not None else key)}: "
            f"{_value(each, (properties or {}).get(key, element), schema, depth + 1)},\n"
            for key, each in value.items()
        )
        return "{\n" + "".join(entries) + end + "}" if value else "{}"
    if isinstance(value, list):
        items = described.get("items", {})
        written = "".join(f"{inner}{_value(each, items, schema, depth + 1)},\n" for each in value)
        return "[\n" + written + end + "]" if value else "[]"
    if isinstance(value, Reference):
        return ".".join(map(_identifier, value.path))
    if isinstance(value, Call):
        if value.name not in _CALLS:
            raise ProgramError(f"it calls {value.name}")
        return f"{_CALLS[value.name]}({', '.join(_value(each, described, schema, depth) for each in value.arguments)})"
    return repr(value) if not isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _properties(described: Schema, schema: Schema) -> Schema | None:
    """The properties of an object type; None of a map, whose keys are its own."""
    prefix = "#/types/"
    references = (str(each.get("$ref", "")) for each in (described, *described.get("oneOf", [])))
    known = next((each.removeprefix(prefix) for each in references if each.startswith(prefix)), None)
    if known is None:
        return None
    properties: Schema = schema.get("types", {}).get(known, {}).get("properties", {})
    return properties


def snake(name: str) -> str:
    """The Python name of a property: imageTagMutability is image_tag_mutability."""
    written = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: "_" + match[1].lower(), name).lower()
    return f"{written}_" if keyword.iskeyword(written) else written


def _identifier(name: str) -> str:
    return snake(re.sub(r"\W", "_", name))
