"""Every right of docs/rights.md, really asked for: what may be is done, what may not be is refused for that alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end import rights
from tests.end_to_end.parties import Parties

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import requests

    from tests.workstation import Sandbox

# The first of a worker takes over 10 s: it makes a foundation with keys and roles, and takes the jobs of six runs.
pytestmark = pytest.mark.e2e

AWS, AZURE_DEVOPS = rights.table("Of AWS"), rights.table("Of Azure DevOps")
DENIED = {"AccessDenied", "AccessDeniedException"}
_UNSIGNED = "Request is missing Authentication Token"
ANONYMOUS = {
    ("MissingAuthenticationToken", _UNSIGNED),
    ("MissingAuthenticationTokenException", _UNSIGNED),
    ("AccessDenied", "Access Denied"),
}


@pytest.fixture
def parties(sandbox: Sandbox, tmp_path: Path) -> Parties:
    """All parties at work; a test may leave behind what it likes."""
    return Parties.begin(sandbox, tmp_path / "parties")


def judged(ask: rights.Ask, aws: Callable[[str], Any], place: rights.Place) -> bool | str:
    """Whether AWS does what is asked: True, False for want of a right, or the error that says neither."""
    from botocore.exceptions import ClientError

    try:
        ask.send(aws, place)
    except ClientError as error:
        said = error.response["Error"]
        code, message = said["Code"], said.get("Message", "")
        if (code, message) in ANONYMOUS or (code in DENIED and "is not authorized to perform" in message):
            return False
        return True if code in ask.met else f"{code}: {message}"
    return True


@pytest.mark.parametrize(
    ("party", "who"),
    [
        ("pull request", ""),
        ("preview", "preview by key"),
        ("preview", "preview by token"),
        ("preview", "night by token"),
        ("deployment", "deployment by key"),
        ("deployment", "deployment by token"),
        ("operator", "operator"),
    ],
)
def test_what_aws_does_for_each_party(parties: Parties, sandbox: Sandbox, party: str, who: str) -> None:
    from botocore import UNSIGNED
    from botocore.config import Config

    clients: dict[str, Any] = {}

    def aws(service: str) -> Any:
        if service not in clients:
            given: Any = parties.aws[who] if who else {"config": Config(signature_version=UNSIGNED)}
            clients[service] = sandbox.client(service, **given)
        return clients[service]

    found = {what: judged(ask, aws, parties.place) for what, ask in rights.AWS.items()}
    assert found == {what: row[party] for what, row in AWS.items()}


def allowed(what: str, answer: requests.Response) -> bool | str:
    """Whether Azure DevOps does what is asked: True, False for want of a right, or what says neither."""
    if answer.status_code in (401, 403):
        return False
    if answer.status_code not in (200, 201, 204):
        return f"{answer.status_code}: {answer.text}"
    return "the secret in" not in what or answer.json()["variables"]["App-One.SecretKey"]["value"] is not None


@pytest.mark.parametrize(
    ("party", "who"),
    [
        ("contributor", "contributor"),
        ("run", "run of a pull request"),
        ("run", "run of a preview"),
        ("run", "run of a deployment"),
        ("run", "run of the night"),
        ("operator", "operator"),
    ],
)
def test_what_azure_devops_does_for_each_party(parties: Parties, sandbox: Sandbox, party: str, who: str) -> None:
    found = {}
    for what, request in rights.AZURE_DEVOPS.items():
        method, path, body = parties.things.filled(request)
        given = {} if body is None else {"json": body}
        headers = {"Accept": "application/json;api-version=7.1-preview"}
        answer = sandbox.azure_devops(method, path, parties.tokens[who], headers=headers, **given)
        found[what] = allowed(what, answer)
    assert found == {what: row[party] for what, row in AZURE_DEVOPS.items()}
