"""Small worlds: pairs of small policies from a seed, each with all requests of its world, where random ones are sparse.

The tests draw some; `python -m benchmarks.iam_worlds` draws many.
"""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from iam import Request
from iam.callers import OWN, derived
from iam.principals import canonical
from tests.unit.iam.soundness import check_pair

Document = dict[str, Any]
Case = tuple[Document, Document, list[Request], bool]  # old, new, requests, whether `check_pair` is strict

VALUES = ("a", "A", "b", "ab", "a*", "", "5", "true", "arn:aws:s3:::a", "10.0.0.1", "2024-01-01")
WANTED = (
    *VALUES,
    "*",
    "?",
    "?*",
    "*a*",
    "A*",
    "${aws:username}",
    "${aws:username}*",
    "*${aws:username}",
    "${aws:username, 'a'}",
    "${aws:username, 'b'}",
    "${aws:username}${aws:username, 'a'}",
    "${bad",
    "${*}",
    "5.0",
    "4",
    "False",
    "arn:aws:s3:::*",
    "arn:aws:s3:::${aws:username}",
    "arn:*:s3:::?",
    "arn:aws:*",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "::/0",
    "2024-01-01T00:00:00Z",
    "QQ==",
)
STRINGS = tuple(value for value in WANTED if value != "${bad" and ":" not in value.replace("aws:username", ""))
BASES = (
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnLike",
    "ArnNotEquals",
    "Frob",
)
SINGLES: tuple[Any, ...] = (None, *VALUES)
SEVERAL: tuple[Any, ...] = (["a"], ["a", "b"], ["A", "a"], ["", "a"], [""], ["5", "true"], ["b", "ab"])
NAMES = (None, "a", "A", "b", "", "*")
KEY = "aws:RequestTag/k"


def contexts(key: str = KEY) -> list[Document]:
    found = []
    for value, name in itertools.product((*SINGLES, *SEVERAL), NAMES):
        pairs = ((key, value), ("aws:username", name))
        found.append({k: v for k, v in pairs if v is not None})
    return found


def condition(draw: random.Random) -> Document:
    """One or two operators on one key, mostly of one kind."""
    found: Document = {}
    for _ in range(draw.choice((1, 1, 2))):
        operator = draw.choice(BASES[:6] if draw.random() < 0.8 else BASES)
        operator = (
            draw.choice(("", "", "", "ForAnyValue:", "ForAllValues:"))
            + operator
            + draw.choice(("", "", "", "IfExists"))
        )
        if draw.random() < 0.1:
            found["Null"] = {KEY: draw.choice(("true", "false"))}
            continue
        wanted = STRINGS if operator in BASES[:6] else WANTED
        found[operator] = {KEY: [draw.choice(wanted) for _ in range(draw.choice((1, 1, 2)))]}
    return found


def related(draw: random.Random, found: Document) -> Document:
    """A condition that differs a little: another operator on the same values, or more values under the same."""
    if draw.random() < 0.3:
        return condition(draw)
    changed: Document = {}
    for operator, keys in found.items():
        values = keys[KEY]
        if operator != "Null" and draw.random() < 0.5:
            changed[draw.choice(BASES[:6])] = {KEY: values}
        elif operator != "Null":
            changed[operator] = {KEY: [*values, draw.choice(STRINGS if operator in BASES[:6] else WANTED)]}
        else:
            changed[operator] = keys
    return changed


def document(*statements: Document) -> Document:
    version = "2012-10-17"
    return {"Version": version, "Statement": [{"Action": "s3:GetObject", "Resource": "*", **s} for s in statements]}


def conditions(seed: int) -> Iterator[Case]:
    """Policies that differ in conditions on one key, and every value of it."""
    draw = random.Random(seed)  # noqa: S311 - repeatable test data, no secret
    requests = [Request("s3:GetObject", "arn:aws:s3:::b/x", None, context) for context in contexts()]
    while True:
        first = condition(draw)
        second = related(draw, first)
        old = document({"Effect": "Allow", "Condition": first})
        new = document({"Effect": "Allow", "Condition": second})
        if draw.random() < 0.3:
            old = document({"Effect": "Allow"}, {"Effect": "Deny", "Condition": first})
        if draw.random() < 0.3:
            new = document({"Effect": "Allow"}, {"Effect": "Deny", "Condition": second})
        yield old, new, requests, False


RESOURCES = (
    "*",
    "a*",
    "*a",
    "?",
    "a",
    "ab",
    "${aws:username}",
    "${aws:username}*",
    "*${aws:username}",
    "a${aws:username}",
    "${aws:username, 'a'}",
    "${aws:username, 'b'}*",
    "${aws:username}${aws:username}",
    "${aws:username}${aws:username, 'a'}",
    "${bad",
    "${*}",
    "?${aws:username}",
    "${aws:userid}",
    "${aws:userid, 'a'}",
)
TEXTS = ("a", "b", "aa", "ab", "ba", "bb", "aab", "abb", "*", "a*", "x", "abab")


def resources(seed: int) -> Iterator[Case]:
    """Policies that differ in resources with wildcards and variables, and every text and caller of a few names."""
    draw = random.Random(seed)  # noqa: S311 - repeatable test data, no secret
    requests = [
        Request(
            "s3:GetObject",
            text,
            None,
            {k: v for k, v in (("aws:username", name), ("aws:userid", uid)) if v is not None},
        )
        for text, name, uid in itertools.product(TEXTS, (None, "a", "b", "", "ab"), (None, "a", "b"))
    ]

    def statement() -> Document:
        element = draw.choice(("Resource", "Resource", "Resource", "NotResource"))
        values = [draw.choice(RESOURCES) for _ in range(draw.choice((1, 1, 2, 3)))]
        return {"Effect": draw.choice(("Allow", "Allow", "Deny")), "Action": "s3:GetObject", element: values}

    def whole() -> Document:
        return {"Version": "2012-10-17", "Statement": [statement() for _ in range(draw.choice((1, 2, 2, 3)))]}

    while True:
        old = whole()
        new = {**old, "Statement": [*old["Statement"][1:], statement()]} if draw.random() < 0.5 else whole()
        yield old, new, requests, True


PRINCIPALS: tuple[Any, ...] = (
    "*",
    {"AWS": "*"},
    {"AWS": "123456789012"},
    {"AWS": "arn:aws:iam::123456789012:root"},
    {"AWS": "arn:aws:iam::123456789012:user/a"},
    {"AWS": "arn:aws:iam::123456789012:role/a"},
    {"AWS": "arn:aws:iam::123456789012:role/p/c"},  # names of roles are unique in an account, whatever their path
    {"Service": "ec2.amazonaws.com"},
    {"AWS": "arn:aws:sts::123456789012:assumed-role/a/s"},
    {"AWS": "arn:aws:iam::123456789012:*"},
    {"Service": "*"},
    {"AWS": ["arn:aws:iam::123456789012:user/a", "123456789012"]},
    {"Federated": "accounts.google.com", "AWS": "210987654321"},
)
CALLERS = (
    None,
    "*",
    "123456789012",
    "arn:aws:iam::123456789012:user/a",
    "arn:aws:iam::123456789012:user/b",
    "arn:aws:iam::123456789012:role/a",
    "arn:aws:sts::123456789012:assumed-role/a/s",
    "arn:aws:sts::123456789012:assumed-role/a/t",
    "arn:aws:sts::123456789012:assumed-role/c/t",
    "arn:aws:iam::210987654321:user/a",
    "ec2.amazonaws.com",
    "Federated:ec2.amazonaws.com",
    "accounts.google.com",
    "AIDAEXAMPLE",
)


def principals(seed: int) -> Iterator[Case]:
    """Policies that differ in who they name, and callers of every kind."""
    draw = random.Random(seed)  # noqa: S311 - repeatable test data, no secret
    requests = [Request("s3:GetObject", "arn:aws:s3:::b/x", caller, {}, own) for caller in CALLERS for own in OWN]

    def statement() -> Document:
        element = draw.choice(("Principal", "Principal", "NotPrincipal"))
        return {"Effect": draw.choice(("Allow", "Allow", "Deny")), element: draw.choice(PRINCIPALS)}

    while True:
        old, new = (document(*(statement() for _ in range(draw.choice((1, 2, 3))))) for _ in range(2))
        yield old, new, requests, False


KEYS: dict[str, tuple[Any, ...]] = {
    "aws:PrincipalArn": (
        "arn:aws:iam::123456789012:role/a",
        "arn:aws:iam::123456789012:user/*",
        "arn:aws:iam::*:user/a",
        "arn:aws:iam::210987654321:root",
        "arn:*:iam::123456789012:*",
        "arn:aws:iam::?23456789012:role/p/*",
    ),
    "aws:PrincipalAccount": ("123456789012", "210987654321", "1*", "anonymous", "?23456789012"),
    "aws:username": ("a", "b", "*"),
    "aws:PrincipalType": ("User", "AssumedRole", "Account", "*"),
}
NAMED: tuple[Any, ...] = (*PRINCIPALS[:9], PRINCIPALS[11])
KNOWN = (
    "arn:aws:iam::123456789012:user/a",
    "arn:aws:iam::123456789012:user/p/a",
    "arn:aws:iam::123456789012:user/b",
    "arn:aws:iam::123456789012:role/a",
    "arn:aws:iam::123456789012:role/p/c",
    "arn:aws:iam::123456789012:role/b",
    "arn:aws:iam::123456789012:root",
    "arn:aws:sts::123456789012:assumed-role/a/s",
    "arn:aws:sts::123456789012:assumed-role/b/t",
    "arn:aws:sts::123456789012:federated-user/a",
    "arn:aws:iam::210987654321:user/a",
    "arn:aws:iam::210987654321:role/a",
    "arn:aws:iam::210987654321:root",
    "ec2.amazonaws.com",
    "*",
)


def callers(seed: int) -> Iterator[Case]:
    """Policies that say who may call by Principal and by keys that follow from it, and callers with what follows."""
    draw = random.Random(seed)  # noqa: S311 - repeatable test data, no secret
    requests = [
        Request("s3:GetObject", "arn:aws:s3:::b/x", caller, context, own)
        for caller in KNOWN
        for own in OWN[1:]
        for context in [{key: value for key, value in derived(canonical(caller)).items() if isinstance(value, str)}]
    ]

    def statement(named: bool) -> Document:
        found: Document = {"Effect": draw.choice(("Allow", "Allow", "Deny"))}
        if named:
            found["Principal"] = draw.choice(NAMED)
        for key in draw.sample(list(KEYS), draw.choice((0, 1, 1, 2))):
            operators: tuple[str, ...] = ("StringEquals", "StringLike", "StringNotLike", "StringNotEquals")
            operators += ("ArnLike", "ArnNotLike") if key == "aws:PrincipalArn" else ()
            operator = draw.choice((*operators, "StringLikeIfExists", "Null"))
            value = draw.choice(("true", "false")) if operator == "Null" else draw.choice(KEYS[key])
            found.setdefault("Condition", {}).setdefault(operator, {})[key] = value
        return found

    while True:
        named = draw.random() < 0.7
        old = document(*(statement(named) for _ in range(draw.choice((1, 1, 2)))))
        new = document(*(statement(named) for _ in range(draw.choice((1, 1, 2)))))
        if draw.random() < 0.5:
            new = {**old, "Statement": [*old["Statement"][1:], *new["Statement"]]}
        yield old, new, requests, False


WORLDS: dict[str, Callable[[int], Iterator[Case]]] = {
    "conditions": conditions,
    "resources": resources,
    "principals": principals,
    "callers": callers,
}


def search(world: str, seed: int, pairs: int) -> Counter[str]:
    """Hold so many pairs of a world against all its requests; gives their verdicts. Raises UnsoundError."""
    cases = itertools.islice(WORLDS[world](seed), pairs)
    return Counter(check_pair(old, new, requests, strict=strict).verdict for old, new, requests, strict in cases)
