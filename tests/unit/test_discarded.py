"""Folders that tests need no more are removed, or it is said why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import discarded

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _none_of_the_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the session removes meanwhile is not waited for here."""
    monkeypatch.setattr(discarded, "_removals", [])


def test_a_folder_is_gone_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "work" / "1"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_text("", encoding="utf-8")
    monkeypatch.setattr(discarded, "FOLDERS", [folder])
    discarded.finish()
    assert not folder.exists()


def test_one_that_cannot_be_removed_is_an_error_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discarded, "FOLDERS", [tmp_path])
    monkeypatch.setattr(discarded, "_SCRIPT", "raise SystemExit('it is in use')")
    with pytest.raises(RuntimeError, match="it is in use"):
        discarded.finish()
