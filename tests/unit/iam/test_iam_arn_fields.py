"""Wildcards in the first five fields of a Resource: whether they cross colons is not known, so nothing rests on it."""

import itertools
import random
import re
from functools import lru_cache
from typing import Any

import pytest

from iam import Request, compare, decide, parse
from tests.unit.iam.policies import REPOSITORY, allow, deny, policy

READINGS = ("no wildcard crosses", "a star that closes its field crosses", "all wildcards cross")
GROUP = "arn:aws:logs:us-x-1:1:log-group:a"
LONG = "arn:aws:logs:us-x:999999999999:log-group:y-1:1:log-group:a"  # of another account


@lru_cache(maxsize=4096)
def expression(pattern: str, reading: str) -> re.Pattern[str]:
    """A pattern as one reading has it, written from the documentation and without the code under test."""
    found, colons = "", 0
    for at, character in enumerate(pattern):
        last, closing = at == len(pattern) - 1, pattern[at + 1 : at + 2] == ":"
        crosses = colons >= 5 or reading == READINGS[2] or (character == "*" and last)
        crosses = crosses or (character == "*" and closing and reading == READINGS[1])
        colons += character == ":"
        anything = "." if crosses else "[^:]"
        found += {"*": f"{anything}*", "?": anything}.get(character, re.escape(character))
    return re.compile(found, re.DOTALL)


def allowed(document: dict[str, Any], resource: str, reading: str) -> bool:
    """Whether Resource and NotResource of a document allow a resource."""
    effects = set()
    for statement in document["Statement"]:
        element = "Resource" if "Resource" in statement else "NotResource"
        matches = any(expression(pattern, reading).fullmatch(resource) for pattern in statement[element])
        if matches == (element == "Resource"):
            effects.add(statement["Effect"])
    return effects == {"Allow"}


@pytest.mark.parametrize(
    ("pattern", "resource", "matches"),
    [
        ("arn:aws:logs:us-*-1:1:log-group:a", GROUP, True),
        ("arn:aws:logs:us-*-1:1:log-group:a", LONG, None),
        ("arn:aws:logs:us-*-1:1:log-group:a", "arn:aws:logs:eu-x:999999999999:log-group:y-1:1:log-group:a", False),
        ("arn:aws:logs:us-*-1:1:log-group:?", LONG + "b", False),
        ("arn:aws:logs:us-*:1:log-group:a", GROUP, True),
        ("arn:aws:logs:us-*:1:log-group:a", LONG, None),
        ("arn:aws:logs:us-x?1:1:log-group:a", GROUP, True),
        ("arn:aws:logs:us-x?1:1:log-group:a", "arn:aws:logs:us-x:1:1:log-group:a", None),
        ("arn:*:logs:us-x-1:1:log-group:a", "arn:aws:x:logs:us-x-1:1:log-group:a", None),
        ("arn:aws:ecr:*:123456789012:repository/app-one", REPOSITORY, True),
        ("arn:aws:ecr:*:123456789012:repository/app-one", REPOSITORY + "/x", False),
        ("arn:aws:ecr:*", REPOSITORY, True),
        ("arn:aws:ecr:us-*", REPOSITORY, True),
        ("arn:aws:s3:::*", "arn:aws:s3:::b/a:b:c", True),
        ("arn:*", LONG, True),
        ("*", LONG, True),
        ("arn:aws:logs:*:*:*", LONG, True),
        ("arn:aws:logs:us-x-1:1:*:a", GROUP + ":b:a", True),
        ("arn:aws:logs:us-x-1:1:log?group:a", "arn:aws:logs:us-x-1:1:log:group:a", True),
        ("arn:aws:logs:*:1:*", LONG, None),
        ("arn:aws:l?gs*", LONG, True),
    ],
)
def test_a_match_is_claimed_only_where_all_readings_agree(pattern: str, resource: str, matches: bool | None) -> None:
    effects = {True: ("allow", "implicit_deny"), False: ("implicit_deny", "allow"), None: ("unknown", "unknown")}
    found = [
        decide([policy(allow(resource=resource_, NotResource=not_))], Request("s3:GetObject", resource)).effect
        for resource_, not_ in ((pattern, None), (None, pattern))
    ]
    assert tuple(found) == effects[matches]


@pytest.mark.parametrize(
    ("value", "resource", "found"),
    [
        ("1", GROUP, "allow"),
        ("2", GROUP, "implicit_deny"),
        ("1:log-group", "arn:aws:logs:us-x-1:1:log-group:log-group:a", "unknown"),
        ("9:y-1:1", "arn:aws:logs:us-x:9:y-1:1:log-group:a", "unknown"),
    ],
)
def test_a_value_with_a_colon_in_the_first_fields_is_unknown(value: str, resource: str, found: str) -> None:
    by_account = policy(allow(resource="arn:aws:logs:us-*:${aws:PrincipalTag/t}:log-group:a"))
    assert decide([by_account], Request("s3:GetObject", resource, None, {"aws:PrincipalTag/t": value})).effect == found


A = "arn:aws:logs:us-*-1:1:log-group:a"
ANY_REGION = "arn:aws:logs:*:1:log-group:a"
ANY = "arn:aws:ecr:*:1:r"


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ([allow(resource=[A, LONG])], [allow(resource=A)], "unknown"),
        ([allow(resource=A)], [allow(resource=[A, LONG])], "unknown"),
        ([allow(), deny(resource=A)], [allow(), deny(resource=[A, LONG])], "unknown"),
        ([allow(), deny(resource=[A, LONG])], [allow(), deny(resource=A)], "unknown"),
        ([allow(resource=None, NotResource=A)], [allow(resource=None, NotResource=[A, LONG])], "unknown"),
        ([allow(resource=LONG)], [allow(resource=LONG), deny(resource=ANY_REGION)], "unknown"),
        ([allow(resource=["arn:aws:ecr:a*:1:r", "arn:aws:ecr:*b:1:r"])], [allow(resource=ANY)], "broadened"),
        # A star that closes its field may cross where one within a field does not.
        ([allow(resource=ANY)], [allow(resource=["arn:aws:ecr:?*:1:r", "arn:aws:ecr::1:r"])], "unknown"),
        ([allow(resource="arn:aws:ecr:a*:1:r")], [allow(resource=ANY)], "broadened"),
        ([allow(resource="arn:aws:ecr:*:1:r/a")], [allow(resource="arn:aws:ecr:*:1:r/*")], "broadened"),
        ([allow(resource="arn:aws:ecr:*:1:r/*")], [allow(resource="arn:aws:ecr:us-x-1:1:r/*")], "narrowed"),
        ([allow(resource="arn:aws:ecr:*")], [allow(resource="arn:aws:ecr:*:1:r/*")], "narrowed"),
        ([allow(resource=A)], [allow(resource=ANY_REGION)], "broadened"),
        ([allow(), deny(resource=A)], [allow(), deny(resource=ANY_REGION)], "narrowed"),
        ([allow(resource=A)], [allow(resource=[A, "arn:aws:logs:us-q-1:1:log-group:a"])], "equal"),
    ],
)  # fmt: skip
def test_a_verdict_holds_by_every_reading(old: list[dict[str, Any]], new: list[dict[str, Any]], verdict: str) -> None:
    assert compare(policy(*old), policy(*new)).verdict == verdict


PIECES = ("", "a", "b", "ab")
TEXTS = ["arn:aws:" + ":".join(p) for n in (4, 5, 6) for p in itertools.product(PIECES[: 7 - n + 1], repeat=n)]
FIELDS = ("a", "b", "", "*", "?", "a*", "*b", "a*b", "?*")
LAST = ("a", "*", "a*", "*:b", "b:a", "?b")


def pattern(draw: random.Random) -> str:
    kind = draw.random()
    if kind < 0.1:
        return draw.choice(("*", "arn:*", "arn:aws:a*", "arn:aws:*b*", "arn:aws:a:*"))
    if kind < 0.3:
        return draw.choice(TEXTS)
    return "arn:aws:" + ":".join([*(draw.choice(FIELDS) for _ in range(3)), draw.choice(LAST)])


def whole(draw: random.Random) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [statement(draw) for _ in range(draw.choice((1, 1, 2, 3)))]}


def statement(draw: random.Random) -> dict[str, Any]:
    element = draw.choice(("Resource", "Resource", "Resource", "NotResource"))
    effect = draw.choice(("Allow", "Allow", "Deny"))
    return {"Effect": effect, "Action": "s3:GetObject", element: [pattern(draw) for _ in range(draw.choice((1, 1, 2)))]}


def related(draw: random.Random, old: dict[str, Any]) -> dict[str, Any]:
    """The document with one more pattern, or a statement replaced."""
    statements = [dict(s) for s in old["Statement"]]
    changed = statements[-1]
    element = "Resource" if "Resource" in changed else "NotResource"
    if draw.random() < 0.5:
        changed[element] = [*changed[element], pattern(draw)]
    else:
        statements[-1] = statement(draw)
    return {**old, "Statement": statements}


def test_decisions_are_those_that_every_reading_shares() -> None:
    draw = random.Random(5)  # noqa: S311 - repeatable test data, no secret
    found: set[str] = set()
    for _ in range(40):
        wanted = pattern(draw)
        document = {"Version": "2012-10-17", "Statement": [allow(resource=[wanted])]}
        parsed = parse(document)
        for text in draw.sample(TEXTS, 200):
            answers = {allowed(document, text, reading) for reading in READINGS}
            expected = "unknown" if len(answers) == 2 else "allow" if answers == {True} else "implicit_deny"
            effect = decide([parsed], Request("s3:GetObject", text)).effect
            assert effect == expected, (wanted, text)
            found.add(effect)
    assert found == {"allow", "implicit_deny", "unknown"}


@pytest.mark.parametrize("seed", range(4))
def test_verdicts_hold_by_every_reading_on_every_arn_of_a_small_world(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - repeatable test data, no secret
    verdicts: set[str] = set()
    for _ in range(60):
        old = whole(draw)
        new = related(draw, old) if draw.random() < 0.7 else whole(draw)
        found = compare(parse(old), parse(new))
        verdicts.add(found.verdict)
        shown = [r.resource for r in (*found.newly_allowed, *found.newly_refused)]
        for reading in READINGS:
            before, after = ({t for t in (*TEXTS, *shown) if allowed(d, t, reading)} for d in (old, new))
            assert not (found.allows_nothing_new and after - before), (old, new, reading, min(after - before))
            assert not (found.refuses_nothing_new and before - after), (old, new, reading, min(before - after))
            assert all(r.resource in after - before for r in found.newly_allowed), (old, new, reading)
            assert all(r.resource in before - after for r in found.newly_refused), (old, new, reading)
    assert verdicts == {"equal", "broadened", "narrowed", "both", "unknown"}
