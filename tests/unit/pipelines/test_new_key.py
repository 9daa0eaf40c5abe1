"""A step whose access key was made a moment ago."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from pipelines import agent, clients, new_key

if TYPE_CHECKING:
    from collections.abc import Callable


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetCallerIdentity")


def after(*refusals: Exception) -> Callable[[], dict[str, str]]:
    """A call that fails so often, then answers."""
    left = list(refusals)

    def ask() -> dict[str, str]:
        if left:
            raise left.pop(0)
        return {"Account": "123456789012"}

    return ask


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited for; nobody waits."""
    waited: list[float] = []
    monkeypatch.setattr("pipelines.new_key.time.sleep", waited.append)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE000000001")
    return waited


@pytest.mark.parametrize("code", sorted(new_key.UNKNOWN))
def test_a_key_that_is_not_known_yet_is_waited_for_and_the_log_says_so(
    waits: list[float], capsys: pytest.CaptureFixture[str], code: str
) -> None:
    assert new_key.known(after(refusal(code), refusal(code)))["Account"]
    assert waits == [1, 2]
    assert capsys.readouterr().out.splitlines() == [
        "AWS does not know the access key AKIAEXAMPLE000000001 yet: asked again in 1 s",
        "AWS does not know the access key AKIAEXAMPLE000000001 yet: asked again in 2 s",
    ]


def test_the_wait_has_a_bound(waits: list[float]) -> None:
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        new_key.known(after(*[refusal("InvalidClientTokenId")] * 9))
    assert sum(waits) == 30


def test_what_is_refused_for_another_reason_is_not_asked_again(waits: list[float]) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        new_key.known(after(refusal("AccessDenied")))
    assert waits == []


class Sts:
    """An STS that answers as `ask` does."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self.get_caller_identity = ask


@pytest.fixture
def job(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], list[str]]:
    """Have a step of a job wait for its key, with an STS that answers so; the services that were asked."""
    waits.clear()
    monkeypatch.setenv("TF_BUILD", "True")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-a-test")

    def wait(ask: Callable[[], Any]) -> list[str]:
        asked: list[str] = []

        def client(service: str, _region: str, **_options: Any) -> Sts:
            asked.append(service)
            return Sts(ask)

        monkeypatch.setattr(clients, "client", client)
        new_key.wait("dev")
        return asked

    return wait


def test_a_step_goes_on_when_its_key_is_known(job: Any, waits: list[float]) -> None:
    assert job(after(refusal("InvalidClientTokenId"))) == ["sts"]
    assert waits == [1]


def test_a_key_that_stays_unknown_is_one_error_with_a_remedy(job: Any) -> None:
    with pytest.raises(agent.Stop, match=r"AWS knows no access key AKIAEXAMPLE000000001, or it is disabled.*pulumi up"):
        job(after(*[refusal("InvalidClientTokenId")] * 9))


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (refusal("Throttling"), "does not say whether the access key AKIAEXAMPLE000000001 is known: Throttling"),
        (EndpointConnectionError(endpoint_url="https://x"), "could not be asked whether the access key AKIAEXAMPLE"),
    ],
)
def test_where_sts_says_nothing_the_step_itself_finds_out(
    job: Any, waits: list[float], capsys: pytest.CaptureFixture[str], why: Exception, said: str
) -> None:
    job(after(why))
    assert said in capsys.readouterr().out
    assert waits == []


@pytest.mark.parametrize("name", ["TF_BUILD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_without_a_job_or_a_key_nobody_is_asked(job: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    assert job(after()) == []
