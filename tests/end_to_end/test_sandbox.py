"""The sandbox itself: idempotent, recovering, beside another, and gone after `down`."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import processes
from tests.workstation import CHECKOUT, Sandbox

pytestmark = pytest.mark.e2e


def run(command: str, home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SANDBOX_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "sandbox", command, *options],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def ids(home: Path) -> dict[str, int]:
    """The process of each service."""
    return {
        path.stem: int(json.loads(path.read_text(encoding="utf-8"))["pid"]) for path in (home / "run").glob("*.json")
    }


def listening(pids: set[int]) -> set[str]:
    """The local addresses, in /proc/net/tcp's hexadecimal, on which processes listen."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text(encoding="utf-8").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1].split(":")[0])
    return found


def test_a_second_up_starts_nothing_anew(sandbox: Sandbox) -> None:
    before = ids(sandbox.home)
    again = run("up", sandbox.home)
    assert again.returncode == 0, again.stderr
    assert ids(sandbox.home) == before
    assert run("status", sandbox.home).returncode == 0


def test_nothing_listens_beyond_the_loopback(sandbox: Sandbox) -> None:
    assert listening(set(ids(sandbox.home).values())) == {socket.inet_aton("127.0.0.1")[::-1].hex().upper()}


@pytest.mark.parametrize("name", ["aws", "azure-devops", "registry"])
def test_a_killed_service_is_missed_by_status_and_comes_back_with_its_state(sandbox: Sandbox, name: str) -> None:
    iam = sandbox.client("iam")
    iam.create_user(UserName="survivor")
    project = sandbox.azure_devops("GET", "_apis/projects/app-one?api-version=7.1").json()
    reference = {"id": project["id"], "name": project["name"]}
    group = {
        "name": "survivor",
        "type": "Vsts",
        "variables": {"a": {"value": "b"}, "s": {"value": "hidden", "isSecret": True}},
        "variableGroupProjectReferences": [{"name": "survivor", "projectReference": reference}],
    }
    path = "_apis/distributedtask/variablegroups"
    made = sandbox.azure_devops("POST", f"{path}?api-version=7.1", json=group).json()
    try:
        pid = ids(sandbox.home)[name]
        os.kill(pid, signal.SIGKILL)
        _wait_gone(pid)
        status = run("status", sandbox.home)
        assert status.returncode == 3
        assert f"{name:<15} does not run" in status.stdout
        again = run("up", sandbox.home)
        assert again.returncode == 0, again.stderr
        assert iam.get_user(UserName="survivor")
        answer = sandbox.azure_devops("GET", f"app-one/{path}/{made['id']}?api-version=7.1").json()
        assert answer["variables"]["a"]["value"] == "b"
    finally:
        iam.delete_user(UserName="survivor")
        sandbox.azure_devops("DELETE", f"{path}/{made['id']}?projectIds={project['id']}&api-version=7.1")


def _wait_gone(pid: int) -> None:
    """Wait for a process that is not ours."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    select.select([descriptor], [], [], 10)
    os.close(descriptor)


def test_another_sandbox_works_beside_and_down_leaves_nothing_of_it(sandbox: Sandbox, tmp_path: Path) -> None:
    home = tmp_path / "second"
    up = run("up", home)
    assert up.returncode == 0, up.stderr
    try:
        second = Sandbox.of(home)
        assert second.environment["AWS_ENDPOINT_URL"] != sandbox.environment["AWS_ENDPOINT_URL"]
        second.client("ecr").create_repository(repositoryName="only-here")
        here = sandbox.client("ecr").describe_repositories()["repositories"]
        assert "only-here" not in [repository["repositoryName"] for repository in here]
        started = ids(home)
    finally:
        down = run("down", home)
    assert down.returncode == 0, down.stderr
    assert not home.exists()
    assert not [name for name, pid in started.items() if processes._start_time(pid)]
    assert run("status", sandbox.home).returncode == 0


def test_down_keeps_the_state_when_asked(tmp_path: Path) -> None:
    home = tmp_path / "kept"
    assert run("up", home).returncode == 0
    try:
        Sandbox.of(home).client("ecr").create_repository(repositoryName="kept")
        assert run("down", home, "--keep").returncode == 0
        assert run("up", home).returncode == 0
        found = Sandbox.of(home).client("ecr").describe_repositories()["repositories"]
        assert [repository["repositoryName"] for repository in found] == ["kept"]
    finally:
        assert run("down", home).returncode == 0
    assert not home.exists()


@pytest.mark.parametrize("command", ["env", "shell", "summary", "pulumi"])
def test_a_command_without_a_sandbox_says_how_to_start_one(tmp_path: Path, command: str) -> None:
    done = run(command, tmp_path / "none")
    assert done.returncode == 1
    assert done.stderr == "error: the sandbox is not up: start it with `python -m sandbox up` (or `make up`)\n"


def test_git_sees_no_change_after_the_sandbox_was_used(sandbox: Sandbox) -> None:
    command = ["git", "status", "--porcelain"]
    before = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    done = run("pulumi", sandbox.home, "preview")
    assert done.returncode == 0, done.stdout + done.stderr
    assert subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout == before
