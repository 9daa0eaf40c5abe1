"""What the engine says of an update is held against what it said of its preview."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sandbox import run_program
from tests.workstation import CHECKOUT, RESOURCES, Sandbox, Workstation

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

DOOR = """
import pulumi_aws

if not pulumi.runtime.is_dry_run():
    pulumi_aws.iam.Group("door", name="door")
"""


def updated(station: Workstation) -> subprocess.CompletedProcess[str]:
    """Preview, update, and compare the two by their events."""
    logs = [station.folder.parent / f"{station.folder.name}-{name}.json" for name in ("preview", "update")]
    debug = {"PULUMI_DEBUG_COMMANDS": "true", run_program.QUIET: ""}
    station.pulumi("preview", "--event-log", str(logs[0]), env=debug)
    station.up("--event-log", str(logs[1]), env=debug)
    command = [sys.executable, "-m", "audit", "compare", "--update", *map(str, logs)]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def test_an_update_does_what_its_preview_showed_and_a_program_that_does_more_outside_of_one_is_caught(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Over 10 s: three updates, the first of them of everything."""
    station = Workstation.make(tmp_path / "station", sandbox)
    station.small_image()
    first = updated(station)
    # The engine masks the group's values in both logs: the one thing of which nobody can say that it is the same.
    assert (first.returncode, first.stderr) == (4, ""), first.stdout
    assert f"steps    1 of {RESOURCES} resources" in first.stdout
    assert "variables: masked on both sides, so whether it is what was previewed cannot be told" in first.stdout
    page = station.folder / "app/views/home.handlebars"
    page.write_text(page.read_text(encoding="utf-8") + "<!-- more -->\n", encoding="utf-8")
    station.config(keepImages="7")
    second = updated(station)
    assert second.returncode == 0, second.stdout
    program = station.folder / "__main__.py"
    program.write_text(program.read_text(encoding="utf-8") + DOOR, encoding="utf-8")
    third = updated(station)
    assert third.returncode == 4
    assert "aws:iam/group:Group::door" in third.stdout
    assert "was done (create), and no preview showed it" in third.stdout
