"""Files of the sandbox are whole or not there, and a folder is removed with what is in it and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox import files

if TYPE_CHECKING:
    from pathlib import Path


def test_a_folder_is_removed_with_all_in_it_and_what_its_links_lead_to_stays(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    folder = tmp_path / "folder"
    for name in ("a/b/c", "a/d", "e"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").touch()
    (folder / "a" / "link").symlink_to(outside)
    (folder / "dangling").symlink_to(tmp_path / "none")
    files.remove(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
    assert (outside / "kept").exists()


def test_a_folder_of_ones_own_is_entered_by_nobody_else_also_where_it_was_open_before(tmp_path: Path) -> None:
    for folder in (tmp_path / "new" / "home", tmp_path / "old"):
        if folder.name == "old":
            folder.mkdir(mode=0o755)
        files.own_folder(folder)
        assert folder.stat().st_mode & 0o777 == 0o700
