"""`audit compare --update`: an update that does other than its preview is named by its step, and nothing else is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from audit.command import entry
from audit.model import SECRET_ENVELOPE, SECRET_SIGNATURE, UNKNOWN
from tests.audit import previews as p

if TYPE_CHECKING:
    from pathlib import Path

A = {"name": "a", "tags": {"x": "1"}, "list": [1, {"y": True}]}
Steps = list[dict[str, Any]]
REPLACEMENT = [
    p.step(p.USER, "u", A, A | {"name": "b"}, op="create-replacement"),
    p.step(p.USER, "u", A, A | {"name": "b"}, op="replace"),
    p.step(p.USER, "u", A, None, op="delete-replaced"),
]


TOKEN = {"imageName": "a", "registry": {"password": "[secret]", "username": "AWS"}}
ENVELOPE = {SECRET_ENVELOPE: SECRET_SIGNATURE, "ciphertext": "[secret]"}
MASKED = {"s": "[secret]", "status": "Active"}


def compared(folder: Path, preview: Steps, update: Steps, *, failed: bool = False, digest: bool = False) -> int:
    shown, done = folder / "preview", folder / "update"
    shown.write_text(json.dumps(p.digest(*preview)) if digest else p.events(*preview), encoding="utf-8")
    log = p.events(*update)
    done.write_text(
        log.replace('"PolicyPacks"', '"result": "failed", "PolicyPacks"') if failed else log, encoding="utf-8"
    )
    return entry(["compare", "--update", str(shown), str(done)])


@pytest.mark.parametrize("digest", [False, True])
@pytest.mark.parametrize(
    ("preview", "update"),
    [
        ([], []),
        ([p.step(p.USER, "u", None, A)], [p.step(p.USER, "u", None, A)]),
        ([p.step(p.USER, "u", None, A | {"name": UNKNOWN})], [p.step(p.USER, "u", None, A)]),
        ([p.step(p.USER, "u", None, A | {"tags": UNKNOWN, "list": [1, UNKNOWN]})], [p.step(p.USER, "u", None, A)]),
        ([p.step(p.USER, "u", A, None)], [p.step(p.USER, "u", A, None)]),
        (REPLACEMENT, REPLACEMENT[::-1]),
        ([p.step(p.IMAGE, "i", None, TOKEN)], [p.step(p.IMAGE, "i", None, TOKEN)]),  # a fresh one for every run
        # A masked value that the engine does not name stays as it is recorded.
        ([p.step(p.KEY, "k", MASKED, MASKED | {"status": "Inactive"}, detailedDiff={"status": {"kind": "update"}})],)
        * 2,
        # What was not known turned out to be what is recorded.
        ([p.step(p.USER, "u", A, A | {"name": UNKNOWN})], [p.step(p.USER, "u", A, A, op="same")]),
        (
            [p.step(p.USER, "u", A, A | {"name": UNKNOWN, "tags": {}}, op="replace")],
            [p.step(p.USER, "u", A, A | {"tags": {}})],
        ),
    ],
)
def test_an_update_that_did_what_was_shown_is_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], preview: Steps, update: Steps, *, digest: bool
) -> None:
    assert compared(tmp_path, preview, update, digest=digest) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.startswith("Same: the update did what its preview showed")


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize(
    ("preview", "update", "said"),
    [
        ([], [p.step(p.USER, "door", None, A)], "no preview showed it"),
        ([], [p.step(p.USER, "door", A, None)], "was done (delete)"),
        # Two masks are not one value.
        (
            [p.step(p.KEY, "door", None, {"s": "[secret]"})],
            [p.step(p.KEY, "door", None, {"s": "[secret]"})],
            "s: masked on both sides, so whether it is what was previewed cannot be told",
        ),
        (
            [p.step(p.KEY, "door", None, {"s": ENVELOPE})],
            [p.step(p.KEY, "door", None, {"s": ENVELOPE})],
            "s: masked on both sides",
        ),
        (
            [p.step(p.IMAGE, "door", TOKEN, TOKEN | {"build": {"args": {"K": "[secret]"}}})],
            [p.step(p.IMAGE, "door", TOKEN, TOKEN | {"build": {"args": {"K": "[secret]"}}})],
            "build.args.K: masked on both sides",
        ),
        ([p.step(p.USER, "door", A, A | {"name": "b"})], [p.step(p.USER, "door", A, None)], "what was done is delete"),
        ([p.step(p.USER, "door", None, A)], [p.step(p.USER, "door", None, A | {"name": "b"})], "name"),
        ([p.step(p.USER, "door", None, A)], [p.step(p.USER, "door", None, A | {"tags": {"x": "2"}})], "tags.x"),
        (
            [p.step(p.USER, "door", None, A)],
            [p.step(p.USER, "door", None, A | {"more": "b"})],
            "more: not in the preview",
        ),
        ([p.step(p.USER, "door", None, A)], [p.step(p.USER, "door", None, {"name": "a"})], "in the preview alone"),
        ([p.step(p.USER, "door", None, A)], [p.step(p.USER, "door", None, A | {"list": [1]})], "list"),
        (
            [p.step(p.USER, "door", None, A)],
            [p.step(p.USER, "door", None, A | {"list": [True, {"y": True}]})],
            "list[0]",
        ),
        (
            [p.step(p.USER, "door", None, A, new_options={"protect": True})],
            [p.step(p.USER, "door", None, A)],
            "option protect",
        ),
        # A value that is not known says nothing of another property.
        (
            [p.step(p.USER, "door", None, A | {"name": UNKNOWN})],
            [p.step(p.USER, "door", None, A | {"tags": {}})],
            "tags.x: in the preview alone",
        ),
        (
            [p.step(p.USER, "door", A, A | {"name": UNKNOWN}, op="replace")],
            [p.step(p.USER, "door", A, A | {"tags": {}})],
            "tags.x: in the preview alone",
        ),
        (
            [p.step(p.USER, "door", A, A | {"name": UNKNOWN})],
            [p.step(p.USER, "door", A, None)],
            "what was done is delete",
        ),
    ],
)
def test_a_step_that_did_something_else_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], preview: Steps, update: Steps, said: str, *, failed: bool
) -> None:
    assert compared(tmp_path, preview, update, failed=failed) == 4
    printed = capsys.readouterr().out
    assert said in printed
    assert "door" in printed


def test_what_was_shown_and_not_done_is_named_unless_the_update_ended_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [p.step(p.USER, "u", None, A), p.step(p.USER, "door", None, A)]
    assert compared(tmp_path, shown, shown[:1]) == 4
    assert "was previewed (create), and was not done" in capsys.readouterr().out
    assert compared(tmp_path, shown, shown[:1], failed=True) == 0
    assert "it ended with an error" in capsys.readouterr().out


def test_what_was_known_to_change_beside_what_was_not_known_is_not_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [p.step(p.USER, "door", A, A | {"name": UNKNOWN, "tags": {}})]
    assert compared(tmp_path, shown, []) == 4
    assert "was previewed (update), and was not done" in capsys.readouterr().out


def test_no_value_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = ({"apiToken": value} for value in ("made-up-one", "made-up-two"))
    for form in ("terminal", "json", "markdown"):
        assert compared(tmp_path, [p.step(p.USER, "u", None, one)], [p.step(p.USER, "u", None, other)]) == 4
        arguments = [str(tmp_path / "preview"), str(tmp_path / "update"), "--format", form]
        assert entry(["compare", "--update", *arguments]) == 4
    printed = capsys.readouterr().out
    assert "apiToken" in printed
    assert "made-up" not in printed


def test_a_log_that_was_cut_off_is_no_update(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "preview").write_text(p.events(), encoding="utf-8")
    log = "\n".join(p.events(p.step(p.USER, "u", None, A)).splitlines()[:2]) + "\n"
    (tmp_path / "update").write_text(log, encoding="utf-8")
    assert entry(["compare", "--update", str(tmp_path / "preview"), str(tmp_path / "update")]) == 2
    assert "truncated" in capsys.readouterr().err


def test_of_an_update_that_ended_well_a_log_that_shows_less_is_no_proof(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [p.step(p.USER, "u", None, A), p.step(p.USER, "door", None, A)]
    assert compared(tmp_path, shown, shown[:1], failed=True) == 0
    files = [str(tmp_path / "preview"), str(tmp_path / "update")]
    assert entry(["compare", "--update", "--whole", *files]) == 4
    assert "its log does not show all that it did" in capsys.readouterr().out
    assert compared(tmp_path, shown, shown) == 0
    assert entry(["compare", "--update", "--whole", *files]) == 0
    # A cut log has no end.
    log = (tmp_path / "update").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "update").write_text("".join(log[:-2]), encoding="utf-8")
    assert entry(["compare", "--update", "--whole", *files]) == 2
    assert entry(["compare", "--whole", files[0], files[0]]) == 2
    assert "--whole is of an update" in capsys.readouterr().err
