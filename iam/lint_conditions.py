"""Rules of the lint on conditions: operators, types and values that do not do what they seem to do."""

from collections.abc import Callable, Iterator

from iam import catalogue
from iam.conditions import parse_binary, parse_bool, parse_date, parse_network, parse_number
from iam.key_types import is_single, type_of
from iam.lint_statements import Told, names
from iam.model import Condition, Statement
from iam.patterns import arn_segments

_READERS: dict[str, tuple[Callable[[str], object], str]] = {
    "numeric": (parse_number, "a number"),
    "date": (parse_date, "a date such as 2026-01-31T00:00:00Z"),
    "ip": (parse_network, "an address or a range such as 203.0.113.0/24"),
    "bool": (parse_bool, "true or false"),
    "null": (parse_bool, "true or false"),
    "binary": (parse_binary, "base64"),
}
# Families of operators that a key of a type can be compared with (IAM User Guide, "Condition operators").
_FITTING = {
    "IPAddress": ("ip", "null"),
    "Numeric": ("numeric", "null"),
    "Date": ("date", "numeric", "null"),
    "Bool": ("bool", "eq", "like", "null"),
}


def conditions(statement: Statement) -> Iterator[Told]:
    """What is wrong or weak in the conditions of a statement."""
    for condition in statement.conditions:
        if condition.kind is None:
            yield "error", "unknown-operator", f"AWS is not known to have the operator {condition.operator[:80]}"
            continue
        yield from _values(condition)
        yield from _sets(condition, statement)
        yield from _types(condition)


def _name(condition: Condition) -> str:
    return f"{condition.operator} on {condition.written_key[:80]}"


def _values(condition: Condition) -> Iterator[Told]:
    kind = condition.kind or ""
    reader, form = next((found for name, found in _READERS.items() if kind.startswith(name)), (None, ""))
    texts = [glob.text for glob in condition.values]
    wrong = [text for text in texts if reader is not None and reader(text) is None]
    if kind == "arn":
        wrong = [g.text for g in condition.values if not g.has_variables and arn_segments(g.parts) is None]
        form = "an ARN of six fields (arn:aws:service:region:account:resource)"
    if wrong:
        yield "error", "wrong-value", f"{_name(condition)}: {names(wrong)} is not {form}"
    if kind in ("eq", "eqi"):
        plain = [text.replace("${*}", "").replace("${?}", "") for text in texts]
        wild = [text for text, left in zip(texts, plain, strict=True) if "*" in left or "?" in left]
        if wild:
            like = "StringNotLike" if condition.negated else "StringLike"
            message = f"{_name(condition)}: {names(wild)} is compared as it stands, wildcards too; write {like}"
            yield "error", "wildcard-without-like", message


def _sets(condition: Condition, statement: Statement) -> Iterator[Told]:
    """IAM User Guide, "Single-valued vs. multivalued context keys"."""
    present = any(
        other.kind == "null" and other.key == condition.key and all(parse_bool(g.text) is False for g in other.values)
        for other in statement.conditions
    )
    if condition.qualifier == "ForAllValues" and statement.effect == "Allow" and not present:
        message = f"{_name(condition)} also holds where the key is missing; add Null false on it, or use ForAnyValue"
        yield "warning", "for-all-values-in-allow", message
    if condition.qualifier and is_single(condition.key):
        yield (
            "warning",
            "set-operator-on-single-value",
            f"{_name(condition)}: the key has one value; leave the set operator out",
        )
    if not condition.qualifier and condition.kind != "null" and (type_of(condition.key) or "").startswith("ArrayOf"):
        message = f"{_name(condition)}: the key has several values; write ForAnyValue: or ForAllValues: before it"
        yield "warning", "no-set-operator", message


def _types(condition: Condition) -> Iterator[Told]:
    found = type_of(condition.key)
    if found is None:
        service = condition.key.partition(":")[0]
        if service == "aws" or (service in catalogue.services() and catalogue.actions(service)):
            yield "warning", "unknown-key", f"AWS is not known to have the condition key {condition.written_key[:80]}"
        return
    fitting = _FITTING.get(found.removeprefix("ArrayOf"))
    kind = condition.kind or ""
    if fitting is not None and not kind.startswith(fitting):
        message = f"{_name(condition)}: the key is of the type {found}, which this operator does not compare"
        yield "error", "operator-of-another-type", message
    if fitting is None and kind.startswith(("ip", "numeric", "date", "binary")):
        message = f"{_name(condition)}: the key is of the type {found}, which this operator does not compare"
        yield "warning", "operator-of-another-type", message
