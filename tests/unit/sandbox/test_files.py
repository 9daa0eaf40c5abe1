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
