"""A state is code: what somebody wrote into a checkpoint is refused before an engine reads it."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.workstation import CHECKOUT, Workstation, with_children

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.workstation import Sandbox

pytestmark = pytest.mark.e2e

PREFIX = "urn:pulumi:dev::app-one::"
REPOSITORY = "aws:ecr/repository:Repository"


@pytest.fixture
def deployed(sandbox: Sandbox, tmp_path: Path) -> Workstation:
    """A stack of everything."""
    return Workstation.deployed(tmp_path / "deployed", sandbox)


def poison(sandbox: Sandbox, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Write into the backend's file, as who holds a key for it can."""
    file = sandbox.layout.state / ".pulumi/stacks/app-one/dev.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    change(document["checkpoint"]["latest"]["resources"])
    file.write_text(json.dumps(document), encoding="utf-8")


def make(sandbox: Sandbox, target: str) -> subprocess.CompletedProcess[str]:
    """`make TARGET` in the checkout, on this sandbox."""
    env = {**os.environ, "SANDBOX_HOME": str(sandbox.home)}
    done = subprocess.run(
        ["make", "--old-file=venv", f"python={sys.executable}", target],
        cwd=CHECKOUT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    sandbox.printed.extend((done.stdout, done.stderr))
    return done


@contextmanager
def foreign_server() -> Iterator[tuple[str, list[str]]]:
    """An address of somebody else, and what is asked for there."""
    asked: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_plugins_foreign_address_is_refused_before_an_engine_would_fetch_from_it(
    sandbox: Sandbox, deployed: Workstation
) -> None:
    passed = deployed.audit_state()
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "State of app-one/dev: Nothing found." in passed.stdout

    with foreign_server() as (address, asked):

        def change(resources: list[dict[str, Any]]) -> None:
            provider = next(each for each in resources if each["type"] == "pulumi:providers:aws")
            provider["inputs"] |= {"version": "7.99.9", "__internal": {"pluginDownloadURL": address}}

        poison(sandbox, change)
        refused = deployed.audit_state()
        assert refused.returncode == 3, refused.stdout + refused.stderr
        assert "state-foreign-code" in refused.stdout
        for target in ("preview", "up"):
            stopped = make(sandbox, target)
            assert stopped.returncode != 0
            assert "is fetched from another address (pluginDownloadURL)" in stopped.stdout
            assert "update (dev)" not in stopped.stdout
        assert asked == []
        # What the look spares: by its defaults the engine asks there in the next preview.
        deployed.pulumi("preview", expect=None, env={"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "false"})
        assert any("pulumi-resource-aws-v7.99.9" in path for path in asked)


def test_a_foreign_repository_is_refused_before_an_update_would_delete_it(
    sandbox: Sandbox, deployed: Workstation
) -> None:
    sandbox.client("ecr").create_repository(repositoryName="payroll")

    def change(resources: list[dict[str, Any]]) -> None:
        own = next(each for each in resources if each["type"] == REPOSITORY)
        foreign = json.loads(json.dumps(own).replace("repository/app-one", "repository/payroll"))
        foreign |= {"urn": f"{PREFIX}{REPOSITORY}::payroll", "id": "payroll", "protect": False}
        foreign["parent"] = f"{PREFIX}pulumi:pulumi:Stack::app-one-dev"
        for side in ("inputs", "outputs"):
            foreign[side]["name"] = "payroll"
        resources.append(foreign)

    poison(sandbox, change)
    refused = deployed.audit_state()
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert "state-foreign-resource" in refused.stdout
    assert f"The program declares no {REPOSITORY} 'payroll'." in refused.stdout
    assert deployed.steps() == {"delete": ["payroll"]}


def test_a_record_that_stands_for_something_else_is_refused(sandbox: Sandbox, deployed: Workstation) -> None:
    def change(resources: list[dict[str, Any]]) -> None:
        kinds = {each["type"]: each for each in resources}
        kinds["aws:iam/group:Group"]["id"] = "administrators"
        kinds["aws:iam/user:User"]["parent"] = kinds["app-one:infra:Repository"]["urn"]
        policy = kinds["aws:ecr/lifecyclePolicy:LifecyclePolicy"]
        policy["urn"] = policy["urn"].replace("lifecyclePolicy:LifecyclePolicy", "registryPolicy:RegistryPolicy")
        policy["type"] = "aws:ecr/registryPolicy:RegistryPolicy"

    poison(sandbox, change)
    refused = deployed.audit_state("--format", "json")
    assert refused.returncode == 3
    found = {(each["rule"], each["subject"].rpartition("::")[2]) for each in json.loads(refused.stdout)["findings"]}
    assert {
        ("state-foreign-name", "access-group"),
        ("state-foreign-resource", "access-user"),
        ("state-foreign-resource", "repository-lifecycle"),
    } <= found


def test_an_output_that_would_give_the_pipeline_another_policy_is_refused(
    sandbox: Sandbox, deployed: Workstation
) -> None:
    """What does not change the engine hands to the program as it is recorded: the attachment takes the policy's ARN."""

    def change(resources: list[dict[str, Any]]) -> None:
        policy = next(each for each in resources if each["type"] == "aws:iam/policy:Policy")
        policy["outputs"]["arn"] = "arn:aws:iam::aws:policy/AdministratorAccess"

    poison(sandbox, change)
    refused = deployed.audit_state()
    assert refused.returncode == 3
    assert "arn is recorded as 'arn:aws:iam::aws:policy/AdministratorAccess'" in refused.stdout
    assert "access-group-policy" in deployed.steps()["replace"]


def test_a_killed_update_is_said_to_be_interrupted_and_the_next_one_goes_on(deployed: Workstation) -> None:
    page = deployed.folder / "app/views/home.handlebars"
    page.write_text(page.read_text(encoding="utf-8") + "<p>another page</p>\n", encoding="utf-8")
    checkpoint = deployed.sandbox.layout.state / ".pulumi/stacks/app-one/dev.json"
    with subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"],
        cwd=deployed.folder,
        env=deployed.sandbox.environment | deployed.extra,
        stdout=subprocess.PIPE,
        text=True,
    ) as engine:
        assert engine.stdout is not None
        for line in engine.stdout:
            deployed.sandbox.printed.append(line)
            if '"pending_operations"' in checkpoint.read_text(encoding="utf-8"):
                break
        # Its plugins and the program too: one that builds would go on.
        for number in with_children({engine.pid}):
            with suppress(ProcessLookupError):  # it has ended with the engine
                os.kill(number, signal.SIGKILL)
    deployed.pulumi("cancel", "--yes")
    assert deployed.audit_state().returncode == 0
    told = deployed.audit_state("--fail-on", "change", "--format", "json")
    assert told.returncode == 3
    assert {each["rule"] for each in json.loads(told.stdout)["findings"]} == {"state-interrupted"}
    deployed.up()
    assert deployed.audit_state("--fail-on", "change").returncode == 0
