"""Lint finds what is wrong or risky, and names the statement; the table shows a policy as people read it."""

from typing import Any

import pytest

from iam import HEADINGS, Policy, lint, parse, table
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
        (allow("ecr:PutImage", "arn:aws:s3:::bucket"), "no-resource-level"),  # parliament: no resource of this action
    ],
)
def test_each_rule_finds_its_case(statement: dict[str, Any], rule: str) -> None:
    assert rule in rules(policy(GOOD, statement))


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
