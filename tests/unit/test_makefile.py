"""What `make` would do: the words that a person types stand for the commands that the documentation names."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


def said(*arguments: str) -> str:
    """What `make` would run, without the virtual environment's own steps."""
    command = ["make", "--dry-run", "--old-file=venv", *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("way", ["", "pull-request", "main", "nightly"])
def test_a_pipeline_is_run_as_a_pull_request_unless_another_way_is_named(way: str) -> None:
    given = (f"AS={way}",) if way else ()
    assert f"sandbox pipeline run --as {way or 'pull-request'}\n" in said("pipeline", *given)


def test_the_rest_takes_its_defaults_from_no_variable_of_make_itself() -> None:
    assert "--secrets-provider passphrase \n" in said("up") or "--secrets-provider passphrase\n" in said("up")
    assert "--durations 20 \n" in said("test") or "--durations 20\n" in said("test")
    assert "--value x=y" in said("up", "STATE=--value x=y")
