"""A lock of the stack is taken away when its owner has ended, however it ended, and only then; and the stack file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from sandbox import stack
from sandbox.errors import SandboxError
from sandbox.layout import CHECKOUT, Layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(checkout=CHECKOUT, home=tmp_path / "home", cache=tmp_path / "cache")


@contextmanager
def engine(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the engine's name that waits to be ended."""
    command = folder / "pulumi"
    shutil.copy(shutil.which("cat") or "", command)
    with subprocess.Popen([command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"\n")
            assert process.stdout.read(1) == b"\n", "it has its name by now"
            yield process
        finally:
            process.kill()


def locked(layout: Layout, content: str) -> Path:
    lock = layout.state / ".pulumi" / "locks" / "organization" / "app-one" / "dev" / "1.json"
    lock.parent.mkdir(parents=True)
    lock.write_text(content, encoding="utf-8")
    return lock


def by(pid: int, host: str = "") -> str:
    return json.dumps({"pid": pid, "username": "root", "hostname": host or os.uname().nodename})


def unlocked(layout: Layout) -> list[str]:
    said: list[str] = []
    stack.unlock(layout, said.append)
    return said


def test_the_lock_of_an_engine_that_lives_stays_and_its_owner_is_named(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "_LAST_MOMENT", 0.0)
    with engine(tmp_path) as process:
        lock = locked(layout, by(process.pid))
        assert unlocked(layout) == [f"the stack is locked by process {process.pid}, which runs: wait for it, or end it"]
        assert lock.exists()


def test_the_lock_of_an_engine_that_is_gone_is_taken_away(layout: Layout, tmp_path: Path) -> None:
    with engine(tmp_path) as process:
        pass
    lock = locked(layout, by(process.pid))
    assert unlocked(layout) == [f"process {process.pid} ended without unlocking the stack: unlocking it"]
    assert not lock.exists()


def test_the_lock_of_an_engine_that_nobody_has_reaped_is_taken_away(layout: Layout, tmp_path: Path) -> None:
    with engine(tmp_path) as process:
        lock = locked(layout, by(process.pid))
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays a zombie
        assert unlocked(layout) == [f"process {process.pid} ended without unlocking the stack: unlocking it"]
        assert not lock.exists()


def test_an_engine_that_ends_this_moment_is_waited_for(layout: Layout, tmp_path: Path) -> None:
    with engine(tmp_path) as process:
        lock = locked(layout, by(process.pid))
        process.kill()
        unlocked(layout)
        assert not lock.exists()


def test_another_process_with_its_id_does_not_keep_a_lock(layout: Layout) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        lock = locked(layout, by(other.pid))
        unlocked(layout)
        assert not lock.exists()
        other.communicate(b"\n")


def test_the_lock_of_another_machine_stays_and_the_remedy_is_named(layout: Layout) -> None:
    lock = locked(layout, by(1, "another-machine"))
    (line,) = unlocked(layout)
    assert line.startswith("the stack is locked by process 1 on another-machine; if it ended: python -m sandbox pulumi")
    assert lock.exists()


@pytest.mark.parametrize("number", [0, -1, 2**22 + 1, 2**70])
def test_the_lock_of_a_number_that_no_process_has_is_taken_away(layout: Layout, number: int) -> None:
    lock = locked(layout, by(number))
    (line,) = unlocked(layout)
    assert line.endswith(" ended without unlocking the stack: unlocking it")
    assert not lock.exists()


def test_a_stack_whose_name_looks_like_a_lock_is_none(layout: Layout) -> None:
    lock = locked(layout, "")
    (lock.parent.parent / "eu.json").mkdir()
    assert len(unlocked(layout)) == 1
    assert (lock.parent.parent / "eu.json").is_dir()


@pytest.mark.parametrize("content", ["", '{"pid":', "[]", "{}", '{"pid": null, "hostname": "x"}'])
def test_a_lock_that_names_nobody_is_taken_away(layout: Layout, content: str) -> None:
    lock = locked(layout, content)
    assert unlocked(layout) == ["process unknown ended without unlocking the stack: unlocking it"]
    assert not lock.exists()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("config:\n  a:b: c\nencryptionsalt: v1:x\n", "config:\n  a:b: c\nencryptionsalt: v1:x\n"),
        ("secretsprovider: awskms://a\nencryptedkey: AAAA\nconfig:\n  a:b: c\n", "config:\n  a:b: c\n"),
        ("encryptedkey: >-\n  AAAA\n  BBBB\nconfig: {}\nsecretsprovider: awskms://a", "config: {}\n"),
        ("\ufeffsecretsprovider: awskms://a\r\nconfig:\n  secretsprovider: x\n", "config:\n  secretsprovider: x\n"),
    ],
)
def test_a_stack_file_is_taken_without_the_key_of_the_real_stack(tmp_path: Path, text: str, left: str) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_bytes(text.encode())
    assert stack.settings(file) == left


def test_a_stack_without_a_file_has_the_projects_defaults(tmp_path: Path) -> None:
    assert stack.settings(tmp_path / "Pulumi.dev.yaml") == ""


@pytest.mark.parametrize(("kind", "why"), [("folder", "Is a directory"), ("latin-1", "it is no UTF-8")])
def test_a_stack_file_that_cannot_be_read_is_named(tmp_path: Path, kind: str, why: str) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    if kind == "folder":
        file.mkdir()
    else:
        file.write_bytes("# für\n".encode("latin-1"))
    with pytest.raises(SandboxError, match=f"{file} cannot be read: {why}"):
        stack.settings(file)
