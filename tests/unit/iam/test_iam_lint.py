"""Lint finds what is wrong or risky, and names the statement; the table shows a policy as people read it."""

from typing import Any

import pytest

from iam import HEADINGS, Policy, exact, lint, parse, table
from iam.document import document
from tests.unit.iam.pairs import Pairs
from tests.unit.iam.policies import REPOSITORY, allow, deny, policy

GOOD = allow(["ecr:PutImage", "ecr:BatchCheckLayerAvailability"], REPOSITORY)
LOGIN = allow("ecr:GetAuthorizationToken")


def rules(found: Policy) -> set[str]:
    return {finding.rule for finding in lint(found)}


def test_a_good_policy_has_no_finding() -> None:
    assert lint(policy(GOOD, LOGIN)) == []


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        (allow(["ecr:GetAuthorizationToken", "ecr:PutImage"], REPOSITORY), "no-resource-level"),
        (allow("ecr:PutImages", REPOSITORY), "unknown-action"),
        (allow("ecr:PutImage", REPOSITORY, Condition={"StringMatches": {"aws:username": "a"}}), "unknown-operator"),
        (allow("*", "*"), "full-access"),
        (allow(None, NotAction="iam:*"), "allow-not-action"),
        (allow("s3:GetObject", None, NotResource="arn:aws:s3:::b/*"), "allow-not-resource"),
        (allow("sts:AssumeRole", None, NotPrincipal={"AWS": "123456789012"}), "allow-not-principal"),
        (allow("sts:AssumeRole", None, Principal="*"), "everyone"),
        (allow("ecr:PutImage", "arn:aws:s3:::bucket"), "no-resource-level"),  # no resource of this action
    ],
)
def test_each_rule_finds_its_case(statement: dict[str, Any], rule: str) -> None:
    assert rule in rules(policy(GOOD, statement))


GITHUB, AZURE = "token.actions.githubusercontent.com", "vstoken.dev.azure.com/0a1b2c3d-0000-0000-0000-000000000000"
TOKEN = "sts:AssumeRoleWithWebIdentity"


def trust(issuer: str, operator: str = "StringEquals", **claims: str) -> dict[str, Any]:
    """A trust in an OpenID Connect provider, with conditions on claims."""
    provider = {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{issuer}"}
    condition = {operator: {f"{issuer}:{claim}": value for claim, value in claims.items()}} if claims else None
    return allow(TOKEN, None, Principal=provider, Condition=condition)


@pytest.mark.parametrize(
    "statement",
    [
        trust(GITHUB, aud="sts.amazonaws.com", sub="repo:octo/app:ref:refs/heads/main"),
        trust(GITHUB, "StringLike", aud="sts.amazonaws.com", sub="repo:octo/app:*"),
        trust(GITHUB, aud="sts.amazonaws.com", job_workflow_ref="octo/app/.github/workflows/x.yml@refs/heads/main"),
        trust(AZURE, aud="api://AzureADTokenExchange", sub="sc://org/project/connection"),
        trust("login.microsoftonline.com/0a1b/v2.0", aud="api://AzureADTokenExchange", sub="/eid1/c/pub/t/x"),
        trust("oidc.eks.us-east-2.amazonaws.com/id/AB", aud="sts.amazonaws.com", sub="system:serviceaccount:ns:app"),
        trust("gitlab.com", "StringLike", aud="https://gitlab.com", sub="project_path:group/app:ref_type:branch:ref:*"),
        trust("token.example.com/x", aud="a", sub="b"),
        allow("sts:AssumeRole", None, Principal={"Service": "ec2.amazonaws.com"}),
        allow(
            "sts:AssumeRoleWithSAML",
            None,
            Principal={"Federated": "arn:aws:iam::123456789012:saml-provider/idp"},
            Condition={"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
        ),
        allow(
            TOKEN,
            None,
            Principal={"Federated": "accounts.google.com"},
            Condition={"StringEquals": {"accounts.google.com:aud": "a"}},
        ),
    ],
)
def test_a_trust_that_pins_audience_and_subject_has_no_finding(statement: dict[str, Any]) -> None:
    assert lint(policy(statement)) == []


@pytest.mark.parametrize("issuer", [GITHUB, AZURE, "gitlab.com", "token.example.com/x"])
def test_a_trust_that_does_not_check_the_subject_is_an_error(issuer: str) -> None:
    for statement in (
        trust(issuer),
        trust(issuer, aud="sts.amazonaws.com"),
        trust(issuer, "StringLike", aud="a", sub="*"),
        trust(issuer, "StringEqualsIfExists", aud="a", sub="b"),
        trust(issuer, "StringNotEquals", aud="a", sub="b"),
        trust(issuer, "ForAllValues:StringEquals", aud="a", sub="b"),
    ):
        found = [finding for finding in lint(policy(statement)) if finding.rule == "trust-without-subject"]
        assert [(finding.level, f"{issuer}:sub" in finding.message) for finding in found] == [("error", True)]
    assert "trust-without-audience" in rules(policy(trust(issuer, sub="repo:octo/app:environment:prod")))


@pytest.mark.parametrize(
    ("issuer", "subject"),
    [
        (GITHUB, "repo:*"),
        (GITHUB, "*:ref:refs/heads/main"),
        (GITHUB, "repo:oct*/app:ref:refs/heads/main"),
        (AZURE, "sc://*"),
        (AZURE, "sc://org/*"),
        ("token.example.com/x", "?*"),
        ("oidc.eks.us-east-2.amazonaws.com/id/AB", "system:serviceaccount:*:app"),
    ],
)
def test_a_subject_that_others_can_have_is_an_error(issuer: str, subject: str) -> None:
    assert "trust-in-any-subject" in rules(policy(trust(issuer, "StringLike", aud="a", sub=subject)))


@pytest.mark.parametrize(
    ("condition", "rule"),
    [
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}, "wrong-value"),
        ({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "10.0.0.0/255.0.0.0"]}}, "wrong-value"),
        ({"Bool": {"aws:SecureTransport": "yes"}}, "wrong-value"),
        ({"NumericLessThan": {"s3:max-keys": "ten"}}, "wrong-value"),
        ({"DateLessThan": {"aws:CurrentTime": "tomorrow"}}, "wrong-value"),
        ({"ArnLike": {"aws:SourceArn": "my-bucket"}}, "wrong-value"),
        ({"Null": {"aws:SourceArn": "no"}}, "wrong-value"),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}, "for-all-values-in-allow"),
        ({"ForAnyValue:StringEquals": {"aws:RequestTag/a": "a"}}, "set-operator-on-single-value"),
        ({"StringEquals": {"aws:TagKeys": "a"}}, "no-set-operator"),
        ({"StringEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/*"}}, "wildcard-without-like"),
        ({"StringNotEqualsIgnoreCase": {"aws:RequestTag/a": "dev-?"}}, "wildcard-without-like"),
        ({"StringLike": {"aws:SourceIp": "10.*"}}, "operator-of-another-type"),
        ({"StringEquals": {"aws:CurrentTime": "2026-01-01"}}, "operator-of-another-type"),
        ({"IpAddress": {"aws:username": "10.0.0.0/8"}}, "operator-of-another-type"),
        ({"StringEquals": {"aws:PrincipleOrgID": "o-a1b2c3d4e5"}}, "unknown-key"),
        ({"StringEquals": {"s3:no-such-key": "a"}}, "unknown-key"),
    ],
)
def test_a_condition_that_does_not_do_what_it_seems_to_is_found(condition: dict[str, Any], rule: str) -> None:
    statement = allow("s3:ListBucket", "arn:aws:s3:::b", Condition=condition)
    assert rule in rules(policy(statement))


@pytest.mark.parametrize(
    "condition",
    [
        {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}},
        {"ForAllValues:StringEquals": {"aws:TagKeys": "a"}, "Null": {"aws:TagKeys": "false"}},
        {"ForAnyValue:StringLike": {"aws:TagKeys": "a*"}},
        {"StringLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/*"}},
        {"StringEquals": {"s3:prefix": "a${*}"}},
        {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}},
        {"BoolIfExists": {"aws:MultiFactorAuthPresent": True}},
        {"StringEquals": {"my.issuer.example.com:claim": "a"}},
    ],
)
def test_a_sound_condition_has_no_finding(condition: dict[str, Any]) -> None:
    assert lint(policy(allow("s3:ListBucket", "arn:aws:s3:::b", Condition=condition))) == []
    assert "for-all-values-in-allow" not in rules(policy(deny("s3:ListBucket", "arn:aws:s3:::b", Condition=condition)))


def test_a_message_stays_short_whatever_a_statement_holds() -> None:
    buckets = ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]
    many = [f"nosuch:Action{number}" for number in range(500)]
    for statement in (allow("s3:*", buckets), allow("*", buckets), allow(many, buckets), allow("x:" + "y" * 9000)):
        assert all(len(finding.message) <= 400 for finding in lint(policy(statement)))
    assert [finding.level for finding in lint(policy(allow("s3:*", buckets)))] == ["note"]


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        (allow("ecr:Put*", REPOSITORY), "inexact-action"),
        (allow("ecr:PutImage"), "every-resource"),
        (allow("ecr:PutImage", "arn:aws:ecr:*:123456789012:repository/app-one"), "inexact-resource"),
        (allow("ecr:GetAuthorizationToken", REPOSITORY), "no-resource-level"),
        (allow("ecr:PutImage", REPOSITORY, Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}), "wrong-value"),
    ],
)
def test_a_policy_that_names_exactly_what_it_allows_keeps_stricter_rules(statement: dict[str, Any], rule: str) -> None:
    assert [finding.rule for finding in exact(policy(statement))] == [rule]
    assert exact(policy(GOOD, LOGIN)) == []


def test_a_finding_names_its_statement_and_the_remedy() -> None:
    found = lint(policy(GOOD, allow("ecr:GetAuthorizationToken", REPOSITORY, Sid="Login")))
    assert [(f.level, f.rule, f.statement, f.sid) for f in found] == [("error", "no-resource-level", 1, "Login")]
    assert found[0].message.startswith('statement "Login": ecr:GetAuthorizationToken has no resource level')
    assert "allow it on Resource *" in found[0].message


def test_variables_in_the_old_version_and_doubled_sids_are_found() -> None:
    home = allow("s3:GetObject", "arn:aws:s3:::b/${aws:username}/*", Sid="A")
    assert "variable-in-old-version" in rules(policy(home, version="2008-10-17"))
    assert "duplicate-sid" in rules(policy(home, GOOD | {"Sid": "A"}))


def test_a_deny_is_not_called_risky() -> None:
    assert rules(policy(deny("*", "*"), deny(None, NotAction="iam:*"))) == set()


def test_lint_survives_every_random_policy() -> None:
    pairs = Pairs(5)
    for _ in range(100):
        for found in map(parse, pairs.pair()):
            assert all(finding.message for finding in lint(found))


def test_a_policy_written_as_a_document_reads_back_the_same() -> None:
    pairs = Pairs(6)
    for _ in range(200):
        for found in map(parse, pairs.pair()):
            assert parse(document(found)) == found


def test_the_table_has_a_row_a_statement_with_negations_in_words() -> None:
    rows = table(
        policy(
            deny(
                None,
                None,
                NotAction="iam:*",
                NotResource="arn:aws:s3:::b",
                NotPrincipal={"AWS": "123456789012"},
                Sid="Guard",
            ),
            allow(
                "s3:GetObject",
                Principal="*",
                Condition={"StringLike": {"aws:username": ["a*", "b"]}, "Frob": {"a:b": "1"}},
            ),
        )
    )
    assert rows[0].statement == "Guard"
    assert (rows[0].effect, rows[0].actions) == ("Deny", ("all except", "iam:*"))
    assert (rows[0].principals, rows[0].resources) == (
        ("all except", "AWS 123456789012"),
        ("all except", "arn:aws:s3:::b"),
    )
    assert (rows[1].statement, rows[1].principals) == ("1", ("everyone",))
    assert rows[1].conditions == ('aws:username StringLike "a*" or "b"', 'a:b Frob (unknown operator) "1"')
    assert len(HEADINGS) == len(rows[0].__dataclass_fields__)
