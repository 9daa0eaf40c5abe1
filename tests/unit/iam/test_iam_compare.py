"""Two policies are compared over all requests, and every claim has a request that `decide` confirms."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from iam import Comparison, Policy, compare, decide, parse, patterns
from tests.unit.iam.policies import REPOSITORY, allow, deny, policy


def compared(old: Policy, new: Policy) -> Comparison:
    """A comparison whose every claim was checked."""
    found = compare(old, new)
    for request in found.newly_allowed:
        assert decide([old], request).effect in ("implicit_deny", "explicit_deny")
        assert decide([new], request).effect == "allow"
    for request in found.newly_refused:
        assert decide([old], request).effect == "allow"
        assert decide([new], request).effect in ("implicit_deny", "explicit_deny")
    assert bool(found.newly_allowed) >= (found.verdict in ("broadened", "both"))
    assert bool(found.newly_refused) >= (found.verdict in ("narrowed", "both"))
    assert not (found.allows_nothing_new and found.newly_allowed)
    assert not (found.refuses_nothing_new and found.newly_refused)
    assert (found.verdict == "equal") == (found.allows_nothing_new and found.refuses_nothing_new)
    assert found.verdict == "equal" or found.because
    return found


MIRROR = {"broadened": "narrowed", "narrowed": "broadened", "both": "both", "equal": "equal", "unknown": "unknown"}


def when(operator: str, key: str, *values: Any) -> dict[str, Any]:
    return allow(Condition={operator: {key: list(values)}})


def verdict(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> str:
    """The verdict; the other way round it must be the mirror image."""
    found = compared(policy(*old), policy(*new)).verdict
    assert compared(policy(*new), policy(*old)).verdict == MIRROR[found]
    return found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # actions are a language
        ("s3:GetObject", "s3:Get*", "broadened"),
        ("s3:Get*", ["s3:Get*", "s3:GetObject"], "equal"),
        ("s3:*", ["s3:*", "S3:PUT*"], "equal"),
        ("*", "*:*", "equal"),
        ("*", "**", "equal"),
        ("s3:?*", "s3:*", "equal"),
        ("s3:Get??", ["s3:Get??", "s3:GetXY"], "equal"),
        ("s3:GetObject", "s3:PutObject", "both"),
        ("s3:*Object", "s3:G*Object", "narrowed"),
        (["s3:a*", "s3:*b"], ["s3:a*", "s3:*b", "s3:a*b"], "equal"),
        ("s3:*", ["s3:a*", "s3:b*"], "narrowed"),
        ("nosuch:Thing", ["nosuch:Thing", "nosuch:Other"], "broadened"),
        ("s3:Get*t*Object", "s3:Get*Object", "broadened"),
        ("a:b:c", "a:b:d", "equal"),  # no action has two colons
    ],
)
def test_actions_are_compared_as_languages(old: Any, new: Any, expected: str) -> None:
    assert verdict([allow(old)], [allow(new)]) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/x*", "narrowed"),
        ("arn:aws:s3:::b/*", ["arn:aws:s3:::b/?*", "arn:aws:s3:::b/"], "equal"),
        ("arn:aws:s3:::b/*", "arn:aws:s3:::b/?*", "narrowed"),
        ("arn:aws:ecr:*:123456789012:repository/*", REPOSITORY, "narrowed"),
        ("*", "arn:*", "narrowed"),
        ("*", "?*", "unknown"),  # whether `?` may be a colon in the first field is not known
        ("arn:aws:s3:::B/*", "arn:aws:s3:::b/*", "both"),
        ("arn:aws:s3:::*/a", "arn:aws:s3:::*a", "broadened"),
        (["arn:aws:s3:::a*", "arn:aws:s3:::*z"], ["arn:aws:s3:::a*z"], "narrowed"),
        ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/*", "broadened"),
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/*", "broadened"),
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/${aws:username}/docs/*", "narrowed"),
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/${AWS:UserName}/*", "equal"),
        ("arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/${aws:userid}", "both"),
        ("arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/${aws:username, 'x'}", "broadened"),
        (["arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::b/*"], "arn:aws:s3:::b/*", "equal"),
        ("arn:aws:s3:::b/${broken", "arn:aws:s3:::b/${broken", "equal"),
        ("arn:aws:s3:::b/${broken", "arn:aws:s3:::b/*", "unknown"),
    ],
)
def test_resources_are_compared_as_languages(old: Any, new: Any, expected: str) -> None:
    assert verdict([allow(resource=old)], [allow(resource=new)]) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (allow(), when("StringEquals", "a:b", "x"), "narrowed"),
        (when("StringEquals", "a:b", "x", "y"), when("StringEquals", "A:B", "y", "x"), "equal"),
        (when("StringEquals", "a:b", "x"), when("StringEquals", "a:b", "x", "y"), "broadened"),
        (when("StringEquals", "a:b", "x"), when("StringLike", "a:b", "x*"), "broadened"),
        (when("StringLike", "a:b", "x"), when("StringEquals", "a:b", "x"), "equal"),
        (when("StringEquals", "a:b", "x"), when("StringEqualsIgnoreCase", "a:b", "X"), "broadened"),
        (when("StringLike", "a:b", "*"), when("Null", "a:b", "false"), "equal"),
        (when("StringNotEquals", "a:b", "x"), when("StringNotEquals", "a:b", "x", "y"), "narrowed"),
        (when("StringEquals", "a:b", "x"), when("StringEqualsIfExists", "a:b", "x"), "broadened"),
        (when("StringNotEquals", "a:b", "x"), when("StringNotEqualsIfExists", "a:b", "x"), "equal"),
        (when("NumericLessThan", "a:b", "5"), when("NumericLessThan", "a:b", "10"), "broadened"),
        (when("NumericLessThan", "a:b", "5"), when("NumericLessThan", "a:b", "5.0", "3"), "equal"),
        (when("NumericLessThan", "a:b", "5"), when("NumericLessThanEquals", "a:b", "5"), "broadened"),
        (when("NumericEquals", "a:b", "5"), when("NumericEquals", "a:b", 6), "both"),
        (
            when("DateLessThan", "aws:CurrentTime", "2024-01-01"),
            when("DateLessThan", "aws:CurrentTime", "2025-01-01T00:00:00Z"),
            "broadened",
        ),
        (
            when("DateLessThan", "aws:CurrentTime", "2024-01-01"),
            when("DateLessThan", "aws:CurrentTime", "1704067200"),
            "equal",
        ),
        # Four digits may be a year or seconds since 1970.
        (
            when("DateLessThan", "aws:CurrentTime", "2024-01-01"),
            when("DateLessThan", "aws:CurrentTime", "2020"),
            "unknown",
        ),
        (
            when("DateLessThan", "aws:CurrentTime", "2020"),
            when("DateLessThan", "aws:CurrentTime", "3000"),
            "unknown",
        ),
        (when("DateLessThan", "aws:CurrentTime", "2020"), when("DateLessThan", "aws:CurrentTime", 2020), "equal"),
        (
            when("DateLessThan", "aws:CurrentTime", "01000"),
            when("DateLessThan", "aws:CurrentTime", "09999"),
            "broadened",
        ),
        (
            when("IpAddress", "aws:SourceIp", "10.0.0.0/8"),
            when("IpAddress", "aws:SourceIp", "10.0.0.0/9", "10.128.0.0/9"),
            "equal",
        ),
        (when("IpAddress", "aws:SourceIp", "10.0.0.0/8"), when("IpAddress", "aws:SourceIp", "0.0.0.0/0"), "broadened"),
        (
            when("IpAddress", "aws:SourceIp", "0.0.0.0/0"),
            when("IpAddress", "aws:SourceIp", "0.0.0.0/0", "::/0"),
            "broadened",
        ),
        (
            when("NotIpAddress", "aws:SourceIp", "10.0.0.0/8"),
            when("NotIpAddress", "aws:SourceIp", "10.0.0.0/9"),
            "broadened",
        ),
        (when("Bool", "aws:SecureTransport", "true"), when("Bool", "aws:SecureTransport", True), "equal"),
        (when("Bool", "aws:SecureTransport", "true"), when("Bool", "aws:SecureTransport", "false"), "both"),
        (when("Bool", "aws:SecureTransport", "true"), when("BoolIfExists", "aws:SecureTransport", "true"), "broadened"),
        (when("BinaryEquals", "a:b", "QQ=="), when("BinaryEquals", "a:b", "QQ==", "Qg=="), "broadened"),
        (
            when("ArnLike", "aws:SourceArn", "arn:aws:s3:::b"),
            when("ArnLike", "aws:SourceArn", "arn:aws:s3:*:*:b"),
            "broadened",
        ),
        (
            when("ArnEquals", "aws:SourceArn", "arn:aws:s3:::b*"),
            when("ArnLike", "aws:SourceArn", "arn:aws:s3:::b*"),
            "equal",
        ),
        (
            when("ArnLike", "aws:SourceArn", "arn:*:s3:::b"),
            when("StringLike", "aws:SourceArn", "arn:*:s3:::b"),
            "broadened",
        ),
        (
            when("ForAnyValue:StringEquals", "aws:TagKeys", "a"),
            when("ForAnyValue:StringEquals", "aws:TagKeys", "a", "b"),
            "broadened",
        ),
        (
            when("ForAllValues:StringEquals", "aws:TagKeys", "a", "b"),
            when("ForAllValues:StringEquals", "aws:TagKeys", "a"),
            "narrowed",
        ),
        (
            when("ForAllValues:StringEquals", "aws:TagKeys", "a"),
            when("ForAnyValue:StringEquals", "aws:TagKeys", "a"),
            "both",
        ),
        (when("StringEquals", "a:b", "${aws:username}"), when("StringLike", "a:b", "${aws:username}*"), "broadened"),
        (
            when("StringEquals", "a:b", "${aws:username}"),
            when("StringEquals", "a:b", "${aws:username}", "x"),
            "broadened",
        ),
        (
            when("StringEquals", "a:b", "${aws:username}"),
            when("StringEqualsIgnoreCase", "a:b", "${aws:username}"),
            "broadened",
        ),
        (when("Frob", "a:b", "x"), when("Frob", "a:b", "x"), "equal"),
        (when("Frob", "a:b", "x"), when("Frob", "a:b", "y"), "unknown"),
        (when("Frob", "a:b", "x"), allow(), "unknown"),
        (when("NumericEquals", "a:b", "five"), allow(), "broadened"),  # without the key it did not hold
        (when("ForAnyValue:StringEqualsIfExists", "a:b", "x"), when("ForAnyValue:StringEquals", "a:b", "x"), "unknown"),
    ],
)
def test_conditions_are_compared_by_the_values_that_meet_them(
    old: dict[str, Any], new: dict[str, Any], expected: str
) -> None:
    assert verdict([old], [new]) == expected


CASES = {
    "several statements together cover what one covered": (
        [allow("s3:*", "arn:aws:s3:::b/*")],
        [
            allow("s3:Get*", "arn:aws:s3:::b/*"),
            allow(None, "arn:aws:s3:::b/*", NotAction="s3:Get*"),
            deny(None, NotAction="s3:*"),
        ],
        "equal",
    ),
    "conditions that complete each other cover everything": (
        [allow()],
        [when("StringEquals", "a:b", "x"), when("StringNotEquals", "a:b", "x")],
        "equal",
    ),
    "a key there and not there cover everything": (
        [allow()],
        [when("Null", "a:b", "true"), when("Null", "a:b", "false")],
        "equal",
    ),
    "a deny of something never allowed changes nothing": ([allow("s3:*")], [allow("s3:*"), deny("iam:*")], "equal"),
    "a deny that another deny covers changes nothing": (
        [allow("*"), deny("s3:*")],
        [allow("*"), deny("s3:*"), deny("s3:Put*")],
        "equal",
    ),
    "a deny that grows under a condition": (
        [allow("*"), deny("s3:*", Condition={"Bool": {"a:b": "true"}})],
        [allow("*"), deny("s3:*")],
        "narrowed",
    ),
    "an allow taken back by a deny": (
        [allow("s3:Get*")],
        [allow("s3:*"), deny("s3:Put*", "arn:aws:s3:::b")],
        "broadened",
    ),
    "everything allowed and everything denied is nothing": ([], [allow("*"), deny("*")], "equal"),
    "resources moved from deny to NotResource": (
        [allow("s3:*"), deny("s3:*", "arn:aws:s3:::b/*")],
        [allow("s3:*", None, NotResource="arn:aws:s3:::b/*")],
        "equal",
    ),
    "actions moved from deny to NotAction": ([allow("*"), deny("iam:*")], [allow(None, NotAction="iam:*")], "equal"),
    "two statements instead of lists widen the pairs": (
        [allow("s3:GetObject", "arn:aws:s3:::a"), allow("s3:PutObject", "arn:aws:s3:::b")],
        [allow(["s3:GetObject", "s3:PutObject"], ["arn:aws:s3:::a", "arn:aws:s3:::b"])],
        "broadened",
    ),
    "an order changed": ([allow("s3:*"), deny("s3:Put*")], [deny("s3:Put*"), allow("s3:*")], "equal"),
    "a version that turns a variable on": ([allow()], [allow()], "equal"),
    "from nothing to something": ([], [allow()], "broadened"),
}


@pytest.mark.parametrize("name", CASES)
def test_statements_are_compared_together(name: str) -> None:
    old, new, expected = CASES[name]
    assert verdict(old, new) == expected


TRUST = "sts:AssumeRole"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"AWS": "123456789012"}, "*", "broadened"),
        ({"AWS": "123456789012"}, {"AWS": "arn:aws:iam::123456789012:root"}, "equal"),
        # Naming a user or role grants, while their account only delegates; a session is not limited by its boundary.
        ({"AWS": "arn:aws:iam::123456789012:root"}, {"AWS": "arn:aws:iam::123456789012:role/a"}, "both"),
        (
            {"AWS": "arn:aws:iam::123456789012:role/a"},
            {"AWS": "arn:aws:sts::123456789012:assumed-role/a/s"},
            "both",
        ),
        ({"AWS": ["123456789012", "210987654321"]}, {"AWS": ["210987654321", "123456789012"]}, "equal"),
        ({"AWS": "*"}, "*", "equal"),
        ({"Service": "ec2.amazonaws.com"}, {"Service": ["ec2.amazonaws.com", "ecs.amazonaws.com"]}, "broadened"),
        ({"Service": "cognito-identity.amazonaws.com"}, {"Federated": "cognito-identity.amazonaws.com"}, "both"),
        ({"AWS": "arn:aws:iam::123456789012:role/*"}, {"AWS": "arn:aws:iam::123456789012:role/*"}, "equal"),
        ({"AWS": "arn:aws:iam::123456789012:role/*"}, "*", "unknown"),
    ],
)
def test_trust_policies_are_compared_by_principal(old: Any, new: Any, expected: str) -> None:
    assert verdict([allow(TRUST, None, Principal=old)], [allow(TRUST, None, Principal=new)]) == expected


def test_a_trust_policy_that_stops_checking_the_subject_is_broadened_with_a_foreign_subject() -> None:
    issuer = {"Federated": "arn:aws:iam::123456789012:oidc-provider/vstoken.dev.azure.com/x"}
    audience = {"vstoken.dev.azure.com/x:aud": "api://AzureADTokenExchange"}
    subject = {"vstoken.dev.azure.com/x:sub": "sc://org/project/connection"}
    old = allow("sts:AssumeRoleWithWebIdentity", None, Principal=issuer, Condition={"StringEquals": audience | subject})
    new = allow("sts:AssumeRoleWithWebIdentity", None, Principal=issuer, Condition={"StringEquals": audience})
    found = compared(policy(old), policy(new))
    assert found.verdict == "broadened"
    request = found.newly_allowed[0]
    assert request.principal == issuer["Federated"]
    assert request.context["vstoken.dev.azure.com/x:aud"] == "api://AzureADTokenExchange"


@pytest.mark.parametrize("negated", [True, False])
def test_a_negation_over_a_variable_may_fail_without_its_value(negated: bool) -> None:
    """Found by the independent evaluator: without the variable the old statement may not apply at all."""
    if negated:
        old = [allow("s3:*", None, NotResource="arn:aws:s3:::b/${aws:PrincipalTag/t}/*")]
        new = [allow("s3:*", None, NotResource="arn:aws:s3:::?/*")]
    else:
        old = [when("StringNotEquals", "a:b", "${aws:username}")]
        new = [when("StringNotLike", "a:b", "*")]
        assert verdict(old, [allow()]) == "broadened"
        new = [when("StringNotLike", "a:b", "?*")]
    assert compared(policy(*old), policy(*new)).verdict == "unknown"
    assert verdict(old, old) == "equal"


def test_notprincipal_is_compared_as_far_as_it_is_known() -> None:
    everyone = allow("s3:GetObject", Principal="*")
    user, account = "arn:aws:iam::123456789012:user/a", "123456789012"
    old = [everyone, deny("s3:*", NotPrincipal={"AWS": [user, account]})]
    assert verdict(old, [everyone, deny("s3:*", NotPrincipal={"AWS": [account, user]})]) == "equal"
    assert verdict(old, [everyone]) == "broadened"


def test_a_version_that_turns_variables_on_is_seen() -> None:
    statement = allow(resource="arn:aws:s3:::b/${aws:username}")
    assert compared(policy(statement, version="2008-10-17"), policy(statement)).verdict in ("both", "broadened")


def test_the_statements_that_cause_a_change_are_named() -> None:
    found = compared(policy(allow("s3:*"), deny("s3:Put*", Sid="NoPut")), policy(allow("s3:*", Sid="All")))
    causes = {(cause.policy, cause.statement, cause.sid, cause.effect) for cause in found.because}
    assert causes == {("old", 1, "NoPut", "Deny"), ("new", 0, "All", "Allow")}


def test_every_statement_that_adds_something_has_a_witness() -> None:
    found = compared(policy(), policy(allow("s3:GetObject"), allow("ecr:PutImage", REPOSITORY)))
    assert {request.action for request in found.newly_allowed} == {"s3:GetObject", "ecr:PutImage"}


def test_witnesses_are_real_actions_on_likely_resources() -> None:
    found = compared(policy(allow("ecr:PutImage", REPOSITORY)), policy(allow("ecr:*", "arn:aws:ecr:*:*:repository/*")))
    request = found.newly_allowed[0]
    assert request.resource == "arn:aws:ecr:us-east-2:123456789012:repository/example"
    assert request.action.startswith("ecr:")
    assert not any("not an action" in cause.why for cause in found.because)


def test_an_action_that_does_not_exist_is_reported_and_said_to_be_unknown() -> None:
    found = compared(policy(), policy(allow("ecr:Frobnicate", REPOSITORY)))
    assert found.verdict == "broadened"
    assert found.newly_allowed[0].action == "ecr:frobnicate"
    assert "not an action that AWS is known to have" in found.because[0].why


def test_the_action_without_resource_level_is_tried_on_its_only_resource() -> None:
    found = compared(policy(), policy(allow("ecr:GetAuthorizationToken")))
    assert found.newly_allowed[0].resource == "*"


def test_an_unknown_operator_leaves_what_is_proved_visible() -> None:
    found = compare(policy(allow("s3:*")), policy(allow("s3:*"), deny("s3:Put*", Condition={"Frob": {"a:b": "x"}})))
    assert found.verdict == "unknown"
    assert found.allows_nothing_new
    assert "could not prove" in found.because[0].why


STAR_LETTERS = [f"arn:aws:s3:::*{letter}*" for letter in "abcdefghijklmnopqrstuvwxyz"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([allow(resource=STAR_LETTERS)], [allow(resource=STAR_LETTERS[1:])]),
        ([allow(resource="*a" * 3000)], [allow(resource="*a" * 3001)]),
        ([allow(resource="?" * 5000)], [allow(resource="?" * 4999 + "*")]),
        ([allow(resource="a*" * 50_000)], [allow(resource="b*" * 50_000)]),
        (
            [allow(resource=[f"${{a:k{i}}}*" for i in range(300)])],
            [allow(resource=[f"${{a:k{i}}}*" for i in range(299)])],
        ),
        (
            [when("IpAddress", "a:b", *(f"10.0.{i}.0/24" for i in range(256)))],
            [when("IpAddress", "a:b", "10.0.0.0/16")],
        ),
        (
            [when("ForAnyValue:StringEquals", "a:b", c) for c in "abcdefghijklmnopqrst"],
            [when("ForAnyValue:StringEquals", "a:b", "z")],
        ),
        ([when("NumericLessThan", "a:b", "9" * 48)], [when("NumericLessThan", "a:b", "9" * 47 + ".0000000000000001")]),
        (
            [allow(f"s3:x{i}", f"arn:aws:s3:::{i}*") for i in range(900)],
            [allow(f"s3:x{i}", f"arn:aws:s3:::{i}?") for i in range(900)],
        ),
        ([allow()], [allow(), *(when("StringLike", f"a:k{i}", "x*", "*y") for i in range(60))]),
    ],
)
def test_hostile_policies_end_in_an_answer(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    found = compared(policy(*old), policy(*new))
    assert found.verdict != "unknown" or "could not prove" in found.because[-1].why


def test_the_answer_does_not_depend_on_the_process() -> None:
    program = (
        "import json, iam; from iam.__main__ import comparison_as_json as j; from tests.unit.iam.pairs import Pairs;"
        "p = Pairs(5);"
        "print(json.dumps([j(iam.compare(*map(iam.parse, p.pair()))) for _ in range(60)]))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(answers) == 1


def test_a_policy_is_equal_to_itself_however_hard_it_is() -> None:
    hard = policy(allow(resource=STAR_LETTERS), when("Frob", "a:b", "x"), deny(resource="arn:aws:s3:::${nonsense}"))
    assert (
        compare(
            hard,
            parse(
                json.dumps(
                    {
                        "Version": "2012-10-17",
                        "Statement": [
                            deny(resource=["arn:aws:s3:::${nonsense}"]),
                            when("Frob", "A:B", "x"),
                            allow(resource=STAR_LETTERS[::-1]),
                        ],
                    }
                )
            ),
        ).verdict
        == "equal"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("0.0000001", "0.0000004"),
        ("1.0000001", "1.0000002"),
        ("1.00000000000000001", "1.00000000000000002"),
        ("1e-7", "4e-7"),
    ],
)
def test_numbers_written_in_json_keep_all_their_digits(old: str, new: str) -> None:
    def read(number: str) -> Policy:
        statement = json.dumps(allow(Condition={"NumericLessThan": {"s3:max-keys": 0}}))
        return parse('{"Statement": ' + statement.replace(": 0}", f": {number}}}") + "}")

    assert compared(read(old), read(new)).verdict in ("broadened", "unknown")
    assert compared(read(new), read(old)).verdict in ("narrowed", "unknown")
    assert compared(read(old), read(old)).verdict == "equal"


def test_numbers_decoded_before_keep_all_their_digits() -> None:
    assert verdict([when("NumericLessThan", "s3:max-keys", 1e-7)], [when("NumericLessThan", "s3:max-keys", 4e-7)]) == (
        "broadened"
    )


def test_only_ascii_letters_of_a_condition_key_have_no_case() -> None:
    def tagged(key: str) -> list[dict[str, Any]]:
        return [when("StringEquals", f"aws:PrincipalTag/{key}", "a")]

    assert verdict(tagged("K"), tagged("k")) == "equal"
    assert verdict(tagged("\N{KELVIN SIGN}"), tagged("k")) == "both"


def test_every_letter_that_may_fold_to_another_is_looked_at() -> None:
    ascii_letters = {each for each in map(chr, range(128)) if patterns._UNSURE.fullmatch(each)}
    assert ascii_letters == set("fiklstFIKLST")
    assert patterns._UNSURE.fullmatch("".join(map(chr, range(128, sys.maxunicode + 1))))


def test_a_statement_without_any_action_is_compared() -> None:
    nothing = allow(action=None, NotAction="*", resource="arn:aws:s3:::b/*")
    assert verdict([allow()], [allow(), nothing]) == "equal"


@pytest.mark.parametrize(("old", "new"), [("StringEquals", "StringLike"), ("StringLike", "StringEquals")])
@pytest.mark.parametrize("statement", [allow, deny])
def test_a_variable_whose_value_holds_a_wildcard_is_itself_to_equals_and_open_to_like(
    old: str, new: str, statement: Any
) -> None:
    one, other = (
        policy(allow(), statement(Condition={operator: {"aws:ResourceTag/owner": "${s3:prefix}"}}))
        if statement is deny
        else policy(statement(Condition={operator: {"aws:ResourceTag/owner": "${s3:prefix}"}}))
        for operator in (old, new)
    )
    found = compare(one, other)
    assert found.verdict == "unknown"
    assert found.allows_nothing_new == ((new == "StringEquals") == (statement is allow))
    assert found.refuses_nothing_new != found.allows_nothing_new


def test_a_witness_has_a_principal_that_can_call() -> None:
    found = compare(policy(), policy(allow(Principal="*")))
    assert found.verdict == "broadened"
    assert {request.principal for request in found.newly_allowed} == {"arn:aws:iam::123456789012:user/example"}
