"""`python -m sandbox pipeline run`: one command from a commit to a run's result, on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from tests.organization import PROJECT, Organization
from tests.workstation import CHECKOUT

if TYPE_CHECKING:
    from tests.workstation import Sandbox

pytestmark = pytest.mark.e2e


def run(sandbox: Sandbox, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, without a terminal."""
    command = [sys.executable, "-m", "sandbox", "pipeline", "run", *arguments]
    env = {**os.environ, "SANDBOX_HOME": str(sandbox.home)}
    done = subprocess.run(
        command, cwd=CHECKOUT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    sandbox.printed.extend((done.stdout, done.stderr))
    return done


def test_a_run_as_a_pull_request_is_stopped_at_a_step_and_ends_as_cancelled(sandbox: Sandbox) -> None:
    done = run(sandbox, "--stop-at", "Install Python packages")
    assert done.returncode == 130, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert "checks / checks" in lines
    assert any(line.startswith("Wiring, and steps with rights, are those of trusted at ") for line in lines)
    assert any(line.startswith("  ok") and line.endswith("Cache of Python packages") for line in lines)
    assert any(line.startswith("Stages: checks canceled") for line in lines)
    assert any(line.startswith("Result: canceled. Summaries, artefacts, test results: ") for line in lines)
    organization = Organization(
        sandbox.environment["AZDO_ORG_SERVICE_URL"], sandbox.environment["AZDO_PERSONAL_ACCESS_TOKEN"]
    )
    (request,) = organization.give("GET", f"{PROJECT}/_apis/git/repositories/{PROJECT}/pullrequests")["value"]
    assert request["sourceRefName"] == "refs/heads/pipeline-run"
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    assert request["lastMergeSourceCommit"]["commitId"] == head.strip()
    (build,) = organization.give("GET", f"{PROJECT}/_apis/build/builds")["value"]
    assert lines[-1].startswith("In the console, good for one browser, once: ")
    page = requests.get(lines[-1].split()[-1], timeout=60)
    assert page.url.endswith(f"/runs/{build['id']}")
    assert "canceled" in page.text
