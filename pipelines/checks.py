"""Lint, types and tests of a change, without any cloud; every check runs even when an earlier one fails."""

from __future__ import annotations

import sys
from pathlib import Path

from pipelines import agent

CHECKS = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "yaml": ["yamllint", "--strict", "azure-pipelines.yml", "pipelines"],
    "pipeline": ["azure_pipelines", "lint", "azure-pipelines.yml", "--rules", "pipelines.rules"],
}

MADE = [*CHECKS, "tests"]
"""The checks that are made unless others are named."""


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--only", nargs="+", default=MADE, choices=[*CHECKS, "tests"], help="checks to make")
    parser.add_argument("--tests", nargs="+", default=["tests"], help="folders of tests")
    parser.add_argument("--junit", type=Path, default=Path("test-results.xml"), help="where the results are written")
    options = parser.parse_args()
    tests = ["pytest", "-m", "not e2e", f"--junitxml={options.junit}", *options.tests]
    failed = []
    for name in options.only:
        print(f"{name}:", flush=True)
        if agent.call([sys.executable, "-m", *CHECKS.get(name, tests)]):
            failed.append(name)
    if failed:
        raise agent.Stop(f"these checks failed: {', '.join(failed)}; run them with `python -m pipelines.checks --only`")


if __name__ == "__main__":
    agent.run(main)
