"""Documents are read as the grammar says, and a bad one is refused with the statement's name."""

import json
from typing import Any

import pytest

from iam import PolicyError, parse
from tests.unit.iam.policies import allow

GOOD = allow("s3:GetObject", "*", Sid="Read")


def document(*statements: Any, **more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements), **more}


def test_single_values_and_lists_read_alike() -> None:
    single = parse(document(allow("s3:GetObject", "*")))
    assert parse(document(allow(["s3:GetObject"], ["*"]))) == single
    assert parse({"Version": "2012-10-17", "Statement": allow("s3:GetObject", "*")}) == single


def test_a_text_and_an_object_read_alike() -> None:
    assert parse(json.dumps(document(GOOD))) == parse(document(GOOD))


def test_a_document_without_version_is_of_the_old_one() -> None:
    assert parse({"Statement": []}).version == "2008-10-17"


def test_a_trust_policy_needs_no_resource() -> None:
    found = parse(document(allow("sts:AssumeRole", None, Principal={"Service": "ec2.amazonaws.com"})))
    assert found.statements[0].resources is None


def test_an_unknown_operator_is_kept_as_unknown() -> None:
    found = parse(document(allow(Condition={"StringMatches": {"aws:username": "a"}})))
    assert found.statements[0].conditions[0].kind is None


@pytest.mark.parametrize(
    "name",
    ["stringequals", "ForSomeValue:StringEquals", "NullIfExists", "ForAnyValue:Null", "StringEqualsifexists", ""],
)
def test_only_documented_operators_are_known(name: str) -> None:
    assert parse(document(allow(Condition={name: {"a:b": "true"}}))).statements[0].conditions[0].kind is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "the policy is a list; it must be an object"),
        ({"Version": "2012-10-17"}, "the policy has no Statement"),
        ({"Version": "2020-01-01", "Statement": []}, "Version is '2020-01-01'; it must be 2012-10-17"),
        ({"Version": "2012-10-17", "Statement": [], "Comment": "x"}, "unknown element 'Comment'"),
        ({"Version": ["2012-10-17"], "Statement": []}, "Version is a list"),
        ({"Statement": "Allow"}, "Statement is a text; it must be an object or a list"),
        (document("x"), "statement 0: is a text; it must be an object"),
        (document(GOOD, {"Effect": "Allow"}), "statement 1: has neither Action nor NotAction"),
        (document({**GOOD, "Effect": "allow"}), "statement 'Read': Effect is 'allow'; it must be Allow or Deny"),
        (document({**GOOD, "NotAction": "s3:*"}), "statement 'Read': has both Action and NotAction"),
        (document({**GOOD, "NotResource": "*"}), "statement 'Read': has both Resource and NotResource"),
        (document({**GOOD, "Principal": "*", "NotPrincipal": "*"}), "has both Principal and NotPrincipal"),
        (document({**GOOD, "Actions": "s3:*"}), "statement 'Read': unknown element 'Actions'"),
        (document({**GOOD, "Action": []}), "statement 'Read': Action is an empty list"),
        (document({**GOOD, "Action": None}), "Action holds null"),
        (document({**GOOD, "Action": ["s3:*", 5]}), "Action holds a number"),
        (document({**GOOD, "Resource": ""}), "Resource holds an empty text"),
        (document(allow("s3:GetObject", None)), "statement 0: has neither Resource nor NotResource"),
        (document({**GOOD, "Principal": "123456789012"}), "Principal is '123456789012'; it must be \"*\" or an object"),
        (document({**GOOD, "Principal": {"Aws": "*"}}), "Principal has the type 'Aws'"),
        (document({**GOOD, "Principal": {}}), "Principal is an object; it must be"),
        (document({**GOOD, "Sid": 3}), "statement 0: Sid is a number"),
        (document({**GOOD, "Condition": []}), "Condition is a list"),
        (document({**GOOD, "Condition": {"StringEquals": "a"}}), "operator 'StringEquals' is a text"),
        (document({**GOOD, "Condition": {"StringEquals": {"a:b": []}}}), "on 'a:b' has no value"),
        (document({**GOOD, "Condition": {"StringEquals": {"a:b": None}}}), "on 'a:b' holds null"),
        (document({**GOOD, "Condition": {"StringEquals": {"a:b": {}}}}), "on 'a:b' holds an object"),
        (document({**GOOD, "Condition": {"NumericEquals": {"a:b": float("nan")}}}), "on 'a:b' holds a number"),
        (document({**GOOD, "Condition": {"NumericEquals": {"a:b": 1e300}}}), "on 'a:b' holds a number"),
        (
            '{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"a:b": 1e-999}}}}',
            "on 'a:b' holds a number",
        ),
        (document({**GOOD, "Condition": {"StringEquals": {"": "x"}}}), "has an empty or wrong key"),
        ('{"Statement": [', "the document is not JSON"),
        ('{"Statement": [], "Statement": []}', "'Statement' stands twice"),
        ('{"Statement": NaN}', "holds NaN"),
        ("[" * 100_000, "nested too deeply"),
        ('{"Statement": ' + "9" * 5000 + "}", "the document is not JSON"),
        (" " * 300_000, "has 300000 characters; at most 262144"),
    ],
)
def test_a_bad_document_is_refused_with_the_rule_it_breaks(content: Any, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(content)
    assert message in str(caught.value)
