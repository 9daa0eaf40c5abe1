"""A pipeline expands to what a run would see, or the error says where it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azure_pipelines.documents import Folder, PipelineError
from azure_pipelines.lint import check
from azure_pipelines.model import read

if TYPE_CHECKING:
    from pathlib import Path

    from azure_pipelines.documents import Located
    from azure_pipelines.expand import Shared


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps:\n  - template: none.yml\n", "pipeline.yml:2: none.yml does not exist"),
        ("steps:\n  - template: pipeline.yml\n", "more than 50 deep"),
        ("parameters:\n  - {name: a, type: number, default: x}\nsteps: []\n", "no number"),
        ("parameters:\n  - {name: a, values: [x], default: y}\nsteps: []\n", "not one of x"),
        ("parameters:\n  - {name: a}\nsteps: []\n", "needs the parameter a"),
        ("steps:\n  - ${{ else }}:\n      - bash: a\n", "else without an if"),
        ("steps:\n  - bash: ${{ nope.x }}\n", "no named value"),
        ("steps:\n  - a: 1\n    a: 2\n", "is there twice"),
        ("steps:\n  - say: a\n", "no step"),
        ("steps: [", "is no YAML"),
        ("stages:\n  - job: a\n", "no stage"),
        ("jobs:\n  - {job: a, strategy: {parallel: 0}}\n", "parallel is 0, not 1 to 99"),
        ("jobs:\n  - {job: a, strategy: {rolling: {}}}\n", "the strategy rolling of job a is not known here"),
    ],
)
def test_a_pipeline_that_cannot_be_read_is_an_error_that_says_where(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pipeline.yml").write_text(text, encoding="utf-8")
    with pytest.raises(PipelineError, match=message):
        read(tmp_path, "pipeline.yml", {}, {})


def test_a_template_without_an_expression_is_another_copy_each_time(tmp_path: Path) -> None:
    (tmp_path / "steps.yml").write_text("steps: [{bash: echo a}]", encoding="utf-8")
    (tmp_path / "jobs.yml").write_text("jobs: [{job: a, steps: [{template: steps.yml}], variables: {b: c}}]", "utf-8")
    (tmp_path / "pipeline.yml").write_text("jobs: [{template: jobs.yml}, {job: d}]", encoding="utf-8")
    first, second = (read(tmp_path, "pipeline.yml", {}, {}).raw for _ in range(2))
    assert first["jobs"] == [{"job": "a", "steps": [{"bash": "echo a"}], "variables": {"b": "c"}}, {"job": "d"}]
    assert (first["jobs"][0].file, first["jobs"][0].line) == ("jobs.yml", 1)
    first["jobs"][0]["steps"][0]["bash"] = first["jobs"][0]["variables"]["b"] = "changed"
    assert second["jobs"][0] == {"job": "a", "steps": [{"bash": "echo a"}], "variables": {"b": "c"}}
    assert read(tmp_path, "pipeline.yml", {}, {}).raw == second


def test_the_lint_reads_a_file_once_for_all_ways_and_anew_for_the_next_lint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    text = Folder.text

    def counted(folder: Folder, name: str) -> str:
        asked.append(name)
        return text(folder, name)

    monkeypatch.setattr(Folder, "text", counted)
    (tmp_path / "pipeline.yml").write_text("steps: [{template: a.yml}]", encoding="utf-8")
    for command, findings in (("echo", 0), ("echo $(b.c)", 1)):
        (tmp_path / "a.yml").write_text(f"steps: [{{bash: {command}}}]", encoding="utf-8")
        asked.clear()
        assert len(check(tmp_path, "pipeline.yml")) == findings
        assert asked.count("a.yml") == 1


def test_a_template_is_shared_by_what_has_all_in_common_and_by_nothing_else(tmp_path: Path) -> None:
    """The parameters with their types and places, the variables, the repositories."""
    (tmp_path / "here").mkdir()
    for name in (".", "here"):
        (tmp_path / name / "steps.yml").write_text(
            "parameters: [{name: more, type: object, default: []}, {name: a, type: object, default: ''}]\n"
            "steps: [{bash: '" + name + " ${{ parameters.a }} ${{ variables.b }}'}, '${{ parameters.more }}']\n",
            encoding="utf-8",
        )
    (tmp_path / "pipeline.yml").write_text(
        """parameters:
  - {name: folder}
  - {name: flag, type: boolean, default: true}
  - {name: number, type: number, default: 1}
resources: {repositories: [{repository: other, name: "${{ parameters.folder }}"}]}
jobs:
  - {job: one, steps: [{template: steps.yml}]}
  - {job: two, steps: [{template: steps.yml}]}
  - {job: three, variables: {b: c}, steps: [{template: steps.yml}]}
  - {job: four, steps: [{template: steps.yml, parameters: {a: "${{ parameters.flag }}"}}]}
  - {job: five, steps: [{template: steps.yml, parameters: {a: "${{ parameters.number }}"}}]}
  - {job: six, steps: [{template: steps.yml, parameters: {more: [{bash: last}]}}]}
  - {job: seven, steps: [{template: steps.yml, parameters: {more: [{bash: last}]}}]}
  - {job: eight, steps: [{template: steps.yml@other}]}
""",
        encoding="utf-8",
    )

    def opened(entry: Located) -> Path:
        return tmp_path / str(entry["name"])

    shared: Shared = {}
    for folder in ("here", ".", "here"):
        alone = read(tmp_path, "pipeline.yml", {}, {"folder": folder}, opened)
        found = read(tmp_path, "pipeline.yml", {}, {"folder": folder}, opened, shared)
        assert found.raw == alone.raw
        places = [[(step.raw.file, step.raw.line) for step in job.steps] for _, job in alone.jobs()]
        assert [[(step.raw.file, step.raw.line) for step in job.steps] for _, job in found.jobs()] == places
        steps = [job.steps[0].raw for _, job in found.jobs()]
        assert steps[0] is steps[1]
        assert len({id(step) for step in steps}) == len(steps) - 1
    assert len(shared) == 2 * 7
