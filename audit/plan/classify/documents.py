"""Judges two policy documents with `iam.compare`, also where parts of them are known only after apply.

An unknown part is bracketed: once as if it were nothing and once as if it were everything. What holds for both ends
is proved, whatever the value turns out to be; everything else "cannot be proved".
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

import iam
from audit.model import (
    ENGINE_SECRET,
    MAX_DEPTH,
    REDACTED,
    UNKNOWN,
    UNKNOWNS,
    PolicyDiff,
    deeper,
    holds_unknown,
    is_hidden,
    is_unknown,
    strings,
)
from iam.parse import LARGEST, decode

_MARK = re.compile("|".join(map(re.escape, sorted(UNKNOWNS))))
Outcome = Literal["broadened", "unknown", "narrowed", "equal"]

EMPTY: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}
OLD_VERSION = "2008-10-17"
"""What a document without a Version is read as: `${...}` in it is no variable, but these very characters."""
ALLOW_ALL: dict[str, Any] = {"Effect": "Allow", "Action": "*", "Resource": "*"}
KNOWN_AFTER_APPLY = "(known after apply)"


@dataclass(slots=True)
class Judgement:
    """What a comparison came to. `reason` is a sentence without subject, `details` hold what is known besides."""

    outcome: Outcome
    reason: str
    diff: PolicyDiff
    details: list[str] = field(default_factory=list)


def judge(name: str, old: Any, new: Any) -> Judgement:
    """Compares the documents of one property; None stands for "no document" and allows nothing."""
    diff = PolicyDiff(name, "unknown", shown(old), shown(new))
    for side, value in (("old", old), ("new", new)):
        if is_unknown(value):
            return Judgement("unknown", f"the {side} document is known only after apply", diff)
        if is_hidden(value):
            return Judgement("unknown", f"the {side} document is masked as a secret", diff)
    try:
        before, after = _masked_as_unknown(decoded(old)), _masked_as_unknown(decoded(new))
        if holds_unknown(before) or holds_unknown(after):
            return _bracketed(before, after, diff)
        return _compared(before, after, diff)
    except iam.PolicyError as error:
        return Judgement("unknown", f"a document is no valid policy: {error}", diff)


def masked(value: Any) -> bool:
    """Whether a part of the document is masked, so that two equal texts can differ."""
    return any(REDACTED in text or ENGINE_SECRET in text for text in strings(value))


def _masked_as_unknown(value: Any) -> Any:
    """What redaction took out of a document (an external id, say) can be anything: it is judged as unknown."""
    if isinstance(value, str):
        return value.replace(REDACTED, UNKNOWN).replace(ENGINE_SECRET, UNKNOWN)
    if isinstance(value, list):
        return [_masked_as_unknown(item) for item in value]
    if isinstance(value, dict):
        return {key: _masked_as_unknown(item) for key, item in value.items()}
    return value


def decoded(value: Any) -> dict[str, Any]:
    """The document as an object. Raises iam.PolicyError for anything else."""
    if value is None or value == "":
        return EMPTY
    if isinstance(value, str):
        value = plain(value)
    if not isinstance(value, dict):
        raise iam.PolicyError("it is not a JSON object")
    return value


def shown(value: Any) -> Any:
    """The document for people: decoded, with the engine's marks in words."""
    if isinstance(value, str):
        if is_unknown(value):
            return KNOWN_AFTER_APPLY
        try:
            value = plain(value)
        except iam.PolicyError:
            return _worded(value)
    return _worded(value)


def plain(text: str, most: int = LARGEST) -> Any:
    """What the text of a document holds, by the rules of `iam.parse`, as values that can be written as JSON again.
    Raises iam.PolicyError, also where it has more characters than `most`."""
    value = decode(text, most)
    if deeper(value, MAX_DEPTH):
        raise iam.PolicyError("the document is nested too deeply for a policy")
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        number = float(value)
        if not math.isfinite(number) or Decimal(repr(number)) != value:
            raise iam.PolicyError("a number has more digits than can be compared; write it as a text")
        return number
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _worded(value: Any) -> Any:
    if isinstance(value, str):
        for mark in UNKNOWNS:
            value = value.replace(mark, KNOWN_AFTER_APPLY)
        return value
    if isinstance(value, list):
        return [_worded(item) for item in value]
    if isinstance(value, dict):
        return {key: _worded(item) for key, item in value.items()}
    return value


def _compared(before: Mapping[str, Any], after: Mapping[str, Any], diff: PolicyDiff) -> Judgement:
    comparison = _compare(_text(before), _text(after))
    diff.verdict = comparison.verdict
    diff.newly_allowed = [_witness(item) for item in comparison.newly_allowed]
    diff.newly_refused = [_witness(item) for item in comparison.newly_refused]
    diff.because = [_cause(item) for item in comparison.because]
    if comparison.newly_allowed:
        also = ", and refuses something that was allowed" if comparison.newly_refused else ""
        return Judgement("broadened", f"allows something that was refused{also}", diff)
    if not comparison.allows_nothing_new:
        return Judgement("unknown", "cannot be compared with certainty", diff)
    lifted = _lifted_denial(before, after, diff)
    if lifted is not None:
        return lifted
    if comparison.verdict == "equal":
        return Judgement("equal", "means the same", diff)
    return Judgement("narrowed", "allows less" if comparison.newly_refused else "allows nothing new", diff)


def _lifted_denial(before: Mapping[str, Any], after: Mapping[str, Any], diff: PolicyDiff) -> Judgement | None:
    """A Deny that goes away matters beside other policies, which this document cannot see: compared as if they
    allowed all."""
    denials_before, denials_after = denials(before), denials(after)
    versions = [document.get("Version", OLD_VERSION) for document in (before, after)]
    if not denials_before or (denials_before == denials_after and versions[0] == versions[1]):
        return None
    principal = any("Principal" in item or "NotPrincipal" in item for item in (*denials_before, *denials_after))
    everything = {**ALLOW_ALL, "Principal": "*"} if principal else ALLOW_ALL
    old = {"Version": versions[0], "Statement": [*denials_before, everything]}
    new = {"Version": versions[1], "Statement": [*denials_after, everything]}
    comparison = _compare(_text(old), _text(new))
    if comparison.allows_nothing_new:
        return None
    diff.verdict = comparison.verdict
    diff.newly_allowed = [_witness(item) for item in comparison.newly_allowed]
    diff.because = [_cause(item) for item in comparison.because]
    if not comparison.newly_allowed:
        return Judgement("unknown", "changes an explicit Deny in a way that cannot be compared with certainty", diff)
    return Judgement(
        "broadened",
        "lifts an explicit Deny: another policy of the same principal may now allow the request",
        diff,
    )


def denials(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [item for item in _statements(document) if isinstance(item, dict) and item.get("Effect") == "Deny"]


def _statements(document: Mapping[str, Any]) -> list[Any]:
    statements = document.get("Statement", [])
    return statements if isinstance(statements, list) else [statements]


def _bracketed(before: Mapping[str, Any], after: Mapping[str, Any], diff: PolicyDiff) -> Judgement:
    """Unknown parts as nothing and as everything, on both sides: at most gains are (old least, new most), at least
    the reverse."""
    unknown_parts = [*_unknown_parts("old", before), *_unknown_parts("new", after)]
    details = [f"Known only after apply: {part}." for part in unknown_parts[:20]]
    if any(_bracket(document, most=True) is None for document in (before, after)):
        return Judgement(
            "unknown", "has parts that are known only after apply, in a place that cannot be bracketed", diff, details
        )
    worst = _compared(_bracket(before, most=False) or EMPTY, _bracket(after, most=True) or EMPTY, diff)
    if worst.outcome in ("equal", "narrowed"):
        return Judgement(worst.outcome, f"{worst.reason}, whatever the unknown parts turn out to be", diff, details)
    least = PolicyDiff(diff.property, "unknown", diff.old, diff.new)
    certain = _compared(_bracket(before, most=True) or EMPTY, _bracket(after, most=False) or EMPTY, least)
    if certain.outcome == "broadened":
        return Judgement("broadened", f"{certain.reason}, even without its unknown parts", least, details)
    unproved = PolicyDiff(diff.property, "unknown", diff.old, diff.new)
    return Judgement(
        "unknown", "has parts that are known only after apply; its known parts add nothing", unproved, details
    )


def _unknown_parts(side: str, document: Mapping[str, Any]) -> list[str]:
    parts = []
    for index, statement in enumerate(_statements(document)):
        if isinstance(statement, dict):
            label = statement.get("Sid") or index
            parts += [
                f"{key} of statement {label} ({side})" for key, value in statement.items() if holds_unknown(value)
            ]
    return parts


def _bracket(document: Mapping[str, Any], *, most: bool) -> dict[str, Any] | None:
    """The document with every unknown made as permissive as can be, or as strict; None where neither can be said."""
    statements = []
    for statement in _statements(document):
        if not isinstance(statement, dict) or not holds_unknown(statement):
            statements.append(statement)
            continue
        condition = statement.get("Condition")
        if holds_unknown(statement.get("Effect")) or (holds_unknown(condition) and not isinstance(condition, dict)):
            return None
        allows = statement.get("Effect") == "Allow"
        wide = _bracket_statement(statement, grow=most == allows)
        if wide is not None:
            statements.append(wide)
    others = {key: value for key, value in document.items() if key != "Statement"}
    return None if holds_unknown(others) else {**others, "Statement": statements}


def _bracket_statement(statement: Mapping[str, Any], *, grow: bool) -> dict[str, Any] | None:
    """The statement matching as much as it could (`grow`), or as little; None for one that matches nothing."""
    result = dict(statement)
    for key in ("Action", "Resource", "Principal", "NotAction", "NotResource", "NotPrincipal"):
        value = result.get(key)
        if not holds_unknown(value):
            continue
        matches_all = grow != key.startswith("Not")
        kept = _known_items(value)
        if matches_all:
            result[key] = "*" if key.startswith("Not") else _widened(key, value)
        elif kept:
            result[key] = kept
        elif key.startswith("Not"):
            result.pop(key)
            result[key.removeprefix("Not")] = "*"
        else:
            return None
    if holds_unknown(result.get("Condition")):
        if not grow:
            return None  # the condition may never hold
        result.pop("Condition")
    return result


def _widened(key: str, value: Any) -> Any:
    """The value with every unknown part of a text matching anything; principals know no patterns inside a text."""
    if key == "Principal":
        return "*"
    items = value if isinstance(value, list) else [value]
    return [_MARK.sub("*", item) if isinstance(item, str) else "*" for item in items]


def _known_items(value: Any) -> Any:
    if isinstance(value, list):
        return [item for item in value if not holds_unknown(item)]
    if isinstance(value, dict):
        known = {key: _known_items(item) for key, item in value.items() if not holds_unknown(key)}
        return {key: item for key, item in known.items() if item}
    return None if holds_unknown(value) else value


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True)


@lru_cache(maxsize=4096)
def _compare(old: str, new: str) -> iam.Comparison:
    """Cached by text: many resources of one plan carry the same document."""
    return iam.compare(iam.parse(old), iam.parse(new))


def _cause(cause: Any) -> str:
    """A statement that is responsible, and why; or why nothing could be proved."""
    if cause.policy is None:
        return str(cause.why)
    name = f'"{cause.sid}"' if cause.sid else str(cause.statement)
    return f"{cause.effect} statement {name} of the {cause.policy} document: {cause.why}"


def _witness(request: iam.Request) -> dict[str, Any]:
    """A request as data."""
    context = {key: list(item) if isinstance(item, (list, tuple)) else item for key, item in request.context.items()}
    return {"action": request.action, "resource": request.resource, "principal": request.principal, "context": context}
