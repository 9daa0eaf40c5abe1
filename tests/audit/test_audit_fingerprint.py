"""Fingerprint and compare: the same change to the same state is the same, and anything else is named."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from audit.command import entry
from audit.errors import AuditError
from audit.model import UNKNOWN, Plan
from audit.plan import comparison
from audit.plan.fingerprint import fingerprint
from audit.plan.report import from_file
from audit.report import json as json_format, render
from tests.audit import previews as p

STEPS = [
    p.step(p.REPOSITORY, "r", {"name": "a", "tags": {"x": "1"}}, {"name": "a", "tags": {"x": "2"}}),
    p.step(p.KEY, "k", None, {"user": "u"}),
    p.step(
        p.IMAGE,
        "i",
        {"imageName": "a:1", "registry": {"password": "old-token-in-clear"}},
        {"imageName": "a:2", "registry": {"password": "new-token-in-clear"}},
    ),
]


CHANGED = {"variables": {"kind": "update"}}


def _mark(folder: Path, preview: Any) -> str:
    return p.report_of(folder, preview).fingerprint


def test_two_previews_of_the_same_change_have_one_fingerprint(tmp_path: Path) -> None:
    first = _mark(tmp_path, p.digest(*STEPS))
    again = copy.deepcopy(STEPS)
    again = [again[1], again[2], again[0]]
    for item in again:
        for side in ("oldState", "newState"):
            if side in item:
                item[side].update(
                    created="2026-11-23T10:00:00Z",
                    modified="2026-11-23T11:00:00Z",
                    sourcePosition="project:///__main__.py#12,1",
                )
                item[side]["provider"] = item[side]["provider"].replace(UNKNOWN, "7c1f4e5e-0000-4000-8000-000000000000")
    again[0]["a-field-of-tomorrow"] = 1
    again.append(p.step(p.USER, "same", {"name": "u"}, {"name": "u"}, op="same"))
    for item in again:
        if item["urn"] == STEPS[2]["urn"]:
            item["newState"]["inputs"]["registry"]["password"] = "another-fresh-token"
    assert _mark(tmp_path, p.digest(*again, duration=1)) == first
    assert first.startswith("2:sha256:")


def _edit(position: int, side: str, path: list[str], value: Any) -> list[dict[str, Any]]:
    steps = copy.deepcopy(STEPS)
    target = steps[position][side] if side else steps[position]
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return steps


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        (STEPS[:2], "removed"),
        ([*STEPS, p.step(p.USER, "u", None, {"name": "u"})], "added"),
        (_edit(0, "newState", ["inputs", "tags"], {"x": "3"}), "planned"),
        (_edit(0, "oldState", ["inputs", "tags"], {"x": "0"}), "prior"),
        (_edit(0, "oldState", ["outputs", "repositoryUrl"], "changed by another"), "prior"),
        (_edit(0, "oldState", ["id"], "another"), "prior"),
        (_edit(0, "newState", ["protect"], True), "planned"),
        (_edit(0, "", ["op"], "replace"), "operation"),
    ],
)
def test_any_other_change_or_prior_state_differs_and_is_named(
    tmp_path: Path, steps: list[dict[str, Any]], kind: str
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(p.digest(*STEPS)))
    (tmp_path / "b.json").write_text(json.dumps(p.digest(*steps)))
    approved, now = (comparison.load(str(tmp_path / name), (), 1 << 20) for name in ("a.json", "b.json"))
    result = comparison.compare(approved, now)
    assert not result.data["same"]
    assert [item["kind"] for item in result.data["differences"]] == [kind]
    assert result.records[0].lines


@pytest.mark.parametrize(
    ("step", "path"),
    [
        (p.step(p.KEY, "k", None, {"secret": "[secret]"}), "secret"),
        (p.step(p.GROUP, "g", None, {"name": "a", "variables": "[secret]"}), "variables"),
        (p.step(p.GROUP, "g", None, {"variables": [{"name": "K", "secretValue": "in-clear-for-once"}]}), "variables"),
        (
            p.step(p.GROUP, "g", {"variables": "[secret]"}, {"variables": "[secret]"}, detailedDiff=CHANGED),
            "variables",
        ),
        (p.step(p.IMAGE, "i", None, {"build": {"args": {"TOKEN": "[secret]"}}}), "build.args.TOKEN"),
    ],
)
def test_two_masked_values_are_not_the_same_for_being_masked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], step: dict[str, Any], path: str
) -> None:
    preview, report = tmp_path / "p.json", tmp_path / "r.json"
    preview.write_text(json.dumps(p.digest(step)))
    assert entry(["plan", str(preview), "--format", "json", "-o", str(report)]) == 0
    for approved in (report, preview):
        assert entry(["compare", str(approved), str(preview)]) == 4
        printed = capsys.readouterr().out
        assert path in printed
        assert "masked on both sides" in printed
        assert "in-clear-for-once" not in printed


@pytest.mark.parametrize(
    "step",
    [
        # Only what is masked and would change: the engine names the description alone.
        p.step(
            p.GROUP,
            "g",
            {"description": "a", "variables": "[secret]"},
            {"description": "b", "variables": "[secret]"},
            detailedDiff={"description": {"kind": "update"}},
        ),
        p.step(p.GROUP, "g", {"variables": "[secret]"}, None),
        p.step(p.IMAGE, "i", None, {"imageName": "a", "registry": {"password": "[secret]", "server": "s"}}),
    ],
)
def test_a_masked_value_that_nothing_sets_and_a_fresh_token_are_no_difference(tmp_path: Path, step: Any) -> None:
    preview = tmp_path / "p.json"
    preview.write_text(json.dumps(p.digest(step)))
    assert entry(["compare", str(preview), str(preview)]) == 0


def test_a_report_stands_for_its_preview_whatever_its_names_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A report shows what could act on a terminal as an escape; it is the same report for that."""
    preview, report = tmp_path / "p.json", tmp_path / "r.json"
    preview.write_text(json.dumps(p.digest(p.step(p.USER, "a\x1b[31m\u202e\r\nb ##vso[x]", None, {"name": "u"}))))
    assert entry(["plan", str(preview), "--format", "json", "-o", str(report)]) == 0
    assert entry(["compare", str(report), str(preview)]) == 0, capsys.readouterr().err


def test_a_report_stands_for_its_preview(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preview, report = tmp_path / "p.json", tmp_path / "r.json"
    preview.write_text(json.dumps(p.digest(*STEPS)))
    assert entry(["plan", str(preview), "--format", "json", "-o", str(report)]) == 0
    assert entry(["compare", str(report), str(preview)]) == 0
    assert capsys.readouterr().out.startswith("Same: ")
    preview.write_text(json.dumps(p.digest(*_edit(0, "newState", ["inputs", "tags"], {"x": "3"}))))
    assert entry(["compare", str(report), str(preview)]) == 4
    output = capsys.readouterr().out
    assert "tags.x: 1 → 2" in output
    assert "tags.x: 1 → 3" in output
    for form in ("json", "markdown"):
        assert entry(["compare", str(report), str(preview), "--format", form]) == 4
    assert json.loads(capsys.readouterr().out.splitlines()[0])["same"] is False


def test_equal_steps_of_one_urn_in_another_order_are_the_same_and_one_less_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = [p.step(p.KEY, "key", {"user": "u"}, None) for _ in range(2)]
    two[1]["oldState"]["id"] = "another"
    for name, steps in (("a", two), ("b", two[::-1]), ("c", two[:1])):
        (tmp_path / f"{name}.json").write_text(json.dumps(p.digest(*steps)))
    assert entry(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == 0
    assert entry(["compare", str(tmp_path / "a.json"), str(tmp_path / "c.json")]) == 4
    assert "was approved as delete, delete and would be delete now" in capsys.readouterr().out


def test_a_report_that_was_edited_or_cut_is_refused(tmp_path: Path) -> None:
    text = render("json", p.report_of(tmp_path, p.digest(*STEPS)))
    path = tmp_path / "r.json"
    for broken in (
        text[: len(text) // 2],
        text.replace('"planned":"', '"planned":"0', 1),
        text.replace('"op":"create"', '"op":"same"', 1),
        text.replace('"1.0"', '"9.0"', 1),
    ):
        path.write_text(broken)
        with pytest.raises(AuditError, match="make it again"):
            comparison.load(str(path), (), 1 << 30)


def test_an_incomplete_preview_is_never_the_same(tmp_path: Path) -> None:
    failed = p.digest(*STEPS, diagnostics=[{"severity": "error", "message": "x"}])
    path = tmp_path / "a.json"
    path.write_text(json.dumps(failed))
    assert entry(["compare", str(path), str(path)]) == 4


def test_a_digest_and_an_event_log_that_hold_the_same_states_agree(tmp_path: Path) -> None:
    assert _mark(tmp_path, p.digest(*STEPS)) == _mark(tmp_path, p.events(*STEPS))


def test_a_digest_and_an_event_log_of_one_real_preview_agree_but_for_the_options_that_the_log_leaves_out() -> None:
    """Both made by engine 3.259.0 for a rotation in this project's stack, with machine and moment replaced."""
    folder = Path(__file__).parent / "event_logs"
    digest, events = (from_file(str(folder / name)) for name in ("rotation.json", "rotation.events.jsonl"))
    assert digest.fingerprint != events.fingerprint
    differences = comparison.compare(*map(json_format.plan, (digest, events))).data["differences"]
    assert {item["kind"] for item in differences} == {"planned", "prior", "source"}
    for row in (*digest.rows, *events.rows):
        for state in (row.step.old, row.step.new):
            if state is not None:
                state.dependencies, state.property_dependencies, state.secret_outputs, state.options = (), {}, (), {}
    marks = [fingerprint(Plan(source="digest", steps=[row.step for row in report.rows])) for report in (digest, events)]
    assert marks[0] == marks[1]
    assert digest.classes() == events.classes()
    assert digest.classes()["rotation"] == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("custom", False),
        ("additionalSecretOutputs", []),
        ("ignoreChanges", ["tags"]),
        ("deleteBeforeReplace", True),
        ("dependencies", [p.urn(p.USER, "u"), p.urn(p.USER, "v")]),
        ("propertyDependencies", {"tags": [p.urn(p.USER, "v")]}),
        ("aliases", [p.urn(p.REPOSITORY, "former")]),
        ("customTimeouts", {"create": 1}),
        ("deletedWith", p.urn(p.USER, "u")),
        ("replaceOnChanges", ["tags"]),
        ("retainOnDelete", True),
    ],
)
def test_another_option_of_a_resource_is_another_change(tmp_path: Path, option: str, value: Any) -> None:
    before = {
        "additionalSecretOutputs": ["registryId"],
        "dependencies": [p.urn(p.USER, "u")],
        "propertyDependencies": {"tags": [p.urn(p.USER, "u")]},
    }
    for name, more in (("a", {}), ("b", {option: value})):
        step = p.step(p.REPOSITORY, "r", {"tags": {}}, {"tags": {"x": "1"}}, new_options={**before, **more})
        (tmp_path / f"{name}.json").write_text(json.dumps(p.digest(step)))
    approved, now = (comparison.load(str(tmp_path / name), (), 1 << 20) for name in ("a.json", "b.json"))
    result = comparison.compare(approved, now)
    assert [item["kind"] for item in result.data["differences"]] == ["planned"]
    assert not result.data["same"]


def test_options_in_another_order_or_left_empty_are_no_difference(tmp_path: Path) -> None:
    urns = [p.urn(p.USER, name) for name in "uvw"]
    marks = {
        _mark(tmp_path, p.digest(p.step(p.REPOSITORY, "r", None, {"name": "a"}, new_options=options)))
        for options in (
            {"dependencies": urns, "propertyDependencies": {"name": urns}, "ignoreChanges": ["a", "b"]},
            {"dependencies": urns[::-1], "propertyDependencies": {"name": urns[::-1]}, "ignoreChanges": ["b", "a"]},
            {
                "dependencies": urns,
                "propertyDependencies": {"name": urns, "tags": []},
                "ignoreChanges": ["a", "b"],
                "aliases": [],
                "deletedWith": "",
                "taint": False,
            },
        )
    }
    assert len(marks) == 1


def test_a_secret_in_an_option_is_masked_before_it_is_hashed(tmp_path: Path) -> None:
    steps = [
        p.step(p.USER, "u", None, {"name": "u"}, new_options={"replacementTrigger": {"password": text}})
        for text in ("correct-horse-battery", "another-horse-battery")
    ]
    assert _mark(tmp_path, p.digest(steps[0])) == _mark(tmp_path, p.digest(steps[1]))
