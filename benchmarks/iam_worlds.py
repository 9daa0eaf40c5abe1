"""Hold many pairs of small policies against every request of their small worlds (tests/unit/iam/worlds.py).

    python -m benchmarks.iam_worlds [--pairs N] [--seed S]

Prints the verdicts of each world as one JSON object; a verdict that a request contradicts ends it with the pair.
"""

import argparse
import json
import sys

from tests.unit.iam.worlds import WORLDS, search


def main() -> int:
    """Search every world; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2_000, help="pairs of each world (default 2000)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(json.dumps({world: search(world, options.seed, options.pairs) for world in WORLDS}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
