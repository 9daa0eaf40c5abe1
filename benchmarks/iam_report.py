"""Run what is measured of `iam` and write its table into docs/iam.md; fails where a verdict is unsound.

python -m benchmarks.iam_report [--pairs N] [--steps N] [--worlds N] [--seed S]
"""

import argparse
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.iam_compare import soundness, speed
from benchmarks.iam_histories import histories
from tests.unit.iam import simulator
from tests.unit.iam.worlds import WORLDS, search

DOCS = Path(__file__).resolve().parents[1] / "docs" / "iam.md"
START, END = "<!-- measured: written by `make bench` -->", "<!-- end of measured -->"


def table(by_decide: dict[str, Any], by_evaluator: dict[str, Any], real: dict[str, Any]) -> str:
    """The figures of a run as a table in Markdown."""
    runs = (real, by_decide, by_evaluator)

    def row(name: str, *cells: str) -> str:
        return f"| {name} | {' | '.join(cells)} |"

    def verdicts(run: dict[str, Any]) -> str:
        return ", ".join(f"{name} {count:,}" for name, count in sorted(run["verdicts"].items()))

    def confirmed(run: dict[str, Any]) -> str:
        found = run.get("witnesses_by_evaluator")
        return f"{found.get('confirmed', 0):,} of {sum(found.values()):,}" if found else "not asked"

    return "\n".join(
        [
            row("", "histories of real policies", "random pairs, by `decide`", "random pairs, and by the evaluator"),
            row(*["---"] * 4),
            row(
                "compared",
                f"{real['steps']:,} steps of {real['policies']:,} policies",
                *(f"{run['pairs']:,} pairs" for run in runs[1:]),
            ),
            row("unsound verdicts or witnesses", *(f"{run['unsound']}" for run in runs)),
            row("unknown", *(f"{run['unknown_rate']:.2%}" for run in runs)),
            row("verdicts", *map(verdicts, runs)),
            row("witnesses that the evaluator confirms", *map(confirmed, runs)),
            *(
                row(f"milliseconds: {name}", *(f"{run['milliseconds'][name]}" for run in runs))
                for name in ("median", "p99", "longest")
            ),
        ]
    )


def kinds(real: dict[str, Any]) -> str:
    """The steps of the histories by what was done."""
    found = real["unknown_rate_by_kind"].items()
    return ", ".join(f"{name} {said['steps']:,} ({said['rate']:.1%})" for name, said in found)


def main() -> int:
    """Measure, write, and say whether all was sound."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5_000, help="random pairs of each kind (default 5000)")
    parser.add_argument("--steps", type=int, default=2, help="steps of each real policy (default 2)")
    parser.add_argument("--worlds", type=int, default=1_000, help="pairs of each small world (default 1000)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    simulator.install()
    real = histories(options.steps, options.seed, evaluator=True)
    by_decide = soundness(options.pairs, options.seed, 1, 60, evaluator=False)
    by_evaluator = soundness(options.pairs, options.seed + 1, 1, 60, evaluator=True)
    small = {world: sum(search(world, options.seed, options.worlds).values()) for world in WORLDS}
    hundred = speed(options.seed)["statements_100"]["milliseconds"]
    when = f"{datetime.now(UTC):%d %B %Y}"
    worlds = ", ".join(f"{world} {count:,}" for world, count in small.items())
    text = "\n".join(
        [
            START,
            f"{when}, Python {platform.python_version()}, seed {options.seed}; times are processor time.",
            "",
            table(by_decide, by_evaluator, real),
            "",
            f"Steps by kind (of which unknown): {kinds(real)}.",
            f"Pairs of small worlds, each against every request: {worlds}; all sound.",
            f"Two policies of 100 statements: median {hundred['median']} ms, longest {hundred['longest']} ms of 5.",
            END,
        ]
    )
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(START)
    _, _, after = rest.partition(END)
    DOCS.write_text(f"{before}{text}{after}", encoding="utf-8")
    print(text)
    unsound = [case for run in (real, by_decide, by_evaluator) for case in run["first_unsound"]]
    print("\n".join(unsound), file=sys.stderr)
    return 1 if unsound else 0


if __name__ == "__main__":
    sys.exit(main())
