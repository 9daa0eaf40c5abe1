"""An Azure DevOps organisation as a team uses it, by the public REST."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from azure_pipelines.variables import Value

PROJECT = "app-one"
REPOSITORY = f"{PROJECT}/_apis/git/repositories/app-one"
NOTHING = "0" * 40
_CONNECTIONS = requests.Session()
"""It keeps connections: to make one, with all that goes with it, takes a third of a request."""


class Refused(Exception):  # noqa: N818 (the service's word, not a defect)
    """The service does not queue this run."""


@dataclass(frozen=True)
class Organization:
    """One organisation. url: with its name, without a slash at its end. token: of the operator."""

    url: str
    token: str = field(repr=False)

    def ask(self, method: str, path: str, body: object = None, *, token: str | None = None) -> requests.Response:
        """One request; path is below the organisation."""
        return _CONNECTIONS.request(
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

    def git_push(self, checkout: Path, *refspecs: str, repository: str = "app-one") -> None:
        """Push with git itself, whatever is there already."""
        header = "Authorization: Basic " + base64.b64encode(f":{self.token}".encode()).decode()
        signed = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraheader", "GIT_CONFIG_VALUE_0": header}
        url = f"{self.url}/{PROJECT}/_git/{repository}"
        command = ["git", "-C", str(checkout), "push", "--quiet", "--force", url, *refspecs]
        done = subprocess.run(command, env={**os.environ, **signed}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def create_pipeline(self, name: str, file: str = "azure-pipelines.yml") -> int:
        """Create a pipeline on a file of the repository; its id."""
        repository = self.give("GET", REPOSITORY)["id"]
        body = {
            "name": name,
            "path": "\\",
            "type": "build",
            "process": {"type": 2, "yamlFilename": file},
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

    def open_pull_request(self, branch: str, *, fork: bool = False) -> int:
        """Open a pull request of a branch to main; its number. fork: as if the branch were of a fork."""
        body: dict[str, Any] = {"sourceRefName": branch, "targetRefName": "refs/heads/main", "title": f"From {branch}"}
        if fork:
            body["forkSource"] = {"name": branch, "repository": {"name": "app-one.fork", "isFork": True}}
        return int(self.give("POST", f"{REPOSITORY}/pullrequests", body)["pullRequestId"])

    def comments(self, pull_request: int) -> list[dict[str, Any]]:
        """The comments of a pull request that are not deleted, with their thread's status."""
        threads = self.give("GET", f"{REPOSITORY}/pullRequests/{pull_request}/threads")["value"]
        rows = [(thread, comment) for thread in threads for comment in thread["comments"]]
        return [{**comment, "status": thread["status"]} for thread, comment in rows if not comment.get("isDeleted")]

    def queue(
        self,
        pipeline: int,
        branch: str,
        *,
        skip: Sequence[str] = (),
        parameters: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        reason: str = "",
    ) -> int:
        """Queue a run; its id. Raises Refused where the service does not queue it.

        skip: stages left out. variables: set for this run. reason: as if the service did it by itself, for the
        developer: `individualCI`, ...
        """
        if reason:
            body: dict[str, Any] = {"reason": reason, "sourceBranch": branch, "stagesToSkip": list(skip)}
            answer = self.ask("POST", f"{PROJECT}/_apis/sandbox/triggers/{pipeline}", body)
        elif skip:
            resources = {"repositories": {"self": {"refName": branch}}}
            body = {"resources": resources, "stagesToSkip": list(skip), "templateParameters": parameters or {}}
            answer = self.ask("POST", f"{PROJECT}/_apis/pipelines/{pipeline}/runs", body)
        else:
            body = {"definition": {"id": pipeline}, "sourceBranch": branch, "templateParameters": parameters or {}}
            if variables:
                body["parameters"] = json.dumps(dict(variables))
            answer = self.ask("POST", f"{PROJECT}/_apis/build/builds", body)
        if answer.status_code != 200:
            raise Refused(answer.json()["message"])
        return int(answer.json()["id"])

    def build(self, build: int) -> dict[str, Any]:
        """A run."""
        return dict(self.give("GET", f"{PROJECT}/_apis/build/builds/{build}"))

    def records(self, build: int, kind: str) -> list[dict[str, Any]]:
        """The records of one type in a run's timeline."""
        timeline = self.give("GET", f"{PROJECT}/_apis/build/builds/{build}/timeline")["records"]
        return [record for record in timeline if record["type"] == kind]

    def artifacts(self, build: int, into: Path) -> dict[str, Path]:
        """Download what a run published; the folder of each by its name."""
        path = f"{PROJECT}/_apis/build/builds/{build}/artifacts"
        names = [row["name"] for row in self.give("GET", path)["value"]]
        for name in names:
            packed = self.ask("GET", f"{path}?artifactName={name}&$format=zip").content
            zipfile.ZipFile(io.BytesIO(packed)).extractall(into)
        return {name: into / name for name in names}

    def answer(self, approval: str, status: str) -> None:
        """Approve or reject: `approved`, `rejected`."""
        body = [{"approvalId": approval, "status": status, "comment": "by a test"}]
        self.give("PATCH", f"{PROJECT}/_apis/pipelines/approvals", body)

    def cancel(self, build: int) -> None:
        """Cancel a run, as its button does."""
        self.give("PATCH", f"{PROJECT}/_apis/build/builds/{build}", {"status": "cancelling"})

    def retry(self, build: int, stage: str) -> None:
        """Run the failed jobs of a stage again."""
        path = f"{PROJECT}/_apis/build/builds/{build}/stages/{stage}"
        answer = self.ask("PATCH", path, {"state": "retry", "forceRetryAllJobs": False})
        assert answer.status_code == 204, answer.text
