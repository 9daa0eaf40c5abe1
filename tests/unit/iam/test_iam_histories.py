"""Histories of real policies: what a step cannot have done is never claimed, and next to nothing stays unknown."""

import random
from collections import Counter

from iam import compare, parse
from tests.unit.iam.histories import Histories, real_policies, untrue
from tests.unit.iam.soundness import check

POLICIES, STEPS = 120, 2  # `make bench` takes all of them


def test_steps_of_real_policies_are_compared_truly_and_hardly_any_is_unknown() -> None:
    draw = random.Random(4)  # noqa: S311 - repeatable test data, no secret
    histories = Histories(4, draw.sample(real_policies(), POLICIES))
    verdicts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for step in histories.steps(STEPS):
        old, new = parse(step.old), parse(step.new)
        found = compare(old, new)
        check(found, old, new, histories.requests(step, 4))
        assert not untrue(step, found), step
        verdicts[found.verdict] += 1
        kinds[step.kind] += 1
    assert {"actions added", "a service added", "a Deny grown"} < set(kinds)
    assert set(verdicts) - {"unknown", "both"} == {"equal", "broadened", "narrowed"}
    assert verdicts["unknown"] <= POLICIES * STEPS * 0.02, verdicts
