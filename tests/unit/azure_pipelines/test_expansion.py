"""A pipeline expands to what a run would see, or the error says where it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azure_pipelines.documents import PipelineError
from azure_pipelines.model import read

if TYPE_CHECKING:
    from pathlib import Path


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
