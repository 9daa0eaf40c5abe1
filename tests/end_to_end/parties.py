"""The parties of docs/security.md with credentials of their own, as they come by them in a delivery that goes on.

Nothing of the pipeline's steps is run: the service gives out jobs, and this takes them as an agent does.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.end_to_end.delivery import BUCKET, CHECKS, IMAGE_BUCKET, PREFIX, STACKS, Delivery
from tests.end_to_end.rights import Place, Things

if TYPE_CHECKING:
    from pathlib import Path

    from tests.workstation import Sandbox

PROJECT = "app-one"
GIT = f"{PROJECT}/_apis/git/repositories/app-one"
REVIEWERS, BRANCH = "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd", "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b"


@dataclass(frozen=True)
class Parties:
    """aws: credentials for boto3 by party and way (`preview by key`); tokens: of Azure DevOps by who asks.

    identities: where each run asks for an identity token, below the organisation, and the run's own token.
    """

    place: Place
    things: Things
    aws: dict[str, dict[str, str]] = field(repr=False)
    tokens: dict[str, str] = field(repr=False)
    identities: dict[str, list[str]] = field(repr=False)

    @classmethod
    def begin(cls, sandbox: Sandbox, folder: Path) -> Parties:
        """Bring the sandbox into the state in which all of them are at work."""
        sandbox.begin("parties", folder, lambda made: _Making(sandbox, made).write())
        told = json.loads((folder / "parties.json").read_text(encoding="utf-8"))
        kept = {name: b64decode(content) for name, content in told["place"].pop("kept").items()}
        sealed = b64decode(told["place"].pop("sealed"))
        place = Place(**told["place"], kept=kept, sealed=sealed)
        return cls(place, Things(**told["things"]), told["aws"], told["tokens"], told["identities"])


class _Making:
    """Makes them, once."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.delivery = Delivery.make(sandbox, folder / "delivery")
        self.organization = self.delivery.organization
        self.aws: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, str] = {}
        self.identities: dict[str, list[str]] = {}

    def write(self) -> None:
        self._both_ways()
        place = self._place()
        self.tokens["contributor"] = self._token_of("developer")
        number = self._pull_request()
        self._runs_by_key()
        self.delivery.edit(STACKS, lambda text: text.replace("identity: key", "identity: oidc"))
        self._runs_by_token()
        waiting = self._waiting()
        self.tokens["operator"] = self.organization.token
        operator = {
            "aws_access_key_id": self.sandbox.environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.sandbox.environment["AWS_SECRET_ACCESS_KEY"],
        }
        self.aws["operator"] = operator
        told = {
            "place": place,
            "things": self._things(number, waiting),
            "aws": self.aws,
            "tokens": self.tokens,
            "identities": self.identities,
        }
        (self.folder / "parties.json").write_text(json.dumps(told), encoding="utf-8")

    def _both_ways(self) -> None:
        """A foundation with keys and with roles, as on the way from one to the other."""
        instance = self.organization.give("GET", "_apis/connectionData")["instanceId"]
        subject = f"sc://{self.organization.url.rpartition('/')[2]}/{PROJECT}/app-one"
        issuer = f"https://vstoken.dev.azure.com/{instance}"
        trust = [{"issuer": issuer, "push": f"{subject}-push", "reader": f"{subject}-reader"}]
        self.delivery.operator.config(pipelineIdentity="oidc", oidcTrust=json.dumps(trust), keepAccessKey="true")
        self.delivery.operator.up()

    def _place(self) -> dict[str, Any]:
        """What the requests of AWS name, each of it there."""
        sandbox, root = self.sandbox, f"{PREFIX}/.pulumi"
        sandbox.client("ecr").create_repository(repositoryName="other")
        sandbox.client("iam").create_user(UserName="somebody")
        s3, kept = sandbox.client("s3"), {}
        for bucket, stack in ((IMAGE_BUCKET, "dev-image"), (BUCKET, "dev")):
            for file in (f"history/app-one/{stack}/rights.history.json", f"backups/app-one/{stack}/rights.json"):
                s3.put_object(Bucket=bucket, Key=f"{root}/{file}", Body=b"{}")
            for file in (f"stacks/app-one/{stack}.json", "meta.yaml"):
                name = f"{root}/{file}"
                kept[f"{bucket}/{name}"] = s3.get_object(Bucket=bucket, Key=name)["Body"].read()
        s3.put_object(Bucket=IMAGE_BUCKET, Key=f"{root}/stacks/app-one/prod-image.json", Body=b"{}")
        sealed = sandbox.client("kms").encrypt(KeyId=self.delivery.key_of_state, Plaintext=b"the operators' alone")
        return {
            "account": sandbox.client("sts").get_caller_identity()["Account"],
            "image_bucket": IMAGE_BUCKET,
            "foundation_bucket": BUCKET,
            "prefix": PREFIX,
            "key": self.delivery.key_of_state,
            "sealed": b64encode(sealed["CiphertextBlob"]).decode(),
            "kept": {name: b64encode(content).decode() for name, content in kept.items()},
        }

    def _token_of(self, user: str) -> str:
        return str(self.organization.give("POST", f"_apis/sandbox/usertokens/{user}")["token"])

    def _pull_request(self) -> int:
        """A pull request of the contributor, whose run has begun; its number."""
        token, main = self.tokens["contributor"], self.delivery.git("rev-parse", "HEAD")
        for name in ("change", "another-change"):
            made = [{"name": f"refs/heads/{name}", "oldObjectId": "0" * 40, "newObjectId": main}]
            self.organization.give("POST", f"{GIT}/refs", made, token=token)
        body = {"sourceRefName": "refs/heads/change", "targetRefName": "refs/heads/main", "title": "A change"}
        number = int(self.organization.give("POST", f"{GIT}/pullrequests", body, token=token)["pullRequestId"])
        job = self._take(self._queue("pullRequest", f"refs/pull/{number}/merge"))
        self._know("run of a pull request", job)
        return number

    def _runs_by_key(self) -> None:
        self.aws["night by key"] = _key_of(self._take(self._queue("schedule")))
        run = self._queue()
        preview = self._take(run)
        self.aws["preview by key"] = _key_of(preview)
        self._finish(preview)
        self._approve(run)
        deployment = self._take(run)
        self.aws["deployment by key"] = _key_of(deployment)
        self._finish(deployment)  # it holds the environment's lock

    def _runs_by_token(self) -> None:
        night = self._take(self._queue("schedule"))
        self._know("run of the night", night)
        self.aws["night by token"] = self._role_of(night)
        run = self._queue()
        preview = self._take(run)
        self.aws["preview by token"] = self._role_of(preview)
        self._finish(preview)
        self._approve(run)
        deployment = self._take(run)
        self.aws["deployment by token"] = self._role_of(deployment)
        self._know("run of a deployment", deployment)

    def _waiting(self) -> str:
        """An approval that nobody has given yet, of a run with a preview."""
        run = self._queue()
        preview = self._take(run)
        self._know("run of a preview", preview)
        self._finish(preview)
        return str(self._approvals(run)[0]["id"])

    def _queue(self, reason: str = "individualCI", branch: str = "refs/heads/main") -> int:
        skip = CHECKS if reason == "individualCI" else ()
        return self.organization.queue(self.delivery.pipeline, branch, reason=reason, skip=skip)

    def _ask(self, run: int) -> dict[str, Any]:
        return dict(self.organization.give("POST", "_apis/sandbox/agent/requests", {"build": run}))

    def _take(self, run: int) -> dict[str, Any]:
        job = self._ask(run)["job"]
        assert job is not None, self.organization.records(run, "Stage")
        return dict(job)

    def _know(self, who: str, job: dict[str, Any]) -> None:
        uri = _values(job)["System.OidcRequestUri"].partition(f"{self.organization.url}/")[2]
        self.tokens[who] = job["accessToken"]
        self.identities[who] = [uri, job["accessToken"]]

    def _finish(self, job: dict[str, Any]) -> None:
        path = f"_apis/sandbox/agent/requests/{job['id']}"
        self.organization.give("PATCH", path, {"result": "Succeeded", "outputs": {}}, token=job["accessToken"])

    def _approvals(self, run: int) -> list[dict[str, Any]]:
        return list(self._ask(run)["approvals"])

    def _approve(self, run: int) -> None:
        for approval in self._approvals(run):
            self.organization.answer(approval["id"], "approved")

    def _role_of(self, job: dict[str, Any]) -> dict[str, str]:
        """A session of the role, by an identity token of the connection that the job uses."""
        variables = _values(job)
        uri = variables["System.OidcRequestUri"].partition(f"{self.organization.url}/")[2]
        query = f"?serviceConnectionId={variables['App-One.Connection']}"
        token = self.organization.give("POST", f"{uri}{query}", token=job["accessToken"])["oidcToken"]
        session = self.sandbox.client("sts").assume_role_with_web_identity(
            RoleArn=variables["App-One.Role"], RoleSessionName="rights", WebIdentityToken=token
        )["Credentials"]
        return {
            "aws_access_key_id": session["AccessKeyId"],
            "aws_secret_access_key": session["SecretAccessKey"],
            "aws_session_token": session["SessionToken"],
        }

    def _things(self, number: int, approval: str) -> dict[str, Any]:
        """What the requests of Azure DevOps name."""
        give = self.organization.give
        groups = {row["name"]: row for row in give("GET", f"{PROJECT}/_apis/distributedtask/variablegroups")["value"]}
        pipeline = give("GET", f"{PROJECT}/_apis/build/definitions/{self.delivery.pipeline}")
        policies = give("GET", f"{PROJECT}/_apis/policy/configurations")["value"]
        policy = next(row for row in policies if row["type"]["id"] == REVIEWERS)
        where = f"resourceType=variablegroup&resourceId={groups['app-one']['id']}&$expand=settings"
        checks = give("GET", f"{PROJECT}/_apis/pipelines/checks/configurations?{where}")["value"]
        check = next(row for row in checks if row["settings"].get("definitionRef", {}).get("id") == BRANCH)
        connections = {row["name"]: row for row in give("GET", f"{PROJECT}/_apis/serviceendpoint/endpoints")["value"]}
        environments = give("GET", f"{PROJECT}/_apis/distributedtask/environments")["value"]
        tips = {row["name"]: row["objectId"] for row in give("GET", f"{GIT}/refs")["value"]}
        return {
            "numbers": {
                "request": number,
                "approval": approval,
                "pipeline": self.delivery.pipeline,
                "group": groups["app-one"]["id"],
                "other": groups["app-one-reader"]["id"],
                "policy": policy["id"],
                "check": check["id"],
                "connection": connections["app-one-push"]["id"],
                "reader connection": connections["app-one-reader"]["id"],
                "environment": environments[0]["id"],
            },
            "bodies": {
                "push a branch": _push("refs/heads/change", tips),
                "push to main": _push("refs/heads/main", tips),
                "pull request": {
                    "sourceRefName": "refs/heads/another-change",
                    "targetRefName": "refs/heads/main",
                    "title": "Another",
                },
                "group": groups["app-one"],
                "pipeline": pipeline,
                "new pipeline": {**pipeline, "name": "one-more"},
                "policy": policy,
                "check": check,
                "connection": connections["app-one-push"],
            },
        }


def _push(branch: str, tips: dict[str, str]) -> dict[str, Any]:
    change = {"changeType": "add", "item": {"path": "/more.txt"}, "newContent": {"content": "more"}}
    return {
        "refUpdates": [{"name": branch, "oldObjectId": tips[branch]}],
        "commits": [{"comment": "More", "changes": [change]}],
    }


def _values(job: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: str(row["value"]) for row in job["variables"]}


def _key_of(job: dict[str, Any]) -> dict[str, str]:
    variables = _values(job)
    return {
        "aws_access_key_id": variables["App-One.AccessKey"],
        "aws_secret_access_key": variables["App-One.SecretKey"],
    }
