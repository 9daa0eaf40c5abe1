"""What genuine providers record in forms of their own reads the same: sets, tags, branches, and outputs that differ."""

from pathlib import Path
from typing import Any

import pytest

from audit.drift.sheet import Clouds
from audit.drift.survey import survey
from audit.model import Change
from audit.state import Resource, StackState
from tests.audit import previews as p

PIPELINE = "azuredevops:index/buildDefinition:BuildDefinition"


def changes(tmp_path: Path, step: dict[str, Any]) -> list[Change]:
    (row,) = p.report_of(tmp_path, p.digest(step)).rows
    return list(row.step.changes)


def variables(**values: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def update(*paths: str) -> dict[str, Any]:
    return {path: {"kind": "update", "inputDiff": False} for path in paths}


@pytest.mark.parametrize("paths", [("variables",), ("variables[0].value", "variables[2].value")])
def test_a_variable_that_changes_is_named_whatever_the_provider_says_of_the_set(
    tmp_path: Path, paths: tuple[str, ...]
) -> None:
    old = {"name": "g", "variables": variables(one="1", gone="x", two="2")}
    new = {"name": "g", "variables": variables(two="3", one="1", come="y")}
    step = p.step(p.GROUP, "group", old, new, diffReasons=["variables"], detailedDiff=update(*paths))
    found = {change.path: (change.kind, change.old, change.new) for change in changes(tmp_path, step)}
    assert found == {
        'variables["two"].value': ("update", "2", "3"),
        'variables["gone"]': ("delete", {"name": "gone", "value": "x"}, None),
        'variables["come"]': ("add", None, {"name": "come", "value": "y"}),
    }


def test_entries_without_names_of_their_own_are_named_by_their_place(tmp_path: Path) -> None:
    same = [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]
    other = [{"name": "a", "value": "1"}, {"name": "a", "value": "3"}]
    step = p.step(p.GROUP, "group", {"variables": same}, {"variables": other})
    assert [change.path for change in changes(tmp_path, step)] == ["variables[1].value"]


def test_a_changed_tag_is_shown_once(tmp_path: Path) -> None:
    old = {"name": "r", "tags": {"Owner": "us"}, "tagsAll": {"Owner": "us", "Stage": "dev"}}
    new = {"name": "r", "tags": {"Owner": "them"}, "tagsAll": {"Owner": "them", "Stage": "dev"}}
    step = p.step(p.REPOSITORY, "r", old, new, detailedDiff=update("tags.Owner", "tagsAll.Owner"))
    assert [change.path for change in changes(tmp_path, step)] == ["tags.Owner"]


def test_a_changed_default_tag_is_shown(tmp_path: Path) -> None:
    old = {"name": "r", "tags": {"Owner": "us"}, "tagsAll": {"Owner": "us", "Stage": "dev"}}
    new = {"name": "r", "tags": {"Owner": "them"}, "tagsAll": {"Owner": "them", "Stage": "prod"}}
    step = p.step(p.REPOSITORY, "r", old, new, detailedDiff=update("tags.Owner", "tagsAll.Owner", "tagsAll.Stage"))
    assert [change.path for change in changes(tmp_path, step)] == ["tags.Owner", "tagsAll.Stage"]


@pytest.mark.parametrize(
    ("inputs", "shown"),
    [
        ({"tagsAll": {}}, []),
        ({"tags": {"a": "1"}, "tagsAll": {"a": "1"}}, ["tags"]),
        ({"tags": {"a": "1"}, "tagsAll": {"a": "1", "b": "2"}}, ["tags", "tagsAll"]),
    ],
)
def test_tags_of_a_new_resource_are_shown_once(tmp_path: Path, inputs: dict[str, Any], shown: list[str]) -> None:
    step = p.step(p.REPOSITORY, "r", None, {"name": "r", **inputs})
    assert [change.path for change in changes(tmp_path, step)] == ["name", *shown]


def test_where_the_inputs_are_alike_the_recorded_output_is_what_changes(tmp_path: Path) -> None:
    inputs = {"name": "app-one", "jobAuthorizationScope": "project"}
    step = p.step(
        PIPELINE,
        "pipeline",
        inputs,
        inputs,
        diffReasons=["jobAuthorizationScope"],
        detailedDiff=update("jobAuthorizationScope"),
        old_options={"outputs": {**inputs, "jobAuthorizationScope": "projectCollection"}},
    )
    (change,) = changes(tmp_path, step)
    assert (change.path, change.old, change.new) == ("jobAuthorizationScope", "projectCollection", "project")


class Definition:
    """Azure DevOps with one pipeline, on this branch, whose runs take the variables that it offers, or any."""

    def __init__(self, branch: str, *, limited: bool = True) -> None:
        self.branch, self.limited = branch, limited

    def get(self, path: str, *_arguments: str, **_query: str) -> dict[str, Any]:
        if path == "p/_apis/build/generalsettings":
            return {"enforceSettableVar": self.limited}
        assert path.endswith("/build/definitions/7")
        repository = {"id": "r", "type": "TfsGit", "defaultBranch": self.branch}
        scope = "projectCollection"
        return {"name": "app-one", "repository": repository, "process": {}, "jobAuthorizationScope": scope}


@pytest.mark.parametrize("recorded", ["main", "refs/heads/main"])
@pytest.mark.parametrize("declared", ["main", "refs/heads/main"])
def test_a_branch_by_its_name_or_by_its_ref_is_no_drift(declared: str, recorded: str) -> None:
    found = drift(declared, recorded, "refs/heads/main")
    assert found == []
    (other,) = drift(declared, recorded, "refs/heads/evil")
    assert "branchName is refs/heads/evil, recorded is refs/heads/main" in other


def test_a_project_whose_runs_take_any_variable_is_a_finding() -> None:
    assert drift("main", "main", "refs/heads/main") == []
    (found,) = drift("main", "main", "refs/heads/main", limited=False)
    assert "BuildDefinition 'pipeline': whoever queues a run may set any variable of it" in found


def drift(declared: str, recorded: str, real: str, *, limited: bool = True) -> list[str]:
    """The findings for a pipeline on these branches."""
    urn = p.urn(PIPELINE, "pipeline")
    inputs = {"name": "app-one", "projectId": "p", "repository": {"repoId": "r", "branchName": declared}}
    outputs = {**inputs, "repository": {"repoId": "r", "branchName": recorded}}
    resource = Resource(urn, PIPELINE, id="7", inputs=inputs, outputs=outputs, modified="2026-01-01T00:00:00Z")
    clouds = Clouds(StackState("dev", "app-one", [resource]), None)  # type: ignore[arg-type]
    clouds.devops_reader = Definition(real, limited=limited)  # type: ignore[assignment]
    return [finding.reason for finding in survey(clouds).findings]
