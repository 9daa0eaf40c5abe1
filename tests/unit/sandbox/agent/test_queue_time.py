"""Variables that somebody sets when a run is queued: limited by the project, and none that a step obeys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.surroundings import EMPTY, KEPT, OF_THE_MACHINE
from tests.organization import PROJECT, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.organization import Organization
    from tests.unit.sandbox.agent.conftest import Start

CHECKOUT = Path(__file__).resolve().parents[4]
SETTINGS = f"{PROJECT}/_apis/build/generalsettings"
OURS = ("agent.py", "surroundings.py", "words.py", "templates/variables.yml")
PROBE = """
    import os, subprocess, sys
    from pipelines import agent, surroundings

    def main():
        agent.call([sys.executable, "-c", "print('a child')"], env=agent.environment())
        agent.call(["git", "status", "--short"], env=agent.environment())
        agent.call(["bash", "-c", "echo a shell"], env=agent.environment())
        print("left:", *sorted(agent.environment()))
        print("network:", *(os.environ.get(name) for name in surroundings.OF_THE_MACHINE))

    agent.run(main)
"""


@pytest.fixture
def unlimited(organization: Organization) -> Iterator[None]:
    """A project in which whoever queues a run may set any variable."""
    organization.give("PATCH", SETTINGS, {"enforceSettableVar": False})
    yield
    organization.give("PATCH", SETTINGS, {"enforceSettableVar": True})


def test_a_project_limits_the_variables_of_a_run_unless_somebody_lifts_that(
    organization: Organization, start: Start
) -> None:
    assert organization.give("GET", SETTINGS)["enforceSettableVar"] is True
    with pytest.raises(Refused, match=r"You can't set the following variables \(BASH_ENV\)"):
        start("steps: []", variables={"BASH_ENV": "x"})


def test_a_variable_that_the_pipeline_offers_can_be_set_and_no_other(organization: Organization, start: Start) -> None:
    run = start("steps: [{checkout: none}, {bash: echo $SAID, displayName: say}]")
    number = organization.give("GET", f"{PROJECT}/_apis/build/builds/{run.build}")["definition"]["id"]
    path = f"{PROJECT}/_apis/build/definitions/{number}"
    definition = organization.give("GET", path)
    definition["variables"] = {"said": {"value": "old", "allowOverride": True}, "kept": {"value": "old"}}
    organization.give("PUT", path, definition)
    branch = organization.give("GET", f"{PROJECT}/_apis/build/builds/{run.build}")["sourceBranch"]
    resources = {"repositories": {"self": {"refName": branch}}}
    body = {"resources": resources, "variables": {"said": {"value": "new"}}}
    run.build = organization.give("POST", f"{PROJECT}/_apis/pipelines/{number}/runs", body)["id"]
    assert run.start().step("say").log == ["new"]
    answer = organization.ask(
        "POST", f"{PROJECT}/_apis/pipelines/{number}/runs", {**body, "variables": {"kept": {"value": "new"}}}
    )
    assert (answer.status_code, answer.json()["typeKey"]) == (400, "PipelineValidationException")


def hostile(traps: Path) -> dict[str, str]:
    """Variables each of which runs something, or sends something away, where it is obeyed."""
    traps.mkdir()
    library = traps / "library"
    library.mkdir()
    (library / "sitecustomize.py").write_text(f"open({str(traps / 'PYTHONPATH')!r}, 'w')", encoding="utf-8")
    script = traps / "script"
    script.write_text(f"#!/bin/sh\ntouch {traps}/GIT_CONFIG\n", encoding="utf-8")
    script.chmod(0o755)
    return {
        "BASH_ENV": f"`touch {traps}/BASH_ENV`",
        "SHELLOPTS": "xtrace",
        "PS4": f"`touch {traps}/PS4`",
        "PYTHONPATH": str(library),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": str(script),
        "PULUMI_OPTION_POLICY_PACK": str(library),
        "PULUMI_PYTHON_CMD": str(script),
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL": "https://example.com",
        "AWS_PROFILE": "theirs",
        "DOCKER_HOST": "tcp://example.com:2375",
        "DOCKER_CONTEXT": "theirs",
        "UV_NO_VERIFY_HASHES": "1",
        "GIT_TEMPLATE_DIR": str(library),
        "OPENSSL_CONF": str(script),
        "SSLKEYLOGFILE": str(traps / "SSLKEYLOGFILE"),
        "ssl_cert_file": str(script),
        "https_proxy": "http://127.0.0.1:9",
        "CURL_CA_BUNDLE": str(script),
        "harmless": "1",
        "TF_BUILD": "False",
    }


def sprung(traps: Path) -> set[str]:
    return {path.name for path in traps.iterdir()} - {"library", "script"}


@pytest.mark.usefixtures("unlimited")
def test_no_step_of_ours_obeys_what_somebody_set_for_the_run(start: Start, tmp_path: Path) -> None:
    traps = tmp_path / "traps"
    run = start(
        """
        variables:
          - template: pipelines/templates/variables.yml
        steps:
          - bash: exec python3 -m pipelines.probe
            displayName: probe
        """,
        templates={f"pipelines/{name}": (CHECKOUT / "pipelines" / name).read_text(encoding="utf-8") for name in OURS}
        | {"pipelines/probe.py": PROBE},
        variables=hostile(traps),
    )
    outcome = run.start()
    log = outcome.step("probe").log
    assert outcome.step("probe").result == "Succeeded", log
    assert sprung(traps) == set()
    assert {"a child", "a shell"} <= set(log)
    left = set(next(line for line in log if line.startswith("left: ")).split())
    assert not left & ({name.upper() for name in hostile(tmp_path / "again")} - {"TF_BUILD", *EMPTY, *OF_THE_MACHINE})
    assert str(tmp_path) not in " ".join(line for line in log if line.startswith("network: "))
    told = next(line for line in log if line.startswith("not taken from the environment: "))
    assert {
        "AWS_PROFILE",
        "DOCKER_HOST",
        "HARMLESS",
        "HTTPS_PROXY",
        "PULUMI_OPTION_POLICY_PACK",
        "SSL_CERT_FILE",
    } <= set(told.partition(": ")[2].split(", "))


@pytest.mark.usefixtures("unlimited")
@pytest.mark.parametrize(("variables", "result"), [({}, "Succeeded"), ({"Path": "/theirs"}, "Skipped")])
def test_a_stage_that_asks_for_the_machines_path_does_not_start_with_a_runs(
    start: Start, variables: dict[str, str], result: str
) -> None:
    text = """
        stages:
          - stage: rights
            condition: and(succeeded(), eq(variables['PATH'], ''), eq(variables['HOME'], ''))
            jobs: [{job: one, steps: [{checkout: none}, {bash: 'true'}]}]
        """
    assert start(text, variables=variables).start().stages == {"rights": result}


@pytest.mark.usefixtures("unlimited")
def test_a_step_without_our_variables_and_our_start_obeys_them(start: Start, tmp_path: Path) -> None:
    traps = tmp_path / "traps"
    script = 'python3 -c \'import subprocess; subprocess.run(["git", "status"])\''
    start(f"steps: [{{bash: {json.dumps(script)}, displayName: probe}}]", variables=hostile(traps)).start()
    assert sprung(traps) >= {"BASH_ENV", "PYTHONPATH", "GIT_CONFIG"}  # and PS4, but for root's bash


def test_what_is_kept_of_a_service_is_named_as_that_service_is() -> None:
    assert all(name.startswith(prefix) for prefix, kept in KEPT.items() for name in kept)
    assert len(set(EMPTY)) == len(EMPTY)
