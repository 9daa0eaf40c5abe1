"""The virtual environment is made anew when what it was made from is another, or its interpreter is gone."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSION = sys.version + "\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose environment was made from what it has; `python` writes down what it is asked for."""
    (tmp_path / "sandbox").mkdir()
    shutil.copy(ROOT / "sandbox" / "bootstrap.sh", tmp_path / "sandbox")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    for name in ("requirements-uv.txt", "requirements-dev.txt"):
        (tmp_path / name).write_text(f"{name}\n")
    made_from = hashlib.sha256(f"requirements-uv.txt\nrequirements-dev.txt\n{VERSION}".encode()).hexdigest()
    (tmp_path / ".venv" / ".locked").write_text(f"{made_from}  -\n")
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$*" >>asked\ncase $* in *venv*) exit 9 ;; esac\n')
    python.chmod(0o755)
    return tmp_path


def bootstrap(checkout: Path) -> subprocess.CompletedProcess[str]:
    command = [checkout / "sandbox" / "bootstrap.sh", checkout / "python"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_environment_that_fits_is_left_as_it_is(checkout: Path) -> None:
    done = bootstrap(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert "venv" not in (checkout / "asked").read_text()


@pytest.mark.parametrize("stamp", [None, ""])
def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Path, stamp: str | None) -> None:
    (checkout / ".venv" / "bin" / "python").unlink()
    (checkout / ".venv" / "bin" / "python").symlink_to("/nowhere/python3.9")
    if stamp is not None:
        (checkout / ".venv" / ".locked").write_text(stamp)
    assert bootstrap(checkout).returncode == 9
    assert "-m venv --clear .venv" in (checkout / "asked").read_text()


def test_other_requirements_are_installed(checkout: Path) -> None:
    (checkout / "requirements-dev.txt").write_text("another\n")
    done = bootstrap(checkout)
    assert done.returncode != 0
    assert "Virtual environment" in done.stderr
