"""docs/azure-devops.md, its commands run in their order: from an empty organisation and account to a pull request."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.page import blocks
from tests.unit.sandbox.azure_devops.service import Service
from tests.workstation import CHECKOUT, Workstation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.workstation import Sandbox

# Over 10 s each: they declare a whole foundation twice and more.
pytestmark = pytest.mark.e2e

PAGE = CHECKOUT / "docs/azure-devops.md"
TWO_STACKS = "From one stack to two"
_PIN, _PLUGINS = "python -m pipelines.install_pulumi --pin", "python -m pipelines.install_plugins"
BY_HAND = ["az login", _PIN, f"{_PLUGINS} --pin", "git commit", _PLUGINS, "read -rs", _PIN]
"""What is not run here, a line each: it needs a browser or the network, or a token in the place of the sign-in."""


@dataclass
class Shell:
    """A person's shell on a workstation of their own, with nothing of the sandbox but an AWS identity."""

    sandbox: Sandbox = field(repr=False)
    folder: Path
    organization: Service = field(repr=False)
    tools: Path

    def __post_init__(self) -> None:
        self.tools.mkdir()
        for tool in ("aws", "az"):
            file = self.tools / tool
            where, python = shlex.quote(str(CHECKOUT)), shlex.quote(sys.executable)
            called = f"PYTHONPATH={where} exec {python} -m tests.end_to_end.command_lines {tool}"
            file.write_text(f'#!/bin/sh\n{called} "$@"\n', encoding="utf-8")
            file.chmod(0o755)
        plugins = Path(self.sandbox.environment["PULUMI_HOME"]) / "plugins"
        (self.tools / "pulumi-home").mkdir()
        (self.tools / "pulumi-home/plugins").symlink_to(plugins)

    def environment(self) -> dict[str, str]:
        """What the person has: credentials of AWS and of Azure's command line, no setting of the sandbox's engine."""
        given = {
            name: value
            for name, value in self.sandbox.environment.items()
            if not name.startswith(("AZDO_", "PULUMI_CONFIG", "PULUMI_STACK", "PULUMI_BACKEND"))
        }
        signed, who = b64encode(f":{self.organization.token}".encode()).decode(), "operator"
        named = {f"GIT_{role}_NAME": who for role in ("AUTHOR", "COMMITTER")}
        named |= {f"GIT_{role}_EMAIL": f"{who}@example.com" for role in ("AUTHOR", "COMMITTER")}
        return {
            **given,
            **named,
            "PATH": os.pathsep.join([str(self.tools), str(Path(sys.executable).parent), given["PATH"]]),
            "PULUMI_HOME": str(self.tools / "pulumi-home"),
            # A person answers yes.
            "PULUMI_SKIP_CONFIRMATIONS": "true",
            "AZURE_CONFIG_DIR": str(self.tools),
            "AZURE_DEVOPS_EXT_PAT": self.organization.token,
            "GIT_CONFIG_COUNT": "1",
            # What git's credential manager does.
            "GIT_CONFIG_KEY_0": "http.extraheader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {signed}",
        }

    def placed(self, text: str) -> str:
        """Commands with the names of this organisation, account and sandbox in the places that the page leaves."""
        endpoint = self.sandbox.environment["AWS_ENDPOINT_URL"]
        for place, value in (
            ("https://dev.azure.com/YOUR-ORGANIZATION", self.organization.url),
            ("YOUR-ORGANIZATION", self.organization.url.rpartition("/")[2]),
            ("YOUR-STATE", "acme-state"),
            ("YOUR-IMAGE-STATE", "acme-image-state"),
            # A person answers yes.
            ("-m pipelines.state_store ", "-m pipelines.state_store --yes "),
            ("NAME@example.com", "reviewer@app-one.example"),
        ):
            text = text.replace(place, value)
        local = f"endpoint={endpoint}&s3ForcePathStyle=true"
        text = re.sub(r"(s3://[^'?]+\?)", rf"\g<1>{local}&", text)
        assert not re.search(r"YOUR-|THE-[A-Z]", text), "a place that nobody fills"
        return text

    def run(self, text: str) -> str:
        """Run commands in one shell, to the first that fails; what they print."""
        script = f"set -Eeuo pipefail\ntrap 'echo \"this failed: $BASH_COMMAND\" >&2' ERR\n{self.placed(text)}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.sandbox.printed.extend((done.stdout, done.stderr))
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(), capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


@pytest.fixture
def shell(sandbox: Sandbox, tmp_path: Path) -> Iterator[Shell]:
    """A clone of the program, an organisation without the project, and an account with nothing in it."""
    organization = Service(tmp_path, project="of-others")
    organization.start()
    try:
        person = Shell(sandbox, tmp_path / "app-one", organization, tmp_path / "tools")
        Workstation.make(person.folder, sandbox)
        person.git("init", "--quiet", "--initial-branch=main")
        person.git("add", "--all")
        person.git("commit", "--quiet", "--message", "The program")
        yield person
    finally:
        organization.abandon()


def test_the_commands_of_the_page_lead_from_nothing_to_a_pull_request(shell: Shell) -> None:
    page = blocks(PAGE.read_text(encoding="utf-8"))
    assert {block.section[:2] for block in page} >= {"1.", "2.", "3.", "4.", "5.", "8.", "9."}
    shell.run("\n".join(block.text for block in page if not block.by_hand and block.section != TWO_STACKS))

    def names(path: str) -> set[str]:
        return {row["name"] for row in shell.organization.get(f"app-one/_apis/{path}")["value"]}

    assert names("build/definitions") == {"app-one"}
    assert names("distributedtask/variablegroups") == {"app-one", "app-one-reader", "app-one-state"}
    assert names("distributedtask/environments") == {"app-one-dev"}
    assert names("serviceendpoint/endpoints") == {"app-one-push", "app-one-reader"}
    (request,) = shell.organization.get("app-one/_apis/git/repositories/app-one/pullrequests")["value"]
    assert (request["sourceRefName"], request["targetRefName"]) == ("refs/heads/first", "refs/heads/main")
    committed = shell.git("show", "azure/main:Pulumi.dev.yaml"), shell.git("show", "azure/main:Pulumi.dev-image.yaml")
    assert "secretsprovider: awskms://alias/pulumi" in committed[0]
    assert "encryptionsalt:" in committed[1]
    assert [user["UserName"] for user in shell.sandbox.client("iam").list_users()["Users"]] == []


def test_what_is_marked_as_by_hand_is_known() -> None:
    marked = [block.text for block in blocks(PAGE.read_text(encoding="utf-8")) if block.by_hand]
    lines = [line for text in marked for line in text.splitlines()]
    assert len(lines) == len(BY_HAND)
    assert all(line.startswith(known) for line, known in zip(lines, BY_HAND, strict=True))


def test_from_one_stack_to_two_nothing_is_replaced_and_no_image_is_lost(sandbox: Sandbox, tmp_path: Path) -> None:
    one = Workstation.deployed(tmp_path / "one", sandbox)
    before = {row["urn"]: row.get("id") for row in one.resources()}
    images = sandbox.client("ecr").describe_images(repositoryName="app-one")["imageDetails"]
    assert images
    (block,) = [block for block in blocks(PAGE.read_text(encoding="utf-8")) if block.section == TWO_STACKS]
    # All but the update: what it would do is looked at first.
    commands = [line.partition("#")[0].split("'") for line in block.text.splitlines()]
    for line in commands:
        words = [word for place, part in enumerate(line) for word in ([part] if place % 2 else part.split())]
        one.pulumi(*words[1:], env={"PULUMI_SKIP_CONFIRMATIONS": "true"})
        if "declares" in line[0]:
            assert not {"delete", "replace", "delete-replaced", "create-replacement"} & one.steps().keys()
    after = {row["urn"]: row.get("id") for row in one.resources()}
    image = {urn for urn in before if "infra:Image" in urn or "providers:docker" in urn}
    assert {urn: before[urn] for urn in before.keys() - image} == {urn: after.get(urn) for urn in before.keys() - image}
    assert not image & after.keys()
    assert sandbox.client("ecr").describe_images(repositoryName="app-one")["imageDetails"] == images
