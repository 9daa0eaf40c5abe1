"""Asks an IAM simulator that others wrote (npm @cloud-copilot/iam-simulate, pinned in tools/) for its decisions."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from iam import Request

TOOLS = Path(__file__).parent / "tools"


class MissingToolError(Exception):
    """Node or npm is missing; the message says how to get it, or how to leave this test out."""


def install() -> None:
    """Install the simulator from its lock file, once. Raises MissingToolError."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise MissingToolError(
                f"{program} is not on PATH: the independent IAM evaluator needs Node.js 18 or later with npm "
                "(E2E=0 leaves it out)"
            )
    lock = (TOOLS / "package-lock.json").read_bytes()
    mark = TOOLS / "node_modules" / ".installed-lock"
    if mark.is_file() and mark.read_bytes() == lock:
        return
    done = subprocess.run(["npm", "ci"], cwd=TOOLS, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise MissingToolError(f"npm ci failed in {TOOLS.name}: {done.stderr.strip()[-500:]}")
    mark.write_bytes(lock)


def effects(asked: Iterable[tuple[dict[str, Any], Sequence[Request]]]) -> list[list[str]]:
    """The simulator's effect on each request of each document, in one process: allow, explicit_deny, implicit_deny."""
    lines = [json.dumps({"policy": policy, "requests": [_plain(r) for r in requests]}) for policy, requests in asked]
    done = subprocess.run(
        ["node", "evaluate.js"],
        cwd=TOOLS,
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=3600,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def _plain(request: Request) -> dict[str, Any]:
    context = {key: value if isinstance(value, str) else list(value) for key, value in request.context.items()}
    return {"action": request.action, "resource": request.resource, "principal": request.principal, "context": context}
