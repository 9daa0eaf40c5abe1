"""Small policies are compared and held against every request of a small world, where random requests are sparse."""

import sys
from typing import Any

import pytest

from iam.keys import key_states
from iam.patterns import Glob
from iam.principals import NOTHING, grants
from tests.unit.iam.soundness import UnsoundError
from tests.unit.iam.worlds import search

# `python -m benchmarks.iam_worlds` searches many more. Those below show each fault that is put in on purpose.
PAIRS = {"conditions": 250, "resources": 60, "principals": 250, "callers": 250}


@pytest.mark.parametrize("world", PAIRS)
def test_verdicts_hold_against_every_request_of_a_small_world(world: str) -> None:
    verdicts = search(world, 1, PAIRS[world])
    assert set(verdicts) == {"equal", "broadened", "narrowed", "both", "unknown"}
    assert verdicts["unknown"] < PAIRS[world] * 0.6  # values of wrong types and unknown operators abound here


def _lose_a_class(*arguments: Any) -> dict[int, Any]:
    return dict(list(key_states(*arguments).items())[:-1])


def _take_an_account_for_its_users(kind: str, value: str) -> tuple[tuple[Glob, int], ...] | None:
    found = grants(kind, value)
    return None if found is None else tuple((glob, NOTHING) for glob, _ in found)


def _tie_nothing(*_: Any) -> list[Any]:
    return []


FAULTS = {
    "conditions": ("iam.space", "key_states", _lose_a_class),
    "resources": ("iam.dimensions", "implications", lambda globs, _: [(a, b) for a in globs for b in globs]),
    "callers": ("iam.callers", "_cuts", _tie_nothing),
    "principals": ("iam.callers", "grants", _take_an_account_for_its_users),
}


@pytest.mark.parametrize("world", PAIRS)
def test_a_fault_is_found_within_the_pairs_of_a_small_world(world: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, fault = FAULTS[world]
    monkeypatch.setattr(sys.modules[module], name, fault)
    with pytest.raises(UnsoundError):
        search(world, 1, PAIRS[world])
