"""The private engine's network beside a firewall and settings of the machine's own: tried in a network namespace."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sandbox import docker_engine, packages
from sandbox.layout import CHECKOUT
from tests.end_to_end.ground.machine import CACHE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("root")]

# argv: the folder of the record, `full` or `half` (cut off after the bridge). Prints the state before, during, after.
_PROGRAM = """
import json, os, subprocess, sys
from pathlib import Path
from sandbox.host_network import Host

def ask(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

def state():
    values = {str(p): p.read_text().strip() for p in Path("/proc/sys/net/ipv4").glob("conf/*/forwarding")}
    values |= {str(p): p.read_text().strip() for p in Path("/proc/sys/net/ipv4").glob("conf/all/accept_redirects")}
    return {
        "values": values,
        "rules": ask("nft", "list", "ruleset"),
        "iptables": ask("iptables", "-S"),
        "links": ask("ip", "-brief", "address"),
    }

Path("/proc/sys/net/ipv4/ip_forward").write_text("0")  # a new namespace has the machine's value
ask("ip", "link", "set", "lo", "up")
ask("ip", "link", "add", "lan0", "type", "bridge")
ask("ip", "address", "add", "198.19.0.1/24", "dev", "lan0")
Path("/proc/sys/net/ipv4/conf/lan0/forwarding").write_text("1")
Path("/proc/sys/net/ipv4/conf/all/accept_redirects").write_text("0")
ask("iptables", "-P", "FORWARD", "DROP")
host = Host(Path(sys.argv[1]), dict(os.environ))
states = [state()]
if sys.argv[2] == "half":
    Host._pass_foreign_firewall = lambda self, bridge: 1 / 0
    try:
        host.set_up("0badcafe", [Path(sys.argv[1], "made", "here")])
    except ZeroDivisionError:
        states.append(state())
else:
    network = host.set_up("0badcafe", [Path(sys.argv[1], "made", "here")])
    states.append(state() | {"subnet": network.subnet})
host.take_down("0badcafe")
states.append(state())
host.take_down("0badcafe")
states.append(state())
print(json.dumps(states))
"""


def _run(folder: Path, kind: str) -> list[dict[str, str]]:
    root = docker_engine.prepare(CACHE, print)
    tables = next(root.glob("**/xtables-nft-multi"), None)
    if tables is None:
        pytest.skip("this release's docker.io brings no iptables to try with")
    commands = folder / "bin"
    commands.mkdir()
    (commands / "iptables").symlink_to(tables)
    environment = packages.environment(root)
    environment |= {"PATH": f"{commands}:{environment['PATH']}", "PYTHONPATH": str(CHECKOUT)}
    environment["XTABLES_LIBDIR"] = str(next(root.glob("**/libxt_standard.so")).parent)
    command = ["unshare", "--net", sys.executable, "-c", _PROGRAM, str(folder / "record"), kind]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    states: list[dict[str, str]] = json.loads(done.stdout)
    return states


@pytest.mark.parametrize("kind", ["full", "half"])
def test_settings_and_rules_of_the_machine_come_back_as_they_were(tmp_path: Path, kind: str) -> None:
    before, during, after, again = _run(tmp_path, kind)
    assert "app1-0badcafe" in during["links"]
    assert "app1-0badcafe" in during["rules"]
    assert after == before
    assert again == before
    assert not (tmp_path / "record" / "made").exists()


def test_a_firewall_that_drops_what_is_forwarded_lets_the_engine_pass(tmp_path: Path) -> None:
    before, during, *_ = _run(tmp_path, "full")
    assert "-P FORWARD DROP" in before["iptables"]
    added = set(during["iptables"].splitlines()) - set(before["iptables"].splitlines())
    assert added == {
        "-A FORWARD -i app1-0badcafe -j ACCEPT",
        "-A FORWARD -o app1-0badcafe -j ACCEPT",
    }


def test_a_network_that_the_machine_has_is_not_taken(tmp_path: Path) -> None:
    _, during, *_ = _run(tmp_path, "full")
    assert during["subnet"] == "198.19.1.0/24"
