"""Random pairs of policies of adversarial shapes, and requests that lie where their patterns meet; all from a seed."""

import copy
import random
from typing import Any

from iam import Request
from iam.callers import derived
from iam.principals import canonical

ACTIONS = (
    "*",
    "*:*",
    "s3:*",
    "s3:Get*",
    "S3:GETOBJECT",
    "s3:GetObject",
    "s3:?etObject",
    "s3:*Object",
    "s3:*e*t*",
    "s3:Put*",
    "ecr:*",
    "ecr:PutImage",
    "e*:*",
    "ecr:Put?mage",
    "iam:PassRole",
    "s3:*O*",
    "*:Put*",
    "s3:GetObject*",
    "s3:G*t",
    "nosuch:Thing",
)
RESOURCES: tuple[str, ...] = (
    "*",
    "arn:*",
    "arn:aws:s3:::b",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::b/a*",
    "arn:aws:s3:::?/*",
    "arn:aws:s3:::b/*/x",
    "arn:aws:s3:::b/a/x",
    "arn:aws:s3:::b*",
    "arn:aws:s3:::b/*x*",
    "arn:aws:s3:::*/a",
    "arn:aws:s3:::b/${aws:username}/*",
    "arn:aws:s3:::b/${aws:username}",
    "arn:aws:s3:::b/${aws:username}/x",
    "arn:aws:s3:::b/${aws:username, 'a'}/*",
    "arn:aws:s3:::b/${*}",
    "arn:aws:s3:::b/${aws:PrincipalTag/t}/*",
    "arn:aws:ecr:*:123456789012:repository/*",
    "arn:aws:ecr:us-east-2:123456789012:repository/a",
)
# Wildcards before the fifth colon, and ARNs with colons enough for them to cross; half of the pairs are drawn here.
FIELD_RESOURCES: tuple[str, ...] = (
    "*",
    "arn:*",
    "arn:aws:logs:*",
    "arn:aws:logs:us-*",
    "arn:aws:logs:us-?*",
    "arn:aws:logs:*:1:g:a",
    "arn:aws:logs:us-*:1:g:a",
    "arn:aws:logs:us-*-1:1:g:a",
    "arn:aws:logs:us-?-1:1:g:*",
    "arn:aws:logs:us-x-1:*:g:a",
    "arn:aws:logs:*:*:g:*",
    "arn:aws:*:*:*:g:a*",
    "arn:*:logs:us-x-1:1:g:*",
    "arn:*:*-1:1:g:a",
    "arn:aws:logs:*:?:g:a:b",
    "arn:aws:logs:us-x-1:1:g:a",
    "arn:aws:logs:us-x-1:1:*:a",
    "arn:aws:logs:us-x:9:y-1:1:g:a",
    "arn:aws:logs:us-:-1:1:g:a",
    "arn:aws:logs:us-*-1:${aws:username}:g:a",
    "arn:aws:logs:us-x-1:${aws:username}:g:*",
    "arn:aws:logs:*:1:g:${aws:username}",
)
FIELD_REQUEST_RESOURCES = (
    "arn:aws:logs:us-x-1:1:g:a",
    "arn:aws:logs:us-x-1:2:g:a",
    "arn:aws:logs:us-x-1:1:g:b",
    "arn:aws:logs:us-y-1:bob:g:a",
    "arn:aws:logs:us-x-1:1:g:a:b",
    "arn:aws:logs:eu-x-1:1:g:a:a",
    "arn:aws-cn:logs:us-x-1:1:g:a",
    "arn:aws:logs:us-x:9:y-1:1:g:a",
    "arn:aws:logs:us-:-1:1:g:a",
    "arn:aws:logs:us-x-1:9:1:g:a",
    "arn:aws:logs:us-x-1:9:1:g:bob",
    "arn:aws:logs:us-:y:-1:bob:g:a",
    "arn:aws:x:logs:us-x-1:1:g:z",
    "arn:aws:logs:::1:g:a",
    "arn:aws:logs:9:1:1:g:a:b",
)
REQUEST_ACTIONS = (
    "s3:GetObject",
    "s3:PutObject",
    "ecr:PutImage",
    "iam:PassRole",
    "s3:getobjectx",
    "nosuch:Thing",
    "s3:Get",
)
REQUEST_RESOURCES = (
    "arn:aws:s3:::b",
    "arn:aws:s3:::b/",
    "arn:aws:s3:::b/a",
    "arn:aws:s3:::b/a/x",
    "arn:aws:s3:::b/a/b/x",
    "arn:aws:s3:::c/a",
    "arn:aws:s3:::b/bob/x",
    "arn:aws:s3:::bb/a",
    "arn:aws:s3:::b/xx",
    "arn:aws:ecr:us-east-2:123456789012:repository/a",
    "arn:aws:ecr:eu-west-1:123456789012:repository/b",
    "arn:aws:iam::123456789012:role/r",
    "arn:aws:s3:::b/bob",
    "arn:aws:s3:::b/*",
)
PRINCIPALS: tuple[Any, ...] = (
    "*",
    {"AWS": "*"},
    {"AWS": "123456789012"},
    {"AWS": "arn:aws:iam::123456789012:root"},
    {"AWS": "arn:aws:iam::123456789012:user/bob"},
    {"AWS": ["arn:aws:iam::123456789012:role/r", "210987654321"]},
    {"Service": "ec2.amazonaws.com"},
    {"AWS": "arn:aws:iam::123456789012:role/r", "Service": ["ec2.amazonaws.com"]},
    {"AWS": "arn:aws:sts::123456789012:assumed-role/r/s"},
)
REQUEST_PRINCIPALS = (
    "arn:aws:iam::123456789012:user/bob",
    "arn:aws:iam::123456789012:user/eve",
    "arn:aws:sts::123456789012:assumed-role/r/s",
    "arn:aws:sts::123456789012:assumed-role/r/t",
    "arn:aws:iam::210987654321:user/bob",
    "ec2.amazonaws.com",
    "*",
)
# By key: operators and the values they are tried with. Keys of one kind, as real ones are, and one that mixes kinds.
CONDITIONS: dict[str, tuple[tuple[str, ...], tuple[Any, ...]]] = {
    "aws:PrincipalTag/t": (
        (
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "StringNotLike",
            "StringEqualsIgnoreCase",
            "StringLikeIfExists",
        ),
        ("a", "b", "A", "a*", "?", "*", "a*b", "${aws:username}", "${aws:username}*", ""),
    ),
    "aws:TagKeys": (
        (
            "ForAnyValue:StringEquals",
            "ForAllValues:StringEquals",
            "ForAnyValue:StringLike",
            "ForAllValues:StringNotEquals",
            "ForAnyValue:StringNotLike",
            "ForAllValues:StringLike",
        ),
        ("a", "b", "c*", "*", "a?"),
    ),
    "s3:max-keys": (
        (
            "NumericEquals",
            "NumericNotEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEqualsIfExists",
        ),
        ("1", "5", "5.0", "5.5", "10", 7),
    ),
    "aws:CurrentTime": (
        (
            "DateLessThan",
            "DateGreaterThan",
            "DateLessThanEquals",
            "DateEquals",
            "DateNotEquals",
            "DateGreaterThanEquals",
        ),
        ("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "1704067200", "2024-06-01T12:00:00Z"),
    ),
    "aws:SourceIp": (
        ("IpAddress", "NotIpAddress", "IpAddressIfExists"),
        ("10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "10.1.2.3", "0.0.0.0/0", "2001:db8::/32"),
    ),
    "aws:SecureTransport": (("Bool", "BoolIfExists", "Null"), ("true", "false", True)),
    "aws:SourceArn": (
        ("ArnLike", "ArnEquals", "ArnNotLike", "ArnLikeIfExists", "StringLike", "Null"),
        ("arn:aws:s3:::b", "arn:aws:s3:::*", "arn:*:s3:::b*", "arn:aws:*:*:*:*", "arn:aws:s3:*:*:b"),
    ),
    "aws:username": (("StringEquals", "StringNotEquals", "StringLike", "Null"), ("a", "bob", "b*", "true")),
    "mixed:key": (("StringEquals", "Bool", "NumericLessThan", "StringLike", "Frob"), ("true", "5", "*", "4")),
}
REQUEST_VALUES: dict[str, tuple[Any, ...]] = {
    "aws:PrincipalTag/t": ("a", "b", "A", "ab", "aXb", "bob", "zzz"),
    "aws:TagKeys": (["a"], ["b"], ["a", "b"], ["c1", "a"], ["z"], ["ab", "z"]),
    "s3:max-keys": ("0", "1", "5", "5.2", "5.5", "7", "10", "11"),
    "aws:CurrentTime": ("2023-12-31T23:59:59Z", "2024-01-01T00:00:00Z", "2024-07-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    "aws:SourceIp": ("10.1.2.3", "10.200.0.1", "192.0.2.1", "2001:db8::1"),
    "aws:SecureTransport": ("true", "false"),
    "aws:SourceArn": ("arn:aws:s3:::b", "arn:aws:s3:::bc", "arn:aws-cn:s3:::b", "arn:aws:sns:us-east-2:123456789012:t"),
    "aws:username": ("a", "bob", "x"),
    "mixed:key": ("true", "4", "5", "x"),
}
# The independent evaluator reads a wildcard in a request as one, seconds since 1970 as no date, /0 as one address, as
# plain text a wildcard in a resource's type and a variable before it, and it gives up on a NotResource of few fields.
NOT_PLAIN = (
    "1704067200",
    "0.0.0.0/0",
    "arn:aws:logs:us-x-1:1:*:a",
    "arn:aws:logs:us-*-1:${aws:username}:g:a",
    "arn:aws:logs:us-x-1:${aws:username}:g:*",
    "arn:aws:logs:*",
    "arn:aws:logs:us-*",
    "arn:aws:logs:us-?*",
)
Document = dict[str, Any]


class Pairs:
    """Draws pairs and requests. `plain` keeps to what independent evaluators and this project read in the same way."""

    def __init__(self, seed: int, *, plain: bool = False) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable test data, no secret
        self.plain = plain
        self.actions = tuple(a for a in ACTIONS if not (plain and "*" in a.partition(":")[0] and a != "*"))
        self.patterns = RESOURCES  # of the pair that is drawn
        # Nor does it take an IPv6 address for one that lies outside an IPv4 network.
        self.values = (
            REQUEST_VALUES | {"aws:SourceIp": ("10.1.2.3", "10.200.0.1", "192.0.2.1")} if plain else REQUEST_VALUES
        )
        self.conditions = (
            CONDITIONS
            if not plain
            else {
                key: (operators, tuple(value for value in values if value not in NOT_PLAIN))
                for key, (operators, values) in CONDITIONS.items()
                if key != "mixed:key"
            }
        )

    def pair(self) -> tuple[Document, Document]:
        """An old and a new document: mostly a changed copy, sometimes unrelated."""
        with_principal = self.random.random() < 0.2
        drawn = self.random.choice((RESOURCES, FIELD_RESOURCES))
        self.patterns = tuple(text for text in drawn if not (self.plain and text in NOT_PLAIN))
        old = self._document(with_principal)
        if self.random.random() < 0.2:
            return old, self._document(with_principal)
        new = copy.deepcopy(old)
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 3))):
            self._change(new["Statement"], with_principal)
        return (old, new) if self.random.random() < 0.5 else (new, old)

    def _document(self, with_principal: bool) -> Document:
        version = "2008-10-17" if not self.plain and self.random.random() < 0.05 else "2012-10-17"
        return {
            "Version": version,
            "Statement": [self._statement(with_principal) for _ in range(self.random.randint(1, 4))],
        }

    def _some(self, values: tuple[Any, ...], most: int = 3) -> Any:
        chosen = [self.random.choice(values) for _ in range(self.random.randint(1, most))]
        return chosen[0] if len(chosen) == 1 and self.random.random() < 0.5 else chosen

    def _statement(self, with_principal: bool) -> Document:
        statement: Document = {"Effect": "Deny" if self.random.random() < 0.3 else "Allow"}
        statement["NotAction" if self.random.random() < 0.15 else "Action"] = self._some(self.actions)
        statement["NotResource" if self.random.random() < 0.15 else "Resource"] = self._some(self.patterns)
        if with_principal:
            no = not self.plain and statement["Effect"] == "Deny" and self.random.random() < 0.3
            statement["NotPrincipal" if no else "Principal"] = copy.deepcopy(self.random.choice(PRINCIPALS))
        if self.random.random() < 0.4:
            statement["Condition"] = self._conditions()
        return statement

    def _conditions(self) -> Document:
        found: Document = {}
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3))):
            key = self.random.choice(tuple(self.conditions))
            operators, values = self.conditions[key]
            operator = self.random.choice(operators)
            if operator == "Null":
                values = ("true", "false")
            found.setdefault(operator, {})[key] = self._some(values, 2)
        return found

    def _change(self, statements: list[Document], with_principal: bool) -> None:
        statement = self.random.choice(statements)
        kind = self.random.randrange(9)
        if kind == 0:
            statements.append(self._statement(with_principal))
        elif kind == 1 and len(statements) > 1:
            statements.remove(statement)
        elif kind == 2:
            statement["Condition"] = self._conditions()
        elif kind == 3:
            statement.pop("Condition", None)
        elif kind == 4:
            self.random.shuffle(statements)
        elif kind == 5:
            statements.append(copy.deepcopy(statement))
        else:
            self._change_list(statement)

    def _change_list(self, statement: Document) -> None:
        element = self.random.choice([name for name in statement if name.removeprefix("Not") in ("Action", "Resource")])
        values = statement[element] if isinstance(statement[element], list) else [statement[element]]
        pool = self.actions if element.endswith("Action") else self.patterns
        kind = self.random.randrange(4)
        if kind == 0 and len(values) > 1:
            values = values[1:]
        elif kind == 1:
            values = [*values, self.random.choice(pool)]
        elif kind == 2 and element.endswith("Action"):
            values = [value.swapcase() for value in values]
        else:
            values = [self.random.choice(pool)]
        statement[element] = values

    def request(self, old: Document, new: Document) -> Request:
        """A request near the boundaries of the two documents."""
        pick = self.random.choice
        context = {}
        for key in self.conditions:
            if self.random.random() < 0.6:
                context[key] = pick(self.values[key])
        if not self.plain and self.random.random() < 0.05:
            context[pick(tuple(context) or ("aws:username",))] = pick((["a", "b"], "not-a-number", "", []))
        resources = FIELD_REQUEST_RESOURCES if ":logs:" in str((old, new)) else REQUEST_RESOURCES
        named = any(name.endswith("Principal") for d in (old, new) for s in d["Statement"] for name in s)
        action = pick(REQUEST_ACTIONS)
        resource = pick([text for text in resources if not (self.plain and "*" in text)])
        principal = pick(REQUEST_PRINCIPALS) if named else None
        if principal is not None:  # a caller has the name that follows from it, or none
            name = derived(canonical(principal)).get("aws:username")
            context.pop("aws:username", None)
            context |= {"aws:username": name} if isinstance(name, str) else {}
        return Request(action, resource, principal, context)
