"""Types of the policy language: a policy and its statements, a request, a decision."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Literal, get_args

from iam.patterns import Context, Glob, fold_case

Effect = Literal["allow", "explicit_deny", "implicit_deny", "unknown"]
OwnPolicies = Literal["allow", "silent", "limited"]
LONGEST = 8192  # characters of one request value; the services themselves stop far below (an ARN has at most 2,048)
_ACTION = re.compile(r"[^\s:*?]+:[^\s:*?]+")


class PolicyError(ValueError):
    """A document that is not an IAM policy; the message names the statement, the rule and the remedy."""


class RequestError(ValueError):
    """A request that cannot be judged; the message names the field, the rule and the remedy."""


@dataclass(frozen=True)
class Clause:
    """Patterns of Action or Resource; `negated` for NotAction and NotResource."""

    patterns: tuple[Glob, ...]
    negated: bool

    @cached_property
    def literals(self) -> frozenset[str]:
        """The texts of patterns that match one text only (in lower case where case is ignored)."""
        return frozenset(glob.literal for glob in self.patterns if glob.is_literal)

    @cached_property
    def identities(self) -> frozenset[tuple[object, ...]]:
        """What makes its patterns the same as those of another clause, in whatever order."""
        return frozenset(glob.identity for glob in self.patterns)

    @cached_property
    def globs(self) -> tuple[Glob, ...]:
        """The other patterns."""
        return tuple(glob for glob in self.patterns if not glob.is_literal)


@dataclass(frozen=True, slots=True)
class Principals:
    """Entries of Principal as (type, value), `("*", "*")` for everyone; `negated` for NotPrincipal."""

    entries: tuple[tuple[str, str], ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key. `kind` is what is compared (None: unknown operator), `values` are as written.

    `qualifier` is "", "ForAnyValue" or "ForAllValues"; `key` is in lower case (keys have no case).
    """

    operator: str
    qualifier: str
    kind: str | None
    negated: bool
    if_exists: bool
    key: str
    written_key: str
    values: tuple[Glob, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `principals` is None in identity policies, `resources` in trust policies (any resource)."""

    index: int
    sid: str | None
    effect: Literal["Allow", "Deny"]
    principals: Principals | None
    actions: Clause
    resources: Clause | None
    conditions: tuple[Condition, ...]

    @property
    def name(self) -> str:
        """How messages name the statement: by Sid, else by its place counted from 0."""
        return f'statement "{self.sid}"' if self.sid else f"statement {self.index}"


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed document."""

    version: str
    id: str | None
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Request:
    """What a caller asks for.

    `action` is "service:Name". `resource` is an ARN, or "*" for actions without resource level. `principal` is an ARN,
    an account id, a service such as "ecr.amazonaws.com", a federated provider, a canonical user id, "*" for an
    anonymous caller, or None where it is not known; a type can be written before it
    ("Federated:cognito-identity.amazonaws.com").
    `context` holds condition keys (without case); a list is a multivalued key, an empty list is a missing one.
    `own_policies` is what the caller's own policies say of the request, which decides where a resource's policy only
    delegates: "allow"; "silent" (none allows, none limits); "limited" (a boundary or session policy does not allow).
    Raises RequestError.
    """

    action: str
    resource: str
    principal: str | None = None
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    own_policies: OwnPolicies | None = None
    values: Context = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for name, text in (("action", self.action), ("resource", self.resource), ("principal", self.principal)):
            if name == "principal" and text is None:
                continue
            if not isinstance(text, str) or not text or len(text) > LONGEST:
                raise RequestError(f"{name}: must be a text of 1 to {LONGEST} characters")
        if self.own_policies not in (None, *get_args(OwnPolicies)):
            raise RequestError(f"own_policies: must be one of {', '.join(get_args(OwnPolicies))}, or left out")
        if not is_action(self.action):
            raise RequestError(
                f"action {self.action[:80]!r}: must be one action without wildcards, such as ecr:PutImage"
            )
        object.__setattr__(self, "values", _context(self.context))


def is_action(text: str) -> bool:
    """Whether a text is one action: a service, a colon, a name, without wildcards."""
    return _ACTION.fullmatch(text) is not None


def _context(context: Mapping[str, str | Sequence[str]]) -> Context:
    if not isinstance(context, Mapping):
        raise RequestError("context: must be an object of condition keys and their values")
    values: dict[str, str | tuple[str, ...]] = {}
    for key, value in context.items():
        if not isinstance(key, str):
            raise RequestError("context: a condition key must be a text")
        name = fold_case(key)
        if name in values:
            raise RequestError(f"context key {key[:80]!r}: given twice; condition keys have no case")
        if isinstance(value, (list, tuple)):
            values[name] = tuple(_scalar(key, item) for item in value)
        else:
            values[name] = _scalar(key, value)
    return {name: value for name, value in values.items() if value != ()}


def _scalar(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        value = str(value) if value.bit_length() < LONGEST else ""
    elif isinstance(value, (float, Decimal)):
        value = number_text(value)
    if not isinstance(value, str) or len(value) > LONGEST:
        raise RequestError(f"context key {key[:80]!r}: a value must be a text of at most {LONGEST} characters")
    return value


def number_text(value: float | Decimal) -> str | None:
    """A number without exponent, no digit lost; None for NaN, infinity and more than 60 places on either side."""
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -60 or number.adjusted() > 60:
        return None
    return f"{number:f}"


@dataclass(frozen=True, slots=True)
class StatementRef:
    """A statement of the policies given to `decide`: which policy (from 0), which statement (from 0), its Sid."""

    policy: int
    statement: int
    sid: str | None


@dataclass(frozen=True, slots=True)
class Decision:
    """The effect on a request and the statements responsible (those unknown, where the effect is unknown)."""

    effect: Effect
    statements: tuple[StatementRef, ...] = ()

    @property
    def allowed(self) -> bool:
        """True only for a certain allow."""
        return self.effect == "allow"
