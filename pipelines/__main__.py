"""Run a step of these files on the checkout that is the current folder: `python PIPELINES STEP [OPTION ...]`.

PIPELINES is this folder, wherever it lies. In a job with rights it is of a second checkout, which no pull request
changes (pipelines/templates/checkouts.yml); the step, what it imports and the audit are then of that one, and the
program, its settings and its commit are the current folder's. `python -m pipelines STEP` is the same of this one.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def steps() -> list[str]:
    """The names of the steps: the modules here that can be run."""
    return sorted(file.stem for file in HERE.glob("*.py") if is_step(file.stem))


def is_step(name: str) -> bool:
    """Whether a module here has that name and can be run."""
    file = HERE / f"{name}.py"
    if name.startswith("_") or not name.isidentifier() or not file.is_file():
        return False
    return "agent.run(main)" in file.read_text(encoding="utf-8")


def main() -> None:
    """Run a step; exit code 2 for a name that is none."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if not is_step(name):
        print(f"usage: python {sys.argv[0]} STEP [OPTION ...]; steps: {', '.join(steps())}", file=sys.stderr)
        sys.exit(0 if name in ("-h", "--help") else 2)
    # Not this folder itself, whose files have the names of other modules, and nothing of the current one.
    sys.path[0] = str(HERE.parent)
    del sys.argv[1]
    runpy.run_module(f"{HERE.name}.{name}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
