"""Compare made-up histories of AWS's managed policies (tests/unit/iam/histories.py): truth, rate of unknown, time.

    python -m benchmarks.iam_histories [--steps N] [--seed S] [--no-evaluator]

Each step is held against what it can have done, against `decide` and against an IAM evaluator that others wrote.
"""

import argparse
import json
import sys
import time
from collections import Counter
from typing import Any

from benchmarks.iam_compare import times
from iam import compare, parse
from tests.unit.iam import simulator
from tests.unit.iam.histories import Histories, real_policies, untrue
from tests.unit.iam.soundness import UnsoundError, check, contradictions

REQUESTS = 4  # of a step, near what it changes
CHUNK = 250  # steps that the evaluator is asked of at once


def histories(steps: int, seed: int, *, evaluator: bool) -> dict[str, Any]:
    """Counts over so many steps of each policy, and the time of a comparison (parsing not included)."""
    drawn = Histories(seed, real_policies(largest=10**9))
    verdicts: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    witnesses: Counter[str] = Counter()
    seconds: list[float] = []
    unsound: list[str] = []
    waiting: list[tuple[Any, ...]] = []
    for step in drawn.steps(steps):
        old, new = parse(step.old), parse(step.new)
        started = time.process_time()
        found = compare(old, new)
        seconds.append(time.process_time() - started)
        requests = drawn.requests(step, REQUESTS)
        try:
            check(found, old, new, requests)
        except UnsoundError as error:
            unsound.append(str(error))
        if untrue(step, found):
            unsound.append(f"{step.kind} cannot be {found.verdict}: {json.dumps([step.old, step.new])}")
        verdicts[found.verdict] += 1
        kinds[step.kind] += 1
        unknown[step.kind] += found.verdict == "unknown"
        waiting.append((step, found, requests))
        if evaluator and len(waiting) == CHUNK:
            unsound += _ask(waiting, witnesses)
    unsound += _ask(waiting, witnesses) if evaluator else []
    return {
        "policies": len(drawn.documents),
        "steps": len(seconds),
        "unsound": len(unsound),
        "first_unsound": unsound[:3],
        "verdicts": dict(verdicts),
        "unknown_rate": round(verdicts["unknown"] / max(1, len(seconds)), 4),
        "unknown_rate_by_kind": {k: {"steps": n, "rate": round(unknown[k] / n, 4)} for k, n in kinds.most_common()},
        **({"witnesses_by_evaluator": dict(witnesses)} if evaluator else {}),
        "milliseconds": times(seconds),
    }


def _ask(waiting: list[tuple[Any, ...]], witnesses: Counter[str]) -> list[str]:
    """What the evaluator says otherwise of the steps, which are then done; counts the witnesses that it confirms."""
    sides = []
    for step, found, requests in waiting:
        # It wants a key policy beside every policy on KMS, and reads a wildcard in a request's resource as one.
        shown = (*found.newly_allowed, *found.newly_refused)
        asked = [*requests, *(r for r in shown if not r.action.startswith("kms:") and "*" not in r.resource)]
        sides += [(step.old, asked), (step.new, asked)]
    effects = simulator.effects(sides)
    wrong = []
    for place, (step, found, requests) in enumerate(waiting):
        (_, asked), before, after = sides[2 * place], effects[2 * place], effects[2 * place + 1]
        if contradictions(found, asked, before, after):
            wrong.append(f"evaluator: {found.verdict} {json.dumps([step.old, step.new])}")
        for old, new in list(zip(before, after, strict=True))[len(requests) :]:
            witnesses["confirmed" if (old == "allow") != (new == "allow") else "not confirmed"] += 1
    waiting.clear()
    return wrong


def main() -> int:
    """Run it; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2, help="steps of each policy (default 2)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-evaluator", action="store_true", help="do not ask the independent evaluator")
    options = parser.parse_args()
    if not options.no_evaluator:
        simulator.install()
    found = histories(options.steps, options.seed, evaluator=not options.no_evaluator)
    print(json.dumps(found, indent=2))
    return 1 if found["unsound"] else 0


if __name__ == "__main__":
    sys.exit(main())
