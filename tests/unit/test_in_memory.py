"""The tests' folder in memory is there where there is room, is one process's own, and does not outlive it for long."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import in_memory

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this session holds is not touched here."""
    monkeypatch.setattr(in_memory, "_held", [])


def test_where_there_is_too_little_memory_none_is_made(tmp_path: Path) -> None:
    assert in_memory.folder(tmp_path, needed=1 << 60) is None
    assert in_memory.folder(tmp_path / "missing", needed=1) is None
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_has_left_is_removed_and_what_another_holds_stays(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, signal, sys\n"
        "from tests import in_memory\n"
        "made = in_memory.folder(pathlib.Path(sys.argv[1]), needed=1)\n"
        "(made / 'file').write_text('', encoding='utf-8')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=CHECKOUT, check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "file").exists()
    held = tmp_path / f"{left.name}-of-another"
    held.mkdir()
    opened = os.open(held, os.O_RDONLY)
    fcntl.flock(opened, fcntl.LOCK_EX)
    try:
        mine = in_memory.folder(tmp_path, needed=1)
        assert mine is not None
        assert {held, mine} == set(tmp_path.iterdir())
        assert mine.stat().st_mode & 0o777 == 0o700
    finally:
        os.close(opened)
    for descriptor in in_memory._held:
        os.close(descriptor)


def test_what_a_process_still_uses_stays(tmp_path: Path) -> None:
    left = tmp_path / "app-one-tests-of-a-killed-run"
    left.mkdir()
    script = "print('there', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(left)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == b"there\n"  # for a moment after its start it has no command yet
        assert in_memory.folder(tmp_path, needed=1 << 60) is None
        assert left.exists()
        service.communicate()
    assert in_memory.folder(tmp_path, needed=1 << 60) is None
    assert not left.exists()
    assert in_memory._held == []


def test_a_limit_of_a_control_group_is_one_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_memory, "_limits", lambda: iter([1 << 20]))
    assert in_memory._available() == 1 << 20
    assert in_memory.folder(tmp_path, needed=1 << 21) is None
