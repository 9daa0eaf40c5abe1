"""What the service's documentation says of expressions, conditions, variables and templates holds here.

The cases are data, documented.yml: pages with cases. A case is one of
- expression, is: an expression and its value, with the names of NAMES;
- condition, before, holds: of a stage or job, with how those that it waits for ended; canceled: whether the run is;
- step, holds: the condition of a step; failed, canceled: whether a step before it or the run is;
- set, text, is: a text with macros after variables are set one after the other;
- title, text: a pipeline, with templates (files), parameters and variables, and what it expands to (expands), which
  stages (waits) or jobs (jobs) wait for which.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from azure_pipelines.__main__ import plain
from azure_pipelines.conditions import holds, step_holds
from azure_pipelines.expressions import Scope, evaluate, parse
from azure_pipelines.model import read
from azure_pipelines.variables import Masks, Variables

PAGES = yaml.load(Path(__file__).with_name("documented.yml").read_text(encoding="utf-8"), yaml.CSafeLoader)
DOCUMENTATION = "https://learn.microsoft.com/azure/devops/pipelines/process/"
NAMES: dict[str, Any] = {
    "variables": {"release.ring": "canary", "plain": "7"},
    "parameters": {
        "places": ["north", "south"],
        "sizes": {"s": "small", "b": "big"},
        "rows": [{"id": 1, "tags": ["x"]}, {"id": 2, "tags": ["y"]}],
    },
    "dependencies": {"Look": {"result": "Succeeded", "outputs": {"find.changed": "true"}}},
    "stageDependencies": {
        "Build": {"Image": {"result": "Succeeded", "outputs": {"push.digest": "sha256:12"}}},
        "Ship": {"Roll": {"result": "Succeeded", "outputs": {"Roll.after.address": "host:80"}}},
    },
}


def cases(key: str) -> list[Any]:
    """The cases that have a key, each named by its page and what it asks."""
    return [
        pytest.param(case, id=f"{page['page'].removeprefix(DOCUMENTATION)}: {case.get('title') or case[key]}")
        for page in PAGES
        for case in page["cases"]
        if key in case and (key != "text" or "title" in case)
    ]


@pytest.mark.parametrize("case", cases("expression"))
def test_an_expression_has_the_value_of_the_documentation(case: dict[str, Any]) -> None:
    value = evaluate(parse(case["expression"]), Scope(NAMES))
    assert value == case["is"]
    assert isinstance(value, bool) == isinstance(case["is"], bool)


@pytest.mark.parametrize("case", cases("condition"))
def test_a_stage_or_job_runs_when_the_documentation_says_so(case: dict[str, Any]) -> None:
    assert holds(case["condition"], NAMES, case["before"], canceled=case.get("canceled", False)) == case["holds"]


@pytest.mark.parametrize("case", cases("step"))
def test_a_step_runs_when_the_documentation_says_so(case: dict[str, Any]) -> None:
    failed, canceled = case.get("failed", False), case.get("canceled", False)
    assert step_holds(case["step"], NAMES["variables"], failed=failed, canceled=canceled) == case["holds"]


@pytest.mark.parametrize("case", cases("set"))
def test_a_macro_has_the_value_of_the_documentation(case: dict[str, Any]) -> None:
    variables = Variables(Masks())
    for name, value in case["set"].items():
        variables.set(name, value)
    assert variables.expand(case["text"]) == case["is"]


@pytest.mark.parametrize("case", cases("text"))
def test_a_pipeline_expands_as_the_documentation_says(case: dict[str, Any], tmp_path: Path) -> None:
    for name, text in {"p.yml": case["text"], **case.get("files", {})}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = read(tmp_path, "p.yml", case.get("variables", {}), case.get("parameters", {}))
    if "expands" in case:
        assert plain(found.raw) == case["expands"]
    if "waits" in case:
        assert {stage.id: list(stage.depends_on) for stage in found.stages} == case["waits"]
    if "jobs" in case:
        assert {job.id: list(job.depends_on) for _, job in found.jobs()} == case["jobs"]
    assert {"expands", "waits", "jobs"} & case.keys()


def test_every_page_has_cases_and_is_one_of_the_documentation() -> None:
    assert sum(len(page["cases"]) for page in PAGES) >= 80
    assert all(page["page"].startswith(DOCUMENTATION) and page["cases"] for page in PAGES)
