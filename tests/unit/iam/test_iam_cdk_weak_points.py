"""The 20 changes on which `cdk diff` was tried (it judged 7 right): each judged right, with a request that shows it."""

from typing import Any

import pytest

from iam import compare, decide
from tests.unit.iam.policies import REPOSITORY, allow, deny, policy

PUSH = allow(["ecr:PutImage", "ecr:InitiateLayerUpload"], REPOSITORY, Sid="Push")
ADMIN = allow("*", "*")
GUARD = deny("iam:*", "*")
SAFE = {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}

# name: (old, new, verdict), grouped by what `cdk diff` says.
JUDGED_RIGHT_THERE_TOO = {
    "nothing changed": ([PUSH], [PUSH], "equal"),
    "an Allow statement added": ([PUSH], [PUSH, allow("s3:GetObject", "arn:aws:s3:::b/*")], "broadened"),
    "an Allow statement removed": ([PUSH, allow("s3:GetObject")], [PUSH], "narrowed"),
    "an action added": ([allow("ecr:PutImage", REPOSITORY)], [PUSH], "broadened"),
    "an ARN made *": ([PUSH], [PUSH | {"Resource": "*"}], "broadened"),
    "a condition removed": ([PUSH | SAFE], [PUSH], "broadened"),
    "a Deny statement removed": ([ADMIN, GUARD], [ADMIN], "broadened"),
}
NARROWING_CALLED_BROADENING = {
    "an action removed": ([PUSH], [allow("ecr:PutImage", REPOSITORY, Sid="Push")], "narrowed"),
    "* made an ARN": ([PUSH | {"Resource": "*"}], [PUSH], "narrowed"),
    "a condition added": ([PUSH], [PUSH | SAFE], "narrowed"),
    "a Deny statement grown": ([ADMIN, GUARD], [ADMIN, deny(["iam:*", "sts:*"])], "narrowed"),
    "Deny with NotAction added": ([ADMIN], [ADMIN, deny(None, NotAction="ecr:*")], "narrowed"),
}
NEUTRAL_CALLED_BROADENING = {
    "a Sid renamed": ([PUSH], [PUSH | {"Sid": "PushImages"}], "equal"),
    "a statement split": (
        [PUSH],
        [allow("ecr:PutImage", REPOSITORY), allow("ecr:InitiateLayerUpload", REPOSITORY)],
        "equal",
    ),
    "an action in other case": ([PUSH], [PUSH | {"Action": ["ECR:putimage", "ecr:initiatelayerupload"]}], "equal"),
    "a redundant action": ([allow("ecr:*", REPOSITORY)], [allow(["ecr:*", "ecr:PutImage"], REPOSITORY)], "equal"),
}
BROADENING_MISSED = {
    "Allow with NotAction added": ([PUSH], [PUSH, allow(None, NotAction="iam:*")], "broadened"),
    "Allow with NotResource added": (
        [PUSH],
        [PUSH, allow("s3:*", None, NotResource="arn:aws:s3:::audit/*")],
        "broadened",
    ),
    "Deny with NotAction removed": ([ADMIN, deny(None, NotAction="ecr:*")], [ADMIN], "broadened"),
    # The template's condition hides the statement there; what is compared here is the document that will be.
    "a statement behind a conditional": ([PUSH], [PUSH, allow("iam:PassRole")], "broadened"),
}
CASES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], str]] = {
    **JUDGED_RIGHT_THERE_TOO,
    **NARROWING_CALLED_BROADENING,
    **NEUTRAL_CALLED_BROADENING,
    **BROADENING_MISSED,
}


def test_all_twenty_cases_are_here() -> None:
    assert len(CASES) == 20
    assert (len(NARROWING_CALLED_BROADENING), len(NEUTRAL_CALLED_BROADENING), len(BROADENING_MISSED)) == (5, 4, 4)


@pytest.mark.parametrize("name", CASES)
def test_each_class_is_judged_right_with_a_witness(name: str) -> None:
    before, after, verdict = CASES[name]
    old, new = policy(*before), policy(*after)
    found = compare(old, new)
    assert found.verdict == verdict
    assert bool(found.newly_allowed) == (verdict == "broadened")
    assert bool(found.newly_refused) == (verdict == "narrowed")
    for request in found.newly_allowed:
        assert not decide([old], request).allowed
        assert decide([new], request).allowed
    for request in found.newly_refused:
        assert decide([old], request).allowed
        assert not decide([new], request).allowed
