"""The ledger: what it says of each update, and that a change of any entry shows, and where."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from audit.command import COMMANDS, entry as audit
from audit.errors import AuditError
from audit.history import ledger as ledgers
from audit.history.report import filled
from audit.history.sources import open_source
from audit.report import render
from audit.report.classes import RISKS
from audit.secrets.redact import Redactor
from tests.audit import histories

CHECKOUT = Path(__file__).resolve().parents[2]
WIDER = (*histories.PUSH, "ecr:BatchGetImage")


def built(root: Path, old: dict[str, Any] | None = None) -> dict[str, Any]:
    return ledgers.build(open_source(str(root), None), Redactor(), old)


@pytest.fixture
def backend(tmp_path: Path) -> Path:
    """Seven updates: made, delivered, policy broadened, rotated, tags opened, failed, destroyed."""
    histories.write(tmp_path, 1, histories.stack())
    histories.write(tmp_path, 2, histories.stack(tag="build-02", seal="b"))
    histories.write(tmp_path, 3, histories.stack(tag="build-02", seal="c", actions=WIDER))
    histories.write(tmp_path, 4, histories.stack(tag="build-02", seal="d", actions=WIDER, generation=2))
    mutable = histories.stack(tag="build-02", seal="d", actions=WIDER, generation=2, mutability="MUTABLE")
    histories.write(tmp_path, 5, mutable, kind="refresh")
    histories.write(tmp_path, 6, mutable, result="failed")
    histories.write(tmp_path, 7, [], kind="destroy")
    return tmp_path


def steps(entry: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {step["urn"].rpartition("::")[2]: (step["op"], step["risk"]) for step in entry["steps"]}


def test_each_update_says_what_it_did_and_how_risky_it_was(backend: Path) -> None:
    first, delivered, broadened, rotated, opened, failed, destroyed = built(backend)["entries"]
    assert steps(first)["policy"] == ("create", "access-broadened")
    assert steps(first)["key-1"] == ("create", "credential-created")
    assert steps(delivered) == {"image": ("update", "change")}
    assert steps(broadened) == {"policy": ("update", "access-broadened")}
    assert steps(rotated) == {
        "key-1": ("delete", "loss-credential"),
        "key-2": ("create", "credential-created"),
        "variables": ("update", "change"),
    }
    assert any(finding["risk"] == "rotation" for step in rotated["steps"] for finding in step["findings"])
    assert steps(opened) == {"repository": ("update", "exposure-mutable-tags")}
    assert steps(failed) == {}
    assert steps(destroyed)["repository"] == ("delete", "loss-repository-deleted")
    assert [entry["worst"] for entry in (delivered, broadened, failed)] == ["change", "access-broadened", "none"]


def test_a_secret_that_was_only_sealed_anew_is_no_step(tmp_path: Path) -> None:
    histories.write(tmp_path, 1, histories.stack(seal="a"))
    histories.write(tmp_path, 2, histories.stack(seal="b"))
    assert built(tmp_path)["entries"][1]["steps"] == []


def test_who_when_and_from_which_commit(backend: Path) -> None:
    entry = built(backend)["entries"][1]
    assert entry["who"] == {"name": "A. Engineer", "email": "engineer@example.com", "source": "commit"}
    assert entry["commit"]["revision"] == f"{2:040x}"
    assert entry["commit"]["repository"] == "example/app-one"
    assert entry["pipeline"]["ci.build.number"] == "2026.2"
    assert (entry["started"], entry["ended"]) == ("2026-01-01T02:00:00Z", "2026-01-01T02:01:00Z")
    assert entry["message"] == "Deliver build 2"


def test_settings_that_changed_are_named_and_secret_ones_without_a_value(backend: Path) -> None:
    changed = {item["name"]: (item["old"], item["new"]) for item in built(backend)["entries"][1]["settings"]}
    assert changed == {
        "app-one:imageTag": ("build-1", "build-2"),
        "app-one:token": ("[secret]", "[secret]"),
    }


def test_an_update_without_author_says_so(tmp_path: Path) -> None:
    histories.write(tmp_path, 1, histories.stack(), environment={})
    assert built(tmp_path)["entries"][0]["who"]["source"] == "not recorded"


def test_secrets_are_in_no_format(tmp_path: Path) -> None:
    password = "Correct-Horse-Battery-4711"
    resources = [*histories.stack(), histories.resource("x:y:Thing", "thing", {"password": password})]
    histories.write(tmp_path, 1, resources, message=f"with {password}", config={"app-one:apiToken": password})
    histories.write(tmp_path, 2, resources, message=f"again {password}", config={})
    made = ledgers.build(open_source(str(tmp_path), None), Redactor([password]))
    for name in COMMANDS["history"][1]:
        assert password not in render(name, filled(made))
    unknown = built(tmp_path)
    assert password not in render("json", filled(unknown))


# --- the chain


def test_an_untouched_ledger_holds_and_follows_its_schema(backend: Path) -> None:
    made = built(backend)
    assert ledgers.problems(made) == []
    assert ledgers.problems(made, made["head"]) == []
    schema = json.loads((CHECKOUT / "docs" / "audit-history.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(render("json", filled(made))), schema)
    assert schema["$defs"]["risk"]["enum"] == [risk.name for risk in RISKS]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [found for name, item in value.items() for found in leaves(item, (*path, name))]
    if isinstance(value, list):
        return [found for place, item in enumerate(value) for found in leaves(item, (*path, place))]
    return [path]


def test_a_change_of_any_value_of_any_entry_is_found_at_that_entry(backend: Path) -> None:
    made = built(backend)
    tried = 0
    for number, entry in enumerate(made["entries"], 1):
        for path in leaves(entry):
            altered = copy.deepcopy(made)
            place = altered["entries"][number - 1]
            for part in path[:-1]:
                place = place[part]
            old = place[path[-1]]
            place[path[-1]] = not old if isinstance(old, bool) else old + 1 if isinstance(old, int) else f"{old}x"
            problems = ledgers.problems(altered)
            tried += 1
            assert problems, path
            assert any(f"entry {number}" in text or path == ("number",) for text in problems), (path, problems)
    assert tried > 300


def test_an_entry_that_was_altered_with_its_digest_breaks_the_link_after_it(backend: Path) -> None:
    made = built(backend)
    made["entries"][2]["message"] = "nothing to see"
    made["entries"][2]["digest"] = ledgers.digest(made["entries"][2])
    (problem,) = ledgers.problems(made)
    assert "entry 4" in problem
    assert "entry 3 was altered, removed or replaced" in problem


def test_a_removed_entry_is_named(backend: Path) -> None:
    made = built(backend)
    del made["entries"][2]
    assert any("entry 3 is missing" in text for text in ledgers.problems(made))


def test_entries_removed_at_the_end_show_by_the_head(backend: Path) -> None:
    made = built(backend)
    head = made["head"]
    del made["entries"][-1]
    assert any("entries were removed at the end" in text for text in ledgers.problems(made))
    made["head"] = made["entries"][-1]["digest"]
    assert ledgers.problems(made) == []
    (problem,) = ledgers.problems(made, head)
    assert head in problem


def test_swapped_entries_are_named(backend: Path) -> None:
    made = built(backend)
    entries = made["entries"]
    entries[2], entries[3] = entries[3], entries[2]
    assert any("entry 4 stands in place 3" in text for text in ledgers.problems(made))


# --- extending


def test_a_ledger_made_at_once_is_the_one_made_step_by_step(backend: Path, tmp_path: Path) -> None:
    history = backend / ".pulumi" / "history" / "app-one" / "dev"
    later = sorted(history.iterdir())[6:]
    kept = {path: path.read_bytes() for path in later}
    for path in later:
        path.unlink()
    first = built(tmp_path)
    assert len(first["entries"]) == 3
    for path, content in kept.items():
        path.write_bytes(content)
    assert built(tmp_path, first) == built(tmp_path)


def test_a_history_altered_after_its_entry_was_written_is_named(backend: Path) -> None:
    made = built(backend)
    path = sorted((backend / ".pulumi" / "history" / "app-one" / "dev").glob("*.checkpoint.json"))[2]
    path.write_text(json.dumps(histories.checkpoint(histories.stack())), encoding="utf-8")
    with pytest.raises(AuditError, match="entry 3") as raised:
        built(backend, made)
    assert path.name in str(raised.value)


def test_an_update_put_in_between_is_named(backend: Path) -> None:
    made = built(backend)
    folder = backend / ".pulumi" / "history" / "app-one" / "dev"
    for path in sorted(folder.glob("*.json"))[:2]:
        name = path.name.replace("00000000000.", "00000000001.")
        (folder / name).write_bytes(path.read_bytes())
    with pytest.raises(AuditError, match="put in between"):
        built(backend, made)


def test_updates_that_the_backend_forgot_stay_in_the_ledger(backend: Path) -> None:
    made = built(backend)
    for path in sorted((backend / ".pulumi" / "history" / "app-one" / "dev").iterdir())[:4]:
        path.unlink()
    assert built(backend, made) == made


# --- the command line


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = audit(["history", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_append_verify_and_head(backend: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = tmp_path / "ledger.json"
    code, shown, _ = run(capsys, str(backend), "--append", str(ledger), "--report", f"html={tmp_path / 'h.html'}")
    assert code == 0
    assert "7 updates, 1 not succeeded; worst: access-broadened" in shown
    before = ledger.read_bytes()
    assert run(capsys, str(backend), "--append", str(ledger))[0] == 0
    assert ledger.read_bytes() == before
    head = json.loads(before)["head"]
    assert run(capsys, "--verify", str(ledger), "--head", head)[0] == 0
    code, shown, _ = run(capsys, "--verify", str(ledger), "--head", "sha256:0")
    assert (code, head in shown) == (4, True)
    ledger.write_bytes(before.replace(b"Deliver build 3", b"Deliver build 9"))
    code, shown, _ = run(capsys, "--verify", str(ledger))
    assert code == 4
    assert "entry 3 " in shown
    assert "was altered" in shown
    code, _, error = run(capsys, str(backend), "--append", str(ledger))
    assert code == 2
    assert "its chain does not hold" in error


WITHOUT_PARTS = {**dict.fromkeys(("head", "project", "stack", "backend"), ""), "entries": [{"number": True}]}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"schema": "app-one-audit-history"}',
        json.dumps({"schema": "app-one-audit-history", "version": "1.0", **WITHOUT_PARTS}),
    ],
)
def test_what_is_no_ledger_is_named(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ledger.json"
    path.write_text(content, encoding="utf-8")
    code, _, error = run(capsys, "--verify", str(path))
    assert code == 2
    assert str(path) in error


@pytest.mark.parametrize("name", COMMANDS["history"][1])
def test_no_text_of_an_update_acts_on_whoever_shows_it(name: str, tmp_path: Path) -> None:
    attack = "</code><script>alert(1)</script> ##vso[task.complete]x | \x1b[31m \u202e `x` @all"
    resources = [histories.resource("x:y:Z", attack, {attack: attack})]
    histories.write(tmp_path, 1, [], environment={"git.author": attack, "ci.build.id": attack}, kind=attack)
    histories.write(tmp_path, 2, resources, message=attack, config={attack: attack})
    written = render(name, filled(built(tmp_path)))
    assert "##vso[" not in written
    assert "\x1b" not in written
    assert "\u202e" not in written
    if name == "html":
        assert written.count("<script>") == 1
    assert ledgers.problems(built(tmp_path)) == []


def mutations() -> list[Any]:
    return [None, 0, True, "x", [], [1], {}, {"a": 1}]


def test_a_history_of_any_form_is_a_ledger_or_one_sentence(tmp_path: Path) -> None:
    """Every value of a description, and every part of a resource, replaced by values of every type."""
    histories.write(tmp_path, 1, histories.stack())
    outcomes: set[str] = set()
    for name in histories.info(2):
        for value in mutations():
            histories.write(tmp_path, 2, histories.stack(tag="b"), **{name: value})
            outcomes.add(outcome(tmp_path))
    for name in histories.stack()[1]:
        for value in mutations():
            changed = histories.stack(tag="b")
            changed[1][name] = value
            histories.write(tmp_path, 2, changed)
            outcomes.add(outcome(tmp_path))
    assert outcomes == {"2 entries", "an error that names the file"}


def outcome(root: Path) -> str:
    try:
        return f"{len(built(root)['entries'])} entries"
    except AuditError as error:
        return "an error that names the file" if ".checkpoint.json: " in str(error) else str(error)
