"""Every right of docs/rights.md, really asked for: what may be is done, what may not be is refused for that alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end import rights
from tests.end_to_end.parties import GIT as _GIT, PROJECT, Parties

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import requests

    from tests.workstation import Sandbox

# The first of a worker takes over 10 s: it makes a foundation with keys and roles, and takes the jobs of six runs.
pytestmark = pytest.mark.e2e

AWS, AZURE_DEVOPS = rights.table("Of AWS"), rights.table("Of Azure DevOps")
GIT = _GIT.partition("/")[2]
DENIED = {"AccessDenied", "AccessDeniedException"}
_UNSIGNED = "Request is missing Authentication Token"
ANONYMOUS = {
    ("MissingAuthenticationToken", _UNSIGNED),
    ("MissingAuthenticationTokenException", _UNSIGNED),
    ("AccessDenied", "Access Denied"),
}


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """The session's sandbox as it is: what `parties` brings it into, it need not be emptied before."""
    return running


@pytest.fixture
def parties(running: Sandbox, tmp_path: Path) -> Parties:
    """All parties at work; a test may leave behind what it likes."""
    return Parties.begin(running, tmp_path / "parties")


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
        ("preview", "night by key"),
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


def ask(sandbox: Sandbox, token: str, method: str, path: str, body: object = None) -> requests.Response:
    """One request of Azure DevOps below the project."""
    headers = {"Accept": "application/json;api-version=7.1-preview"}
    answer: requests.Response = sandbox.azure_devops(method, f"{PROJECT}/{path}", token, headers=headers, json=body)
    return answer


def commit(sandbox: Sandbox, token: str, branch: str, files: dict[str, str]) -> None:
    """Push a commit that writes files; a new branch begins at main."""
    refs = {ref["name"]: ref["objectId"] for ref in ask(sandbox, token, "GET", f"{GIT}/refs").json()["value"]}
    if branch not in refs:
        made = [{"name": branch, "oldObjectId": "0" * 40, "newObjectId": refs["refs/heads/main"]}]
        assert ask(sandbox, token, "POST", f"{GIT}/refs", made).json()["value"][0]["success"]
        refs[branch] = refs["refs/heads/main"]
    changes = []
    for path, text in files.items():
        there = ask(sandbox, token, "GET", f"{GIT}/items?path={path}&versionDescriptor.version={branch}")
        kind = "edit" if there.status_code == 200 else "add"
        changes.append({"changeType": kind, "item": {"path": path}, "newContent": {"content": text}})
    body = {
        "refUpdates": [{"name": branch, "oldObjectId": refs[branch]}],
        "commits": [{"comment": "A change", "changes": changes}],
    }
    assert ask(sandbox, token, "POST", f"{GIT}/pushes", body).status_code == 201


def test_one_person_alone_brings_no_code_to_main(parties: Parties, sandbox: Sandbox) -> None:
    people = {"developer": parties.tokens["contributor"]}
    people["reviewer"] = ask_operator(sandbox, "_apis/sandbox/usertokens/reviewer")["token"]
    ids = {row["displayName"].lower(): row["originId"] for row in ask_operator(sandbox, "_apis/graph/users")["value"]}
    branch, request = "refs/heads/change", f"{GIT}/pullrequests/{parties.things.numbers['request']}"

    def vote(who: str) -> None:
        assert ask(sandbox, people[who], "PUT", f"{request}/reviewers/{ids[who]}", {"vote": 10}).status_code == 200

    def complete(who: str) -> tuple[int, str]:
        answer = ask(sandbox, people[who], "PATCH", request, {"status": "completed"})
        return answer.status_code, answer.json().get("message", "")

    def green() -> None:
        """The build policy is met by the pull request's own YAML, which checks nothing."""
        pull = f"refs/pull/{parties.things.numbers['request']}/merge"
        body = {"reason": "pullRequest", "sourceBranch": pull}
        run = ask(sandbox, "", "POST", f"_apis/sandbox/triggers/{parties.things.numbers['pipeline']}", body).json()[
            "id"
        ]
        job = ask_operator(sandbox, "_apis/sandbox/agent/requests", {"build": run})["job"]
        done = sandbox.azure_devops(
            "PATCH",
            f"_apis/sandbox/agent/requests/{job['id']}?api-version=7.1-preview",
            job["accessToken"],
            json={"result": "Succeeded"},
        )
        assert done.json()["status"] == "completed"

    commit(sandbox, people["developer"], branch, {"/azure-pipelines.yml": "steps: [{bash: echo}]\n"})
    assert "has not run on the source's last commit" in complete("developer")[1]
    green()
    vote("developer")
    assert complete("developer")[0] == 403
    assert complete("developer")[1].endswith("0 of at least 1 reviewers approved.")
    # Who reviews and pushes is one person too.
    commit(sandbox, people["reviewer"], branch, {"/more.txt": "of the reviewer\n"})
    green()
    vote("reviewer")
    assert complete("reviewer")[1].endswith("0 of at least 1 reviewers approved.")
    # A vote is of what was there to be seen.
    commit(sandbox, people["developer"], branch, {"/more.txt": "of the developer\n"})
    green()
    assert complete("developer")[1].endswith("0 of at least 1 reviewers approved.")
    vote("reviewer")
    assert complete("developer")[0] == 200


_STEP = "steps: [{bash: echo}]\n"
_CONNECTION = "steps: [{task: AWSShellScript@1, inputs: {awsCredentials: NAME}}]\n"
_ENVIRONMENT = "jobs: [{deployment: d, environment: NAME, strategy: {runOnce: {deploy: {steps: [{bash: echo}]}}}}]\n"
PROTECTED = {
    "app-one": f"variables: [{{group: NAME}}]\n{_STEP}",
    "app-one-reader": f"variables: [{{group: NAME}}]\n{_STEP}",
    "app-one-state": f"variables: [{{group: NAME}}]\n{_STEP}",
    "app-one-push (connection)": _CONNECTION,
    "app-one-reader (connection)": _CONNECTION,
    "app-one-dev": _ENVIRONMENT,
}


@pytest.mark.parametrize("way", ["pull request", "branch"])
def test_no_branch_reaches_a_credential_by_yaml_of_its_own(parties: Parties, sandbox: Sandbox, way: str) -> None:
    token, numbers = parties.tokens["contributor"], parties.things.numbers
    found = {}
    for name, yaml in PROTECTED.items():
        text = yaml.replace("NAME", name.partition(" ")[0])
        commit(sandbox, token, "refs/heads/change", {"/azure-pipelines.yml": text})
        if way == "pull request":
            body: object = {"reason": "pullRequest", "sourceBranch": f"refs/pull/{numbers['request']}/merge"}
            answer = ask(sandbox, "", "POST", f"_apis/sandbox/triggers/{numbers['pipeline']}", body)
        else:
            body = {"definition": {"id": numbers["pipeline"]}, "sourceBranch": "refs/heads/change"}
            answer = ask(sandbox, token, "POST", "_apis/build/builds", body)
        run = answer.json()["id"]
        assert ask_operator(sandbox, "_apis/sandbox/agent/requests", {"build": run})["job"] is None, name
        records = ask(sandbox, token, "GET", f"_apis/build/builds/{run}/timeline").json()["records"]
        issues = [issue["message"] for row in records for issue in row["issues"] or []]
        found[name] = any("is not among the allowed branches" in issue for issue in issues)
    assert found == dict.fromkeys(PROTECTED, True)


def test_a_run_of_main_on_a_branchs_commit_gets_nothing_by_yaml_of_its_own(parties: Parties, sandbox: Sandbox) -> None:
    token, numbers = parties.tokens["contributor"], parties.things.numbers
    for name, yaml in PROTECTED.items():
        # Also as the file that has to be extended: of its own commit it is not that, whatever the run's branch is.
        text, own = yaml.replace("NAME", name.partition(" ")[0]), "pipelines/templates/run.yml"
        root = f"extends: {{template: {own}}}\n" if "connection" in name else text
        commit(sandbox, token, "refs/heads/change", {"/azure-pipelines.yml": root, f"/{own}": text})
        refs = {ref["name"]: ref["objectId"] for ref in ask(sandbox, token, "GET", f"{GIT}/refs").json()["value"]}
        body = {
            "definition": {"id": numbers["pipeline"]},
            "sourceBranch": "refs/heads/main",
            "sourceVersion": refs["refs/heads/change"],
        }
        run = ask(sandbox, token, "POST", "_apis/build/builds", body).json()["id"]
        given = ask_operator(sandbox, "_apis/sandbox/agent/requests", {"build": run})
        assert (given["job"], given["approvals"]) == (None, []), name
        records = ask(sandbox, token, "GET", f"_apis/build/builds/{run}/timeline").json()["records"]
        (issue,) = (issue["message"] for row in records for issue in row["issues"] or [])
        assert "The pipeline does not extend a required template" in issue


def test_the_identity_of_who_pushes_is_nobodys_before_the_approval(parties: Parties, sandbox: Sandbox) -> None:
    push = parties.things.numbers["connection"]
    given = {}
    for who, (uri, token) in parties.identities.items():
        answer = sandbox.azure_devops("POST", f"{uri}?serviceConnectionId={push}&api-version=7.1", token)
        given[who] = answer.status_code
    assert given == {
        "run of a pull request": 403,
        "run of a preview": 403,
        "run of the night": 403,
        "run of a deployment": 200,
    }


def test_the_readers_identity_takes_the_readers_role_alone(parties: Parties, sandbox: Sandbox) -> None:
    from botocore.exceptions import ClientError

    uri, token = parties.identities["run of a preview"]
    reader = parties.things.numbers["reader connection"]
    asked = f"{uri}?serviceConnectionId={reader}&api-version=7.1"
    identity = sandbox.azure_devops("POST", asked, token).json()["oidcToken"]

    def take(role: str) -> str:
        arn = f"arn:aws:iam::{parties.place.account}:role/{role}"
        given = {"RoleArn": arn, "RoleSessionName": "rights", "WebIdentityToken": identity}
        return str(sandbox.client("sts").assume_role_with_web_identity(**given)["AssumedRoleUser"]["Arn"])

    assert take("app-one-reader").endswith("assumed-role/app-one-reader/rights")
    with pytest.raises(ClientError, match=r"AccessDenied.*sts:AssumeRoleWithWebIdentity"):
        take("app-one-push")


def test_nobody_approves_a_run_of_their_own(parties: Parties, sandbox: Sandbox) -> None:
    numbers, token = parties.things.numbers, parties.tokens["operator"]
    body = {"resources": {"repositories": {"self": {"refName": "refs/heads/main"}}}, "stagesToSkip": ["checks"]}
    run = ask(sandbox, token, "POST", f"_apis/pipelines/{numbers['pipeline']}/runs", body).json()["id"]
    job = ask_operator(sandbox, "_apis/sandbox/agent/requests", {"build": run})["job"]
    done = f"_apis/sandbox/agent/requests/{job['id']}?api-version=7.1-preview"
    sandbox.azure_devops("PATCH", done, job["accessToken"], json={"result": "Succeeded"})
    approvals = ask_operator(sandbox, "_apis/sandbox/agent/requests", {"build": run})["approvals"]
    assert approvals
    for approval in approvals:
        answer = [{"approvalId": approval["id"], "status": "approved"}]
        refused = ask(sandbox, token, "PATCH", "_apis/pipelines/approvals", answer)
        assert refused.status_code == 401
        assert "Whoever queued a run cannot approve it" in refused.json()["message"]


def test_the_group_of_the_state_holds_no_secret(parties: Parties, sandbox: Sandbox) -> None:
    groups = ask(sandbox, parties.tokens["operator"], "GET", "_apis/distributedtask/variablegroups").json()["value"]
    secrets = {
        group["name"]: sorted(name for name, one in group["variables"].items() if one.get("isSecret"))
        for group in groups
    }
    assert secrets == {
        "app-one": ["App-One.SecretKey"],
        "app-one-reader": ["App-One.SecretKey"],
        "app-one-state": [],
    }


def ask_operator(sandbox: Sandbox, path: str, body: object = None) -> Any:
    """What the organisation answers to its operator: POST, or GET of the Graph."""
    method = "GET" if "graph" in path else "POST"
    return sandbox.azure_devops(method, f"{path}?api-version=7.1-preview", json=body).json()
