"""A policy is checked where it is declared: exact actions on named things."""

import json

import parliament
import pytest

from infra.access import push_policy_document, read_policy_document
from infra.policy import PolicyDeclarationError, Statement, document

REPOSITORY = "arn:aws:ecr:us-east-2:123456789012:repository/app-one"


def statement(actions: list[str], resources: list[str], sid: str = "One") -> Statement:
    return Statement(sid=sid, reason="a test", actions=actions, resources=resources)


def test_a_document_has_sorted_actions_and_no_reasons() -> None:
    text = document([statement(["ecr:PutImage", "ecr:BatchGetImage"], [REPOSITORY])])
    assert json.loads(text) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "One",
                "Effect": "Allow",
                "Action": ["ecr:BatchGetImage", "ecr:PutImage"],
                "Resource": REPOSITORY,
            }
        ],
    }


def test_objects_below_a_prefix_of_a_named_bucket_are_a_thing() -> None:
    document([statement(["s3:GetObject"], ["arn:aws:s3:::state/.pulumi/stacks/*"])])


@pytest.mark.parametrize(
    ("actions", "resources", "why"),
    [
        (["ecr:*"], [REPOSITORY], "'ecr:\\*' is not one exact action"),
        (["*"], [REPOSITORY], "'\\*' is not one exact action"),
        (["ecr:Put?mage"], [REPOSITORY], "is not one exact action"),
        (["ecr:PutImage"], ["*"], r"\['ecr:PutImage'\] on every resource"),
        (["ecr:PutImage", "ecr:GetAuthorizationToken"], ["*"], r"\['ecr:PutImage'\] on every resource"),
        (["ecr:PutImage"], ["arn:aws:ecr:us-east-2:123456789012:repository/*"], "is not the ARN of one thing"),
        (["ecr:PutImage"], ["arn:aws:ecr:*:123456789012:repository/app-one"], "is not the ARN of one thing"),
        (["s3:GetObject"], ["arn:aws:s3:::*/state"], "is not the ARN of one thing"),
        (["s3:GetObject"], [REPOSITORY, "*"], "is not the ARN of one thing"),
    ],
)
def test_a_statement_that_is_too_wide_cannot_be_declared(actions: list[str], resources: list[str], why: str) -> None:
    with pytest.raises(PolicyDeclarationError, match=rf"""^statement "One": .*{why}"""):
        document([statement(actions, resources)])


def test_statement_ids_are_unique() -> None:
    with pytest.raises(PolicyDeclarationError, match="repeat"):
        document([statement(["ecr:PutImage"], [REPOSITORY])] * 2)


@pytest.mark.parametrize("more", [False, True])
def test_the_linter_finds_nothing_in_the_push_policy(more: bool) -> None:
    document = push_policy_document(REPOSITORY, allow_pull=more, allow_scan_findings=more, allow_look_up=more)
    assert findings(document) == []


@pytest.mark.parametrize("users", [[], ["arn:aws:iam::123456789012:user/a/b/app-one-push"]])
def test_the_linter_finds_nothing_in_the_readers_policy(users: list[str]) -> None:
    assert findings(read_policy_document(REPOSITORY, users)) == []


def findings(document: str) -> list[str]:
    return [str(finding) for finding in parliament.analyze_policy_string(document).findings]


def test_the_linter_finds_what_is_wrong() -> None:
    wrong = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:PutImages", "Resource": "*"}}
    assert findings(json.dumps(wrong))
