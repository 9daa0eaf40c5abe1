"""The one list of checks: what `make check` and the pipeline make of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import checks

CHECKOUT = Path(__file__).parents[3]


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.checks", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with a script and a document, both right."""
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "good.sh").write_text("#!/bin/sh\nset -eu\n")
    (tmp_path / "good.yml").write_text("---\na: 1\n")
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)
    return tmp_path


def test_every_check_is_made_though_an_earlier_one_fails_and_each_that_failed_is_named(repository: Path) -> None:
    (repository / "bad.sh").write_text("#!/bin/sh\nrm $1\n")
    (repository / "bad.yaml").write_text("a:  1\n")
    (repository / "unknown.yml").write_text("a:  1\n")
    subprocess.run(["git", "add", "bad.sh", "bad.yaml"], cwd=repository, check=True)
    (repository / "good.yml").unlink()
    done = run(repository, "--only", "scripts", "yaml", "lint")
    assert done.returncode == 1
    assert "these checks failed: scripts, yaml; run them with" in done.stderr
    assert "SC2086" in done.stdout
    assert "bad.yaml" in done.stdout
    assert "unknown.yml" not in done.stdout


def test_right_files_pass(repository: Path) -> None:
    done = run(repository, "--only", "scripts", "yaml")
    assert (done.returncode, done.stderr) == (0, "")


def test_outside_of_a_git_checkout_that_is_said(tmp_path: Path) -> None:
    done = run(tmp_path, "--only", "scripts")
    assert done.returncode == 1
    assert "the checks are made in a git checkout" in done.stderr


@pytest.mark.parametrize(
    ("name", "some"),
    [("scripts", {".ci/run", "sandbox/bootstrap.sh"}), ("yaml", {"Pulumi.yaml", "azure-pipelines.yml"})],
)
def test_every_script_and_document_of_this_checkout_is_checked(name: str, some: set[str]) -> None:
    assert some <= set(checks.command(name, []))


def test_make_check_makes_this_list() -> None:
    command = ["make", "--dry-run", "--old-file=venv", "check"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ".venv/bin/python -m pipelines.checks --no-tests"
