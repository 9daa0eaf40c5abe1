"""A failed step is run alone again, in the folder that its job left: as it was, or repaired."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest

from azure_pipelines import conditions as runs
from azure_pipelines.variables import Value
from sandbox.agent import alone
from sandbox.agent.channel import ChannelError
from sandbox.agent.job import WORKSPACE

if TYPE_CHECKING:
    from tests.pipeline_run import PipelineRun
    from tests.unit.sandbox.agent.conftest import Start

_numbers = itertools.count(1)
TEXT = """
    variables: [{group: GROUP}, {name: word, value: from $(Key.Id)}]
    steps:
      - checkout: none
      - bash: |
          echo 'echo "$WORD, $LATER, $1"; test "$OWN" = s3cr3t-value; exit 3' > tool.sh
          mkdir tools && printf '#!/bin/sh\\necho a tool' > tools/a-tool && chmod +x tools/a-tool
          echo "##vso[task.setvariable variable=later]set before"
          echo "##vso[task.setvariable variable=hidden;issecret=true]derived-s3cr3t"
          echo "##vso[task.prependpath]$PWD/tools"
      - bash: a-tool; echo "$OWN"; bash tool.sh "in $PWD"
        displayName: Use it
        env: {OWN: $(Key.Secret)}
      - {bash: exit 1, displayName: After, condition: always()}
    """


@pytest.fixture
def ended(start: Start) -> PipelineRun:
    group = {"Key.Id": Value("AKIDPLAIN"), "Key.Secret": Value("s3cr3t-value", secret=True)}
    name = f"keys-{next(_numbers)}"
    run = start(TEXT.replace("GROUP", name), groups={name: group})
    assert run.start().stages == {"stage": runs.FAILED}
    return run


def again(run: PipelineRun, title: str = "Use it") -> tuple[str, list[str]]:
    said: list[str] = []
    machine = run.agent.machine
    step, folder = alone.find(machine.ended.parent, title)
    return alone.run(step, folder, run.agent.organization, machine, said.append), said


def test_a_step_that_was_repaired_passes_with_what_it_had_been_given(ended: PipelineRun) -> None:
    (kept,) = ended.agent.results.workspaces
    place = ended.agent.machine.work / WORKSPACE / "s"
    expected = ["a tool", "***", f"from AKIDPLAIN, set before, in {place}"]
    result, said = again(ended)
    assert (result, said[1:4]) == (runs.FAILED, expected)
    assert said[0] == "secrets that earlier steps set are not there: hidden"
    (kept / "s/tool.sh").write_text('echo repaired "$LATER"')
    result, said = again(ended)
    assert (result, said[1:]) == (runs.SUCCEEDED, ["a tool", "***", "repaired set before"])
    # The run stays as it ended, and the folder where it was kept.
    assert ended.outcome().stages == {"stage": runs.FAILED}
    assert (kept / "s/tool.sh").is_file()
    assert not (ended.agent.machine.work / WORKSPACE).exists()


def test_the_record_holds_no_secret_and_is_its_owners_alone(ended: PipelineRun) -> None:
    (kept,) = ended.agent.results.workspaces
    file = kept.with_suffix(".json")
    assert [row["title"] for row in json.loads(file.read_text())] == ["Use it", "After"]
    assert "s3cr3t" not in file.read_text()
    assert ended.agent.results.step("Use it").result == runs.FAILED
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_token_of_a_step_alone_ends_with_it(ended: PipelineRun) -> None:
    step, _ = alone.find(ended.agent.machine.ended.parent, "After")
    organization = ended.agent.organization
    taken = organization.once_more(step.job)
    organization.ask("GET", "_apis/projects", token=taken.token)
    organization.forget(step.job)
    with pytest.raises(ChannelError):
        organization.ask("GET", "_apis/projects", token=taken.token)


def test_a_job_of_a_run_that_goes_on_is_given_to_nobody_again(start: Start) -> None:
    refused: list[str] = []

    def ask(_stage: str, _step: str, line: str) -> None:
        if line == "working":
            try:
                run.agent.organization.once_more(taken[0])
            except ChannelError as error:
                refused.append(str(error))

    taken: list[int] = []
    run = start("steps: [{checkout: none}, {bash: echo working}]", on_line=ask)
    run.agent.on_job = lambda job: taken.append(job.number)
    run.start()
    assert "is not completed" in refused[0]


def test_what_cannot_be_run_alone_is_said(ended: PipelineRun) -> None:
    with pytest.raises(alone.AloneError, match=r"no step 'Nothing' of run .* failed here; failed steps: After, Use it"):
        again(ended, "Nothing")
    (ended.agent.machine.work / WORKSPACE).mkdir()
    with pytest.raises(alone.AloneError, match="is in use: a run goes on"):
        again(ended)
    (ended.agent.machine.work / WORKSPACE).rmdir()
    (kept,) = ended.agent.results.workspaces
    kept.rename(kept.with_name("gone"))
    with pytest.raises(alone.AloneError, match="is gone"):
        again(ended)


def test_what_a_step_alone_would_send_is_not_sent(start: Start) -> None:
    run = start(
        """
        steps:
          - checkout: none
          - bash: |
              echo page > page.md
              echo "##vso[task.uploadsummary]$PWD/page.md"
              echo "##vso[artifact.upload artifactname=a]$PWD/page.md"
              exit 1
            displayName: sends
        """
    )
    run.start()
    result, said = again(run, "sends")
    assert result == runs.FAILED
    assert "(not sent: Distributedtask.Core.Summary page.md)" in said
    assert any("is not published as a: the run has ended" in line for line in said)
