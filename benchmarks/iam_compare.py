"""Measures `iam.compare`: soundness over random pairs, time on real policies, and what an automata library takes.

    python -m benchmarks.iam_compare --pairs 100000 [--jobs 2] [--seed 1] [--minutes 60] [--evaluator] [--speed]

Soundness: every pair is drawn from a seed, compared, and its verdict and witnesses are held against `decide` on
requests drawn for the pair; with --evaluator also against an IAM simulator that others wrote (Node.js). Prints JSON;
the exit code is 1 if any verdict was unsound.
"""

import argparse
import json
import math
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from iam import compare, parse
from tests.unit.iam import simulator
from tests.unit.iam.pairs import Pairs
from tests.unit.iam.soundness import UnsoundError, check, contradictions

CHUNK = 500  # pairs of one task
REQUESTS = 20  # a pair, by `decide`
REQUESTS_OF_EVALUATOR = 8  # a pair, by the simulator, on each side
# What a pair may hold, by texts that show it; a pair may be of several shapes.
SHAPES = {
    "wildcards in the first five fields of an ARN": (":logs:",),
    "policy variables": ("${aws:",),
    "conditions": ('"Condition"',),
    "an operator or values that nobody can judge": ('"Frob"', '"mixed:key"'),
    "NotAction or NotResource": ('"NotAction"', '"NotResource"'),
    "principals": ('"Principal"', '"NotPrincipal"'),
}


def chunk(task: tuple[int, int, bool]) -> dict[str, Any]:
    """Compare the pairs of one seed; gives counts and the unsound cases."""
    seed, count, evaluator = task
    pairs = Pairs(seed, plain=evaluator)
    verdicts: Counter[str] = Counter()
    shapes: Counter[str] = Counter()
    open_shapes: Counter[str] = Counter()
    seconds: list[float] = []
    unsound: list[str] = []
    drawn, asked, found = [], [], []
    for _ in range(count):
        old, new = pairs.pair()
        requests = [pairs.request(old, new) for _ in range(REQUESTS)]
        started = time.process_time()
        before, after = parse(old), parse(new)
        result = compare(before, after)
        seconds.append(time.process_time() - started)
        try:
            check(result, before, after, requests)
        except UnsoundError as error:
            unsound.append(str(error))
            continue
        verdicts[result.verdict] += 1
        shapes.update(shapes_of(old, new))
        open_shapes.update(shapes_of(old, new) if result.verdict == "unknown" else ())
        drawn.append((old, new))
        found.append(result)
        shown = [*result.newly_allowed, *result.newly_refused]
        # The evaluator reads a wildcard in a request's resource as one, so those witnesses are not asked of it.
        asked.append([*requests[:REQUESTS_OF_EVALUATOR], *(r for r in shown if "*" not in r.resource)])
    tried = count * REQUESTS
    witnesses: Counter[str] = Counter()
    if evaluator:
        sides = [(side, requests) for pair, requests in zip(drawn, asked, strict=True) for side in pair]
        effects = simulator.effects(sides)
        tried += sum(len(requests) for requests in asked)
        for place, (pair, requests, result) in enumerate(zip(drawn, asked, found, strict=True)):
            effects_before, effects_after = effects[2 * place], effects[2 * place + 1]
            if contradictions(result, requests, effects_before, effects_after):
                unsound.append(f"evaluator: {result.verdict} {pair}")
            for old_effect, new_effect in list(zip(effects_before, effects_after, strict=True))[REQUESTS_OF_EVALUATOR:]:
                witnesses["confirmed" if (old_effect == "allow") != (new_effect == "allow") else "not confirmed"] += 1
    counts = {"verdicts": verdicts, "witnesses": witnesses, "shapes": shapes, "open_shapes": open_shapes}
    return {"counts": counts, "seconds": seconds, "unsound": unsound, "tried": tried}


def shapes_of(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The shapes of a pair, "none of these" if it has none."""
    text = json.dumps([old, new])
    return [name for name, marks in SHAPES.items() if any(mark in text for mark in marks)] or ["none of these"]


def soundness(pairs: int, seed: int, jobs: int, minutes: float, *, evaluator: bool) -> dict[str, Any]:
    """Counts over all pairs, or those done after some minutes, and the time of a comparison (parsing included)."""
    if evaluator:
        simulator.install()
    tasks = [(seed * 1_000_000 + at, min(CHUNK, pairs - at), evaluator) for at in range(0, pairs, CHUNK)]
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("verdicts", "witnesses", "shapes", "open_shapes")}
    seconds: list[float] = []
    unsound: list[str] = []
    tried = 0
    end = time.monotonic() + minutes * 60
    with ProcessPoolExecutor(jobs) as pool:
        for done in pool.map(chunk, tasks):
            for name, found in done["counts"].items():
                counts[name] += found
            seconds += done["seconds"]
            unsound += done["unsound"]
            tried += done["tried"]
            print(f"{len(seconds)} of {pairs} pairs, {len(unsound)} unsound", file=sys.stderr)
            if time.monotonic() > end:
                pool.shutdown(wait=False, cancel_futures=True)
                break
    return {
        "pairs": len(seconds),
        "requests_tried": tried,
        "unsound": len(unsound),
        "first_unsound": unsound[:3],
        "verdicts": dict(counts["verdicts"]),
        "unknown_rate": round(counts["verdicts"]["unknown"] / max(1, counts["verdicts"].total()), 4),
        "unknown_rate_by_shape": {
            name: {"pairs": total, "rate": round(counts["open_shapes"][name] / total, 4)}
            for name, total in counts["shapes"].most_common()
        },
        **({"witnesses_by_evaluator": dict(counts["witnesses"])} if evaluator else {}),
        "milliseconds": times(seconds),
    }


def times(seconds: list[float]) -> dict[str, float]:
    """Median, 99th percentile and longest, in milliseconds of processor time."""
    ordered = sorted(second * 1000 for second in seconds)
    last = len(ordered) - 1
    return {
        "median": round(statistics.median(ordered), 2),
        "p99": round(ordered[int(last * 0.99)], 2),
        "longest": round(ordered[last], 2),
    }


def real_policies() -> Iterator[dict[str, Any]]:
    """AWS managed policies of at most 10,240 characters (the largest that IAM takes), from moto's copy of them."""
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    for policy in json.loads(aws_managed_policies_data).values():
        if len(json.dumps(policy["Document"])) <= 10_240:
            yield policy["Document"]


def changed(document: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """The document with one change of the kind that reviews see."""
    text: dict[str, Any] = json.loads(json.dumps(document))
    statements = text["Statement"] if isinstance(text["Statement"], list) else [text["Statement"]]
    text["Statement"] = statements
    statement = draw.choice(statements)
    actions = statement.get("Action")
    kind = draw.randrange(5)
    if kind == 0 and isinstance(actions, list) and len(actions) > 1:
        actions.remove(draw.choice(actions))
    elif kind == 1 and actions:
        statement["Action"] = [*([actions] if isinstance(actions, str) else actions), "ecr:PutImage"]
    elif kind == 2:
        statement["Condition"] = {"Bool": {"aws:SecureTransport": "true"}}
    elif kind == 3:
        statements.append({"Effect": "Deny", "Action": "iam:*", "Resource": "*"})
    else:
        statement.pop("Resource", None)
        statement.pop("NotResource", None)
        statement["Resource"] = "arn:aws:ecr:*:123456789012:repository/*"
    return text


def speed(seed: int) -> dict[str, Any]:
    """Time of comparisons (parsing not included): real policies, 100 statements in 6 KB, and the library greenery."""
    draw = random.Random(seed)  # noqa: S311 - repeatable test data, no secret
    pairs = [(parse(document), parse(changed(document, draw))) for document in real_policies()]
    verdicts: Counter[str] = Counter()
    seconds = []
    for old, new in pairs:
        started = time.process_time()
        verdicts[compare(old, new).verdict] += 1
        seconds.append(time.process_time() - started)
    many = [[_hundred_statements(draw) for _ in range(2)] for _ in range(5)]
    hundred = []
    for old_document, new_document in many:
        old, new = parse(old_document), parse(new_document)
        started = time.process_time()
        compare(old, new)
        hundred.append(time.process_time() - started)
    return {
        "real_policies": len(pairs),
        "verdicts": dict(verdicts),
        "milliseconds": times(seconds),
        "statements_100": {"characters": len(json.dumps(many[0][0])), "milliseconds": times(hundred)},
        "inclusion_of_20_globs_in_20": libraries(),
    }


def _hundred_statements(draw: random.Random) -> dict[str, Any]:
    return {
        "Statement": [
            {
                "Effect": "Allow",
                "Action": f"s3:{draw.choice(('Get', 'Put'))}*",
                "Resource": f"b{n}/{draw.choice('ab')}*",
            }
            for n in range(100)
        ]
    }


def libraries() -> dict[str, Any]:
    """Milliseconds to decide whether 20 globs of actions cover 20 others: by our automaton and by well-kept libraries.

    Libraries that are not installed are left out by name.
    """
    from iam.automaton import Automaton, Budget
    from iam.patterns import Glob, split

    verbs = ("Get", "Put", "List", "Delete", "Describe")
    new = [f"s{n}:{verb}*" for n in range(4) for verb in verbs]
    old = [f"s{n}:*{verb[1:]}*" for n in range(4) for verb in verbs]
    started = time.process_time()
    globs = [Glob(text, split(text, wildcards=True, variables=False)) for text in (*old, *new)]
    classes = Automaton(globs).classes(Budget(1_000_000, "too much"))
    covered = all(found & (2**20 - 1) for found in classes if found >> 20)
    result: dict[str, Any] = {"covered": covered, "own": round((time.process_time() - started) * 1000, 1)}
    try:
        import greenery  # type: ignore[import-not-found] # only where somebody installed it to compare
    except ImportError:
        result["greenery"] = "not installed"
        return result
    started = time.process_time()
    union_old = greenery.parse("|".join(text.replace("*", ".*") for text in old)).to_fsm()
    union_new = greenery.parse("|".join(text.replace("*", ".*") for text in new)).to_fsm()
    assert union_new.issubset(union_old) == covered
    result["greenery"] = round((time.process_time() - started) * 1000, 1)
    return result


def main() -> int:
    """Run what was asked for; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2_000, help="random pairs (default 2000)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="stop after these, with the pairs done till then"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--evaluator", action="store_true", help="also ask the independent evaluator")
    parser.add_argument("--speed", action="store_true", help="measure time on real policies instead")
    options = parser.parse_args()
    if options.speed:
        print(json.dumps(speed(options.seed), indent=2))
        return 0
    found = soundness(options.pairs, options.seed, options.jobs, options.minutes, evaluator=options.evaluator)
    print(json.dumps(found, indent=2))
    return 1 if found["unsound"] else 0


if __name__ == "__main__":
    sys.exit(main())
