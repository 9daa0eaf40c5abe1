"""Condition operators: what each compares, and its answer for a request: true, false, or unknown (None)."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from iam.model import Condition
from iam.patterns import Context, Glob, arn_segments, may_fold

# IAM User Guide, "IAM JSON policy elements: Condition operators". A negated operator is the denial of its partner, so
# both share one kind; ArnEquals and ArnLike behave alike.
_OPERATORS: dict[str, tuple[str, bool]] = {
    "StringEquals": ("eq", False),
    "StringNotEquals": ("eq", True),
    "StringEqualsIgnoreCase": ("eqi", False),
    "StringNotEqualsIgnoreCase": ("eqi", True),
    "StringLike": ("like", False),
    "StringNotLike": ("like", True),
    "ArnEquals": ("arn", False),
    "ArnLike": ("arn", False),
    "ArnNotEquals": ("arn", True),
    "ArnNotLike": ("arn", True),
    "Bool": ("bool", False),
    "BinaryEquals": ("binary", False),
    "IpAddress": ("ip", False),
    "NotIpAddress": ("ip", True),
    "Null": ("null", False),
}
for _type in ("Numeric", "Date"):
    _OPERATORS |= {
        f"{_type}Equals": (f"{_type.lower()}=", False),
        f"{_type}NotEquals": (f"{_type.lower()}=", True),
        f"{_type}LessThan": (f"{_type.lower()}<", False),
        f"{_type}LessThanEquals": (f"{_type.lower()}<=", False),
        f"{_type}GreaterThan": (f"{_type.lower()}>", False),
        f"{_type}GreaterThanEquals": (f"{_type.lower()}>=", False),
    }

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Operator:
    """A known operator in its parts."""

    qualifier: str
    kind: str
    negated: bool
    if_exists: bool


@lru_cache(maxsize=512)
def operator(name: str) -> Operator | None:
    """The parts of an operator's name; None if it is none that AWS documents."""
    qualifier, colon, rest = name.rpartition(":")
    if colon and qualifier not in ("ForAnyValue", "ForAllValues"):
        return None
    base = rest.removesuffix("IfExists")
    found = _OPERATORS.get(base)
    if found is None or (base == "Null" and (qualifier or base != rest)):
        return None
    return Operator(qualifier, *found, if_exists=base != rest)


def any_of(answers: Iterable[bool | None]) -> bool | None:
    """Three-valued or: true wins, else unknown wins."""
    unknown = False
    for answer in answers:
        if answer:
            return True
        unknown = unknown or answer is None
    return None if unknown else False


def all_of(answers: Iterable[bool | None]) -> bool | None:
    """Three-valued and: false wins, else unknown wins."""
    unknown = False
    for answer in answers:
        if answer is False:
            return False
        unknown = unknown or answer is None
    return None if unknown else True


def opposite(answer: bool | None) -> bool | None:
    """Three-valued not."""
    return None if answer is None else not answer


def holds(condition: Condition, context: Context) -> bool | None:
    """Whether the condition is met by the context.

    A missing key meets negated operators, IfExists and ForAllValues, and nothing else. ForAnyValue with IfExists on a
    missing key is not documented, nor is a multivalued key under an operator without qualifier: both are unknown.
    """
    if condition.kind is None:
        return None
    actual = context.get(condition.key)
    if condition.kind == "null":
        return any_of(_is_null(value.text, actual) for value in condition.values)
    if actual is None:
        return _missing(condition)
    values = (actual,) if isinstance(actual, str) else actual
    if not condition.qualifier:
        return _one(condition, values[0], context) if len(values) == 1 else None
    if values == ("",):  # documented for both: "a null dataset, such as an empty string"
        return condition.qualifier == "ForAllValues"
    if condition.qualifier == "ForAnyValue":
        return any_of(_one(condition, value, context) for value in values)
    return all_of(_one(condition, value, context) for value in values)


def _missing(condition: Condition) -> bool | None:
    if condition.qualifier == "ForAnyValue":
        return None if condition.if_exists else False
    return condition.qualifier == "ForAllValues" or condition.if_exists or condition.negated


def _is_null(wanted: str, actual: object) -> bool | None:
    boolean = parse_bool(wanted)
    return None if boolean is None else boolean == (actual is None)


def _one(condition: Condition, value: str, context: Context) -> bool | None:
    kind = condition.kind or ""
    answer = any_of(element_matches(kind, wanted, value, context) for wanted in condition.values)
    if not condition.negated:
        return answer
    if answer is False and any(wanted.bind(context) is None for wanted in condition.values):
        return None  # a variable without value is like nothing, but it may also make the statement invalid
    return opposite(answer)


def element_matches(kind: str, wanted: Glob, value: str, context: Context) -> bool | None:
    """Whether one value of a request matches one value of a policy, for the operator that is not negated."""
    if kind in ("eq", "like"):
        return wanted.matches(value, context, wildcards=kind == "like")
    if kind == "eqi":
        return _same_without_case(wanted, value, context)
    if kind == "arn":
        return _arn_matches(wanted, value, context)
    if kind == "ip":
        network, address = parse_network(wanted.text), parse_address(value)
        return None if network is None or address is None else address in network
    if kind in ("bool", "binary"):
        read = parse_bool if kind == "bool" else parse_binary
        left, right = read(value), read(wanted.text)
        return None if left is None or right is None else left == right
    parse = parse_number if kind.startswith("numeric") else parse_date
    sign = kind.removeprefix("numeric").removeprefix("date")
    return _compare(sign, parse(value), parse(wanted.text))


def _same_without_case(wanted: Glob, value: str, context: Context) -> bool | None:
    """ASCII letters have no case here; whether others have one is not documented."""
    bound = wanted.bind(context, wildcards=False)
    if bound is None:
        return False
    if bound.has_variables:
        return None
    if bound.matches(value, context):
        return True
    return None if may_fold("".join(map(str, bound.parts)), value) else False


def _arn_matches(wanted: Glob, value: str, context: Context) -> bool | None:
    bound = wanted.bind(context)
    if bound is None:
        return False
    if bound.has_variables or arn_segments(bound.parts) is None:
        return None  # fewer than six segments: what AWS makes of it is not documented
    return bound.matches(value, context)


def _compare(sign: str, left: Decimal | None, right: Decimal | None) -> bool | None:
    if left is None or right is None:
        return None
    if sign == "=":
        return left == right
    if sign.startswith("<"):
        return left < right or (left == right and sign == "<=")
    return left > right or (left == right and sign == ">=")


def parse_bool(text: str) -> bool | None:
    """`true` or `false` in any case, else None."""
    return {"true": True, "false": False}.get(text.lower())


def parse_binary(text: str) -> bytes | None:
    """The bytes of a base64 text, else None."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def parse_number(text: str) -> Decimal | None:
    """An integer or decimal number of at most 64 digits, else None."""
    return Decimal(text) if re.fullmatch(r"-?[0-9]{1,48}(\.[0-9]{1,16})?", text) else None


_DATE = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(T(?P<minute>[0-9]{2}:[0-9]{2})(:(?P<second>[0-9]{2})(\.(?P<fraction>[0-9]{1,9}))?)?(?P<zone>Z|[+-][0-9]{2}:[0-9]{2}))?"
)


def parse_date(text: str) -> Decimal | None:
    """Seconds since 1970 of an ISO 8601 date, a date and time with zone, or of a number of seconds; else None.

    Four digits are a year as well as a number of seconds (W3C, "Date and Time Formats"): None.
    """
    if re.fullmatch(r"[0-9]{4}", text):
        return None
    found = _DATE.fullmatch(text)
    if not found:
        return Decimal(text) if re.fullmatch(r"[0-9]{1,48}", text) else None
    zone = (found["zone"] or "Z").replace("Z", "+00:00")
    try:
        moment = datetime.fromisoformat(f"{found['day']}T{found['minute'] or '00:00'}:{found['second'] or '00'}{zone}")
        seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    return Decimal(int(seconds)) + Decimal(f"0.{found['fraction'] or '0'}")


_IPV4 = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
_IPV6 = re.compile(r"[0-9A-Fa-f:]{2,39}")
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")


@lru_cache(maxsize=1024)
def parse_network(text: str) -> Network | None:
    """A range in "the standard CIDR format" or one IPv4 address, else None.

    IAM User Guide, "IP address condition operators": without a prefix "IAM uses the default prefix value of /32", which
    says nothing of IPv6. Masks, zones and addresses within a range (10.0.0.1/8) are not documented.
    """
    address, slash, prefix = text.partition("/")
    found = parse_address(address)
    if found is None or (slash and not _PREFIX.fullmatch(prefix)) or (not slash and found.version == 6):
        return None
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def parse_address(text: str) -> Address | None:
    """One address, else None: four numbers with dots, or groups of hexadecimal digits with colons."""
    if not _IPV4.fullmatch(text) and not _IPV6.fullmatch(text):
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
