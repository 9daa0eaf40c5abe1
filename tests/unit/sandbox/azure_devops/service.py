"""The service as a process of its own, for tests: start, ask, stop."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import requests

from tests.service_forks import Fork

CHECKOUT = Path(__file__).parents[4]
Json = dict[str, Any]
OPERATOR_TOKEN = "operator-token-of-a-test"


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """One service on a folder and a key store of its own; `token` is the operator's."""

    def __init__(self, root: Path, token: str = OPERATOR_TOKEN, **options: object) -> None:
        """options: of the command line, such as page_size."""
        self.root = root
        self.options = options
        self.folder = root / "azure-devops"
        self.keys = root / "keys"
        self.log = root / "log"
        self.token = token
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/app-one"
        self.keys.mkdir(mode=0o700, exist_ok=True)
        (self.keys / "azure-devops-pat").write_text(token + "\n")
        self._process: Fork | None = None
        self._session = requests.Session()
        self._session.trust_env = False

    def command(self, **other: object) -> list[str]:
        """Return the command line; a keyword replaces an option."""
        options = {
            "folder": self.folder,
            "keys": self.keys,
            "port": self.port,
            "organization": "app-one",
            "project": "app-one",
            **self.options,
            **other,
        }
        given = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        return [sys.executable, "-m", "sandbox.azure_devops", *given]

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        self._process = Fork("sandbox.azure_devops", self.command()[3:], CHECKOUT, os.environ, self.log)
        assert self._process.stdout.readline() == "ready\n", self.log.read_text()

    def abandon(self) -> None:
        """Make sure that nothing is left running, whatever a test did."""
        if self._process is not None and self._process.poll() is None:
            self.stop(signal.SIGKILL)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it and return its exit code."""
        assert self._process is not None
        self._session.close()
        self._process.send_signal(how)
        return self._process.wait()

    def ask(self, method: str, path: str, body: object = None, **more: Any) -> requests.Response:
        """Send one request; path is below the organisation. token: another than the operator's; version: of the API."""
        headers = {"Accept": f"application/json;api-version={more.pop('version', '7.1-preview')}"}
        token = more.pop("token", self.token)
        headers |= more.pop("headers", {})
        auth = None if token is None else ("", token)
        more = {"timeout": 300, "allow_redirects": False, **more}
        return self._session.request(method, f"{self.url}/{path}", json=body, headers=headers, auth=auth, **more)

    def get(self, path: str, **more: Any) -> Any:
        """Return what a GET gives, which has to succeed."""
        return self._good(self.ask("GET", path, **more))

    def post(self, path: str, body: object = None, **more: Any) -> Any:
        """Return what a POST gives, which has to succeed."""
        return self._good(self.ask("POST", path, body, **more))

    def put(self, path: str, body: object, **more: Any) -> Any:
        """Return what a PUT gives, which has to succeed."""
        return self._good(self.ask("PUT", path, body, **more))

    def patch(self, path: str, body: object, **more: Any) -> Any:
        """Return what a PATCH gives, which has to succeed."""
        return self._good(self.ask("PATCH", path, body, **more))

    def delete(self, path: str, **more: Any) -> None:
        """Send a DELETE, which has to be answered 204."""
        answer = self.ask("DELETE", path, **more)
        assert answer.status_code == 204, answer.text

    def refused(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, str, str]:
        """Return status, typeKey and message of a request that has to be refused with the service's envelope."""
        answer = self.ask(method, path, body, **more)
        error = answer.json()
        assert error["$id"] == "1"
        assert error["typeName"].partition(",")[0].endswith(f".{error['typeKey']}")
        return answer.status_code, error["typeKey"], error["message"]

    def project_id(self, name: str = "app-one") -> str:
        """Return the id of a project."""
        return str(self.get(f"_apis/projects/{name}")["id"])

    def issue(self, scope: str) -> str:
        """Return a new token with a scope."""
        answer = self.post("_apis/tokens/pats", {"displayName": scope, "scope": scope})
        assert answer["patTokenError"] == "none"
        return str(answer["patToken"]["token"])

    @staticmethod
    def _good(answer: requests.Response) -> Any:
        assert answer.status_code in {200, 201, 202}, f"{answer.status_code} {answer.text}"
        return answer.json()


def group_body(project_id: str, name: str = "app-one", **variables: object) -> Json:
    """Return the body with which the plugin creates a variable group."""
    return {
        "name": name,
        "description": "of a test",
        "variables": variables or {"plain": {"value": "1", "isSecret": False}},
        "variableGroupProjectReferences": [
            {"name": name, "description": "of a test", "projectReference": {"id": project_id}}
        ],
    }


def definition_body(service: Service, name: str = "app-one", **more: object) -> Json:
    """Return the body with which the plugin creates a build definition on the project's repository."""
    repository = service.get("app-one/_apis/git/repositories/app-one")
    return {
        "name": name,
        "path": "\\",
        "type": "build",
        "quality": "definition",
        "queueStatus": "enabled",
        "revision": 0,
        "process": {"yamlFilename": "azure-pipelines.yml"},
        "queue": {"name": "Azure Pipelines", "pool": {"name": "Azure Pipelines"}},
        "repository": {
            "id": repository["id"],
            "name": repository["id"],
            "type": "TfsGit",
            "url": "",
            "defaultBranch": "main",
            "properties": {"connectedServiceId": "", "apiUrl": "", "reportBuildStatus": "true"},
        },
        "triggers": [
            {
                "batchChanges": False,
                "branchFilters": [],
                "maxConcurrentBuildsPerBranch": 1,
                "pathFilters": [],
                "triggerType": "continuousIntegration",
                "settingsSourceType": 2,
            }
        ],
        "variableGroups": [],
        "variables": {},
        **more,
    }


def push(service: Service, files: dict[str, str], branch: str = "refs/heads/main") -> str:
    """Push files to the project's repository, on a new branch from main if there is none, and return the commit."""
    path = "app-one/_apis/git/repositories/app-one"
    refs = {ref["name"]: ref["objectId"] for ref in service.get(f"{path}/refs")["value"]}
    if branch not in refs:
        move = {"name": branch, "oldObjectId": "0" * 40, "newObjectId": refs["refs/heads/main"]}
        service.post(f"{path}/refs", [move])
        refs[branch] = refs["refs/heads/main"]
    changes = []
    for file, text in files.items():
        there = service.ask("GET", f"{path}/items?path={file}&versionDescriptor.version={branch}").status_code == 200
        content = {"content": text, "contentType": "rawtext"}
        changes.append({"changeType": "edit" if there else "add", "item": {"path": file}, "newContent": content})
    update = {"name": branch, "oldObjectId": refs[branch]}
    pushed = service.post(f"{path}/pushes", {"refUpdates": [update], "commits": [{"comment": "c", "changes": changes}]})
    return str(pushed["refUpdates"][0]["newObjectId"])
