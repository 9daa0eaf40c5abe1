"""The services' ports are free, kept, and none that a connection could be given."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import ports

if TYPE_CHECKING:
    import pytest


def test_the_ports_are_kept_and_differ(tmp_path: Path) -> None:
    chosen = ports.choose(tmp_path / "ports.json")
    assert ports.choose(tmp_path / "ports.json") == chosen
    assert len(set(astuple(chosen))) == len(astuple(chosen))


def test_a_service_that_came_later_gets_a_port_and_the_others_keep_theirs(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    known = {"aws": 20_001, "ecr": 20_002, "registry": 20_003, "azure_devops": 20_004}
    file.write_text(json.dumps(known), encoding="utf-8")
    chosen = ports.choose(file)
    assert asdict(chosen) == {**known, "console": chosen.console}
    assert chosen.console not in known.values()
    assert ports.choose(file) == chosen


def test_no_connection_is_ever_given_one_of_them(tmp_path: Path) -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split())
    chosen = astuple(ports.choose(tmp_path / "ports.json"))
    assert not [port for port in chosen if first <= port <= last]


def test_a_port_that_somebody_has_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        offered = iter([port, *(free for free in range(10_000, 60_000) if free != port)])
        monkeypatch.setattr(ports.random, "choice", lambda _: next(offered))  # type: ignore[attr-defined]
        assert port not in astuple(ports.choose(tmp_path / "ports.json"))
