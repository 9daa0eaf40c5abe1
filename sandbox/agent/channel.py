"""How the agent talks to its organisation: it takes jobs, and tells of them (`sandbox/azure_devops/jobs.py`)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import requests

from azure_pipelines.documents import Located
from azure_pipelines.model import Job, job
from azure_pipelines.variables import Masks, Value, Variables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CONNECTIONS = requests.Session()
"""It keeps connections: to make one, with all that goes with it, takes a third of a request."""
_SECONDS = 120.0
"""How long an answer is waited for: the service itself lets a request wait for a change."""


class ChannelError(Exception):
    """The organisation refuses what the agent asks for; the message is its own."""


@dataclass(frozen=True)
class Assignment:
    """A job that an agent has taken. token: System.AccessToken.

    repositories: what its checkouts name, and `self`; each has `name`, `url` and `version`, the commit.
    """

    number: int
    build: Mapping[str, Any]
    stage: str
    stage_attempt: int
    job: Job
    job_attempt: int
    variables: Variables
    token: str = field(repr=False)
    repositories: Mapping[str, Mapping[str, str]]
    connections: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """The service connections that the job names, with their ids and parameters."""
    secrets: frozenset[str] = frozenset()
    """Names of the variables that the service gave as secrets."""


@dataclass(frozen=True)
class Waiting:
    """No job can be taken now: the run is completed, or waits for people. status: its own."""

    status: str
    approvals: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Organization:
    """An organisation of the service. url: with its name, no slash at its end. token: of whoever runs the agent."""

    url: str
    token: str = field(repr=False)

    def ask(self, method: str, path: str, body: object = None, *, token: str | None = None) -> Any:
        """The answer to a request below the organisation, None where it has none. Raises ChannelError."""
        answer = _CONNECTIONS.request(
            method,
            f"{self.url}/{path}",
            json=body,
            headers={"Accept": "application/json;api-version=7.1-preview"},
            auth=("", token or self.token),
            timeout=_SECONDS,
            allow_redirects=False,
        )
        if answer.status_code == 204:
            return None
        if answer.status_code not in (200, 201, 202):
            raise ChannelError(_message(answer))
        return answer.json()

    def take(self, build: int | None = None) -> Assignment | Waiting | None:
        """The next job, of one run if it is named. None: nothing came while the service waited."""
        given = self.ask("POST", "_apis/sandbox/agent/requests", {} if build is None else {"build": build})
        if given is None:
            return None
        if given["job"] is None:
            return Waiting(given["status"], tuple(given["approvals"]))
        return _assignment(given["job"])

    def once_more(self, number: int) -> Assignment:
        """A job that has ended, for a step of it that is run alone: with its secrets, and a token until `forget`."""
        return _assignment(self.ask("PUT", f"_apis/sandbox/agent/requests/{number}")["job"])

    def forget(self, number: int) -> None:
        """Revoke what `once_more` gave."""
        self.ask("DELETE", f"_apis/sandbox/agent/requests/{number}")

    def of(self, assignment: Assignment) -> Channel:
        """The channel of a job."""
        return Channel(self, assignment.number, assignment.token)


def _message(answer: requests.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError):
        return f"{answer.request.method} {answer.request.path_url} was answered {answer.status_code}"


def _assignment(given: Mapping[str, Any]) -> Assignment:
    variables = Variables(Masks())
    variables.update((row["name"], Value(row["value"], row["isSecret"])) for row in given["variables"])
    variables.set("System.AccessToken", given["accessToken"], secret=True)
    return Assignment(
        number=given["id"],
        build=given["build"],
        stage=given["stage"],
        stage_attempt=given["stageAttempt"],
        job=replace(job(_located(given["job"])), id=given["name"]),
        job_attempt=given["jobAttempt"],
        variables=variables,
        token=given["accessToken"],
        repositories=given["repositories"],
        connections=given.get("connections", {}),
        secrets=frozenset(name for name, value in variables.items() if value.secret),
    )


def _located(value: Any) -> Any:
    if isinstance(value, dict):
        return Located({key: _located(part) for key, part in value.items()})
    return [_located(part) for part in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Channel:
    """The channel of one job, with the job's own token."""

    organization: Organization
    number: int
    token: str = field(repr=False)
    batch: int = 50
    """Lines of a step's log that are sent at once."""

    def _ask(self, method: str, what: str, body: object = None) -> Any:
        return self.organization.ask(method, f"_apis/sandbox/agent/{what}", body, token=self.token)

    def identity_token(self, uri: str, connection: str) -> str:
        """An identity token of a service connection, from System.OidcRequestUri. Raises ChannelError."""
        path = uri.removeprefix(f"{self.organization.url}/")
        given = self.organization.ask("POST", f"{path}?serviceConnectionId={connection}", {}, token=self.token)
        return str(given["oidcToken"])

    def step(self, number: int, **what: object) -> None:
        """Tell what is new of a step: name, state, result, lines, issues."""
        self._ask("POST", f"steps/{self.number}", {"number": number, **what})

    def attach(self, kind: str, name: str, content: str) -> None:
        """Attach a text to the run."""
        self._ask("POST", f"attachments/{self.number}", {"type": kind, "name": name, "content": content})

    def publish(self, name: str, source: Path) -> int:
        """Keep a file or a folder as an artefact; the number of its files. Raises ChannelError for a name again."""
        files = sorted(file for file in source.rglob("*") if file.is_file()) if source.is_dir() else [source]
        top = source if source.is_dir() else source.parent
        content = {str(file.relative_to(top)): base64.b64encode(file.read_bytes()).decode() for file in files}
        self._ask("POST", f"artifacts/{self.number}", {"name": name, "files": content})
        return len(files)

    def fetch(self, name: str, into: Path, *, flat: bool = False) -> list[str]:
        """Write an artefact of the run, or all of them, each into a folder of its name (flat: not so); their names."""
        given = self._ask("GET", f"artifacts/{self.number}" + (f"?name={name}" if name else ""))
        for artifact, files in given.items():
            folder = into if flat else into / artifact
            folder.mkdir(parents=True, exist_ok=True)
            for path, content in files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(base64.b64decode(content))
        return list(given)

    def canceled(self) -> bool:
        """Wait until the run is cancelled (True) or the job has ended (False)."""
        # By the agent's own token: the job's ends with the run.
        while (given := self.organization.ask("GET", f"_apis/sandbox/agent/cancellations/{self.number}")) is None:
            pass  # the service waited, and nothing happened
        return bool(given["canceled"])

    def finish(self, result: str, outputs: Mapping[str, str], issues: list[dict[str, str]]) -> None:
        """Tell how the job ended."""
        self._ask("PATCH", f"requests/{self.number}", {"result": result, "outputs": outputs, "issues": issues})
