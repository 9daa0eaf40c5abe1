"""Who may not look at a user's keys need not, unless a setting ends keys."""

from __future__ import annotations

import pytest

from infra.held_keys import HeldKeys
from infra.lookup import LookUpError


def refuse(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    def ask(_: str) -> HeldKeys:
        raise RuntimeError(said)

    monkeypatch.setattr(HeldKeys, "_ask", ask)


def test_without_the_right_the_keys_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "api error AccessDenied: not authorized to perform: iam:ListUsers")
    assert HeldKeys.look_up("push", needed=False) == HeldKeys(user="push", keys=(), record="")
    with pytest.raises(LookUpError, match="iam:ListAccessKeys"):
        HeldKeys.look_up("push", needed=True)


def test_any_other_failure_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "connection refused")
    with pytest.raises(LookUpError, match="connection refused"):
        HeldKeys.look_up("push", needed=False)
