"""Saves of a sandbox as files; with everything running: tests/end_to_end/test_sandbox.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox import saves
from sandbox.errors import SandboxError
from sandbox.files import write
from sandbox.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

KEPT = (
    "keys/aws-iam.pickle",
    "keys/azure-devops-state.json",
    "azure-devops/state.json",
    "aws/new-keys.json",
    "aws/scan-findings.json",
    "registry/data/blobs/a",
    "state/.pulumi/stacks/app-one/dev.json",
)
NOT_KEPT = ("keys/aws-admin.json", "azure-devops/lock", "registry/config.yml", "docker/layer", "logs/aws.log")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A sandbox's folder with one file of each kind."""
    home = tmp_path / "home"
    for name in (*KEPT, *NOT_KEPT, "ports.json"):
        write(home / name, f"old {name}")
    return Layout(tmp_path, home, tmp_path / "cache")


def content(layout: Layout) -> dict[str, str]:
    """Every file of the sandbox but its saves."""
    files = [path for path in layout.home.rglob("*") if path.is_file() and saves.folder(layout) not in path.parents]
    return {str(path.relative_to(layout.home)): path.read_text() for path in files}


def test_what_is_known_comes_back_and_the_rest_stays(layout: Layout) -> None:
    before = content(layout)
    saves.save(layout, "before")
    for name in (*KEPT, *NOT_KEPT):
        write(layout.home / name, "new")
    for name in ("keys/aws-s3.pickle", "registry/data/blobs/b", "state/.pulumi/stacks/app-one/prod.json"):
        write(layout.home / name, "new")
    saves.restore(layout, "before")
    assert content(layout) == before | dict.fromkeys(NOT_KEPT, "new")


def test_what_was_not_there_is_not_there_again(layout: Layout) -> None:
    (layout.home / "aws/scan-findings.json").unlink()
    (layout.home / "registry/data/blobs/a").unlink()
    before = content(layout)
    saves.save(layout, "before")
    write(layout.home / "aws/scan-findings.json", "new")
    write(layout.home / "registry/data/blobs/a", "new")
    saves.restore(layout, "before")
    assert content(layout) == before


def test_a_save_is_put_back_as_often_as_one_likes(layout: Layout) -> None:
    before = content(layout)
    saves.save(layout, "before")
    for _ in range(2):
        write(layout.home / KEPT[0], "new")
        (layout.home / "registry/data/blobs/a").unlink()
        saves.restore(layout, "before")
        assert content(layout) == before


def test_a_save_of_the_same_name_is_written_over(layout: Layout) -> None:
    saves.save(layout, "one")
    write(layout.home / KEPT[0], "newer")
    saves.save(layout, "one")
    write(layout.home / KEPT[0], "newest")
    saves.restore(layout, "one")
    assert (layout.home / KEPT[0]).read_text() == "newer"
    assert saves.names(layout) == ["one"]


def test_a_save_that_was_interrupted_is_none(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    saves.save(layout, "one")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(saves, "_copy", interrupted)
    for name in ("one", "two"):
        with pytest.raises(KeyboardInterrupt):
            saves.save(layout, name)
    monkeypatch.undo()
    assert saves.names(layout) == ["one"]
    before = content(layout)
    saves.restore(layout, "one")
    assert content(layout) == before


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", ".a", "a b", "x" * 65, "a\n"])
def test_a_name_is_one_part_of_a_path(layout: Layout, name: str) -> None:
    with pytest.raises(SandboxError, match="is no name of a save: up to 64 letters, digits"):
        saves.save(layout, name)
    with pytest.raises(SandboxError, match=r"there is no save .* \(there is: none\): `python -m sandbox save"):
        saves.restore(layout, name)


def test_a_stack_that_somebody_works_on_is_neither_saved_nor_put_back(layout: Layout) -> None:
    saves.save(layout, "before")
    before = content(layout)
    lock = "state/.pulumi/locks/organization/app-one/dev/4711.json"
    write(layout.home / lock, "{}")
    for command in (saves.save, saves.restore):
        with pytest.raises(SandboxError, match="a pulumi works on the stack dev: wait for its end"):
            command(layout, "before")
    assert content(layout) == before | {lock: "{}"}


def test_nothing_is_saved_where_there_is_no_sandbox(tmp_path: Path) -> None:
    none = Layout(tmp_path, tmp_path / "home", tmp_path / "cache")
    with pytest.raises(SandboxError, match="there is no sandbox to save: start one with"):
        saves.save(none, "before")
    assert not (tmp_path / "home").exists()
