"""One small report of every command, written in every format: the texts that readers and their tools rely on.

    python -m tests.audit.renderings

writes them anew into tests/audit/renderings; a difference there is a change that users see.
"""

from __future__ import annotations

import dataclasses
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.checkpoint.document import read as read_checkpoint
from audit.checkpoint.expected import Expected
from audit.checkpoint.settings import Settings
from audit.checkpoint.survey import survey as survey_state
from audit.command import COMMANDS
from audit.history.ledger import GENESIS, digest
from audit.history.report import filled
from audit.model import Change, Diagnostic, Finding, PolicyDiff, State, Step
from audit.plan.comparison import compare
from audit.prove.command import filled as proved
from audit.report import Report, json, render
from audit.report.catalogue import RULES
from audit.report.masked import redacted
from audit.report.model import Row, Table, TableRow
from audit.secrets.redact import Redactor
from tests.audit import checkpoints

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).with_suffix("")
SUFFIX = {"terminal": "txt", "markdown": "md", "html": "html", "json": "json", "sarif": "sarif", "junit": "xml"}
POLICY, REPOSITORY = "aws:iam/policy:Policy", "aws:ecr/repository:Repository"
MARK = f"2:sha256:{'0' * 64}"


def urn(type_token: str, name: str) -> str:
    return f"urn:pulumi:dev::app-one::{type_token}::{name}"


def difference() -> PolicyDiff:
    """A policy that gained an action."""
    old, new = (
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
        for action in ("ecr:PutImage", "ecr:*")
    )
    request: dict[str, Any] = {"action": "ecr:DeleteRepository", "resource": "*", "principal": None, "context": {}}
    return PolicyDiff("policy", "broadened", old, new, [request], [], ["statement 1 of the new document"])


def step(op: str, type_token: str, name: str, *changes: Change) -> Step:
    """A step as it is when it was judged."""
    state = State(id=name, inputs={"name": name}, source="project:///infra/access.py#12,8")
    made = Step(op, urn(type_token, name), type_token, None if op == "create" else state, state)
    return dataclasses.replace(made, changes=changes, planned="1" * 32, prior="2" * 32)


def plan() -> Report:
    """A plan with a proof, a waiver, something that cannot be proved, and a plain change."""
    policy = step("update", POLICY, "push", Change("policy", "update", "old", "new"))
    repository = step(
        "replace",
        REPOSITORY,
        "app-one",
        Change("imageTagMutability", "update", "IMMUTABLE", "MUTABLE"),
        Change("name", "update", "app", "app-one", replaces=True),
    )
    user = step("create", "aws:iam/user:User", "push", Change("name", "add", None, "push"))
    waiver = {"reason": "the base image moves", "owner": "platform", "expires": "2999-12-31"}
    broadened = Finding("access-broadened", policy.urn, "Policy 'push' allows more.", [], policy=difference())
    tags = Finding("exposure-mutable-tags", repository.urn, "Tags can be moved.", ["as before"], waiver=waiver)
    loss = Finding("loss-resource", repository.urn, "It may be lost.", ["name"], proved=False)
    plain = Finding("change", user.urn, "User 'push' is created.")
    return Report(
        command="plan",
        project="app-one",
        stack="dev",
        findings=[broadened, loss, tags, plain],
        rows=[
            Row(policy, [broadened], "access-broadened"),
            Row(repository, [loss, tags], "loss-resource"),
            Row(user, [plain], "change"),
        ],
        counts={"create": 1, "replace": 1, "same": 20, "update": 1},
        facts={"Fingerprint": MARK},
        diagnostics=[Diagnostic("warning", "the base image is old")],
        source="digest",
    )


def looked_up(command: str) -> Report:
    """A survey with a finding and two things, one as it should be."""
    subject = urn(POLICY, "push")
    rows = [TableRow(["policy", "a", "a", ["b", 1]], "differs"), TableRow(["path", "/", "/", "/"])]
    columns = ("Property", "Declared", "Recorded", "Real")
    return Report(
        command=command,
        project="app-one",
        stack="dev",
        catalogue=RULES,
        findings=[
            Finding("drift-access-broadened", subject, "It allows more.", ["since today"], policy=difference()),
            Finding("look-up-refused", "account", "Users cannot be listed.", ["Needed: iam:ListUsers"], proved=False),
        ],
        tables=[
            Table("push", columns, rows, subject, "aws:iam:Policy", "differs"),
            Table("group", columns, rows[1:], urn("aws:iam/group:Group", "group"), "aws:iam:Group"),
        ],
        counts={"resources": 2, "differs": 1, "same": 1},
        notes=["Not compared, since there is no rule for the type: x:y:Z."],
        sides=("Recorded", "Real"),
        data={"resources": []},
    )


def history() -> Report:
    """A ledger of one update."""
    entry: dict[str, Any] = {
        "number": 1,
        "previous": GENESIS,
        "id": "dev-1",
        "kind": "update",
        "result": "succeeded",
        "started": "2026-01-01T00:00:00Z",
        "ended": "2026-01-01T00:01:00Z",
        "message": "Deliver build 1",
        "who": {"name": "A. Engineer", "email": "engineer@example.com", "source": "commit"},
        "commit": {"revision": "1" * 40, "branch": "refs/heads/main", "dirty": False, "repository": "example/app-one"},
        "pipeline": {"ci.build.number": "2026.1"},
        "engine": "v3.274.1",
        "operations": {"update": 1},
        "resources": 3,
        "settings": [{"name": "app-one:imageTag", "old": "1", "new": "2"}],
        "worst": "access-broadened",
        "steps": [
            {
                "urn": urn(POLICY, "push"),
                "type": POLICY,
                "op": "update",
                "risk": "access-broadened",
                "findings": [{"risk": "access-broadened", "reason": "It allows more.", "proved": True}],
                "changes": ["policy"],
            }
        ],
        "stepsLeftOut": 0,
        "infoDigest": GENESIS,
        "stateDigest": GENESIS,
    }
    entry["digest"] = digest(entry)
    ledger = {
        "schema": "app-one-audit-history",
        "version": "1.0",
        "backend": "file:///backend",
        "project": "app-one",
        "stack": "dev",
        "head": entry["digest"],
        "entries": [entry],
    }
    return filled(ledger)


def comparison() -> Report:
    """The plan, and one of now that lacks a step."""
    approved = json.plan(plan())
    now = {**approved, "fingerprint": MARK.replace("0", "1"), "steps": approved["steps"][:-1]}
    return compare(approved, now)


def rehearsal() -> Report:
    """The plan, with what the service answered to the request that it newly allows, and to one more."""
    document = json.plan(plan())
    policy = next(finding["policy"] for finding in document["findings"] if "policy" in finding)
    (witness,) = policy["newlyAllowed"]
    before = {"answer": "refused", "how": "call", "request": "ecr:ListImages", "said": "AccessDeniedException: no"}
    after = {"answer": "allowed", "how": "decision", "request": "iam:SimulatePrincipalPolicy", "said": "allowed"}
    answered = {"result": "flipped", "holder": "stand-in", "before": before, "after": after}
    left = {"result": "not rehearsed", "holder": "stand-in", "why": "a call cannot choose the value of aws:SourceIp"}
    policy["newlyAllowed"] = [{**witness, "rehearsed": answered}, {**witness, "rehearsed": left}]
    return proved(document)


def recorded() -> Report:
    """Of a checkpoint that somebody has written into: a plugin's address, a foreign bucket, an interrupted update."""
    document = checkpoints.checkpoint()
    provider = checkpoints.record(document, checkpoints.PROVIDER)
    provider["inputs"]["__internal"] = {"pluginDownloadURL": "https://x.example"}
    checkpoints.record(document, checkpoints.BUCKET)["id"] = "payroll"
    checkpoints.record(document, checkpoints.KEY)["initErrors"] = ["the update failed"]
    with tempfile.TemporaryDirectory() as folder:
        program = checkpoints.write(Path(folder)).parent
        settings = Settings.load(program, "prod")
        expected = Expected.load(program / "expect.yml", settings)
    return redacted(survey_state(read_checkpoint(document, "prod.json"), expected, "", ""), Redactor())


REPORTS: dict[str, Callable[[], Report]] = {
    "plan": plan,
    "prove": rehearsal,
    "compare": comparison,
    "state": recorded,
    "drift": lambda: looked_up("drift"),
    "history": history,
    "keys": lambda: looked_up("keys"),
}
"""A report of every command."""

FILES = {f"{command}.{SUFFIX.get(name, name)}": (command, name) for command in REPORTS for name in COMMANDS[command][1]}
"""By the name of its file: a command, and a format of it."""


@cache
def report(command: str) -> Report:
    """The report of a command."""
    return REPORTS[command]()


def written(file: str) -> str:
    """What stands in a file."""
    command, name = FILES[file]
    return render(name, report(command), failed=True)


def main() -> int:
    """Writes the texts anew."""
    FOLDER.mkdir(exist_ok=True)
    for name in FILES:
        (FOLDER / name).write_text(written(name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
