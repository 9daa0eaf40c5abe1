"""A cloud that refuses a look-up is named in one sentence."""

import pulumi
import pytest

from infra.lookup import look_up


def test_an_answer_is_passed_on() -> None:
    assert look_up("the account", "Check it.", lambda: 7) == 7


def test_a_refusal_names_what_was_asked_the_reason_and_the_remedy_without_a_traceback() -> None:
    def refuse() -> None:
        raise Exception("invoke of aws:index/getCallerIdentity:getCallerIdentity failed: no valid credentials")

    with pytest.raises(
        pulumi.RunError, match=r"the AWS account could not be looked up: .*no valid credentials\nCheck"
    ) as e:
        look_up("the AWS account", "Check the credentials.", refuse)
    assert e.value.__suppress_context__
