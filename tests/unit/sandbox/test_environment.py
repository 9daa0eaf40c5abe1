"""The environment that `python -m sandbox env` prints."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from pipelines import surroundings
from sandbox import environment, keys, ports
from sandbox.agent.results import of_an_agent
from sandbox.layout import Layout
from tests.workstation import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def make(tmp_path: Path) -> dict[str, str]:
    layout = Layout(checkout=CHECKOUT, home=tmp_path / "it's home", cache=tmp_path / "cache")
    return environment.variables(layout, keys.make(layout), ports.choose(layout.ports_file), "unix:///x.sock")


def test_a_shell_that_evaluates_it_has_exactly_these_values(tmp_path: Path) -> None:
    variables = make(tmp_path)
    show = f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    script = f"{environment.shell(variables)}\n{show}"
    answer = subprocess.run(
        ["/bin/sh", "-c", script],
        env={"AWS_PROFILE": "mine", "PULUMI_CONFIG_PASSPHRASE": "mine", "PATH": "/usr/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(answer.stdout)
    assert {name: seen[name] for name in variables} == variables
    assert not set(environment.CLEARED) & set(seen)


def test_a_second_look_gives_the_same_ports_and_keys(tmp_path: Path) -> None:
    assert make(tmp_path) == make(tmp_path)


def test_the_key_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    make(tmp_path)
    store = tmp_path / "it's home" / "keys"
    assert store.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in store.iterdir()} == {0o600}


def test_what_a_users_shell_holds_does_not_reach_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("KEPT", "yes")
    complete = environment.full(make(tmp_path))
    assert "AWS_PROFILE" not in complete
    assert complete["KEPT"] == "yes"


def test_an_agent_gets_what_a_step_takes_and_nothing_else_of_it(tmp_path: Path) -> None:
    given = of_an_agent(make(tmp_path), tmp_path)
    foreign = {name for name, value in given.items() if not surroundings.stays(name, value)}
    assert foreign == {"NO_PROXY"}, "which a step takes in small letters"
    assert given["no_proxy"] == given["NO_PROXY"]
