"""Reads a policy document into a Policy, or says which statement breaks which rule of the grammar."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, NoReturn, cast

from iam.conditions import operator
from iam.model import Clause, Condition, Policy, PolicyError, Principals, Statement, number_text
from iam.patterns import Glob, Variable, fold_case, resource_parts, split

VERSIONS = ("2008-10-17", "2012-10-17")
LARGEST = 262_144  # characters; the largest document that any AWS service takes is a fraction of it
_ELEMENTS = {
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
}  # fmt: skip
_PRINCIPAL_TYPES = ("AWS", "Service", "Federated", "CanonicalUser")


def parse(document: str | Mapping[str, Any]) -> Policy:
    """The policy in a JSON text or an object already decoded. Raises PolicyError.

    Grammar: IAM User Guide, "Grammar of the IAM JSON policy language". A document without Version is of 2008-10-17.
    A statement with a principal may leave Resource out (trust policies).
    """
    content = decode(document) if isinstance(document, str) else document
    if not isinstance(content, Mapping):
        raise PolicyError(f"the policy is {_kind(content)}; it must be an object with Version and Statement")
    for element in content:
        if element not in ("Version", "Id", "Statement"):
            raise PolicyError(f"the policy has an unknown element {_show(element)}; write Version, Id and Statement")
    version = content.get("Version", VERSIONS[0])
    if version not in VERSIONS:
        raise PolicyError(f"Version is {_show(version)}; it must be {VERSIONS[1]} (or {VERSIONS[0]})")
    identifier = content.get("Id")
    if identifier is not None and not isinstance(identifier, str):
        raise PolicyError(f"Id is {_kind(identifier)}; it must be a text")
    if "Statement" not in content:
        raise PolicyError("the policy has no Statement; write one statement or a list of them")
    statements = content["Statement"]
    if isinstance(statements, Mapping):
        statements = [statements]
    if not isinstance(statements, (list, tuple)):
        raise PolicyError(f"Statement is {_kind(statements)}; it must be an object or a list of objects")
    variables = version == VERSIONS[1]
    return Policy(version, identifier, tuple(_Reader(i, s, variables).read() for i, s in enumerate(statements)))


def decode(text: str, most: int = LARGEST) -> Any:
    """What a JSON text holds, numbers with all digits written; no name may stand twice in one object.

    Raises PolicyError.
    """
    if len(text) > most:
        raise PolicyError(f"the document has {len(text)} characters; at most {most} are read")
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_float=Decimal, parse_constant=_no_constant)
    except PolicyError:
        raise
    except RecursionError:
        raise PolicyError("the document is nested too deeply for a policy") from None
    except ValueError as error:
        raise PolicyError(f"the document is not JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise PolicyError(f"the element {_show(twice)} stands twice in one object; write it once")
    return found


def _no_constant(name: str) -> NoReturn:
    raise PolicyError(f"the document holds {name}, which is not JSON")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {dict: "an object", list: "a list", tuple: "a list", str: "a text", bool: "a boolean"}
    return names.get(type(value), "a number" if isinstance(value, (int, float, Decimal)) else "of another type")


def _show(value: object) -> str:
    return repr(value[:80]) if isinstance(value, str) else _kind(value)


class _Reader:
    """Reads one statement; every error names it."""

    def __init__(self, index: int, content: Any, variables: bool) -> None:
        sid = content.get("Sid") if isinstance(content, Mapping) else None
        self.index, self.content, self.variables = index, content, variables
        self.name = f"statement {_show(sid)}" if isinstance(sid, str) and sid else f"statement {index}"

    def fail(self, message: str) -> NoReturn:
        raise PolicyError(f"{self.name}: {message}")

    def read(self) -> Statement:
        if not isinstance(self.content, Mapping):
            self.fail(f"is {_kind(self.content)}; it must be an object")
        for element in self.content:
            if element not in _ELEMENTS:
                self.fail(f"unknown element {_show(element)}; the elements are {', '.join(sorted(_ELEMENTS))}")
        sid = self.content.get("Sid")
        if sid is not None and not isinstance(sid, str):
            self.fail(f"Sid is {_kind(sid)}; it must be a text")
        effect = self.content.get("Effect")
        if effect not in ("Allow", "Deny"):
            self.fail(f"Effect is {_show(effect)}; it must be Allow or Deny")
        principals = self.principals()
        actions = self.clause("Action")
        if actions is None:
            self.fail("has neither Action nor NotAction; write one of them")
        resources = self.clause("Resource")
        if resources is None and principals is None:
            self.fail("has neither Resource nor NotResource; only a statement with a Principal may leave both out")
        effect = cast("Literal['Allow', 'Deny']", effect)
        return Statement(self.index, sid, effect, principals, actions, resources, self.conditions())

    def either(self, name: str) -> tuple[Any, bool]:
        """The value of an element or its Not form, and whether it is the latter."""
        if name in self.content and f"Not{name}" in self.content:
            self.fail(f"has both {name} and Not{name}; write one of them")
        negated = f"Not{name}" in self.content
        return self.content.get(f"Not{name}" if negated else name), negated

    def clause(self, name: str) -> Clause | None:
        value, negated = self.either(name)
        if value is None and name not in self.content and not negated:
            return None
        element = f"Not{name}" if negated else name
        fold = name == "Action"
        texts = self.texts(element, value)
        if fold:
            return Clause(
                tuple(Glob(text, split(text, wildcards=True, variables=False), fold) for text in texts), negated
            )
        return Clause(tuple(self.resource(text) for text in texts), negated)

    def resource(self, text: str) -> Glob:
        parts = resource_parts(text, variables=self.variables)
        if text.startswith("arn:") and text.count(":") < 5 and not (text.endswith("*") or "${" in text):
            parts = (*parts, Variable(None))  # fewer than six fields: what AWS fills in is not documented
        return Glob(text, parts)

    def texts(self, element: str, value: object) -> list[str]:
        values = value if isinstance(value, (list, tuple)) else [value]
        for item in values:
            if not isinstance(item, str):
                self.fail(f"{element} holds {_kind(item)}; it must be a text or a list of texts")
            if not item:
                self.fail(f"{element} holds an empty text; remove it")
        if not values:
            self.fail(f"{element} is an empty list; name at least one value")
        return list(values)

    def principals(self) -> Principals | None:
        value, negated = self.either("Principal")
        element = "NotPrincipal" if negated else "Principal"
        if element not in self.content:
            return None
        if value == "*":
            return Principals((("*", "*"),), negated)
        if not isinstance(value, Mapping) or not value:
            self.fail(f'{element} is {_show(value)}; it must be "*" or an object such as {{"AWS": "123456789012"}}')
        entries: list[tuple[str, str]] = []
        for kind, names in value.items():
            if kind not in _PRINCIPAL_TYPES:
                self.fail(f"{element} has the type {_show(kind)}; the types are {', '.join(_PRINCIPAL_TYPES)}")
            entries += [(kind, name) for name in self.texts(f"{element}.{kind}", names)]
        return Principals(tuple(entries), negated)

    def conditions(self) -> tuple[Condition, ...]:
        if "Condition" not in self.content:
            return ()
        block = self.content["Condition"]
        if not isinstance(block, Mapping):
            self.fail(f"Condition is {_kind(block)}; it must be an object of operators")
        found: list[Condition] = []
        for name, keys in block.items():
            if not isinstance(name, str) or not isinstance(keys, Mapping):
                self.fail(f"Condition operator {_show(name)} is {_kind(keys)}; it must be an object of keys and values")
            for key, value in keys.items():
                found.append(self.condition(name, key, value))
        return tuple(found)

    def condition(self, name: str, key: object, value: object) -> Condition:
        if not isinstance(key, str) or not key:
            self.fail(f"Condition {_show(name)} has an empty or wrong key; write one such as aws:SourceArn")
        values = value if isinstance(value, (list, tuple)) else [value]
        if not values:
            self.fail(f"Condition {_show(name)} on {_show(key)} has no value; name at least one")
        known = operator(name)
        texts = [self.scalar(name, key, item) for item in values]
        if known is None:
            globs = tuple(Glob(text, split(text, wildcards=False, variables=self.variables)) for text in texts)
            return Condition(
                name, "", None, negated=False, if_exists=False, key=fold_case(key), written_key=key, values=globs
            )
        wildcards, variables = (
            known.kind in ("like", "arn"),
            self.variables and known.kind in ("eq", "eqi", "like", "arn"),
        )
        fold = known.kind == "eqi"
        globs = tuple(
            Glob(
                text,
                split(fold_case(text) if fold else text, wildcards=wildcards, variables=variables),
                fold,
                known.kind == "arn",
            )
            for text in texts
        )
        return Condition(
            name, known.qualifier, known.kind, known.negated, known.if_exists, fold_case(key), key, globs,
        )  # fmt: skip

    def scalar(self, name: str, key: str, value: object) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int) and value.bit_length() < 1024:
            return str(value)
        if isinstance(value, (float, Decimal)):
            value = number_text(value) or value
        if not isinstance(value, str):
            self.fail(f"Condition {_show(name)} on {_show(key)} holds {_kind(value)}; write texts, numbers or booleans")
        return value
