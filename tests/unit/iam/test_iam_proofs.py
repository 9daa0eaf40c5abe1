"""What a verdict may claim: that naming grants and an account only delegates, and witnesses that AWS could see."""

import re
from typing import Any

import pytest

from iam import Comparison, Request, caveats, compare, decide
from iam.callers import consistent, is_valid
from iam.key_types import can_be
from iam.principals import canonical
from tests.unit.iam.policies import allow, deny, policy

ACCOUNT = "arn:aws:iam::123456789012"
ROOT, USER, ROLE = f"{ACCOUNT}:root", f"{ACCOUNT}:user/contractor", f"{ACCOUNT}:role/ci"
SESSION = "arn:aws:sts::123456789012:assumed-role/ci/session"
FEDERATED = "arn:aws:sts::123456789012:federated-user/contractor"
SERVICES = [
    {"action": "kms:*", "resource": "*"},
    {"action": "s3:GetObject", "resource": "arn:aws:s3:::b/*"},
    {"action": "sts:AssumeRole", "resource": None},
]


def compared(old: Any, new: Any) -> Comparison:
    """Compare two lists of statements, and hold each witness to what AWS could see."""
    before, after = policy(*old), policy(*new)
    found = compare(before, after)
    for one, other, shown in ((before, after, found.newly_allowed), (after, before, found.newly_refused)):
        for request in shown:
            assert not decide([one], request).allowed, request
            assert decide([other], request).allowed, request
            assert request.principal is None or is_valid(canonical(request.principal)), request
            assert consistent(request.principal, request.values), request
            for key, value in request.values.items():
                assert all(can_be(key, text) for text in ([value] if isinstance(value, str) else value)), request
    return found


def named(effect: str, *who: str, **more: Any) -> dict[str, Any]:
    statement = allow if effect == "Allow" else deny
    return statement(Principal={"AWS": list(who) if len(who) > 1 else who[0]}, **more)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("who", [USER, ROLE, SESSION, FEDERATED])
def test_naming_one_of_an_account_besides_the_account_grants(service: dict[str, Any], who: str) -> None:
    old, new = [named("Allow", ROOT, **service)], [named("Allow", ROOT, **service), named("Allow", who, **service)]
    assert compared(old, new).verdict == "broadened"
    assert compared(new, old).verdict == "narrowed"
    both = [named("Allow", ROOT, who, **service)]
    assert compared(old, both).verdict == "broadened"
    assert compared(new, both).verdict == "equal"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("who", [USER, ROLE, SESSION])
def test_a_deny_of_an_account_covers_all_of_it(service: dict[str, Any], who: str) -> None:
    everyone = allow(Principal="*", **service)
    old = [everyone, named("Deny", ROOT, **service)]
    assert compared(old, [*old, named("Deny", who, **service)]).verdict == "equal"
    assert compared(old, [everyone, named("Deny", who, **service)]).verdict == "broadened"


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        (ROLE, [ROLE, SESSION], "broadened"),  # a session that is named is not limited by its boundary
        (USER, [USER, FEDERATED], "broadened"),
        (USER, [USER, ROOT], "broadened"),
        (ROOT, USER, "both"),
        (ROOT, "*", "broadened"),
        (USER, "*", "broadened"),
        ("*", ["*", USER, ROLE, ROOT], "equal"),
        ("123456789012", ROOT, "equal"),
    ],
)
def test_grants_are_compared_by_what_they_leave_to_the_callers_own_policies(old: Any, new: Any, verdict: str) -> None:
    listed = [value if isinstance(value, list) else [value] for value in (old, new)]
    assert compared([named("Allow", *listed[0])], [named("Allow", *listed[1])]).verdict == verdict


@pytest.mark.parametrize(
    ("named_", "who", "own", "effect"),
    [
        (ROOT, USER, "allow", "allow"),
        (ROOT, USER, "silent", "implicit_deny"),
        (ROOT, USER, None, "unknown"),
        (ROOT, ROOT, None, "allow"),
        (USER, USER, "limited", "allow"),
        (USER, FEDERATED, "silent", "allow"),
        (USER, FEDERATED, "limited", "implicit_deny"),
        (ROLE, SESSION, "silent", "allow"),
        (ROLE, SESSION, "limited", "implicit_deny"),
        (SESSION, SESSION, "limited", "allow"),
        ("*", USER, "limited", "allow"),
    ],
)
def test_a_resource_policy_is_decided_by_what_the_callers_own_policies_say(
    named_: str, who: str, own: Any, effect: str
) -> None:
    request = Request("s3:GetObject", "arn:aws:s3:::b/x", who, own_policies=own)
    assert decide([policy(named("Allow", named_))], request).effect == effect


def test_across_accounts_naming_alone_grants_nothing() -> None:
    repository = "arn:aws:ecr:us-east-2:210987654321:repository/app"
    document = policy(named("Allow", USER, action="ecr:PutImage", resource=repository))
    for own, effect in (("silent", "implicit_deny"), ("allow", "allow")):
        request = Request("ecr:PutImage", repository, USER, own_policies=own)  # type: ignore[arg-type]
        assert decide([document], request).effect == effect
    statement = {"action": "ecr:PutImage", "resource": repository}
    found = compared([named("Allow", ROOT, **statement)], [named("Allow", ROOT, USER, **statement)])
    assert found.verdict == "unknown"  # equal, where the account is another one
    assert found.refuses_nothing_new


def test_identity_policies_that_are_judged_too_are_the_callers_own() -> None:
    delegating = policy(named("Allow", ROOT))
    request = Request("s3:GetObject", "arn:aws:s3:::b/x", USER)
    assert decide([delegating, policy(allow("s3:PutObject"))], request).effect == "implicit_deny"
    assert decide([delegating, policy(allow("s3:*"))], request).effect == "allow"


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        # The role's own grant becomes one that its account only delegates; no other caller has this ARN.
        (
            [named("Allow", ROLE)],
            [named("Allow", "123456789012", Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}})],
            "narrowed",
        ),
        (
            [named("Allow", "123456789012", Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}})],
            [named("Allow", "123456789012", Condition={"StringEquals": {"aws:PrincipalArn": ROLE}})],
            "equal",
        ),
        (
            [allow(Principal="*", Condition={"StringEquals": {"aws:PrincipalAccount": "123456789012"}})],
            [allow(Principal="*", Condition={"ArnLike": {"aws:PrincipalArn": "arn:*:*::123456789012:*"}})],
            "unknown",  # equal but for services, of which nobody says whether they have an account
        ),
        (
            [named("Allow", USER)],
            [named("Allow", USER, Condition={"StringEquals": {"aws:PrincipalAccount": "123456789012"}})],
            "equal",
        ),
        (
            [named("Allow", USER)],
            [named("Allow", USER, Condition={"StringNotEquals": {"aws:username": "contractor"}})],
            "narrowed",
        ),
        ([], [named("Allow", USER, Condition={"StringEquals": {"aws:username": "alice"}})], "equal"),
        ([], [allow(Principal="*", Condition={"StringEquals": {"aws:PrincipalAccount": "alice"}})], "equal"),
        ([], [allow(Condition={"StringEquals": {"aws:username": "alice", "aws:PrincipalType": "Account"}})], "equal"),
        (
            [],
            [allow(Condition={"StringEquals": {"aws:username": "bob"}, "ArnLike": {"aws:PrincipalArn": ROLE}})],
            "equal",
        ),
        ([], [allow(Condition={"StringEquals": {"aws:username": "bob", "aws:PrincipalType": "User"}})], "broadened"),
        ([], [named("Allow", "*")], "broadened"),
        ([], [named("Allow", ROLE, Condition={"StringLike": {"aws:userid": "AIDA*"}})], "equal"),
        ([], [named("Allow", ROLE, Condition={"StringLike": {"aws:userid": "AROA*"}})], "broadened"),
        ([], [named("Allow", USER, Condition={"StringLike": {"aws:userid": "*"}})], "broadened"),
        (
            [],
            [named("Allow", USER, action="kms:*", Condition={"StringEquals": {"kms:CallerAccount": "210987654321"}})],
            "equal",
        ),
        (
            [named("Allow", USER, action="kms:*")],
            [named("Allow", USER, action="kms:*", Condition={"StringEquals": {"kms:CallerAccount": "123456789012"}})],
            "unknown",  # equal, if each of these actions sends the key
        ),
        ([], [named("Allow", "999988887777", Condition={"ArnLike": {"aws:PrincipalArn": "*:role/Admin*"}})], "equal"),
        (
            [],
            [named("Allow", "999988887777", Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/Admin*"}})],
            "broadened",
        ),
    ],
)  # fmt: skip
def test_keys_that_follow_from_the_caller_agree_with_the_caller(old: Any, new: Any, verdict: str) -> None:
    assert compared(old, new).verdict in (verdict, "unknown" if verdict == "equal" and not old else verdict)


def test_the_callers_of_a_witness_are_ones_that_can_call() -> None:
    assert compared([], [named("Allow", "*")]).newly_allowed[0].principal == f"{ACCOUNT}:user/example"
    shown = compared([named("Allow", ROOT)], [named("Allow", ROOT, USER)]).newly_allowed[0]
    assert (shown.principal, shown.own_policies) == (USER, "silent")


@pytest.mark.parametrize(
    ("key", "operator", "value", "form"),
    [
        ("kms:ViaService", "StringLike", "*.amazonaws.com", r"[a-z0-9-]+(\.[a-z0-9-]+)+"),
        ("kms:ViaService", "StringLike", "ec2.*.amazonaws.com", r"ec2\.us-east-2\.amazonaws\.com"),
        ("iam:PassedToService", "StringLike", "*.amazonaws.com", r"[a-z0-9-]+(\.[a-z0-9-]+)+"),
        ("aws:SourceAccount", "StringLike", "*", "[0-9]{12}"),
        ("aws:PrincipalAccount", "StringNotEquals", "123456789012", "[0-9]{12}"),
        ("aws:SourceArn", "StringLike", "*", "arn:.+"),
        ("aws:SourceIp", "NotIpAddress", "10.0.0.0/8", r"[0-9.]+"),
        ("aws:SecureTransport", "StringNotEquals", "true", "false"),
        ("aws:RequestedRegion", "StringNotEquals", "us-east-1", "[a-z]+-[a-z]+-[0-9]"),
        ("s3:max-keys", "NumericNotEquals", "5", "[0-9]+"),
    ],
)
def test_a_witness_has_values_of_the_documented_form(key: str, operator: str, value: str, form: str) -> None:
    guarded = [allow("kms:*", Condition={operator: {key: value}, "Null": {key: "false"}})]
    found = compared([], guarded)
    assert found.verdict == "broadened"
    assert re.fullmatch(form, str(found.newly_allowed[0].context[key])), found.newly_allowed


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aws:PrincipalOrgID", "o-abc"),
        ("aws:SourceVpc", "vpc-x"),
        ("aws:PrincipalAccount", "111"),
        ("aws:username", "a b"),
        ("kms:ViaService", "made-up"),
        ("aws:RequestedRegion", "here"),
        ("aws:PrincipalArn", "arn:aws:iam::1:role/x"),
        ("aws:SourceArn", "arn:aws:s3::1:b"),
    ],
)
def test_an_id_that_a_policy_names_is_taken_for_one(key: str, value: str) -> None:
    new = policy(allow("kms:*", Condition={"StringEquals": {key: value}}))
    assert compare(policy(), new).verdict in ("broadened", "unknown")  # never equal: something may be meant by it
    assert compare(policy(), policy(allow("kms:*", Condition={"StringLike": {key: value}}))).verdict != "equal"


def test_an_account_that_a_variable_stands_for_is_an_account() -> None:
    own = allow("s3:*", Condition={"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}})
    found = compared([], [own])
    assert found.verdict == "broadened"
    assert re.fullmatch("[0-9]{12}", str(found.newly_allowed[0].context["aws:ResourceAccount"]))


@pytest.mark.parametrize("value", ["true", "false"])
def test_booleans_have_two_values(value: str) -> None:
    text = [allow(Condition={"StringEquals": {"aws:SecureTransport": value}})]
    assert compared(text, [allow(Condition={"Bool": {"aws:SecureTransport": value}})]).verdict == "equal"
    some = [allow(Condition={"StringEquals": {"aws:RequestTag/t": value}})]
    assert compared(some, [allow(Condition={"Bool": {"aws:RequestTag/t": value}})]).verdict == "broadened"


@pytest.mark.parametrize(
    ("wanted", "value", "effect"),
    [
        ("équipe", "ÉQUIPE", "unknown"),
        ("équipe", "équipe", "allow"),
        ("équipe", "éQUIPE", "allow"),
        ("equipe", "équipe", "implicit_deny"),
        ("straße", "STRASSE", "unknown"),
        ("kilo", "\N{KELVIN SIGN}ilo", "unknown"),
        ("title", "t\N{LATIN SMALL LETTER DOTLESS I}tle", "unknown"),
        ("office", "o\N{LATIN SMALL LIGATURE FFI}ce", "unknown"),
        ("Team", "tEAM", "allow"),
    ],
)
def test_only_the_case_of_ascii_letters_is_known(wanted: str, value: str, effect: str) -> None:
    for one, other in ((wanted, value), (value, wanted)):
        document = policy(allow(Condition={"StringEqualsIgnoreCase": {"aws:PrincipalTag/t": one}}))
        assert decide([document], Request("s3:GetObject", "*", None, {"aws:PrincipalTag/t": other})).effect == effect


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ÉQUIPE", "équipe"),
        ("kilo", "\N{KELVIN SIGN}ilo"),
        ("STRASSE", "straße"),
        ("I", "\N{LATIN SMALL LETTER DOTLESS I}"),
    ],
)
def test_what_the_case_of_other_letters_decides_is_unknown(old: str, new: str) -> None:
    excluded = [allow(Condition={"StringNotEqualsIgnoreCase": {"aws:PrincipalTag/team": old}})]
    exact = [allow(Condition={"StringEquals": {"aws:PrincipalTag/team": new}})]
    found = compared(excluded, exact)
    assert (found.verdict, found.allows_nothing_new) == ("unknown", False)
    assert compared(excluded, excluded).verdict == "equal"
    same = [allow(Condition={"StringNotEqualsIgnoreCase": {"aws:PrincipalTag/team": old.replace("S", "s")}})]
    assert compared(excluded, same).verdict == "equal"


@pytest.mark.parametrize(
    "spelling",
    ["10.0.0.0/255.255.255.0", "10.0.0.0/0.0.0.255", "10.0.0.1/24", "10.0.0.0/08", "10.0.0.0/+8", "fe80::1%eth0",
     "fe80::%1/64", "2001:db8::1", "::ffff:10.0.0.0/104", "10.0.0.0 /8", "10.0.0/24", "010.0.0.0/8", "٣.0.0.0/8"],
)  # fmt: skip
def test_a_spelling_of_a_network_that_aws_does_not_document_is_unknown(spelling: str) -> None:
    one, other = (allow(Condition={"IpAddress": {"aws:SourceIp": text}}) for text in (spelling, "10.0.0.0/24"))
    request = Request("s3:GetObject", "*", None, {"aws:SourceIp": "10.0.0.1"})
    assert decide([policy(one)], request).effect == "unknown"
    assert compared([one], [other]).verdict == "unknown"
    assert compared([one], [one]).verdict == "equal"


@pytest.mark.parametrize(
    "network", ["10.0.0.0/24", "10.0.0.1", "10.0.0.1/32", "2001:DB8:1234:5678::/64", "0.0.0.0/0", "::/0"]
)
def test_documented_spellings_of_networks_are_known(network: str) -> None:
    document = policy(allow(Condition={"IpAddress": {"aws:SourceIp": network}}))
    for address in ("10.0.0.1", "2001:db8:1234:5678::1"):
        request = Request("s3:GetObject", "*", None, {"aws:SourceIp": address})
        assert decide([document], request).effect == (
            "allow" if (":" in address) == (":" in network) else "implicit_deny"
        )


@pytest.mark.parametrize(
    "variable",
    ["${aws:username,'a'}", "${aws:username , 'a'}", "${aws:username,  'a'}", "${ aws:username }", "${aws:username, a}",
     "${aws:username, 'a' }", '${aws:username, "a"}'],
)  # fmt: skip
def test_a_variable_that_is_written_otherwise_than_documented_is_unknown(variable: str) -> None:
    document = policy(allow(resource=f"arn:aws:s3:::b/{variable}"))
    assert decide([document], Request("s3:GetObject", "arn:aws:s3:::b/a")).effect == "unknown"
    plain = policy(allow(resource="arn:aws:s3:::b/${aws:username, 'a'}"))
    assert decide([plain], Request("s3:GetObject", "arn:aws:s3:::b/a")).effect == "allow"
    assert compare(document, plain).verdict == "unknown"


@pytest.mark.parametrize(
    ("old", "new", "warned"),
    [
        ([deny("s3:*")], [deny("s3:Put*")], "only denies, .* beside one that allows everything it is broadened"),
        ([deny("s3:*")], [], "the old document only denies, .* it is broadened"),
        ([allow("s3:*")], [deny("s3:Put*")], "the new document only denies, .* it is narrowed"),
        ([deny("s3:*", Principal="*")], [deny("s3:Put*", Principal="*")], "it is broadened"),
        ([allow("*"), deny("iam:*")], [allow("*"), deny("iam:Create*")], "looks like a boundary"),
        ([allow("s3:*", Sid="PermissionsBoundary")], [allow("s3:*")], "looks like a boundary"),
        ([allow("s3:*")], [allow("s3:Get*"), deny("s3:GetObject")], None),
        ([allow("*")], [allow("s3:*")], None),
        ([], [allow("s3:*")], None),
    ],
)
def test_a_document_that_alone_proves_little_is_warned_of(old: Any, new: Any, warned: str | None) -> None:
    found = caveats(policy(*old), policy(*new))
    assert [bool(re.search(warned or "", text)) for text in found] == ([True] if warned else [])


def test_a_boundary_is_known_by_its_file_name_too() -> None:
    same = policy(allow("s3:*"))
    assert caveats(same, same, "policies/developer-boundary.json")
    assert not caveats(same, same, "policies/developer.json")


def test_patterns_of_other_services_cost_nothing() -> None:
    data = ["Suspend*", *(f"*{word}*" for word in ("ContactAttributes", "RealtimeContact", "MetricData", "UserData"))]
    others = deny([f"connect:{pattern}" for pattern in data])
    assert compared([allow("cloudwatch:PutMetricData")], [others, allow("cloudwatch:PutMetricData")]).verdict == "equal"
    assert compared([allow("connect:*")], [others, allow("connect:*")]).verdict == "narrowed"


def test_a_default_covers_only_requests_without_the_value() -> None:
    defaulted = allow(resource="arn:aws:s3:::b/${aws:username, 'a'}")
    assert not compared([allow(resource="arn:aws:s3:::b/a")], [defaulted]).refuses_nothing_new


def test_actions_that_are_added_are_tried_as_witnesses() -> None:
    many = [f"ec2:Describe{letter}*" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    old = allow([*many, *(f"s3:Get{letter}*" for letter in "ABCDEFGHIJKL")])
    new = allow([*old["Action"], "frob:New", "ecr:PutImage"])
    found = compared([old], [new])
    assert (found.verdict, found.newly_allowed[0].action) == ("broadened", "ecr:PutImage")


@pytest.mark.parametrize(
    ("key", "verdict"),
    [("organizations:ServicePrincipal", "narrowed"), ("aws:RequestTag/t", "narrowed"), ("aws:TagKeys", "narrowed")],
)
def test_a_key_with_one_value_needs_no_set_operator(key: str, verdict: str) -> None:
    plain = allow(Condition={"StringEquals": {key: "x"}})
    qualified = allow(Condition={"ForAllValues:StringLike": {key: "x"}})
    found = compared([qualified], [plain])
    assert found.verdict == ("unknown" if key == "aws:TagKeys" else verdict)  # that one has many values
    any_value = allow(Condition={"ForAnyValue:StringEquals": {key: "x"}})
    assert compared([any_value], [plain]).verdict == ("unknown" if key == "aws:TagKeys" else "equal")
