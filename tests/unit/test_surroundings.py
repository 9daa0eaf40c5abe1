"""The tests mean the same in a step of a pipeline, in the sandbox's shell and in a person's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
GIVEN = {
    "TF_BUILD": "True",
    "AGENT_ID": "1",
    "AGENT_JOBNAME": "checks",
    "BUILD_BUILDNUMBER": "20261127.1",
    "BUILD_SOURCEVERSION": "0" * 40,
    "SYSTEM_TEAMPROJECT": "app-one",
    "SOURCE_DATE_EPOCH": "1764000000",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_REGION": "eu-north-1",
    "AWS_PROFILE": "nobody",
    "AZDO_PERSONAL_ACCESS_TOKEN": "made-up",
    "DOCKER_HOST": "unix:///none",
    "PULUMI_BACKEND_URL": "file:///none",
    "SANDBOX_HOME": "/none",
    "AS": "nightly",
    "GNUMAKEFLAGS": "--no-print-directory",
    "MAKEFLAGS": " -- STATE=--none AS=nightly",
    "PYTEST_ARGS": "-p randomly",
    "PYTHON": "python3.13",
    "STATE": "--none",
}


def test_nothing_that_a_step_or_a_shell_was_given_reaches_a_test() -> None:
    code = "import json, os; import tests.conftest; print(json.dumps(dict(os.environ)))"
    given = {**os.environ, **GIVEN, "AWS_CA_BUNDLE": "/kept"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, env=given, capture_output=True, text=True, check=True
    )
    left = json.loads(done.stdout)
    assert left.keys().isdisjoint(GIVEN)
    assert left["AWS_CA_BUNDLE"] == "/kept"


def test_every_word_that_a_person_gives_make_is_among_them() -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    words = set(re.findall(r"^(?:export )?(\w+) \?=|\$\(origin (\w+)\)", makefile, re.MULTILINE))
    given = {first or second for first, second in words}
    assert given - {"E2E"} == {"AS", "PYTEST_ARGS", "PYTHON", "STATE"}  # E2E is read by the tests themselves
    assert GIVEN.keys() >= given - {"E2E"}


def test_this_very_process_has_none_of_them() -> None:
    assert GIVEN.keys().isdisjoint(os.environ)
