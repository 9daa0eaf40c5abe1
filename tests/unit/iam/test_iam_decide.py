"""Requests are decided as IAM does; what nobody can say is unknown."""

from typing import Any

import pytest

from iam import Policy, Request, RequestError, StatementRef, decide
from tests.unit.iam.policies import REPOSITORY, allow, deny, policy

OBJECT = "arn:aws:s3:::bucket/a"


def effect(*policies: Policy, action: str = "s3:GetObject", resource: str = OBJECT, **more: Any) -> str:
    principal = more.pop("principal", None)
    return decide(policies, Request(action, resource, principal, more.pop("context", {}))).effect


@pytest.mark.parametrize(
    ("pattern", "action", "matches"),
    [
        ("s3:GetObject", "s3:GetObject", True),
        ("s3:GetObject", "S3:getobject", True),
        ("S3:GET*", "s3:getobjectacl", True),
        ("s3:Get", "s3:GetObject", False),
        ("s3:?etObject", "s3:getObject", True),
        ("s3:?etObject", "s3:etObject", False),
        ("*", "iam:PassRole", True),
        ("s3:*Object", "s3:PutObject", True),
        ("s3:*Obj*t", "s3:PutObject", True),
        ("s3:GetObject", "s3:GetObjectAcl", False),
        ("s3.GetObject", "s3:GetObject", False),
        ("s3:${aws:username}", "s3:bob", False),
    ],
)
def test_actions_match_without_case_and_with_wildcards(pattern: str, action: str, matches: bool) -> None:
    assert effect(policy(allow(pattern)), action=action) == ("allow" if matches else "implicit_deny")


@pytest.mark.parametrize(
    ("pattern", "resource", "matches"),
    [
        (REPOSITORY, REPOSITORY, True),
        (REPOSITORY, REPOSITORY.upper(), False),
        ("arn:aws:ecr:*:*:repository/*", REPOSITORY, True),
        ("arn:aws:ecr:us-*", REPOSITORY, True),
        ("arn:aws:s3:::b?cket/*", OBJECT, True),
        ("arn:aws:s3:::bucket", OBJECT, False),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/x/y:z", True),
        ("*", "*", True),
        ("arn:*", "*", False),
        (OBJECT, "*", False),
        ("arn:aws:s3:::bucket/${*}", "arn:aws:s3:::bucket/*", True),
        ("arn:aws:s3:::bucket/${*}", OBJECT, False),
        ("arn:aws:s3:::bucket/${?}${$}", "arn:aws:s3:::bucket/?$", True),
        ("arn:aws:s3:::b.cket/*", OBJECT, False),
    ],
)
def test_resources_match_with_case_and_stars_cross_segments(pattern: str, resource: str, matches: bool) -> None:
    assert effect(policy(allow(resource=pattern)), resource=resource) == ("allow" if matches else "implicit_deny")


def test_an_incomplete_arn_is_unknown_for_what_it_may_mean() -> None:
    incomplete = policy(allow("*", "arn:aws:sqs"))
    assert effect(incomplete, resource="arn:aws:sqs:us-east-2:123456789012:q") == "unknown"
    assert effect(incomplete, resource=OBJECT) == "implicit_deny"


def test_negated_elements_cover_everything_else() -> None:
    assert effect(policy(allow(None, NotAction=["iam:*", "sts:*"]))) == "allow"
    assert effect(policy(allow(None, NotAction=["iam:*", "s3:*"]))) == "implicit_deny"
    assert effect(policy(allow(resource=None, NotResource="arn:aws:s3:::other/*"))) == "allow"
    assert effect(policy(allow(resource=None, NotResource=["arn:aws:s3:::bucket/*"]))) == "implicit_deny"


def test_an_explicit_deny_wins_over_all_policies_and_is_named() -> None:
    decision = decide(
        [policy(allow(Sid="A")), policy(allow("iam:*"), deny("s3:*", Sid="No"))], Request("s3:GetObject", OBJECT)
    )
    assert decision.effect == "explicit_deny"
    assert decision.statements == (StatementRef(1, 1, "No"),)


def test_the_statements_that_allow_are_named() -> None:
    decision = decide([policy(deny("iam:*"), allow(), allow("s3:*", Sid="B"))], Request("s3:GetObject", OBJECT))
    assert decision.allowed
    assert decision.statements == (StatementRef(0, 1, None), StatementRef(0, 2, "B"))


@pytest.mark.parametrize(
    ("operator", "wanted", "actual", "holds"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", ["a", "b"], "b", True),
        ("StringNotEquals", ["a", "b"], "b", False),
        ("StringNotEquals", ["a", "b"], "c", True),
        ("StringEqualsIgnoreCase", "a", "A", True),
        ("StringNotEqualsIgnoreCase", "a", "A", False),
        ("StringLike", "a?c*", "abcd", True),
        ("StringNotLike", "a*", "abc", False),
        ("StringLike", "", "", True),
        ("NumericEquals", "5", "5.0", True),
        ("NumericNotEquals", 5, "5", False),
        ("NumericLessThan", "5", "4.99", True),
        ("NumericLessThan", "5", "5", False),
        ("NumericLessThanEquals", "5", "5", True),
        ("NumericGreaterThan", "-1", "0", True),
        ("NumericGreaterThanEquals", "5", "4", False),
        ("NumericLessThan", "10", "9", True),
        ("NumericEquals", "abc", "5", None),
        ("NumericEquals", "5", "abc", None),
        ("NumericNotEquals", "5", "abc", None),
        ("NumericEquals", "1e3", "1000", None),
        ("DateLessThan", "2024-01-01T00:00:00Z", "2023-12-31T23:59:59Z", True),
        ("DateEquals", "2024-01-01T01:00:00+01:00", "1704067200", True),
        ("DateGreaterThan", "2024-01-01", "2024-01-01T00:00:00.5Z", True),
        ("DateNotEquals", "2024-01-01", "2024-01-01T00:00:00Z", False),
        ("DateLessThanEquals", "2024-01-01", "2024-01-01T00:00:00Z", True),
        ("DateGreaterThanEquals", "2024-01-01", "2023-06-01", False),
        ("DateLessThan", "2020", "1970-01-01", None),  # a year as well as seconds since 1970
        ("DateGreaterThan", 2020, "2024-01-01", None),
        ("DateLessThan", "2024-01-01", "2020", None),
        ("DateLessThan", "2020-01-01", "20200", True),
        ("DateLessThan", "yesterday", "2024-01-01", None),
        ("DateLessThan", "2024-13-01", "2024-01-01", None),
        ("Bool", "true", "true", True),
        ("Bool", True, "false", False),
        ("Bool", "true", "TRUE", True),
        ("Bool", "true", "yes", None),
        ("BinaryEquals", "QQ==", "QQ==", True),
        ("BinaryEquals", "QQ==", "Qg==", False),
        ("BinaryEquals", "QQ==", "!", None),
        ("IpAddress", "10.0.0.0/8", "10.9.8.7", True),
        ("IpAddress", "10.0.0.0/8", "11.0.0.1", False),
        ("IpAddress", "10.1.2.3", "10.1.2.3", True),
        ("NotIpAddress", "10.0.0.0/8", "10.9.8.7", False),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("NotIpAddress", "10.0.0.0/8", "2001:db8::1", True),
        ("IpAddress", "*", "10.0.0.1", None),
        ("IpAddress", "10.0.0.0/8", "x", None),
        ("ArnLike", "arn:aws:s3:::b*", "arn:aws:s3:::bc", True),
        ("ArnEquals", "arn:aws:s3:::b*", "arn:aws:s3:::bc", True),
        ("ArnLike", "arn:*:s3:::b", "arn:aws:s3:::b", True),
        ("ArnLike", "arn:aws:*:b", "arn:aws:s3:::b", None),
        ("ArnLike", "arn:aws:sns:*:*:t*", "arn:aws:sns:us-east-2:1:t:sub", True),
        ("ArnLike", "arn:*:*:*:*:b", "arn:aws:x:y:s3:::b", False),
        ("ArnNotLike", "arn:aws:s3:::b*", "arn:aws:s3:::c", True),
        ("ArnNotEquals", "arn:aws:s3:::b", "arn:aws:s3:::b", False),
        ("ArnLike", "arn:aws:s3:::b", "no-arn", False),
        ("StringMatches", "a", "a", None),
    ],
)
def test_operators_compare_as_documented(operator: str, wanted: Any, actual: str, holds: bool | None) -> None:
    found = effect(policy(allow(Condition={operator: {"a:Key": wanted}})), context={"A:key": actual})
    assert found == {True: "allow", False: "implicit_deny", None: "unknown"}[holds]


@pytest.mark.parametrize(
    ("operator", "holds"),
    [
        ("StringEquals", False),
        ("StringNotEquals", True),
        ("StringNotLike", True),
        ("NumericNotEquals", True),
        ("NotIpAddress", True),
        ("ArnNotLike", True),
        ("DateNotEquals", True),
        ("StringEqualsIfExists", True),
        ("BoolIfExists", True),
        ("Bool", False),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("ForAllValues:StringLikeIfExists", True),
        ("ForAnyValue:StringEqualsIfExists", None),
        ("Frob", None),
    ],
)
@pytest.mark.parametrize("context", [{}, {"a:b": []}])
def test_a_missing_key_meets_negated_ifexists_and_forallvalues_only(
    operator: str, holds: bool | None, context: Any
) -> None:
    found = effect(policy(allow(Condition={operator: {"a:b": "true"}})), context=context)
    assert found == {True: "allow", False: "implicit_deny", None: "unknown"}[holds]


def test_null_asks_whether_the_key_is_there() -> None:
    missing, there = (
        policy(allow(Condition={"Null": {"a:b": "true"}})),
        policy(allow(Condition={"Null": {"a:b": False}})),
    )
    assert (effect(missing), effect(there)) == ("allow", "implicit_deny")
    assert (effect(missing, context={"a:b": "x"}), effect(there, context={"a:b": ["x", "y"]})) == (
        "implicit_deny",
        "allow",
    )
    assert effect(policy(allow(Condition={"Null": {"a:b": "maybe"}}))) == "unknown"


@pytest.mark.parametrize(
    ("operator", "values", "holds"),
    [
        ("ForAnyValue:StringEquals", ["a", "z"], True),
        ("ForAnyValue:StringEquals", ["y", "z"], False),
        ("ForAllValues:StringEquals", ["a", "b"], True),
        ("ForAllValues:StringEquals", ["a", "z"], False),
        ("ForAnyValue:StringNotEquals", ["a", "z"], True),
        ("ForAnyValue:StringNotEquals", ["a", "b"], False),
        ("ForAllValues:StringNotEquals", ["y", "z"], True),
        ("ForAllValues:StringNotEquals", ["a", "z"], False),
        ("ForAllValues:StringEquals", [""], True),
        ("ForAnyValue:StringEquals", [""], False),
        ("ForAnyValue:StringNotEquals", [""], False),
        ("StringEquals", ["a"], True),
        ("StringEquals", ["a", "b"], None),
    ],
)
def test_multivalued_keys_need_a_qualifier(operator: str, values: list[str], holds: bool | None) -> None:
    found = effect(policy(allow(Condition={operator: {"aws:TagKeys": ["a", "b"]}})), context={"aws:TagKeys": values})
    assert found == {True: "allow", False: "implicit_deny", None: "unknown"}[holds]


def test_all_conditions_must_hold() -> None:
    both = policy(allow(Condition={"StringEquals": {"a:b": "x", "a:c": "y"}, "Bool": {"a:d": "true"}}))
    assert effect(both, context={"a:b": "x", "a:c": "y", "a:d": "true"}) == "allow"
    assert effect(both, context={"a:b": "x", "a:c": "y", "a:d": "false"}) == "implicit_deny"
    assert effect(both, context={"a:b": "x", "a:d": "true"}) == "implicit_deny"


HOME = "arn:aws:s3:::bucket/${aws:username}/*"


def test_variables_take_the_value_of_their_key_literally() -> None:
    home = policy(allow(resource=HOME))
    assert effect(home, resource="arn:aws:s3:::bucket/bob/x", context={"aws:UserName": "bob"}) == "allow"
    assert effect(home, resource="arn:aws:s3:::bucket/eve/x", context={"aws:username": "bob"}) == "implicit_deny"
    assert effect(home, resource="arn:aws:s3:::bucket/bob/x") == "implicit_deny"
    assert effect(home, resource="arn:aws:s3:::bucket/eve/x", context={"aws:username": "*"}) == "unknown"
    assert effect(home, resource="arn:aws:s3:::bucket/eve/x", context={"aws:username": ["eve", "bob"]}) == "unknown"


def test_variables_have_defaults() -> None:
    home = policy(allow(resource="arn:aws:s3:::bucket/${aws:PrincipalTag/team, 'none'}"))
    assert effect(home, resource="arn:aws:s3:::bucket/none") == "allow"
    assert (
        effect(home, resource="arn:aws:s3:::bucket/none", context={"aws:PrincipalTag/team": "red"}) == "implicit_deny"
    )


def test_variables_are_plain_text_in_the_old_version() -> None:
    old = policy(allow(resource="arn:aws:s3:::bucket/${aws:username}"), version="2008-10-17")
    assert effect(old, resource="arn:aws:s3:::bucket/bob", context={"aws:username": "bob"}) == "implicit_deny"
    assert effect(old, resource="arn:aws:s3:::bucket/${aws:username}") == "allow"


def test_variables_work_in_string_and_arn_conditions() -> None:
    team = policy(allow(Condition={"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}))
    assert effect(team, context={"aws:ResourceTag/team": "red", "aws:PrincipalTag/team": "red"}) == "allow"
    assert effect(team, context={"aws:ResourceTag/team": "red", "aws:PrincipalTag/team": "blue"}) == "implicit_deny"
    arn = policy(allow(Condition={"ArnLike": {"aws:SourceArn": "arn:aws:s3:::${aws:username}"}}))
    assert effect(arn, context={"aws:SourceArn": "arn:aws:s3:::bob", "aws:username": "bob"}) == "allow"


def test_an_invalid_variable_is_unknown_where_it_might_match() -> None:
    broken = policy(allow(resource="arn:aws:s3:::bucket/${user}"))
    assert effect(broken) == "unknown"
    assert effect(broken, resource="arn:aws:s3:::other/a") == "implicit_deny"


def test_a_variable_without_value_is_unknown_under_a_negation() -> None:
    assert effect(policy(allow(resource=None, NotResource=HOME))) == "unknown"
    assert (
        effect(policy(allow(Condition={"StringNotEquals": {"a:b": "${aws:username}"}})), context={"a:b": "x"})
        == "unknown"
    )


def test_an_unknown_deny_makes_an_allow_unknown_and_nothing_else() -> None:
    doubtful = deny("s3:*", Condition={"Frob": {"a:b": "1"}})
    assert effect(policy(allow(), doubtful)) == "unknown"
    assert effect(policy(allow("iam:*"), doubtful)) == "implicit_deny"
    assert effect(policy(allow(), doubtful, deny())) == "explicit_deny"
    assert effect(policy(allow("s3:Get*"), deny("s3:Put*", Condition={"Frob": {"a:b": "1"}}))) == "allow"


def test_an_unknown_allow_counts_only_where_no_other_allows() -> None:
    doubtful = allow("s3:*", Condition={"Frob": {"a:b": "1"}})
    assert effect(policy(doubtful)) == "unknown"
    assert effect(policy(doubtful, allow())) == "allow"
    assert effect(policy(doubtful, deny())) == "explicit_deny"
    assert effect(policy(allow(Condition={"Frob": {"a:b": "1"}, "Bool": {"a:c": "true"}}))) == "implicit_deny"


USER, ROLE = "arn:aws:iam::123456789012:user/bob", "arn:aws:iam::123456789012:role/deploy"
ACCOUNT = "arn:aws:iam::123456789012"
SESSION = "arn:aws:sts::123456789012:assumed-role/deploy/ci"


@pytest.mark.parametrize(
    ("named", "principal", "matches"),
    [
        ("*", USER, True),
        ("*", "*", True),
        ("*", None, True),
        ({"AWS": "*"}, "*", True),
        ({"AWS": "*"}, "ec2.amazonaws.com", True),
        ({"AWS": USER}, USER, True),
        ({"AWS": USER}, ROLE, False),
        ({"AWS": USER}, None, None),
        ({"AWS": USER}, "*", False),
        ({"AWS": "123456789012"}, USER, None),  # the account delegates: the user's own policies decide
        ({"AWS": "arn:aws:iam::123456789012:root"}, SESSION, None),
        ({"AWS": "123456789012"}, f"{ACCOUNT}:root", True),
        ({"AWS": "123456789012"}, "arn:aws:iam::210987654321:user/bob", False),
        ({"AWS": "123456789012"}, "arn:aws:iam::210987654321:user/p:iam::123456789012:/bob", False),
        ({"AWS": "123456789012"}, "arn:aws:iam::123456789012:user/p:iam::210987654321:/bob", None),
        ({"AWS": "123456789012"}, "arn:aws:iam::123456789012:user/p:oidc-provider/bob", None),
        ({"AWS": "123456789012"}, "123456789012", True),
        ({"AWS": ROLE}, SESSION, True),
        ({"AWS": SESSION}, ROLE, False),
        ({"AWS": "arn:aws:iam::123456789012:role/p/deploy"}, SESSION, True),
        ({"Service": "ec2.amazonaws.com"}, "ec2.amazonaws.com", True),
        ({"Service": "ec2.amazonaws.com"}, "ecs.amazonaws.com", False),
        ({"Federated": "accounts.google.com"}, "accounts.google.com", True),
        ({"Federated": f"{ACCOUNT}:oidc-provider/a.b"}, f"{ACCOUNT}:oidc-provider/a.b", True),
        ({"Federated": f"{ACCOUNT}:saml-provider/a"}, f"{ACCOUNT}:saml-provider/a", True),
        ({"CanonicalUser": "a" * 64}, "a" * 64, True),
        ({"Federated": "cognito-identity.amazonaws.com"}, "Service:cognito-identity.amazonaws.com", False),
        ({"AWS": "arn:aws:iam::123456789012:user/*"}, USER, None),
        ({"AWS": ["210987654321", USER]}, USER, True),
    ],
)
def test_principals_are_matched_as_documented(named: Any, principal: str | None, matches: bool | None) -> None:
    found = effect(policy(allow(Principal=named)), principal=principal)
    assert found == {True: "allow", False: "implicit_deny", None: "unknown"}[matches]


@pytest.mark.parametrize(
    ("named", "principal", "found"),
    [
        ({"AWS": [USER, "123456789012"]}, USER, "allow"),
        ({"AWS": [USER, "123456789012"]}, "arn:aws:iam::210987654321:user/x", "explicit_deny"),
        ({"AWS": USER}, USER, "unknown"),
        ({"AWS": "123456789012"}, USER, "unknown"),
        ({"AWS": USER}, "ec2.amazonaws.com", "explicit_deny"),
        ({"Service": "ec2.amazonaws.com"}, "ec2.amazonaws.com", "allow"),
        ("*", USER, "allow"),
        ({"AWS": USER}, None, "unknown"),
    ],
)
def test_notprincipal_exempts_for_certain_only_with_the_account(named: Any, principal: str | None, found: str) -> None:
    document = policy(allow(Principal="*"), deny(None, NotAction="iam:*", NotPrincipal=named))
    assert effect(document, principal=principal) == found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("s3:*", "*"), "must be one action without wildcards"),
        (("GetObject", "*"), "must be one action"),
        (("s3:GetObject", ""), "resource: must be a text"),
        (("s3:GetObject", "x" * 9000), "resource: must be a text of 1 to 8192"),
        (("s3:GetObject", "*", 5), "principal: must be a text"),
        (("s3:GetObject", "*", None, []), "context: must be an object"),
        (("s3:GetObject", "*", None, {"a:b": None}), "context key 'a:b': a value must be a text"),
        (("s3:GetObject", "*", None, {"a:b": "x", "A:B": "y"}), "context key 'A:B': given twice"),
        (("s3:GetObject", "*", None, {"a:b": float("nan")}), "context key 'a:b'"),
        ((5, "*"), "action: must be a text"),
    ],
)
def test_a_bad_request_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        Request(*arguments)
    assert message in str(caught.value)


def test_a_hostile_pattern_does_not_slow_a_decision_down() -> None:
    hostile = policy(allow(resource="*a" * 2000 + "*b"))
    assert effect(hostile, resource="a" * 8000) == "implicit_deny"


def test_a_number_of_a_request_keeps_all_its_digits() -> None:
    wanted = policy(allow(Condition={"NumericLessThan": {"s3:max-keys": "0.0000002"}}))
    assert effect(wanted, context={"s3:max-keys": 1e-7}) == "allow"
    assert effect(wanted, context={"s3:max-keys": 4e-7}) == "implicit_deny"


@pytest.mark.parametrize(
    ("operator", "holds"), [("StringEquals", False), ("StringEqualsIgnoreCase", False), ("StringLike", None)]
)
def test_a_variable_whose_value_holds_a_wildcard_is_open_to_like_only(operator: str, holds: bool | None) -> None:
    statement = allow(Condition={operator: {"aws:ResourceTag/owner": "${s3:prefix}"}})
    request = Request("s3:GetObject", "*", context={"s3:prefix": "b*", "aws:ResourceTag/owner": "bob"})
    expected = {False: "implicit_deny", None: "unknown"}[holds]
    assert decide([policy(statement)], request).effect == expected
    same = Request("s3:GetObject", "*", context={"s3:prefix": "b*", "aws:ResourceTag/owner": "b*"})
    assert (decide([policy(statement)], same).effect == "allow") == (holds is False)
