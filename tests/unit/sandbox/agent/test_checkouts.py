"""Several repositories in one job: where each is checked out, and at which commit."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.organization import PROJECT, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.organization import Organization
    from tests.unit.sandbox.agent.conftest import Start


@pytest.fixture
def tools(organization: Organization, tmp_path: Path) -> str:
    """A branch of a repository of its own, with one file; its name is the repository's."""
    name = f"tools-{tmp_path.name}"
    project = organization.give("GET", f"_apis/projects/{PROJECT}")["id"]
    organization.give("POST", "_apis/git/repositories", {"name": name, "project": {"id": project}})
    _push(organization, tmp_path / "tools", name, "first")
    return name


def _push(organization: Organization, folder: Path, repository: str, content: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "tool").write_text(content, encoding="utf-8")
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    steps = (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", content])
    for step in steps:
        subprocess.run([*git, *step], check=True)
    organization.git_push(folder, "HEAD:refs/heads/main", repository=repository)


DECLARED = """
    resources: {repositories: [{repository: tools, type: git, name: NAME}]}
    steps: [STEPS]
"""


def test_several_checkouts_lie_in_folders_of_their_names(start: Start, tools: str) -> None:
    steps = "{checkout: self}, {checkout: tools}, {bash: 'ls app-one TOOLS; cat TOOLS/tool', displayName: look}"
    results = start(DECLARED.replace("NAME", tools).replace("STEPS", steps).replace("TOOLS", tools)).start()
    assert results.step("look").log == ["app-one:", "pipeline.yml", "", f"{tools}:", "tool", "first"]


def test_a_checkout_with_a_path_lies_there_and_self_can_stay_where_it_always_is(start: Start, tools: str) -> None:
    text = f"""
        steps:
          - {{checkout: self, path: s}}
          - {{checkout: 'git://{PROJECT}/{tools}@refs/heads/main', path: tools}}
          - {{bash: 'ls; cat $(Pipeline.Workspace)/tools/tool', displayName: look}}
    """
    assert start(text).start().step("look").log == ["pipeline.yml", "first"]


def test_one_checkout_of_another_repository_takes_the_place_of_self(start: Start, tools: str) -> None:
    steps = "{checkout: tools}, {bash: cat tool, displayName: look}"
    assert start(DECLARED.replace("NAME", tools).replace("STEPS", steps)).start().step("look").log == ["first"]


def test_what_is_pushed_after_a_run_was_queued_is_not_in_it(
    organization: Organization, start: Start, tools: str, tmp_path: Path
) -> None:
    steps = "{checkout: tools}, {bash: cat tool, displayName: look}"
    run = start(DECLARED.replace("NAME", tools).replace("STEPS", steps))
    _push(organization, tmp_path / "tools", tools, "second")
    assert run.start().step("look").log == ["first"]


@pytest.mark.parametrize(
    ("checkout", "says"),
    [
        (
            "git://app-one/nowhere",
            "The repository nowhere in project app-one could not be retrieved at refs/heads/main",
        ),
        ("git://app-one@gone", "The repository app-one in project app-one could not be retrieved at refs/heads/gone"),
        ("elsewhere", "names the repository elsewhere, which resources: repositories: does not declare"),
    ],
)
def test_a_repository_that_is_not_there_is_refused_when_the_run_is_queued(
    start: Start, checkout: str, says: str
) -> None:
    with pytest.raises(Refused, match=says):
        start(f"steps: [{{checkout: '{checkout}'}}]")
