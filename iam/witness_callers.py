"""Finds callers within a box of a space, and values of the condition keys of their requests."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from iam.callers import OWN, TIED, Derived, consistent, derived, is_valid
from iam.dimensions import Dimension
from iam.key_types import ACCOUNTS
from iam.model import OwnPolicies, Policy, Statement
from iam.patterns import filled
from iam.principals import canonical, is_account
from iam.space import Box, Space
from iam.variables import Values

_MOST_CANDIDATES = 60
_USER_IDS = ("AIDAEXAMPLEEXAMPLE01", "AROAEXAMPLEEXAMPLE01:session")
Caller = tuple[str | None, OwnPolicies | None, dict[str, str | tuple[str, ...]]]


def likely_callers(
    space: Space, box: Box, statement: Statement, policies: Sequence[Policy], context: Values
) -> Iterator[Caller]:
    """Callers in the box, with the values of the condition keys that requests of theirs have.

    First those of whom it is known that every clause speaks of them as wanted.
    """
    tied = {key: space.places[key] for key in space.places if key in TIED and key not in context}
    named = any(s.principals is not None for policy in policies for s in policy.statements)
    doubtful: list[Caller] = []
    candidates = dict.fromkeys(_candidates(space, box, statement, policies, context)) if space.callers or tied else ()
    for candidate in islice(candidates, _MOST_CANDIDATES):
        follows = derived(canonical(candidate))
        if any(key in follows and not _fits(follows[key], place, dim, box) for key, (place, dim) in tied.items()):
            continue
        if any(key in follows and follows[key] != (() if v is None else v) for key, v in context.items()):
            continue
        values = _values(space, box, context, follows, candidate)
        for own in OWN if space.callers else OWN[:1]:
            classes = space.callers.find(candidate, own) if space.callers else box[0]
            if values is None or not classes & box[0]:
                continue
            caller: Caller = (candidate if named else None, own, values)
            if classes & ~box[0]:
                doubtful.append(caller)
            else:
                yield caller
    yield from doubtful
    free = None if named else _values(space, box, context, {}, None)
    if free is not None:
        yield None, None, free


def _is_name(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_+=,.@-]+", text) is not None


def _fits(value: str | tuple[()], place: int, dimension: Dimension, box: Box) -> bool:
    classes = dimension.find(value) if isinstance(value, str) else dimension.missing
    return classes & box[place] != 0


def _candidates(
    space: Space, box: Box, statement: Statement, policies: Sequence[Policy], context: Values
) -> Iterator[str]:
    """Principals to try, those that the statement names first; each is of a form that AWS could see."""
    entries = list(statement.principals.entries) if statement.principals and not statement.principals.negated else []
    entries += [e for policy in policies for s in policy.statements if s.principals for e in s.principals.entries]
    for kind, value in dict.fromkeys(entries):
        if kind != "*" and value != "*" and not is_account(kind, value):
            yield _short(f"{kind}:{value}")
    conditions = [c for policy in policies for s in policy.statements for c in s.conditions]
    texts = [glob for condition in conditions if condition.key in TIED for glob in condition.values]
    arns = [text for text in (filled(glob.parts) for glob in texts) if text.startswith("arn:")]
    yield from (arn for arn in arns if is_valid(canonical(arn)))
    if space.callers:
        yield from (_short(canonical(e)) for e in space.dimensions[0].shown(box[0]) if is_valid(canonical(e)))
    named = [canonical(value).split(":")[5] for kind, value in entries if is_account(kind, value)]
    literals = [g.text for g in texts if g.is_literal]
    accounts = dict.fromkeys((*named, *(t for t in literals if re.fullmatch("[0-9]{12}", t)), *ACCOUNTS[:2]))
    bound = context.get("aws:username")
    names = dict.fromkeys((*([bound] if bound else []), "example", *(t for t in literals if _is_name(t))))
    for account in accounts:
        for name in names:
            yield f"arn:aws:iam::{account}:user/{name}"
        yield f"arn:aws:iam::{account}:role/example"
        yield f"arn:aws:iam::{account}:root"
        yield f"arn:aws:sts::{account}:federated-user/example"
    yield from ("ec2.amazonaws.com", "*")


def _values(
    space: Space, box: Box, context: Values, follows: Derived, who: str | None
) -> dict[str, str | tuple[str, ...]] | None:
    """A value for each condition key; None if one has no value that a request could carry."""
    values: dict[str, str | tuple[str, ...]] = {key: value for key, value in context.items() if value is not None}
    for key, (place, dimension) in space.places.items():
        if key in context:
            continue
        if key in follows:
            if follows[key] != ():
                values[dimension.name] = follows[key]
            continue
        classes = box[place]
        found = [e for at, e in enumerate(dimension.examples) if classes >> at & 1 and e is not None]
        if key == "aws:userid":
            usual = [text for text in _USER_IDS if dimension.find(text) & classes]
            found = [e for e in (*usual, *found) if e == () or consistent(who, {**follows, key: e})]
        if not found:
            return None
        if () not in found:  # a key that may be missing is left out
            values[dimension.name] = min(found, key=lambda example: (isinstance(example, tuple), example == ""))
    return values


def _short(typed: str) -> str:
    """A principal without its type, where the form says which type it is."""
    plain = typed.partition(":")[2]
    return plain if plain and canonical(plain) == canonical(typed) else typed
