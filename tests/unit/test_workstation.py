"""The search for secrets that every end-to-end test ends with."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.parse
from typing import TYPE_CHECKING

from tests.workstation import Sandbox, Workstation, with_children

if TYPE_CHECKING:
    from pathlib import Path


def test_the_search_finds_a_secret_that_is_planted_in_an_output_or_a_file_in_any_form(tmp_path: Path) -> None:
    keys = tmp_path / "home" / "keys"
    keys.mkdir(parents=True)
    for name in ("azure-devops-pat", "pulumi-passphrase", "registry-password"):
        (keys / name).write_text(f"the value of {name}/+?")
    (keys / "aws-admin.json").write_text('{"SecretAccessKey": "the key of the operator"}')
    planted = Sandbox(tmp_path / "home", {})
    planted.made["a token"] = token = "the token of the registry>>>???"
    workstation = Workstation(tmp_path / "checkout", planted)
    workstation.folder.mkdir()
    planted.printed.append("nothing to see")
    assert planted.leaks() == []

    pat = "the value of azure-devops-pat/+?"
    for text in (f":{pat}", f"_:{pat}", pat):
        planted.printed.append("Authorization: Basic " + base64.b64encode(text.encode()).decode())
    (tmp_path / "home" / "log").write_bytes(b"Basic " + base64.urlsafe_b64encode(f"AWS:{token}".encode()))
    (workstation.folder / "url").write_text(
        "http://x/?p=" + urllib.parse.quote("the value of pulumi-passphrase/+?", safe="")
    )
    (workstation.folder / "state").write_text(json.dumps({"key": "the key of the operator"}))
    assert set(planted.leaks()) == {
        *(f"azure-devops-pat in output {number}" for number in (1, 2, 3)),
        f"a token in {tmp_path / 'home' / 'log'}",
        f"pulumi-passphrase in {workstation.folder / 'url'}",
        f"the operator's secret key in {workstation.folder / 'state'}",
    }


def test_processes_that_come_and_go_are_counted_or_not() -> None:
    script = "import os\nwhile True:\n    os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)"
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        try:
            found = [with_children({parent.pid}) for _ in range(500)]
        finally:
            parent.kill()
    assert {len(each) for each in found} <= {1, 2}
    assert all(parent.pid in each for each in found)
