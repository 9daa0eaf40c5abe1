"""An Azure DevOps organisation as a team uses it (public REST), and as an agent does (the sandbox's own channel)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from azure_pipelines.variables import Value
from sandbox.agent.run import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = "app-one"
REPOSITORY = f"{PROJECT}/_apis/git/repositories/app-one"
NOTHING = "0" * 40


@dataclass(frozen=True)
class Organization:
    """One organisation. url: with its name, without a slash at its end. token: of the operator."""

    url: str
    token: str = field(repr=False)

    def ask(self, method: str, path: str, body: object = None, *, token: str | None = None) -> requests.Response:
        """One request; path is below the organisation."""
        return requests.request(
            method,
            f"{self.url}/{path}",
            json=body,
            headers={"Accept": "application/json;api-version=7.1-preview"},
            auth=("", token or self.token),
            timeout=300,
            allow_redirects=False,
        )

    def give(self, method: str, path: str, body: object = None, *, token: str | None = None) -> Any:
        """The answer of a request that has to succeed."""
        answer = self.ask(method, path, body, token=token)
        assert answer.status_code in (200, 201, 202), f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def push(self, files: Mapping[str, str], branch: str) -> None:
        """Push files to the project's repository: the service reads a pipeline's YAML there."""
        refs = {ref["name"]: ref["objectId"] for ref in self.give("GET", f"{REPOSITORY}/refs")["value"]}
        if branch not in refs:
            tip = refs["refs/heads/main"]
            self.give("POST", f"{REPOSITORY}/refs", [{"name": branch, "oldObjectId": NOTHING, "newObjectId": tip}])
            refs[branch] = tip
        changes = []
        for path, text in files.items():
            item = f"{REPOSITORY}/items?path=/{path}&versionDescriptor.version={branch}"
            kind = "edit" if self.ask("GET", item).status_code == 200 else "add"
            content = {"content": text, "contentType": "rawtext"}
            changes.append({"changeType": kind, "item": {"path": f"/{path}"}, "newContent": content})
        update = {"name": branch, "oldObjectId": refs[branch]}
        commit = {"comment": "change", "changes": changes}
        self.give("POST", f"{REPOSITORY}/pushes", {"refUpdates": [update], "commits": [commit]})

    def find_pipeline(self, name: str) -> int:
        """The id of a pipeline by its name."""
        (found,) = self.give("GET", f"{PROJECT}/_apis/build/definitions?name={name}")["value"]
        return int(found["id"])

    def create_pipeline(self, name: str) -> int:
        """Create a pipeline on azure-pipelines.yml; its id."""
        repository = self.give("GET", REPOSITORY)["id"]
        body = {
            "name": name,
            "path": "\\",
            "type": "build",
            "process": {"type": 2, "yamlFilename": "azure-pipelines.yml"},
            "queue": {"name": "Azure Pipelines"},
            "repository": {"id": repository, "type": "TfsGit", "defaultBranch": "refs/heads/main"},
            "variables": {},
        }
        return int(self.give("POST", f"{PROJECT}/_apis/build/definitions", body)["id"])

    def create_group(self, name: str, variables: Mapping[str, Value]) -> int:
        """Create a variable group; its id."""
        project = self.give("GET", f"_apis/projects/{PROJECT}")["id"]
        reference = {"name": name, "description": "", "projectReference": {"id": project}}
        body = {
            "name": name,
            "variables": {key: {"value": value.text, "isSecret": value.secret} for key, value in variables.items()},
            "variableGroupProjectReferences": [reference],
        }
        return int(self.give("POST", "_apis/distributedtask/variablegroups", body)["id"])

    def id_of(self, group: str) -> str:
        """The id of a group of people in the project: a run's token cannot look it up by its name."""
        groups = self.give("GET", "_apis/graph/groups")["value"]
        return next(str(row["originId"]) for row in groups if row["displayName"] == group)

    def authorize(self, group: int | str, pipeline: int) -> None:
        """Let one pipeline use one variable group."""
        path = f"{PROJECT}/_apis/pipelines/pipelinePermissions/variablegroup/{group}"
        self.give("PATCH", path, {"pipelines": [{"id": pipeline, "authorized": True}]})

    def open_pull_request(self, branch: str) -> int:
        """Open a pull request of a branch to main; its number."""
        body = {"sourceRefName": branch, "targetRefName": "refs/heads/main", "title": f"From {branch}"}
        return int(self.give("POST", f"{REPOSITORY}/pullrequests", body)["pullRequestId"])

    def comments(self, pull_request: int) -> list[dict[str, Any]]:
        """The comments of a pull request that are not deleted, with their thread's status."""
        threads = self.give("GET", f"{REPOSITORY}/pullRequests/{pull_request}/threads")["value"]
        rows = [(thread, comment) for thread in threads for comment in thread["comments"]]
        return [{**comment, "status": thread["status"]} for thread, comment in rows if not comment.get("isDeleted")]

    def start(self, pipeline: int, branch: str, **more: str) -> Job:
        """Queue a run and take it, as an agent does. Raises Refused where the service does not queue it."""
        body = {"definition": {"id": pipeline}, "sourceBranch": branch, **more}
        answer = self.ask("POST", f"{PROJECT}/_apis/build/builds", body)
        if answer.status_code != 200:
            raise Refused(answer.json()["message"])
        taken = self.give("POST", f"{PROJECT}/_apis/sandbox/agent/jobs/{answer.json()['id']}")
        variables = {name: Value(row["value"], row["isSecret"]) for name, row in taken["variables"].items()}
        return Job(self, int(taken["build"]["id"]), taken["accessToken"], variables)


@dataclass(frozen=True)
class Job:
    """A run that an agent has taken: what the service gives it (`runner.run.Service`)."""

    organization: Organization
    build: int
    access_token: str = field(repr=False)
    variables: Mapping[str, Value] = field(repr=False)

    def group(self, name: str) -> Mapping[str, Value]:
        """A variable group with its secrets. Raises Refused where the run's pipeline may not use it."""
        path = f"{PROJECT}/_apis/sandbox/agent/variablegroups/{name}"
        answer = self.organization.ask("GET", path, token=self.access_token)
        if answer.status_code == 403:
            raise Refused(answer.json()["message"])
        assert answer.status_code == 200, answer.text
        return {key: Value(row["value"], row["isSecret"]) for key, row in answer.json()["variables"].items()}

    def environment(self, name: str) -> list[str]:
        """The kinds of checks of an environment. Raises Refused where the run's pipeline may not deploy to it."""
        path = f"{PROJECT}/_apis/sandbox/agent/environments/{name}"
        answer = self.organization.ask("GET", path, token=self.access_token)
        if answer.status_code == 403:
            raise Refused(answer.json()["message"])
        assert answer.status_code == 200, answer.text
        return sorted(str(check["type"]) for check in answer.json()["checks"])

    def token(self) -> str:
        """System.AccessToken."""
        return self.access_token

    def complete(self, result: str) -> None:
        """Tell the service how the run ended (`Succeeded`, ...); its token ends with it."""
        body = {"status": "completed", "result": result.lower()}
        self.organization.give("PATCH", f"{PROJECT}/_apis/build/builds/{self.build}", body)
