"""A parsed policy as a document again: every element as a list, ready for JSON."""

from collections.abc import Sequence
from typing import Any

from iam.model import Policy, Principals, Statement
from iam.patterns import Glob


def document(policy: Policy) -> dict[str, Any]:
    """The policy as an object of JSON values."""
    identifier = {"Id": policy.id} if policy.id is not None else {}
    return {"Version": policy.version, **identifier, "Statement": [statement(s) for s in policy.statements]}


def statement(source: Statement) -> dict[str, Any]:
    """One statement as an object of JSON values."""
    found: dict[str, Any] = {"Sid": source.sid} if source.sid is not None else {}
    found["Effect"] = source.effect
    if source.principals is not None:
        found["NotPrincipal" if source.principals.negated else "Principal"] = _principals(source.principals)
    found["NotAction" if source.actions.negated else "Action"] = _texts(source.actions.patterns)
    if source.resources is not None:
        found["NotResource" if source.resources.negated else "Resource"] = _texts(source.resources.patterns)
    conditions: dict[str, dict[str, list[str]]] = {}
    for condition in source.conditions:
        conditions.setdefault(condition.operator, {})[condition.written_key] = _texts(condition.values)
    return {**found, "Condition": conditions} if conditions else found


def _principals(source: Principals) -> str | dict[str, list[str]]:
    if source.entries == (("*", "*"),):
        return "*"
    found: dict[str, list[str]] = {}
    for kind, value in source.entries:
        found.setdefault(kind, []).append(value)
    return found


def _texts(patterns: Sequence[Glob]) -> list[str]:
    return [pattern.text for pattern in patterns]
