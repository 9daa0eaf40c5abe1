"""What the documents name is there: files, folders, modules that are run, and the places that links lead to."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.command_lines import wrong
from tests.page import Block, blocks, command_lines

CHECKOUT = Path(__file__).resolve().parents[2]
ROOMS = {path.name for path in CHECKOUT.iterdir() if path.is_dir()}
MADE = re.compile(r"^(\.venv|\.sandbox|\.build|\.pulumi)(/|$)|^audit\.pyz$")
"""What a command makes."""


def documents() -> list[str]:
    """Every Markdown file of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.split()
    return [name for name in listed if name != "CHANGELOG.md"]  # it tells of what was


def missing(text: str, folder: Path) -> list[str]:
    """What a document names and is not there.

    Names: relative links; `path/with/slashes`, `file.py` and `room/` between backticks; modules after `python -m`.
    """
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", prose)
    found = [link for link in links if "://" not in link and not (folder / link).exists()]
    for name in re.findall(r"`([\w.-]+/[\w./-]*)`", prose):
        top = name.partition("/")[0]
        known = top in ROOMS or (CHECKOUT / top).exists()
        if known and not MADE.match(name) and not any((base / name).exists() for base in (CHECKOUT, folder)):
            found.append(name)
    for module in re.findall(r"python -m ([a-z_]+(?:\.[a-z_]+)*)", text):
        place = CHECKOUT.joinpath(*module.split("."))
        if module.partition(".")[0] in ROOMS and not (place.with_suffix(".py").exists() or place.is_dir()):
            found.append(module)
    return found


@pytest.mark.parametrize("name", documents())
def test_what_a_document_names_is_there(name: str) -> None:
    file = CHECKOUT / name
    assert missing(file.read_text(encoding="utf-8"), file.parent) == []


def rooms_named(text: str) -> set[str]:
    """Words between backticks in a sentence about which rooms stand on another."""
    return {
        name
        for line in re.findall(r"^.*stand on it\.", text, flags=re.MULTILINE)
        for name in re.findall(r"`(\w+)`", line)
    }


def test_the_rooms_that_are_said_to_stand_on_iam_are_there() -> None:
    named = rooms_named((CHECKOUT / "docs/iam.md").read_text(encoding="utf-8"))
    assert named
    assert named <= ROOMS


def test_what_is_not_there_is_found() -> None:
    text = "[a](no.md) `infra/none.py` `python -m audit.none` `pipelines/gate.py` [b](README.md#x) `x/y`"
    assert missing(text, CHECKOUT) == ["no.md", "infra/none.py", "audit.none"]


def test_the_clouds_command_lines_of_the_first_run_are_ones_that_it_can_run() -> None:
    page = page_of_the_first_run()
    found = {
        tool: [words for block in page if not block.by_hand for words in command_lines(block.text, tool)]
        for tool in ("aws", "az")
    }
    assert all(found.values())
    assert [said for tool, calls in found.items() for words in calls if (said := wrong(tool, words))] == []


@pytest.mark.parametrize(
    ("line", "tool", "said"),
    [
        ("az devops project make --name x", "az", "no stand-in for 'devops project make'"),
        ("az devops project create --title x", "az", "has no option --title"),
        ("id=$(aws ecr describe-pictures --repository-name x)", "aws", "ecr has no operation describe-pictures"),
        ("aws ecr describe-images \\\n    --repository x", "aws", "has no option --repository"),
        ("for x in y; do\n    aws ecr describe-images --repository-name x  # all\ndone", "aws", ""),
    ],
)
def test_a_command_line_that_no_cloud_takes_is_found(line: str, tool: str, said: str) -> None:
    (words,) = command_lines(line, tool)
    mistake = wrong(tool, words)
    assert bool(mistake) is bool(said)
    assert said in mistake


def page_of_the_first_run() -> list[Block]:
    return blocks((CHECKOUT / "docs/azure-devops.md").read_text(encoding="utf-8"))
