"""Previews for the tests, in the exact shape of `pulumi preview --json` and of the engine's event log."""

import json
from pathlib import Path
from typing import Any

from audit.model import UNKNOWN
from audit.plan.report import from_file
from audit.report import Report
from audit.secrets.redact import Redactor

POLICY = "aws:iam/policy:Policy"
REPOSITORY = "aws:ecr/repository:Repository"
LIFECYCLE = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
KEY = "aws:iam/accessKey:AccessKey"
USER = "aws:iam/user:User"
ROLE = "aws:iam/role:Role"
MEMBERSHIP = "aws:iam/userGroupMembership:UserGroupMembership"
ATTACHMENT = "aws:iam/groupPolicyAttachment:GroupPolicyAttachment"
GROUP = "azuredevops:index/variableGroup:VariableGroup"
AUTHORIZATION = "azuredevops:index/pipelineAuthorization:PipelineAuthorization"
APPROVAL = "azuredevops:index/checkApproval:CheckApproval"
IMAGE = "docker:index/image:Image"

ARN = "arn:aws:ecr:us-east-2:123456789012:repository/app-one"


def urn(type_token: str, name: str) -> str:
    """The URN of a resource of stack `dev` of project `app-one`."""
    return f"urn:pulumi:dev::app-one::{type_token}::{name}"


def state(type_token: str, name: str, inputs: dict[str, Any] | None, **options: Any) -> dict[str, Any]:
    """A ResourceV3 as the engine writes it into a digest."""
    result = {
        "urn": urn(type_token, name),
        "custom": True,
        "type": type_token,
        "inputs": inputs or {},
        "outputs": dict(inputs or {}),
        "parent": urn("pulumi:pulumi:Stack", "app-one-dev"),
        "provider": urn("pulumi:providers:aws", "default_7_51_1") + "::" + UNKNOWN,
    }
    return {**result, **options}


def step(
    type_token: str,
    name: str,
    old: dict[str, Any] | None,
    new: dict[str, Any] | None,
    op: str = "",
    old_options: dict[str, Any] | None = None,
    new_options: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One step; the operation follows from the sides unless it is given."""
    operation = op or ("create" if old is None else "delete" if new is None else "update")
    result: dict[str, Any] = {"op": operation, "urn": urn(type_token, name), "detailedDiff": None}
    if old is not None:
        result["oldState"] = state(type_token, name, old, id=name, **(old_options or {}))
    if new is not None:
        result["newState"] = state(type_token, name, new, **(new_options or {}))
    if old is not None and new is not None:
        result["diffReasons"] = sorted(key for key in {**old, **new} if old.get(key) != new.get(key))
    return {**result, **more}


def digest(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A preview digest of these steps."""
    counts: dict[str, int] = {}
    for item in steps:
        counts[item["op"]] = counts.get(item["op"], 0) + 1
    return {
        "config": {"aws:region": "us-east-2"},
        "steps": list(steps),
        "duration": 812345678,
        "changeSummary": counts,
        **more,
    }


def events(*steps: dict[str, Any]) -> str:
    """The same steps as an engine event log (JSON Lines)."""
    lines: list[dict[str, Any]] = [{"preludeEvent": {"config": {"aws:region": "us-east-2"}}}]
    for item in steps:
        metadata = {
            "op": item["op"],
            "urn": item["urn"],
            "type": (item.get("newState") or item["oldState"])["type"],
            "old": item.get("oldState"),
            "new": item.get("newState"),
            "keys": item.get("replaceReasons"),
            "diffs": item.get("diffReasons"),
            "detailedDiff": None,
            "provider": "",
        }
        lines.append({"resourcePreEvent": {"metadata": metadata, "planning": True}})
    lines.append(
        {
            "summaryEvent": {
                "maybeCorrupt": False,
                "durationSeconds": 1,
                "resourceChanges": {},
                "PolicyPacks": {},
                "isPreview": True,
            }
        }
    )
    lines.append({"cancelEvent": {}})
    return "".join(
        json.dumps({"sequence": number, "timestamp": 1_790_000_000, **line}) + "\n" for number, line in enumerate(lines)
    )


def report_of(folder: Path, preview: Any, known_secrets: tuple[str, ...] = (), **more: Any) -> Report:
    """The report of a preview, read from a file as a user's is."""
    path = folder / "preview.json"
    path.write_text(preview if isinstance(preview, str) else json.dumps(preview), encoding="utf-8")
    return from_file(str(path), known_secrets, **more)


def risks_of(folder: Path, *steps: dict[str, Any]) -> set[str]:
    """The classes of the findings for these steps."""
    return {finding.risk for finding in report_of(folder, digest(*steps)).findings}


def policy(*statements: dict[str, Any]) -> str:
    """A policy document as text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = ARN, **more: Any) -> dict[str, Any]:
    """An Allow statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = ARN, **more: Any) -> dict[str, Any]:
    """A Deny statement."""
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def redactor(*known: str) -> Redactor:
    """A redactor that knows these secrets."""
    return Redactor(known)
