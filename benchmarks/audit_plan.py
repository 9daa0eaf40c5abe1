"""Times `audit plan` on previews of 10,000 and 100,000 steps against `json.load` of the same file in the same run.

    python -m benchmarks.audit_plan [STEPS ...]

Each measurement is a process of its own: CPU seconds (user and system) and peak resident memory as the kernel counts
them. The two take turns, and the smallest of each is kept; compiled modules are kept, as in an installation. The goal
is at most 3 times `json.load`.
"""

import atexit
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

GOAL = 3.0
ROUNDS = 3
FORMATS = ("json", "html", "markdown", "sarif", "junit", "terminal")
PROVIDER = "urn:pulumi:prod::fleet::pulumi:providers:aws::default_7_51_1::7c1f4e5e-0000-4000-8000-000000000000"
LOAD = "import json, sys; json.load(open(sys.argv[1], encoding='utf-8'))"
AUDIT = "import runpy, sys; sys.argv[0] = 'audit'; runpy.run_module('audit', run_name='__main__', alter_sys=True)"


def steps(count: int) -> Iterator[dict[str, Any]]:
    """A fleet of stacks like this one: of ten resources six do not change; of a hundred one is a policy that
    changes."""
    for number in range(count):
        kind = number % 10
        name = f"app-{number // 10}-{number}"
        if number % 100 == 0:
            yield _step(
                "aws:iam/policy:Policy",
                name,
                _policy(number, "ecr:PutImage"),
                _policy(number, "ecr:PutImage", "ecr:BatchGetImage"),
            )
        elif kind == 0:
            yield _step("aws:iam/user:User", name, _user(name, number), {**_user(name, number), "forceDestroy": False})
        elif kind == 1:
            yield _step(
                "aws:ecr/repository:Repository",
                name,
                None,
                {"name": name, "imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": {"scanOnPush": True}},
            )
        elif kind == 2:
            yield _step("azuredevops:index/variableGroup:VariableGroup", name, _group(name, "1"), _group(name, "2"))
        elif kind == 3:
            yield _step("docker:index/image:Image", name, _image(name, 1), _image(name, 2))
        else:
            yield _step("aws:iam/user:User", name, _user(name, number), _user(name, number), op="same")


def _step(
    type_token: str, name: str, old: dict[str, Any] | None, new: dict[str, Any] | None, op: str = ""
) -> dict[str, Any]:
    urn = f"urn:pulumi:prod::fleet::app-one:infra:App${type_token}::{name}"
    step: dict[str, Any] = {
        "op": op or ("create" if old is None else "update"),
        "urn": urn,
        "provider": PROVIDER,
    }
    for side, inputs in (("oldState", old), ("newState", new)):
        if inputs is not None:
            step[side] = {
                "urn": urn,
                "custom": True,
                "id": name,
                "type": type_token,
                "inputs": inputs,
                "outputs": {
                    **inputs,
                    "arn": f"arn:aws:service::123456789012:thing/{name}",
                    "uniqueId": f"AIDA{abs(hash(name)) % 10**16}",
                    "tagsAll": inputs.get("tags", {}),
                },
                "parent": "urn:pulumi:prod::fleet::app-one:infra:App::app",
                "provider": step["provider"],
                "propertyDependencies": {key: [] for key in inputs},
                "created": "2026-01-01T00:00:00Z",
                "modified": "2026-11-01T00:00:00Z",
                "sourcePosition": "project:///infra/access.py#40,9",
            }
    step["detailedDiff"] = None
    return step


def _user(name: str, number: int) -> dict[str, Any]:
    return {"name": name, "path": "/apps/", "tags": {"team": f"team-{number % 50}", "stack": name}}


def _policy(number: int, *actions: str) -> dict[str, Any]:
    statement = {
        "Sid": "Push",
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": f"arn:aws:ecr:us-east-2:123456789012:repository/app-{number // 10}",
    }
    token = {"Sid": "Token", "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}
    return {"name": f"push-{number}", "policy": json.dumps({"Version": "2012-10-17", "Statement": [statement, token]})}


def _group(name: str, account: str) -> dict[str, Any]:
    variables = [
        {"name": "aws_account_number", "value": account},
        {"name": "App-One.SecretKey", "secretValue": "[secret]", "isSecret": True},
    ]
    return {
        "name": name,
        "projectId": "11111111-1111-1111-1111-111111111111",
        "allowAccess": False,
        "variables": variables,
    }


def _image(name: str, build: int) -> dict[str, Any]:
    repository = f"123456789012.dkr.ecr.us-east-2.amazonaws.com/{name}"
    return {
        "imageName": f"{repository}:{build}",
        "build": {"context": ".", "platform": "linux/amd64"},
        "registry": {"server": repository, "password": "[secret]"},
    }


def write(path: Path, count: int) -> None:
    """Writes the preview as the CLI does, with four spaces of indentation. Step by step: the kernel counts a process
    that is started by a large one as large."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write('{\n    "config": {"aws:region": "us-east-2"},\n    "steps": [\n')
        for number, step in enumerate(steps(count)):
            stream.write((",\n" if number else "") + textwrap.indent(json.dumps(step, indent=4), " " * 8))
        stream.write(f'\n    ],\n    "duration": 1,\n    "changeSummary": {{"same": {count}}}\n}}\n')


def measure(code: str, *arguments: str) -> tuple[float, int]:
    """CPU seconds and peak memory (bytes) of a process that runs the code."""
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.DEVNULL, env=_environment())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the measured process ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, _peak(usage)


@cache
def _environment() -> dict[str, str]:
    """With compiled modules kept, as in an installation, whatever the caller's settings are."""
    folder = tempfile.mkdtemp(prefix="bytecode-")
    atexit.register(shutil.rmtree, folder)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": folder}


def _peak(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def run(count: int) -> bool:
    """Prints the comparison for one size; whether the goal is met."""
    with tempfile.TemporaryDirectory() as folder:
        preview, report = Path(folder, "preview.json"), Path(folder, "report")
        write(preview, count)
        loads, audits = [], []
        for _ in range(ROUNDS):
            loads.append(measure(LOAD, str(preview)))
            audits.append(measure(AUDIT, "plan", str(preview), "--format", "json", "-o", str(report)))
        load, audit = (tuple(map(min, zip(*values, strict=True))) for values in (loads, audits))
        every = [f"--report={name}={report}.{name}" for name in FORMATS]
        all_formats = measure(AUDIT, "plan", str(preview), *every)
        print(
            f"\n{count:,} steps, preview of {preview.stat().st_size / 1e6:.1f} MB (CPU seconds, peak memory; best of "
            f"{ROUNDS})"
        )
        print(f"  json.load             {load[0]:7.2f} s {load[1] / 1e6:8.0f} MB")
        print(
            f"  audit plan, JSON      {audit[0]:7.2f} s {audit[1] / 1e6:8.0f} MB   {audit[0] / load[0]:.2f} x time, "
            f"{audit[1] / load[1]:.2f} x memory"
        )
        print(f"  audit plan, {len(FORMATS)} reports {all_formats[0]:7.2f} s {all_formats[1] / 1e6:8.0f} MB   (once)")
        for name in FORMATS:
            print(f"    {name:<10} {Path(f'{report}.{name}').stat().st_size / 1e6:8.2f} MB")
        met = bool(audit[0] <= GOAL * load[0] and audit[1] <= GOAL * load[1])
    print(f"  goal of {GOAL:g} x: {'met' if met else 'not met'}")
    return met


def main() -> int:
    """Runs every size; exit code 1 if a goal is missed."""
    counts = [int(item) for item in sys.argv[1:]] or [10_000, 100_000]
    met = [run(count) for count in counts]
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
