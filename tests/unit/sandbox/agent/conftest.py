"""What the tests of the agent share: an organisation, and runs of pipelines that are given as text."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.agent.channel import Organization as Service
from sandbox.agent.listener import Agent
from sandbox.agent.results import Machine
from tests.organization import PROJECT, Organization
from tests.pipeline_run import PipelineRun
from tests.unit.sandbox.azure_devops.service import Service as Process

if TYPE_CHECKING:
    from azure_pipelines.variables import Value

Start = Callable[..., PipelineRun]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def organization(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organization]:
    """An organisation with an open environment `e` and a closed one."""
    process = Process(tmp_path_factory.mktemp("azure-devops"))
    try:
        process.start()
        made = Organization(process.url, process.token)
        for name in ("e", "closed"):
            number = made.give("POST", f"{PROJECT}/_apis/distributedtask/environments", {"name": name})["id"]
            if name == "e":
                path = f"{PROJECT}/_apis/pipelines/pipelinePermissions/environment/{number}"
                made.give("PATCH", path, {"allPipelines": {"authorized": True}})
        yield made
        assert process.stop() == 0
    finally:
        process.abandon()


@pytest.fixture
def start(tmp_path: Path, organization: Organization) -> Start:
    """Queue a run of a pipeline that is given as text, with templates by name; on a branch of its own."""

    def make(
        text: str,
        *,
        templates: Mapping[str, str] | None = None,
        groups: Mapping[str, Mapping[str, Value]] | None = None,
        parameters: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        on_line: Callable[[str, str, str], None] | None = None,
        minute: float = 60.0,
    ) -> PipelineRun:
        name = f"run-{next(_numbers)}"
        sources = tmp_path / "sources"
        sources.mkdir()
        for file, content in {"pipeline.yml": text, **(templates or {})}.items():
            (sources / file).parent.mkdir(parents=True, exist_ok=True)
            (sources / file).write_text(textwrap.dedent(content), encoding="utf-8")
        git = ["git", "-C", str(sources), "-c", "user.name=t", "-c", "user.email=t@example.com"]
        for step in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "all"]):
            subprocess.run([*git, *step], check=True)
        organization.git_push(sources, f"HEAD:refs/heads/{name}")
        pipeline = organization.create_pipeline(name, "pipeline.yml")
        for group, values in (groups or {}).items():
            organization.authorize(organization.create_group(group, values), pipeline)
        build = organization.queue(pipeline, f"refs/heads/{name}", parameters=parameters, variables=variables)
        environ = {"PATH": os.environ["PATH"]}
        machine = Machine(tmp_path / "work", tmp_path / "ended/1", environ, Path(sys.executable).parent, minute=minute)
        agent = Agent(Service(organization.url, organization.token), machine, on_line)
        return PipelineRun(organization, agent, build)

    return make
