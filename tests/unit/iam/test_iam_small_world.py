"""Small policies are compared and held against every request of a small world, where random requests are sparse."""

import sys
from typing import Any

import pytest

from iam.keys import key_states
from iam.patterns import Glob
from iam.principals import patterns
from tests.unit.iam.soundness import UnsoundError
from tests.unit.iam.worlds import search

# `python -m benchmarks.iam_worlds` searches many more. Those below show each fault that is put in on purpose.
PAIRS = {"conditions": 250, "resources": 60, "principals": 250}


@pytest.mark.parametrize("world", PAIRS)
def test_verdicts_hold_against_every_request_of_a_small_world(world: str) -> None:
    verdicts = search(world, 1, PAIRS[world])
    assert set(verdicts) == {"equal", "broadened", "narrowed", "both", "unknown"}
    assert verdicts["unknown"] < PAIRS[world] * 0.6  # values of wrong types and unknown operators abound here


def _lose_a_class(*arguments: Any) -> dict[int, Any]:
    return dict(list(key_states(*arguments).items())[:-1])


def _take_a_user_for_the_account(kind: str, value: str) -> tuple[Glob, ...] | None:
    return patterns(kind, value.replace("user/a", "root"))


FAULTS = {
    "conditions": ("iam.space", "key_states", _lose_a_class),
    "resources": ("iam.dimensions", "implications", lambda globs, _: [(a, b) for a in globs for b in globs]),
    "principals": ("iam.space", "patterns", _take_a_user_for_the_account),
}


@pytest.mark.parametrize("world", PAIRS)
def test_a_fault_is_found_within_the_pairs_of_a_small_world(world: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, fault = FAULTS[world]
    monkeypatch.setattr(sys.modules[module], name, fault)
    with pytest.raises(UnsoundError):
        search(world, 1, PAIRS[world])
