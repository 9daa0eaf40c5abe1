"""Reading: what the engine of the last two years writes is understood, and everything else is one clear error."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from audit.errors import AuditError
from audit.model import UNKNOWN, Plan
from audit.plan import comparison, preview
from audit.report import FORMATS, Report, render
from tests.audit import previews as p

STEPS = [
    p.step(p.REPOSITORY, "repository", None, {"name": "app-one", "imageTagMutability": "MUTABLE"}),
    p.step(p.KEY, "key", {"user": "u"}, {"user": UNKNOWN}, op="replace"),
    p.step(p.GROUP, "g", {"name": "ü🔑", "variables": []}, None),
]


def _read(folder: Path, content: str | bytes) -> Plan:
    path = folder / "preview.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return preview.read(str(path))


def _steps(plan: Plan) -> set[tuple[str, str]]:
    return {(step.op, step.name) for step in plan.steps}


def test_a_digest_and_the_event_log_of_the_same_preview_read_alike(tmp_path: Path) -> None:
    expected = {("create", "repository"), ("replace", "key"), ("delete", "g")}
    digest = _read(tmp_path, json.dumps(p.digest(*STEPS), indent=4))
    events = _read(tmp_path, p.events(*STEPS))
    assert _steps(digest) == _steps(events) == expected
    assert (digest.stack, digest.project, events.stack) == ("dev", "app-one", "dev")
    wrapped = json.dumps({"events": [json.loads(line) for line in p.events(*STEPS).splitlines()]})
    assert _steps(_read(tmp_path, wrapped)) == expected


def test_a_replacement_shown_as_three_steps_is_one(tmp_path: Path) -> None:
    new, old = {"user": "new"}, {"user": "old"}
    three = [
        p.step(p.KEY, "key", None, new, op="create-replacement"),
        p.step(p.KEY, "key", old, new, op="replace", replaceReasons=["user"]),
        p.step(p.KEY, "key", old, None, op="delete-replaced"),
    ]
    plan = _read(tmp_path, json.dumps(p.digest(*three)))
    assert len(plan.steps) == 1
    step = plan.steps[0]
    assert step.old is not None
    assert step.new is not None
    assert (step.op, step.old.inputs, step.new.inputs) == ("replace", old, new)


def test_two_deletes_of_one_urn_are_both_kept(tmp_path: Path) -> None:
    two = [p.step(p.KEY, "key", {"user": "u"}, None) for _ in range(2)]
    for step, name in zip(two, ("AKIA1", "AKIA2"), strict=True):
        step["oldState"]["id"] = name
    for text in (json.dumps(p.digest(*two)), p.events(*two)):
        assert [step.old and step.old.id for step in _read(tmp_path, text).steps] == ["AKIA1", "AKIA2"]
    assert len(p.report_of(tmp_path, p.digest(*two)).rows) == 2


@pytest.mark.parametrize("ids", [("AKIA1", "AKIA1"), ("", ""), ("AKIA1", "AKIA2")])
@pytest.mark.parametrize("form", ["digest", "events"])
def test_deletes_of_one_urn_are_all_seen_and_counted_whatever_their_ids(
    tmp_path: Path, ids: tuple[str, str], form: str
) -> None:
    two = [p.step(p.KEY, "key", {"user": "u"}, None) for _ in ids]
    for step, name in zip(two, ids, strict=True):
        step["oldState"]["id"] = name

    def report(*steps: dict[str, Any]) -> Report:
        return p.report_of(tmp_path, p.digest(*steps) if form == "digest" else p.events(*steps))

    both = report(*two)
    assert [row.step.op for row in both.rows] == ["delete", "delete"]
    assert both.counts == {"delete": 2}
    assert both.classes()["loss-credential"] == 2
    assert [len(row.findings) for row in both.rows] == [1, 1]
    assert both.fingerprint != report(two[0]).fingerprint
    assert both.fingerprint == report(*reversed(two)).fingerprint
    for name in FORMATS:
        assert render(name, both)


@pytest.mark.parametrize("left", ["AKIA0", "AKIA1", ""])
def test_what_an_earlier_replacement_left_to_delete_is_a_row_of_its_own(tmp_path: Path, left: str) -> None:
    """The engine shows it as one more `delete-replaced` and does not count it."""
    new, old = {"user": "new"}, {"user": "old"}
    pending = p.step(p.KEY, "key", {"user": "older"}, None, op="delete-replaced")
    pending["oldState"]["id"] = left
    parts = [
        p.step(p.KEY, "key", None, new, op="create-replacement"),
        p.step(p.KEY, "key", old, new, op="replace", replaceReasons=["user"]),
        p.step(p.KEY, "key", old, None, op="delete-replaced"),
    ]
    for part in parts[1:]:
        part["oldState"]["id"] = "AKIA1"
    counts = {"replace": 1}
    plain = p.report_of(tmp_path, p.digest(*parts, changeSummary=counts))
    for steps in ([*parts, pending], [pending, *parts]):
        report = p.report_of(tmp_path, p.digest(*steps, changeSummary=counts))
        assert sorted(row.step.op for row in report.rows) == ["delete", "replace"]
        assert report.counts == {"delete": 1, "replace": 1}
        assert not report.incomplete
        assert report.fingerprint != plain.fingerprint
        replaced = next(row.step for row in report.rows if row.step.op == "replace")
        assert replaced.old is not None
        assert replaced.old.id == "AKIA1"
    alone = p.report_of(tmp_path, p.digest(pending, changeSummary={}))
    assert [row.step.op for row in alone.rows] == ["delete"]


def test_a_refresh_and_the_update_that_follows_are_two_steps_and_no_more(tmp_path: Path) -> None:
    update = p.step(p.USER, "u", {"name": "v"}, {"name": "w"})
    refreshed = p.step(p.USER, "u", {"name": "u"}, {"name": "v"}, op="refresh")

    def event(kind: str, step: dict[str, Any], op: str) -> str:
        metadata = {"op": op, "urn": step["urn"], "type": p.USER, "old": step["oldState"], "new": step["newState"]}
        return json.dumps({"sequence": 1, "timestamp": 1, kind: {"metadata": metadata}})

    lines = p.events().splitlines()
    lines[1:1] = [
        event("resourcePreEvent", refreshed, "refresh"),
        event("resOutputsEvent", refreshed, "update"),
        event("resourcePreEvent", update, "update"),
        event("resOutputsEvent", update, "update"),
    ]
    plan = _read(tmp_path, "\n".join(lines))
    assert [(step.op, step.new and step.new.inputs["name"]) for step in plan.steps] == [
        ("update", "v"),
        ("update", "w"),
    ]


def test_a_value_nested_too_deeply_is_refused_and_one_within_the_limit_is_read(tmp_path: Path) -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: Any = "x"
        for _ in range(levels):
            value = {"a": [value]}
        return p.digest(p.step(p.USER, "u", None, {"tags": value}))

    assert p.report_of(tmp_path, nested(95)).rows
    with pytest.raises(AuditError, match="nested deeper than 200 levels"):
        p.report_of(tmp_path, nested(225))


def test_a_number_beyond_all_numbers_is_refused(tmp_path: Path) -> None:
    text = json.dumps(p.digest(p.step(p.USER, "u", None, {"a": "NUMBER"})))
    assert p.report_of(tmp_path, text.replace('"NUMBER"', "1e9")).rows
    for number in ("1e999", "-1e999"):
        with pytest.raises(AuditError, match="number"):
            p.report_of(tmp_path, text.replace('"NUMBER"', number))


def test_unchanged_resources_are_counted_and_not_judged(tmp_path: Path) -> None:
    same = p.step(p.REPOSITORY, "r", {"name": "x"}, {"name": "x"}, op="same")
    assert _read(tmp_path, json.dumps(p.digest(same))).steps == []


def test_a_refresh_that_finds_a_difference_is_read_from_its_result(tmp_path: Path) -> None:
    refreshed = p.step(p.USER, "u", {"name": "u"}, {"name": "u"}, op="refresh")
    log = p.events(refreshed)
    result = {
        "metadata": {
            "op": "update",
            "urn": refreshed["urn"],
            "type": p.USER,
            "old": refreshed["oldState"],
            "new": {**refreshed["newState"], "inputs": {"name": "v"}},
        }
    }
    lines = log.splitlines()
    lines.insert(-2, json.dumps({"sequence": 9, "timestamp": 1, "resOutputsEvent": result}))
    assert _steps(_read(tmp_path, "\n".join(lines))) == {("update", "u")}
    assert _read(tmp_path, log).steps == []


def test_a_preview_without_resources_or_changes_is_read(tmp_path: Path) -> None:
    assert _read(tmp_path, '{"config":{},"duration":1,"changeSummary":{"same":1}}').steps == []
    assert _read(tmp_path, '{"steps":[]}').steps == []


@pytest.mark.parametrize(
    "content",
    [
        '{\n    "duration": 445907\n}\n',
        '{\n    "config": {\n        "app-one:x": "1"\n    },\n    "duration": 2797538\n}\n',
        '{"diagnostics": [{"message": "hello", "severity": "info"}], "duration": 1}',
    ],
)
def test_what_the_engine_prints_for_an_empty_stack_is_no_change(tmp_path: Path, content: str) -> None:
    """The first two are what engine 3.259.0 printed for `destroy --preview-only --json` of an empty stack: it leaves
    out what is empty."""
    report = p.report_of(tmp_path, content)
    assert (report.rows, report.worst, report.incomplete) == ([], "none", False)


def test_an_empty_preview_that_ended_with_an_error_is_incomplete(tmp_path: Path) -> None:
    content = {"diagnostics": [{"message": "boom", "severity": "error"}], "duration": 1}
    assert p.report_of(tmp_path, content).worst == "preview-incomplete"


@pytest.mark.parametrize("content", ['{"changeSummary":{"delete":2}}', '{"steps":null,"changeSummary":{"delete":9}}'])
def test_changes_that_are_counted_but_not_shown_are_never_green(tmp_path: Path, content: str) -> None:
    report = p.report_of(tmp_path, content)
    assert report.worst == "preview-incomplete"
    assert report.incomplete


def test_counts_of_what_is_shown_are_no_finding(tmp_path: Path) -> None:
    three = [
        p.step(p.KEY, "key", {"a": 1}, {"a": 2}, op=op) for op in ("create-replacement", "replace", "delete-replaced")
    ]
    for counts in ({"replace": 1, "same": 7}, {"replace": 1, "create-replacement": 1}):
        assert _read(tmp_path, json.dumps(p.digest(*three, changeSummary=counts))).missing == 0
    assert _read(tmp_path, json.dumps(p.digest(*three, changeSummary={"replace": 2, "update": 1}))).missing == 2


def test_an_event_log_without_a_summary_is_never_green(tmp_path: Path) -> None:
    assert p.report_of(tmp_path, '{"cancelEvent": {}}').worst == "preview-incomplete"


def test_older_digests_without_new_fields_are_read(tmp_path: Path) -> None:
    """The CLI of two years ago writes no provider on steps, no times, no detailedDiff for some, and fewer fields of
    state."""
    old: dict[str, Any] = {
        "op": "create",
        "urn": STEPS[0]["urn"],
        "newState": {"urn": STEPS[0]["urn"], "custom": True, "type": p.REPOSITORY},
    }
    assert _steps(_read(tmp_path, json.dumps({"steps": [old], "changeSummary": {"create": 1}}))) == {
        ("create", "repository")
    }


def test_a_failed_preview_is_marked_and_never_green(tmp_path: Path) -> None:
    failed = p.digest(diagnostics=[{"severity": "error", "message": "boom", "urn": ""}])
    report = p.report_of(tmp_path, failed)
    assert report.worst == "preview-incomplete"
    assert report.incomplete
    log = p.events().replace('"PolicyPacks"', '"result": "failed", "PolicyPacks"')
    assert p.report_of(tmp_path, log).worst == "preview-incomplete"


def test_policy_violations_of_the_event_log_are_findings(tmp_path: Path) -> None:
    event = {
        "policyEvent": {
            "resourceUrn": STEPS[0]["urn"],
            "message": "<{%fg 1%}>no",
            "color": "raw",
            "policyName": "no-wildcards",
            "policyPackName": "app-one",
            "policyPackVersion": "1",
            "enforcementLevel": "mandatory",
        }
    }
    log = p.events(STEPS[0]).splitlines()
    log.insert(-1, json.dumps({"sequence": 7, "timestamp": 1, **event}))
    findings = p.report_of(tmp_path, "\n".join(log)).findings
    assert any(finding.risk == "policy-violation" and "no-wildcards" in finding.reason for finding in findings)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_encodings_that_shells_write_are_read(tmp_path: Path, encoding: str) -> None:
    plan = _read(tmp_path, json.dumps(p.digest(*STEPS), ensure_ascii=False).encode(encoding))
    assert plan.steps[-1].old is not None
    assert plan.steps[-1].old.inputs["name"] == "ü🔑"


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(json.dumps(p.digest(*STEPS)).encode()))
    monkeypatch.setattr(sys, "stdin", stream)
    assert len(preview.read("-").steps) == 3


def test_a_preview_read_in_the_smallest_pieces_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps(p.digest(*STEPS), ensure_ascii=False)
    whole = _read(tmp_path, text)
    monkeypatch.setattr(preview, "CHUNK", 1)
    assert _read(tmp_path, text) == whole
    assert _steps(_read(tmp_path, p.events(*STEPS))) == _steps(whole)


@pytest.mark.parametrize("form", ["digest", "events"])
def test_a_truncated_file_is_a_clear_error_wherever_it_ends(tmp_path: Path, form: str) -> None:
    text = json.dumps(p.digest(*STEPS)) if form == "digest" else p.events(*STEPS)
    last = len(text) - (1 if form == "digest" else len(text.splitlines()[-1]) + len(text.splitlines()[-2]) + 3)
    for end in [*range(1, 200), *range(200, last, 97), last]:
        with pytest.raises(AuditError, match=r"truncated|is no preview|not a preview|not JSON"):
            _read(tmp_path, text[:end].encode())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("Previewing update (dev):\n", "does not begin"),
        ("[]", "does not begin"),
        ("{}", "not a preview"),
        (
            '{"format_version": "1.2", "terraform_version": "1.9", "planned_values": {}, "resource_changes": []}',
            "Terraform",
        ),
        ('{"version": 3, "deployment": {"manifest": {}}}', "another kind of file|stack export"),
        ('{"manifest": {}, "resourcePlans": {}}', "another kind of file|--save-plan"),
        ('{"steps": [1]}', "not an object"),
        ('{"steps": [{}]}', "no operation"),
        ('{"steps": {"a": 1}}', "'steps' is not what"),
        ('{"steps": "x", "changeSummary": {}}', "'steps' is not what"),
        ('{"steps": [], "changeSummary": {"delete": "2"}}', "'changeSummary' is not what"),
        ('{"steps": null}', "neither steps nor"),
        ('{"duration": 0}', "neither steps nor"),
        ('{"duration": 1.5}', "neither steps nor"),
        ('{"duration": true}', "neither steps nor"),
        ('{"duration": 12, "tests": []}', "neither steps nor"),
        ('{"duration": 445907', "truncated"),
        ('{"config": {"a": "b"}', "truncated"),
        ('{"diagnostics": [{"severity": "warning", "message": "x"}]}', "neither steps nor"),
        ('{"config": {}}', "neither steps nor"),
        ('{"cancelEvent": []}\n{"summaryEvent": "x"}', "the body of a cancelEvent is not an object"),
        ('{"cancelEvent": {}}\n{"summaryEvent": "x"}', "the body of a summaryEvent is not an object"),
        ('{"resourcePreEvent": {}}\n{"cancelEvent": {}}', "metadata of a step is not an object"),
        ('{"steps": [], "duration": NaN}', "not JSON"),
        ('{"steps": [],, "duration": 1}', "not JSON"),
        ('{"steps": []} {"steps": []}', "more after"),
        ('{"sequence": 0, "timestamp": 1}\n{"a": 1}', "no engine event"),
        ("{" + '"a":{' * 100_000, "nested|another kind|truncated"),
        ('{"duration": ' + "9" * 5000 + "}", "not JSON"),
    ],
)
def test_a_foreign_or_broken_file_is_a_clear_error(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(AuditError, match=said) as caught:
        _read(tmp_path, content)
    assert "preview.json" in str(caught.value) or "step" in str(caught.value)


def test_binary_files_missing_files_and_folders_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="UTF-8"):
        _read(tmp_path, b"\x1f\x8b\x08\x00\xff\xfe\xff")
    with pytest.raises(AuditError, match="No such file"):
        preview.read(str(tmp_path / "missing.json"))
    with pytest.raises(AuditError, match="directory"):
        preview.read(str(tmp_path))


def test_a_file_or_a_value_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "preview.json"
    path.write_text(json.dumps(p.digest(*STEPS)))
    with pytest.raises(AuditError, match="larger than 100 bytes"):
        preview.read(str(path), max_bytes=100)
    monkeypatch.setattr(preview, "MAX_VALUE", 1000)
    monkeypatch.setattr(preview, "CHUNK", 100)
    path.write_text('{"steps": [{"op": "' + "x" * 100_000)
    with pytest.raises(AuditError, match="one value is longer"):
        preview.read(str(path))


GOLDEN = Path(__file__).parent / "golden" / "broadened-policy.json"


def _without(key: str, *sides: str) -> dict[str, Any]:
    """A real preview that broadens a policy, without a field of the update or of its sides."""
    content: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for step in content["steps"]:
        for target in [step[side] for side in sides if side in step] if sides else [step]:
            if sides or step["op"] == "update":
                del target[key]
    return content


@pytest.mark.parametrize(
    ("key", "sides"),
    [("custom", ("oldState", "newState")), ("custom", ("newState",)), ("type", ("oldState", "newState"))],
)
def test_a_field_that_the_rest_of_the_step_tells_may_be_missing(
    tmp_path: Path, key: str, sides: tuple[str, ...]
) -> None:
    content = _without(key, *sides)
    for preview_of_it in (content, p.events(*content["steps"]) if key != "type" else content):
        report = p.report_of(tmp_path, preview_of_it)
        assert report.classes() == {"access-broadened": 1}
        assert not report.incomplete


def test_a_component_of_which_nothing_says_so_is_no_resource_of_a_cloud(tmp_path: Path) -> None:
    """An event log leaves out a `custom` that is false."""
    component = p.step("app-one:infra:Image", "i", {}, None, op="delete")
    component["oldState"] = {"urn": component["urn"], "type": "app-one:infra:Image", "outputs": {}}
    assert p.report_of(tmp_path, p.events(component)).classes() == {"change": 1}
    flat = p.step("docker-build:index:Image", "i", {"tags": []}, {"tags": ["a"]})
    for side in ("oldState", "newState"):
        del flat[side]["custom"]
    assert [step.component for step in _read(tmp_path, p.events(flat)).steps] == [False]


@pytest.mark.parametrize(
    ("key", "side"),
    [("newState", ""), ("oldState", ""), ("inputs", "newState"), ("inputs", "oldState")],
)
def test_an_update_that_is_not_shown_whole_is_incomplete_and_proves_nothing(
    tmp_path: Path, key: str, side: str
) -> None:
    content = _without(key) if not side else json.loads(GOLDEN.read_text(encoding="utf-8"))
    for step in content["steps"]:
        if side and step["op"] == "update":
            del step[side][key]
    for preview_of_it in (content, p.events(*(step for step in content["steps"] if step["op"] == "update"))):
        report = p.report_of(tmp_path, preview_of_it)
        assert report.worst == "preview-incomplete"
        assert report.incomplete
        assert not any(finding.proved for finding in report.findings)
        assert not report.classes().keys() & {"access-narrowed", "change"}
    text = render("json", report)
    (tmp_path / "r.json").write_text(text)
    saved = comparison.load(str(tmp_path / "r.json"), (), 1 << 20)
    assert not comparison.compare(saved, saved).data["same"]


def test_a_replacement_of_which_one_side_is_missing_is_incomplete(tmp_path: Path) -> None:
    for side in ("oldState", "newState"):
        step = p.step(p.POLICY, "x", {"policy": p.policy(p.allow("*"))}, {"policy": p.policy()}, op="replace")
        del step[side]
        report = p.report_of(tmp_path, p.digest(step))
        assert "preview-incomplete" in report.classes()
        assert report.incomplete


@pytest.mark.parametrize(
    "text",
    [
        '{"Version":"2012-10-17","Statement":NaN}',
        '{"Version":"2012-10-17","Statement":[],"Id":-Infinity}',
        '{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}],"Statement":[]}',
        '{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"NumericEquals":{"a":1e999}}}]}',
        (
            '{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*",'
            '"Condition":{"NumericEquals":{"a":1.00000000000000000001}}}]}'
        ),
        "[" * 100_000,
    ],
)
@pytest.mark.parametrize("side", ["old", "new"])
def test_a_document_that_the_policy_language_refuses_proves_nothing_and_can_be_written(
    tmp_path: Path, text: str, side: str
) -> None:
    sides = [p.policy(p.allow("*", "*")), text]
    old, new = sides if side == "new" else sides[::-1]
    report = p.report_of(tmp_path, p.digest(p.step(p.POLICY, "x", {"policy": old}, {"policy": new})))
    assert [(finding.risk, finding.proved) for finding in report.findings] == [("access-unknown", False)]
    for name in FORMATS:
        assert render(name, report)


def test_a_number_in_a_document_is_judged_and_shown_as_a_number(tmp_path: Path) -> None:
    text = p.policy(p.allow("s3:*", Condition={"NumericLessThan": {"s3:max-keys": 1.5}}))
    report = p.report_of(tmp_path, p.digest(p.step(p.POLICY, "x", {"policy": p.policy()}, {"policy": text})))
    finding = report.findings[0]
    assert (finding.risk, finding.proved) == ("access-broadened", True)
    assert finding.policy is not None
    assert finding.policy.new["Statement"][0]["Condition"] == {"NumericLessThan": {"s3:max-keys": 1.5}}
    assert '"s3:max-keys":1.5' in render("json", report)


@pytest.mark.parametrize(
    ("before", "after", "risk"),
    [
        ({"protect": True}, {}, "loss-protection-removed"),
        ({"retainOnDelete": True}, {}, "loss-protection-removed"),
        ({"retainOnDelete": True}, {"retainOnDelete": False}, "loss-protection-removed"),
        ({"additionalSecretOutputs": ["secret"]}, {}, "exposure-secret-in-clear"),
        ({"additionalSecretOutputs": ["a", "secret"]}, {"additionalSecretOutputs": ["a"]}, "exposure-secret-in-clear"),
        ({}, {"retainOnDelete": True}, "change"),
    ],
)
def test_a_guard_that_changes_on_an_unchanged_resource_is_a_change(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], risk: str
) -> None:
    """The engine calls it `same`, since nothing is done in the cloud."""
    step = p.step(p.USER, "u", {"name": "u"}, {"name": "u"}, op="same", old_options=before, new_options=after)
    report = p.report_of(tmp_path, p.digest(step))
    assert report.classes() == {risk: 1}
    back = p.step(p.USER, "u", {"name": "u"}, {"name": "u"}, op="same", old_options=before, new_options=before)
    assert p.report_of(tmp_path, p.digest(back)).fingerprint != report.fingerprint


def test_the_same_guards_written_otherwise_are_no_change(tmp_path: Path) -> None:
    step = p.step(
        p.USER,
        "u",
        {"name": "u"},
        {"name": "u"},
        op="same",
        old_options={"additionalSecretOutputs": ["a", "b"], "retainOnDelete": False},
        new_options={"additionalSecretOutputs": ["b", "a"]},
    )
    assert p.report_of(tmp_path, p.digest(step)).rows == []
