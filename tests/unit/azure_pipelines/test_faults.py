"""The lint names a fault where it stands: faults.yml has each with its pipeline, the line and the words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from azure_pipelines.lint import check

FAULTS = yaml.load(Path(__file__).with_name("faults.yml").read_text(encoding="utf-8"), yaml.CSafeLoader)


@pytest.mark.parametrize("case", FAULTS, ids=[case["fault"] for case in FAULTS])
def test_a_fault_is_named_where_it_stands(case: dict[str, Any], tmp_path: Path) -> None:
    for name, text in {"p.yml": case["text"], **case.get("files", {})}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = [str(finding) for finding in check(tmp_path, "p.yml")]
    assert any(f"p.yml:{case['line']}: " in line and case["says"] in line for line in found), found


@pytest.mark.parametrize(
    "condition",
    [
        "and(succeeded(), eq(variables['Build.SourceBranch'], 'refs/heads/main'))",
        "and(succeeded(), startsWith(variables['Build.SourceBranch'], 'refs/tags/'))",
        "and(succeeded(), in(variables['Build.Reason'], 'manual', 'other'))",
        "or(succeeded(), failed())",
        "and(succeeded('a'), failed('b'))",
        "and(always(), in(dependencies.a.result, 'Succeeded', 'Skipped'))",
    ],
)
def test_a_condition_that_can_hold_is_no_fault(condition: str, tmp_path: Path) -> None:
    text = {"jobs": [{"job": "a"}, {"job": "b"}, {"job": "c", "dependsOn": ["a", "b"], "condition": condition}]}
    (tmp_path / "p.yml").write_text(yaml.safe_dump(text), encoding="utf-8")
    assert check(tmp_path, "p.yml") == []
