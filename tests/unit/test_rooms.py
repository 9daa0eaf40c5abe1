"""Who may import whom, as the design says; nothing else crosses."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
ROOMS = {"infra", "iam", "azure_pipelines", "audit", "sandbox", "pipelines", "policies", "benchmarks", "tests"}
ALLOWED = {
    "__main__.py": {"infra"},
    "infra": {"infra", "iam"},
    "iam": {"iam"},
    "azure_pipelines": {"azure_pipelines"},
    "policies": {"policies", "iam"},
    "audit": {"audit", "iam"},
    "sandbox": {"sandbox", "iam", "azure_pipelines"},
    "pipelines": {"pipelines"},
    # What our pipeline has to be, as a part of the language's lint: no step of a run loads it (below).
    "pipelines/rules": {"pipelines", "azure_pipelines"},
}


def sources() -> list[Path]:
    """The Python files of the rooms that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in listed.split("\0") if name and Path(name).parts[0] in ALLOWED]


def room(path: Path) -> str:
    """The room that a file is in: the innermost that is listed."""
    return next(str(part) for part in (path, *path.parents) if str(part) in ALLOWED)


def imports(source: str) -> set[str]:
    """The top-level names that a module imports, also inside functions and under TYPE_CHECKING."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", sources(), ids=str)
def test_a_module_imports_only_from_the_rooms_its_own_may_enter(path: Path) -> None:
    if not (CHECKOUT / path).exists():
        pytest.fail(f"{path} is in git's index but not on disk")
    crossed = (imports((CHECKOUT / path).read_text(encoding="utf-8")) & ROOMS) - ALLOWED[room(path)]
    assert not crossed, f"{path} imports from {sorted(crossed)}"


def test_an_import_of_a_forbidden_room_would_be_seen() -> None:
    assert imports("def f():\n    from sandbox.engine import find\n    import infra.image") == {"sandbox", "infra"}


def test_no_step_of_a_run_loads_the_rules_on_the_pipeline() -> None:
    steps = [path for path in sources() if room(path) == "pipelines"]
    assert steps
    for path in steps:
        names = {
            node.module or ""
            for node in ast.walk(ast.parse((CHECKOUT / path).read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
        }
        assert not any(name.startswith("pipelines.rules") for name in names), path
