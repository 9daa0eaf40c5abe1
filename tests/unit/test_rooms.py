"""Who may import whom, as the design says; nothing else crosses."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
ROOMS = {"infra", "iam", "audit", "sandbox", "pipelines", "policies", "benchmarks", "tests"}
ALLOWED = {
    "__main__.py": {"infra"},
    "infra": {"infra", "iam"},
    "iam": {"iam"},
    "policies": {"policies", "iam"},
    "audit": {"audit", "iam"},
    "sandbox": {"sandbox", "iam"},
    "pipelines": {"pipelines"},
}


def sources() -> list[Path]:
    """The Python files of the rooms that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in listed.split("\0") if name and Path(name).parts[0] in ALLOWED]


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
    crossed = (imports((CHECKOUT / path).read_text(encoding="utf-8")) & ROOMS) - ALLOWED[path.parts[0]]
    assert not crossed, f"{path} imports from {sorted(crossed)}"


def test_an_import_of_a_forbidden_room_would_be_seen() -> None:
    assert imports("def f():\n    from sandbox.engine import find\n    import infra.image") == {"sandbox", "infra"}
