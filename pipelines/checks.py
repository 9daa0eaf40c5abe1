"""Lint, types and tests of a change, without any cloud; every check runs even when an earlier one fails.

The one list of the checks: `make check` makes all but the tests, the pipeline makes all.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pipelines import agent

CHECKS = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "scripts": ["shellcheck"],
    "yaml": ["yamllint", "--strict"],
    # `trusted`, whose template it extends, is taken to be this checkout: what is checked is what it would be there.
    "pipeline": ["azure_pipelines", "lint", "azure-pipelines.yml", "--rules", "pipelines.rules"],
}
TRACKED = {"scripts": ["*.sh", ".ci/run"], "yaml": ["*.yml", "*.yaml", ":!Pulumi.*.yaml"]}
"""What of the files that git knows is given to a check; stack files are as `pulumi config set` writes them."""

MADE = [*CHECKS, "tests"]
"""The checks that are made unless others are named."""


def command(name: str, tests: list[str]) -> list[str]:
    """The command of a check; its tools are those of the environment that runs this."""
    if name == "tests":
        return [sys.executable, "-m", *tests]
    argv = [*CHECKS[name]]
    if name in TRACKED:
        listed = subprocess.run(["git", "ls-files", "-z", *TRACKED[name]], capture_output=True, text=True, check=False)
        if listed.returncode:
            raise agent.Stop(f"`git ls-files` failed: {listed.stderr.strip()}; the checks are made in a git checkout")
        argv += [file for file in listed.stdout.split("\0") if file and Path(file).exists()]
    if name == "scripts":  # a program, no Python module
        return [str(Path(sys.executable).with_name(argv[0])), *argv[1:]]
    return [sys.executable, "-m", *argv]


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--only", nargs="+", default=MADE, choices=[*CHECKS, "tests"], help="checks to make")
    parser.add_argument("--no-tests", action="store_true", help="leave the tests out")
    parser.add_argument("--tests", nargs="+", default=["tests"], help="folders of tests")
    parser.add_argument("--junit", type=Path, default=Path("test-results.xml"), help="where the results are written")
    options = parser.parse_args()
    tests = ["pytest", "-m", "not e2e", f"--junitxml={options.junit}", *options.tests]
    failed = []
    for name in options.only:
        if name == "tests" and options.no_tests:
            continue
        print(f"{name}:", flush=True)
        if agent.call(command(name, tests)):
            failed.append(name)
    if failed:
        raise agent.Stop(f"these checks failed: {', '.join(failed)}; run them with `python -m pipelines.checks --only`")


if __name__ == "__main__":
    agent.run(main)
