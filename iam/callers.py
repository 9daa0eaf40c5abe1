"""Who may call: the classes of callers that two policies tell apart, and the condition keys that follow from a caller.

A caller is a principal and, where a resource's policy only delegates, what its own policies say
(`Request.own_policies`). Keys such as aws:PrincipalArn follow from the principal, so not every value goes with every
caller: `impossible` gives the boxes that no request lies in.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from iam.automaton import Budget, arn_parts
from iam.dimensions import Dimension, Example, Texts
from iam.model import Condition, OwnPolicies, Principals, Statement
from iam.patterns import Glob, Part, Wild, arn_segments, split
from iam.principals import ANONYMOUS, LIMITS, NOTHING, POLICIES, canonical, federated, grants, is_account, patterns
from iam.values import subsets

Name = tuple[frozenset[tuple[str, str]], bool, str]  # entries of a clause, whether negated, the statement's effect
OWN: tuple[OwnPolicies | None, ...] = (None, "allow", "silent", "limited")
_RANK: dict[str, int] = {"limited": NOTHING, "silent": LIMITS, "allow": POLICIES}


def _glob(text: str) -> Glob:
    return Glob(text, split(text, wildcards=True, variables=False))


def _arn(text: str) -> Glob:
    return Glob(text, ("AWS:", *arn_parts(Glob(text, split(text, wildcards=True, variables=False), arn=True))))


_AWS = (
    "arn:?*:iam::????????????:root",
    "arn:?*:iam::????????????:user/?*",
    "arn:?*:iam::????????????:role/?*",
    "arn:?*:sts::????????????:federated-user/?*",
)
# The forms of principals; only they and those that a policy names exist. A role stands for its sessions, which differ
# from it only where a policy names one.
FORMS = (
    *map(_arn, _AWS),
    _glob("AWS:A???????????????*"),  # the unique id of a user or role that is gone
    *(_glob(text) for text in ("Service:?*.?*", "Federated:?*", "CanonicalUser:?*")),
    Glob(ANONYMOUS, (ANONYMOUS,)),
)
_HOST = r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+"
_NAME = r"[A-Za-z0-9_+=,.@-]+"
_VALID = re.compile(
    rf"AWS:arn:aws[a-z-]*:(iam::[0-9]+:(root|(user|role)/([!-.0-~]+/)*{_NAME})"
    rf"|sts::[0-9]+:(assumed-role/{_NAME}/{_NAME}|federated-user/{_NAME}))"
    rf"|Service:{_HOST}|Federated:({_HOST}|arn:aws[a-z-]*:iam::[0-9]+:(oidc|saml)-provider/.+)"
    r"|CanonicalUser:[0-9a-f]{64}|" + re.escape(ANONYMOUS)
)
_PARTS = re.compile(
    r"AWS:(?P<arn>arn:[^:]*:(?:iam|sts)::(?P<account>[^:]*):"
    r"(?P<type>root|user|role|assumed-role|federated-user)(?:/(?P<rest>.*))?)",
    re.DOTALL,
)
_TYPES = {
    "root": "Account",
    "user": "User",
    "role": "AssumedRole",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
}
_USER_IDS = {
    "Account": re.compile(r"[0-9]{12}"),
    "User": re.compile(r"AIDA[A-Z0-9]+"),
    "AssumedRole": re.compile(r"AROA[A-Z0-9]+:.+"),
    "FederatedUser": re.compile(r"[0-9]{12}:.+"),
    "Anonymous": re.compile(r"anonymous"),
}
TIED = frozenset(
    {
        "kms:calleraccount",
        "aws:principalarn",
        "aws:principalaccount",
        "aws:principaltype",
        "aws:username",
        "aws:userid",
        "aws:principalisawsservice",
        "aws:principalservicename",
    }
)
# Of callers that are no users, roles or accounts it is not documented whether they have these.
_OF_IDENTITIES = TIED - {"aws:principalisawsservice", "aws:principalservicename"}
Derived = Mapping[str, str | tuple[()]]


def is_valid(principal: str) -> bool:
    """Whether a canonical principal is one that AWS could see."""
    return _VALID.fullmatch(principal) is not None


def derived(principal: str) -> Derived:
    """The values of condition keys that follow from a canonical principal; () for a key that is missing.

    IAM User Guide, "IAM policy elements: Variables and tags", "Principal key values", and "AWS global condition context
    keys". What does not follow (the path of a session's role, a user's unique id) is left out.
    """
    if principal == ANONYMOUS:
        values = dict.fromkeys(TIED, ())
        said = dict.fromkeys(("aws:principalaccount", "kms:calleraccount", "aws:userid"), "anonymous")
        return {**values, **said, "aws:principaltype": "Anonymous"}
    if principal.startswith("Service:"):
        name = principal.removeprefix("Service:")
        return {"aws:principalisawsservice": "true", "aws:principalservicename": name, "aws:username": ()}
    found = _PARTS.fullmatch(principal)
    if found is None:
        return {}
    kind, rest = found["type"], found["rest"] or ""
    values_: dict[str, str | tuple[()]] = {
        "aws:principalaccount": found["account"],
        "kms:calleraccount": found["account"],
        "aws:principaltype": _TYPES[kind],
        "aws:principalisawsservice": "false",
        "aws:principalservicename": (),
        "aws:username": rest.rpartition("/")[2] if kind == "user" else (),
    }
    values_["aws:principalarn"] = _role(found["arn"]) if kind == "assumed-role" else found["arn"]
    if kind == "root":
        values_["aws:userid"] = found["account"]
    if kind == "federated-user":
        values_["aws:userid"] = f"{found['account']}:{rest}"
    return values_


def _role(session: str) -> str:
    """The role of a session, as if it had no path."""
    start, _, rest = session.partition(":assumed-role/")
    return f"{start.replace(':sts:', ':iam:')}:role/{rest.partition('/')[0]}"


def name_of(statement: Statement) -> Name:
    """What makes two statements name the same callers in the same way."""
    clause = statement.principals or Principals((), negated=False)
    return frozenset(clause.entries), clause.negated, statement.effect


@dataclass(frozen=True, slots=True)
class _Judged:
    """Classes of principals by what a clause says of them: what an Allow leaves to their own policies, or unknown."""

    levels: tuple[int, int, int]  # sets of classes for NOTHING, LIMITS, POLICIES; a Deny has the first only
    unknown: int


class Callers:
    """The dimension of callers, cut by the principals of some statements and by keys that follow from a principal."""

    def __init__(
        self, statements: Sequence[Statement], tied: Mapping[str, Sequence[Condition]], budget: Budget
    ) -> None:
        clauses = {name_of(s): s.principals for s in statements if s.principals is not None}
        cuts = {key: _cuts(key, conditions) for key, conditions in tied.items()}
        self._tied = [key for key, globs in cuts.items() if globs is not None]
        entries = {entry for name in clauses for entry in name[0]}
        named = [glob for entry in entries for glob in (*(patterns(*entry) or ()), *_also(*entry))]
        literals = [glob for glob in named if glob.is_literal]
        more = [glob for globs in cuts.values() for glob in globs or ()]
        texts = self._texts = Texts("principal", [*named, *more], [*FORMS, *literals], budget)
        judged = {name: self._judge(clause, name[2]) for name, clause in clauses.items() if clause is not None}
        self._covered: dict[Name, int] = dict.fromkeys(judged, 0)
        examples: list[Example] = []
        self.own: list[OwnPolicies | None] = []
        self._ranks: list[tuple[int, int]] = []  # by class: the weakest and the strongest own policies
        self._origin: list[int] = []
        for number, example in enumerate(texts.dimension.examples):
            unclear = sum(1 << i for i, found in enumerate(judged.values()) if found.unknown >> number & 1)
            sure = [_level(found, number) for found in judged.values()]
            for chosen in subsets(unclear, budget):
                levels = [NOTHING if chosen >> i & 1 else level for i, level in enumerate(sure)]
                for least, most in _groups(levels):
                    for name, level in zip(judged, levels, strict=True):
                        if level is not None and least >= level:
                            self._covered[name] |= 1 << len(examples)
                    text = str(example)
                    examples.append("*" if text == ANONYMOUS else text if is_valid(text) else None)
                    self._ranks.append((least, most))
                    self._origin.append(number)
        self.dimension = Dimension("principal", examples, self.find)

    def covered(self, statement: Statement) -> int:
        """The classes that a statement's Principal or NotPrincipal covers."""
        return self._covered[name_of(statement)]

    def find(self, text: str, own: str | None = None) -> int:
        """The classes of a principal; with what its own policies say, if that matters."""
        found = self._texts.dimension.find(canonical(text))
        rank = LIMITS if own is None else _RANK[own]
        top = POLICIES if own is None else rank
        return sum(
            1 << place
            for place, number in enumerate(self._origin)
            if found >> number & 1 and self._ranks[place][0] <= rank and top <= self._ranks[place][1]
        )

    def impossible(self, dimensions: Mapping[str, tuple[int, Dimension]]) -> Iterator[tuple[int, int, int]]:
        """Sets of callers, each with the place of a key's dimension and the values that never go with them."""
        for key in self._tied:
            place, dimension = dimensions[key]
            callers: dict[int, int] = {}  # by the values that are possible
            for number, example in enumerate(self._texts.dimension.examples):
                value = derived(str(example)).get(key)
                if key == "aws:principalarn" and ":assumed-role/" in str(example):
                    value = None  # its role may have a path
                possible = dimension.all
                if value is not None:
                    possible = (dimension.find(value) if isinstance(value, str) else dimension.missing) or possible
                    possible |= dimension.missing if key == "kms:calleraccount" else 0  # only requests to KMS have it
                same = sum(1 << at for at, origin in enumerate(self._origin) if origin == number)
                callers[possible] = callers.get(possible, 0) | same
            for possible, same in callers.items():
                if dimension.all & ~possible:
                    yield same, place, dimension.all & ~possible

    def _judge(self, clause: Principals, effect: str) -> _Judged:
        everyone = self._texts.dimension.all
        if clause.negated:
            applies, unknown = self._judge_negated(clause)
            return _Judged((applies, 0, 0), unknown)
        levels, unknown = [0, 0, 0], 0
        for entry in clause.entries:
            granted = grants(*entry)
            if granted is None:
                unknown = everyone
                continue
            for glob, level in granted:
                levels[level if effect == "Allow" else NOTHING] |= self._texts.matching(glob)
            for glob in _also(*entry):
                if effect == "Allow":
                    levels[LIMITS] |= self._texts.matching(glob)
                else:
                    unknown |= self._texts.matching(glob)
        levels[LIMITS] &= ~levels[NOTHING]
        levels[POLICIES] &= ~(levels[NOTHING] | levels[LIMITS])
        return _Judged((levels[0], levels[1], levels[2]), unknown & ~levels[NOTHING])

    def _judge_negated(self, clause: Principals) -> tuple[int, int]:
        """The classes that NotPrincipal applies to, and where that is unknown (iam.principals.applies, for sets)."""
        everyone = self._texts.dimension.all
        aws = sum({1 << n for n, e in enumerate(self._texts.dimension.examples) if str(e).startswith("AWS:")})
        named = named_unknown = account = 0
        for entry in clause.entries:
            globs = patterns(*entry)
            matched = _union(self._texts.matching(glob) for glob in globs or ())
            if is_account(*entry):
                account |= matched
            else:
                named |= matched
                named_unknown |= everyone if globs is None else _union(map(self._texts.matching, _also(*entry)))
        named_unknown &= ~named
        whole = everyone if any(value == "*" and kind in ("*", "AWS") for kind, value in clause.entries) else 0
        applies = everyone & ~named & ~named_unknown & ~account
        exempt = named & (account | whole | (everyone & ~aws))
        return applies, everyone & ~applies & ~exempt


def _union(sets: Iterable[int]) -> int:
    """The union of sets of classes."""
    found = 0
    for classes in sets:
        found |= classes
    return found


def _also(kind: str, value: str) -> tuple[Glob, ...]:
    sessions = federated(kind, value)
    return () if sessions is None else (sessions,)


def _level(found: _Judged, number: int) -> int | None:
    return next((level for level, classes in enumerate(found.levels) if classes >> number & 1), None)


def _groups(levels: Sequence[int | None]) -> list[tuple[int, int]]:
    """The spans of own policies that the levels tell apart: the weakest and the strongest of each."""
    starts = sorted({NOTHING, *(level for level in levels if level is not None)})
    return list(zip(starts, [*(start - 1 for start in starts[1:]), POLICIES], strict=True))


def _cuts(key: str, conditions: Sequence[Condition]) -> list[Glob] | None:
    """Globs of principals, cut by which each principal decides the conditions on a key that follows from it.

    None where that cannot be told from the principal alone.
    """
    found: list[Glob] = []
    for condition in conditions:
        for glob in condition.values if condition.kind != "null" else ():
            cuts = _cut(key, condition.kind or "", glob)
            if cuts is None or glob.has_variables:
                return None
            found += cuts
    return found


_IN_FIELD: dict[Part, Part] = {Wild.STAR: Wild.FIELD_STAR, Wild.ANY: Wild.FIELD_ANY}


def _cut(key: str, kind: str, glob: Glob) -> list[Glob] | None:
    if key in ("aws:principaltype", "aws:principalisawsservice"):
        return []  # they follow from the form alone
    if key == "aws:principalarn" and kind == "arn":
        return None if arn_segments(glob.parts) is None else [Glob(glob.text, ("AWS:", *arn_parts(glob)))]
    if kind not in ("eq", "like"):
        return None
    if key == "aws:principalarn":
        return [Glob(glob.text, ("AWS:", *glob.parts))]
    if key == "aws:principalservicename":
        return [Glob(glob.text, ("Service:", *glob.parts))]
    if key in ("aws:principalaccount", "kms:calleraccount"):
        account = tuple(_IN_FIELD.get(part, part) for part in glob.parts)
        return [Glob(glob.text, ("AWS:arn:", Wild.FIELD_STAR, f":{s}::", *account, ":", Wild.STAR)) for s in _SERVICES]
    if key == "aws:username" and glob.is_literal:
        start: tuple[Part, ...] = ("AWS:arn:", Wild.FIELD_STAR, ":iam::", Wild.FIELD_STAR, ":user/")
        name = "".join(map(str, glob.parts))
        return [Glob(glob.text, (*start, name)), Glob(glob.text, (*start, Wild.STAR, f"/{name}"))]
    return None


_SERVICES = ("iam", "sts")


def consistent(principal: str | None, values: Mapping[str, object]) -> bool:
    """Whether the keys (in lower case) that follow from a caller agree with the principal, or with one another."""
    kind = canonical(principal) if principal is not None else "AWS:"
    if not kind.startswith(("AWS:", ANONYMOUS)) and not _OF_IDENTITIES.isdisjoint(values):
        return False
    follows: dict[str, object] = dict(derived(kind))
    arn = values.get("aws:principalarn")
    if not follows and isinstance(arn, str):
        follows = dict(derived(canonical(arn)))
    if not follows and "aws:username" in values:
        follows = {"aws:principaltype": "User"}
    if isinstance(arn, str) and ":assumed-role/" in (principal or ""):
        start, _, name = str(follows.pop("aws:principalarn")).partition(":role/")
        if not arn.startswith(f"{start}:role/") or arn.rpartition("/")[2] != name:
            return False
    if any(key in values and values[key] != value for key, value in follows.items()):
        return False
    identifier, form = values.get("aws:userid"), _USER_IDS.get(str({**values, **follows}.get("aws:principaltype")))
    return not isinstance(identifier, str) or form is None or form.fullmatch(identifier) is not None
