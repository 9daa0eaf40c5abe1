"""Rotation: key, therefore variables, therefore pipelines, although no value is visible."""

import json
from pathlib import Path
from typing import Any

from audit.model import UNKNOWN, Finding
from tests.audit import previews as p

VARIABLES: list[dict[str, Any]] = [
    {"name": "aws_account_number", "value": "123456789012"},
    {"name": "App-One.AccessKey", "value": "AKIAOLDOLDOLDOLDOLD0"},
    {"name": "App-One.SecretKey", "secretValue": "[secret]", "isSecret": True},
]
NEW_VARIABLES = [VARIABLES[0], {"name": "App-One.AccessKey", "value": UNKNOWN}, VARIABLES[2]]


def _group(key: str, **inputs: Any) -> dict[str, Any]:
    return p.step(
        p.GROUP,
        "app-one",
        {"name": "app-one", "variables": VARIABLES, **inputs},
        {"name": "app-one", "variables": NEW_VARIABLES, **inputs},
        new_options={"dependencies": [p.urn(p.KEY, key)], "propertyDependencies": {"variables": [p.urn(p.KEY, key)]}},
    )


def _authorization(**options: Any) -> dict[str, Any]:
    inputs = {"projectId": "x", "resourceId": "app-one", "type": "variablegroup", "pipelineId": 12}
    return p.step(p.AUTHORIZATION, "deliver", inputs, inputs, op="same", **options)


def _rotation(folder: Path, preview: Any) -> Finding:
    found = [finding for finding in p.report_of(folder, preview).findings if finding.risk == "rotation"]
    assert len(found) == 1
    return found[0]


def _chain(finding: Finding) -> list[tuple[str, str]]:
    return [(item["what"], item["name"]) for item in finding.follows]


def test_a_replaced_key_is_followed_to_variables_and_pipelines(tmp_path: Path) -> None:
    key = p.step(p.KEY, "key", {"user": "u"}, {"user": "u"}, op="replace", replaceReasons=["user"])
    finding = _rotation(tmp_path, p.digest(key, _group("key"), _authorization()))
    assert _chain(finding) == [
        ("credential", "key"),
        ("variable", "App-One.AccessKey"),
        ("variable", "App-One.SecretKey"),
        ("pipeline", "pipeline 12"),
    ]
    assert finding.proved
    assert finding.details[1] == "Therefore variable App-One.AccessKey changes."


def test_a_rotation_by_numbered_keys_is_one_row(tmp_path: Path) -> None:
    new = p.step(p.KEY, "app-one-key-2", None, {"user": "u"})
    old = p.step(p.KEY, "app-one-key-1", {"user": "u"}, None)
    preview = p.digest(new, _group("app-one-key-2"), old, _authorization())
    finding = _rotation(tmp_path, preview)
    assert _chain(finding)[:2] == [("credential", "app-one-key-2"), ("credential", "app-one-key-1")]
    assert ("pipeline", "pipeline 12") in _chain(finding)
    risks = {item.risk for item in p.report_of(tmp_path, preview).findings}
    assert {"credential-created", "loss-credential", "rotation"} <= risks


def test_a_new_key_beside_the_old_one_is_a_rotation_once_variables_move_to_it(tmp_path: Path) -> None:
    new = p.step(p.KEY, "app-one-key-2", None, {"user": "u"})
    assert _chain(_rotation(tmp_path, p.digest(new, _group("app-one-key-2"))))[1:3] == [
        ("variable", "App-One.AccessKey"),
        ("variable", "App-One.SecretKey"),
    ]


def test_the_first_key_of_a_new_stack_is_no_rotation(tmp_path: Path) -> None:
    key = p.step(p.KEY, "app-one-key-1", None, {"user": "u"})
    group = p.step(p.GROUP, "app-one", None, {"variables": NEW_VARIABLES}, new_options={"dependencies": [key["urn"]]})
    assert "rotation" not in p.risks_of(tmp_path, key, group)


def test_pipelines_that_the_preview_does_not_show_are_named_as_unknown(tmp_path: Path) -> None:
    key = p.step(p.KEY, "key", {"user": "u"}, {"user": "u"}, op="replace")
    finding = _rotation(tmp_path, p.digest(key, _group("key")))
    assert not finding.proved
    assert _chain(finding)[-1][0] == "pipeline-unknown"


def test_an_open_group_reaches_every_pipeline(tmp_path: Path) -> None:
    key = p.step(p.KEY, "key", {"user": "u"}, {"user": "u"}, op="replace")
    finding = _rotation(tmp_path, p.digest(key, _group("key", allowAccess=True)))
    assert _chain(finding)[-1] == ("pipeline", "every pipeline of the project")


def test_an_event_log_without_dependencies_is_followed_too(tmp_path: Path) -> None:
    key = p.step(p.KEY, "key", {"user": "u"}, {"user": "u"}, op="replace")
    group = _group("key")
    for side in ("oldState", "newState"):
        group[side].pop("dependencies", None)
        group[side].pop("propertyDependencies", None)
    steps = [json.loads(json.dumps(item)) for item in (key, group, _authorization())]
    names = [name for _, name in _chain(_rotation(tmp_path, p.events(*steps)))]
    assert "App-One.SecretKey" in names
    assert "pipeline 12" in names


def test_variables_that_are_masked_as_a_whole_are_named_by_their_place(tmp_path: Path) -> None:
    """What the engine shows of this project's own group: one mask for the list, and the paths that differ."""
    key = p.step(p.KEY, "key", {"user": "u"}, {"user": "u"}, op="replace")
    group = _group("key")
    for side in ("oldState", "newState"):
        group[side]["inputs"]["variables"] = group[side]["outputs"]["variables"] = "[secret]"
    group["diffReasons"] = ["variables"]
    paths = ("variables[1].value", "variables[2].secretValue")
    group["detailedDiff"] = {path: {"kind": "update", "inputDiff": False} for path in paths}
    preview = p.digest(key, group, _authorization())
    names = [name for what, name in _chain(_rotation(tmp_path, preview)) if what == "variable"]
    assert names == ["variables[1]", "variables[2]"]
    changes = next(
        row.step.changes for row in p.report_of(tmp_path, preview).rows if row.step.kind.endswith("VariableGroup")
    )
    assert [(change.path, change.kind) for change in changes] == [(path, "hidden") for path in paths]
