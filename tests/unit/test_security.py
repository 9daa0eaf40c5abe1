"""The threat model is held: its lines name requests and tests that are there, and every request has its row."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end import rights

if TYPE_CHECKING:
    from collections.abc import Set

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "docs/security.md").read_text(encoding="utf-8")


def rows(section: str, text: str = PAGE) -> list[list[str]]:
    """The rows of a section's table, without its head."""
    part = text.partition(f"## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@functools.cache
def known_tests() -> frozenset[str]:
    """The names of all test functions."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in (CHECKOUT / "tests").rglob("test_*.py"))
    functions = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return frozenset(node.name for node in functions)


def unheld(line: list[str], tests: Set[str]) -> list[str]:
    """What is wrong with a line: a name that is not there, or no test at all."""
    cells = " ".join(line[1:])
    named, asked = re.findall(r"`(test_\w+)`", cells), re.findall(r"\*([^*]+)\*", cells)
    requests = rights.AWS.keys() | rights.AZURE_DEVOPS.keys()
    wrong = [f"{name} is no test" for name in named if name not in tests]
    wrong += [f"{what} is no request" for what in asked if what not in requests]
    return wrong if named else [*wrong, f"{line[0]}: no test holds it"]


def test_every_party_of_the_threat_model_is_held() -> None:
    held = rows("What holds each line")
    assert [line[0] for line in held] == [line[0] for line in rows("Parties")]
    tests = known_tests()
    assert [wrong for line in held for wrong in unheld(line, tests)] == []
    assert all(re.search(r"\*[^*]+\*", line[1]) for line in held), "a party without a request"


def test_every_attack_names_what_stops_it_and_the_test_of_it() -> None:
    attacks, tests = rows("Attacks, and what stops them"), known_tests()
    assert len(attacks) > 10
    assert [wrong for line in attacks for wrong in unheld(line, tests)] == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("| somebody | *push to main* | |", "no test holds it"),
        ("| somebody | | `test_that_was_never_written` |", "is no test"),
        ("| somebody | *push to the moon* | `test_known` |", "is no request"),
    ],
)
def test_a_line_that_nothing_holds_is_found(line: str, wrong: str) -> None:
    text = f"## One\n| a | b | c |\n|---|---|---|\n{line}\n\n## Two\n"
    (row,) = rows("One", text)
    assert [said for said in unheld(row, {"test_known"}) if wrong in said]


@pytest.mark.parametrize(
    ("section", "asked"), [("Of AWS", set(rights.AWS)), ("Of Azure DevOps", set(rights.AZURE_DEVOPS))]
)
def test_every_row_of_the_rights_is_a_request_and_every_request_has_its_row(section: str, asked: set[str]) -> None:
    table = rights.table(section)
    assert set(table) == asked
    assert not [what for what, row in table.items() if section == "Of AWS" and row["pull request"]]
