"""The decision within one account: which of the policies on the way allows, limits or refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from sandbox.aws.authorise import Question, refusal

ACCOUNT = "123456789012"
BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
APP = f"arn:aws:ecr:us-east-2:{ACCOUNT}:repository/app"
KEY = f"arn:aws:kms:us-east-2:{ACCOUNT}:key/1"


def document(effect: str = "Allow", action: str = "ecr:PutImage", resource: str | None = APP, **more: Any) -> str:
    statement = {"Effect": effect, "Action": action, **({"Resource": resource} if resource else {}), **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def question(*identity: str, **more: Any) -> Question:
    return Question("ecr:PutImage", APP, BOB, identity, **more)


HEAD = f"User: {BOB} is not authorized to perform: ecr:PutImage on resource: {APP} "


def test_nothing_is_allowed_without_a_policy() -> None:
    assert refusal(question()) == HEAD + "because no identity-based policy allows the ecr:PutImage action"


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        (APP, True),
        ("*", True),
        (f"arn:aws:ecr:*:{ACCOUNT}:repository/*", True),
        (f"{APP}-two", False),
        (f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/app", False),
    ],
)
def test_an_allow_counts_for_its_own_resources_only(resource: str, allowed: bool) -> None:
    assert (refusal(question(document(resource=resource))) is None) is allowed


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("identity", "with an explicit deny in an identity-based policy"),
        ("boundary", "with an explicit deny in a permissions boundary"),
        ("session", "with an explicit deny in a session policy"),
        ("resource_policy", "with an explicit deny in a resource-based policy"),
    ],
)
def test_a_deny_anywhere_wins_and_the_message_says_where_it_is(where: str, sentence: str) -> None:
    principal = {"Principal": "*"} if where == "resource_policy" else {}
    denial = document("Deny", resource="*", **principal)
    asked = question(document())
    change: dict[str, Any] = {where: (document(), denial) if where == "identity" else denial}
    asked = replace(asked, **change)
    assert refusal(asked) == HEAD + sentence


@pytest.mark.parametrize("limit", ["boundary", "session"])
def test_a_limit_takes_away_what_it_does_not_allow(limit: str) -> None:
    name = {"boundary": "permissions boundary", "session": "session policy"}[limit]
    narrow = document(action="ecr:DescribeImages")
    assert refusal(question(document(), **{limit: narrow})) == (
        HEAD + f"because no {name} allows the ecr:PutImage action"
    )
    assert refusal(question(document(), **{limit: document(action="ecr:*")})) is None


def test_a_repository_policy_grants_to_the_user_it_names_without_any_other_policy() -> None:
    granted = document(resource=None, Principal={"AWS": BOB})
    assert refusal(question(resource_policy=granted)) is None
    other = document(resource=None, Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/eve"})
    assert refusal(question(resource_policy=other)) is not None


@pytest.mark.parametrize("entry", [ROOT, ACCOUNT])
def test_a_repository_policy_for_the_account_grants_nothing_to_its_users(entry: str) -> None:
    for_account = document(resource=None, Principal={"AWS": entry})
    assert refusal(question(resource_policy=for_account)) is not None
    assert refusal(question(document(), resource_policy=for_account)) is None
    both = document(resource=None, Principal={"AWS": [entry, BOB]})
    assert refusal(question(resource_policy=both)) is None


def kms(*identity: str, policy: str) -> Question:
    return Question("kms:Decrypt", KEY, BOB, identity, resource_policy=policy, governed=True)


def test_a_key_is_used_by_whom_its_policy_names_and_by_iam_only_where_it_says_so() -> None:
    may = document(action="kms:Decrypt", resource=KEY)
    default = document(action="kms:*", resource="*", Principal={"AWS": ROOT})
    closed = document(action="kms:*", resource="*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/eve"})
    direct = document(action="kms:Decrypt", resource="*", Principal={"AWS": BOB})
    assert refusal(kms(may, policy=default)) is None
    assert refusal(kms(policy=direct)) is None
    assert "no identity-based policy allows" in (refusal(kms(policy=default)) or "")
    assert "no resource-based policy allows" in (refusal(kms(may, policy=closed)) or "")


def test_conditions_are_judged_by_the_request() -> None:
    conditional = document(Condition={"StringEquals": {"aws:username": "bob"}})
    assert refusal(question(conditional, context={"aws:username": "bob"})) is None
    assert refusal(question(conditional, context={"aws:username": "eve"})) is not None


def test_a_policy_that_cannot_be_read_refuses_and_is_named() -> None:
    why = refusal(question('{"Version": "2012-10-17", "Statement": [{"Effect": "Perhaps"}]}'))
    assert why is not None
    assert why.startswith(HEAD + "because the sandbox cannot read a policy: statement 0")


def test_what_cannot_be_told_is_refused_and_said() -> None:
    strange = document(Condition={"StringSomehow": {"aws:username": "bob"}})
    why = refusal(question(strange, context={"aws:username": "bob"}))
    assert why == HEAD + "because the sandbox cannot tell what an identity-based policy says of the ecr:PutImage action"
