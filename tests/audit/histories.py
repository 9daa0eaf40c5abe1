"""Histories of a stack like this one, as a file backend keeps them; made up, but of the engine's form and size."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from audit.model import SECRET_ENVELOPE, SECRET_SIGNATURE

if TYPE_CHECKING:
    from pathlib import Path

STACK, PROJECT = "dev", "app-one"
FIRST = 1_767_225_600
"""Second of the first update: 2026-01-01."""

# About as long as a real one: a checkpoint of this stack is about 50 KB.
TRACE = [
    {"sourcePosition": f"project:///../../engineer/app-one/.venv/lib/python3.11/site-packages/pulumi/module.py#{line}"}
    for line in range(100, 130)
]


def urn(type_token: str, name: str) -> str:
    return f"urn:pulumi:{STACK}::{PROJECT}::{type_token}::{name}"


def sealed(text: str) -> dict[str, str]:
    """A secret as the engine writes it into a state."""
    return {SECRET_ENVELOPE: SECRET_SIGNATURE, "ciphertext": f"v1:{text}"}


def resource(type_token: str, name: str, inputs: dict[str, Any], **others: Any) -> dict[str, Any]:
    """A resource of a state; `outputs` default to the inputs."""
    return {
        "urn": urn(type_token, name),
        "custom": True,
        "id": name,
        "type": type_token,
        "inputs": inputs,
        "outputs": dict(inputs),
        "parent": urn("app-one:infra:Component", "component"),
        "created": "2026-01-01T00:00:00Z",
        "modified": "2026-01-01T00:00:00Z",
        "sourcePosition": "project:///infra/access.py#64",
        "stackTrace": TRACE,
        **others,
    }


def policy(*actions: str, on: str = "arn:aws:ecr:us-east-2:123456789012:repository/app-one") -> str:
    """A policy document that allows actions on one repository."""
    statement = {"Sid": "Push", "Effect": "Allow", "Action": list(actions), "Resource": on}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


PUSH = ("ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage")


def key(generation: int, secret: str = "") -> dict[str, Any]:
    """An access key of a generation."""
    identifier = f"AKIAEXAMPLE{generation:09d}"
    outputs = {"status": "Active", "user": "push", "secret": sealed(secret or f"secret-{generation}")}
    return resource(
        "aws:iam/accessKey:AccessKey",
        f"key-{generation}",
        {"status": "Active", "user": "push"},
        id=identifier,
        outputs=outputs,
        modified=f"2026-01-01T00:{generation % 60:02d}:00Z",
    )


def stack(
    *,
    tag: str = "build-1",
    actions: tuple[str, ...] = PUSH,
    on: str = "arn:aws:ecr:us-east-2:123456789012:repository/app-one",
    generation: int = 1,
    mutability: str = "IMMUTABLE",
    seal: str = "a",
) -> list[dict[str, Any]]:
    """The resources of this stack; `seal` changes how its secrets were sealed, and nothing else."""
    access_key = key(generation)
    return [
        {"urn": urn("pulumi:pulumi:Stack", f"{PROJECT}-{STACK}"), "custom": False, "type": "pulumi:pulumi:Stack"},
        resource(
            "aws:ecr/repository:Repository",
            "repository",
            {
                "name": "app-one",
                "imageTagMutability": mutability,
                "imageScanningConfiguration": {"scanOnPush": True},
                "forceDelete": False,
            },
            protect=True,
        ),
        resource(
            "aws:ecr/lifecyclePolicy:LifecyclePolicy", "lifecycle", {"repository": "app-one", "policy": '{"rules": []}'}
        ),
        resource("aws:iam/policy:Policy", "policy", {"name": "push", "policy": policy(*actions, on=on)}),
        resource("aws:iam/group:Group", "group", {"name": "push", "path": "/"}),
        resource("aws:iam/user:User", "user", {"name": "push", "path": "/"}),
        resource(
            "aws:iam/groupPolicyAttachment:GroupPolicyAttachment", "attached", {"group": "push", "policyArn": "policy"}
        ),
        resource("aws:iam/userGroupMembership:UserGroupMembership", "member", {"user": "push", "groups": ["push"]}),
        access_key,
        resource(
            "azuredevops:index/variableGroup:VariableGroup",
            "variables",
            {"name": "app-one", "allowAccess": False, "variables": sealed(f"{seal}-{generation}")},
            dependencies=[access_key["urn"]],
            modified=f"2026-01-01T00:{generation % 60:02d}:00Z",
        ),
        resource(
            "docker:index/image:Image",
            "image",
            {
                "imageName": f"registry.example/app-one:{tag}",
                "build": {
                    "context": ".",
                    "contextDigest": hashlib.sha256(tag.encode()).hexdigest(),
                    "platform": "linux/amd64",
                },
                "registry": {"server": "registry.example", "username": "AWS", "password": sealed(f"token-{seal}")},
            },
            modified=f"2026-01-01T00:00:00.{len(tag):03d}Z",
        ),
    ]


def info(number: int, **others: Any) -> dict[str, Any]:
    """The description of an update, as the engine writes it."""
    return {
        "kind": "update",
        "startTime": FIRST + 3600 * number,
        "endTime": FIRST + 3600 * number + 60,
        "message": f"Deliver build {number}",
        "environment": {
            "exec.kind": "cli",
            "pulumi.version": "v3.259.0",
            "git.head": f"{number:040x}",
            "git.headName": "refs/heads/main",
            "git.author": "A. Engineer",
            "git.author.email": "engineer@example.com",
            "vcs.owner": "example",
            "vcs.repo": "app-one",
            "ci.system": "Azure Pipelines",
            "ci.build.number": f"2026.{number}",
        },
        "config": {"app-one:imageTag": f"build-{number}", "app-one:token": {"secure": f"v1:{number}"}},
        "result": "succeeded",
        "resourceChanges": {"update": 1, "same": 10},
        **others,
    }


def checkpoint(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """A checkpoint of a file backend."""
    manifest = {"time": "2026-01-01T00:00:00Z", "magic": "", "version": "v3.259.0"}
    latest = {"manifest": manifest, "resources": resources}
    return {"version": 3, "checkpoint": {"stack": f"organization/{PROJECT}/{STACK}", "latest": latest}}


def write(root: Path, number: int, resources: list[dict[str, Any]], **others: Any) -> Path:
    """Adds update NUMBER to the backend in a folder; the path of its description."""
    folder = root / ".pulumi" / "history" / PROJECT / STACK
    folder.mkdir(parents=True, exist_ok=True)
    base = f"{STACK}-{(FIRST + 3600 * number) * 10**9}"
    (folder / f"{base}.checkpoint.json").write_text(json.dumps(checkpoint(resources)), encoding="utf-8")
    path = folder / f"{base}.history.json"
    path.write_text(json.dumps(info(number, **others)), encoding="utf-8")
    return path


def delivered(root: Path, count: int) -> None:
    """A history of deliveries: each a new image, every tenth a changed policy, every fiftieth a new key."""
    for number in range(1, count + 1):
        actions = PUSH if number // 10 % 2 == 0 else (*PUSH, "ecr:BatchGetImage")
        resources = stack(tag=f"build-{number}", actions=actions, generation=1 + number // 50, seal=str(number))
        for item in resources:
            if item.get("id") == "image":
                item["modified"] = f"2026-01-01T{number % 24:02d}:{number // 24 % 60:02d}:00Z"
        write(root, number, resources)
