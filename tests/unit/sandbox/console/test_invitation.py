"""Invitations to the console: good once, only the newest, and nothing that is kept signs anybody in."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from sandbox.console import invitation
from sandbox.layout import Layout
from sandbox.ports import Ports

if TYPE_CHECKING:
    from pathlib import Path


def test_a_token_is_good_once(tmp_path: Path) -> None:
    token = invitation.new(tmp_path)
    assert not invitation.take(tmp_path, f"{token}x")
    assert invitation.take(tmp_path, token)
    assert not invitation.take(tmp_path, token)


def test_only_the_newest_is_good(tmp_path: Path) -> None:
    tokens = [invitation.new(tmp_path) for _ in range(3)]
    assert [invitation.take(tmp_path, token) for token in tokens] == [False, False, True]


def test_of_many_that_come_at_once_one_gets_in(tmp_path: Path) -> None:
    token = invitation.new(tmp_path)
    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(lambda _: invitation.take(tmp_path, token), range(64)))
    assert got.count(True) == 1


def test_commands_that_invite_at_once_leave_a_good_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda _: invitation.new(tmp_path), range(32)))
    assert any(invitation.take(tmp_path, token) for token in tokens)


def test_what_is_kept_is_the_users_alone_and_does_not_hold_the_token(tmp_path: Path) -> None:
    (tmp_path / "console").mkdir(mode=0o755)
    token = invitation.new(tmp_path)
    (kept,) = (tmp_path / "console").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert kept.read_bytes() == b""
    assert token not in str(kept)
    assert not invitation.take(tmp_path, kept.name)


def test_a_token_is_no_path(tmp_path: Path) -> None:
    invitation.new(tmp_path)
    for token in ("", ".", "../console", "/etc/passwd", "\0"):
        assert not invitation.take(tmp_path, token)


def test_the_address_names_the_page(tmp_path: Path) -> None:
    layout = replace(Layout.find(), home=tmp_path)
    found = invitation.address(layout, Ports(1, 2, 3, 4, 5), "/runs/7")
    before, _, token = found.partition("?token=")
    assert before == "http://127.0.0.1:5/runs/7"
    assert invitation.take(layout.keys, token)
