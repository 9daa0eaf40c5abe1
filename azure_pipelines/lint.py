"""The lint: each way in which a run can start is expanded, with each choice of who queues it, and every rule is asked.

A project adds rules of its own by a module with a function `project`, which says what its variable groups hold and
what it finds beside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Protocol

from azure_pipelines import rules
from azure_pipelines.documents import Kept, Located, PipelineError, load
from azure_pipelines.model import read
from azure_pipelines.rules import SYSTEM, Context, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from azure_pipelines.documents import Sources
    from azure_pipelines.expand import Shared

WAYS: Mapping[str, Mapping[str, str]] = {
    "pull request": {"Build.Reason": "PullRequest", "Build.SourceBranch": "refs/pull/1/merge"},
    "push to main": {"Build.Reason": "IndividualCI", "Build.SourceBranch": "refs/heads/main"},
    "run of a branch by hand": {"Build.Reason": "Manual", "Build.SourceBranch": "refs/heads/topic"},
    "run of a pull request by hand": {"Build.Reason": "Manual", "Build.SourceBranch": "refs/pull/1/merge"},
    "nightly": {"Build.Reason": "Schedule", "Build.SourceBranch": "refs/heads/main"},
}
"""How a run can start, with what templates see of it."""

CHOSEN = "a text that somebody chose"
"""What templates are given for each variable of the system whose text is chosen outside."""

NOT_CHOSEN = frozenset(
    {
        "agent.os",
        "agent.tempdirectory",
        "agent.toolsdirectory",
        "build.artifactstagingdirectory",
        "build.buildid",
        "pipeline.workspace",
        "system.jobattempt",
        "system.stageattempt",
    }
)
"""System variables that a script may hold: nobody outside chooses their text, as one does a branch's name."""


class Project(Protocol):
    """A project's own part of the lint."""

    @property
    def groups(self) -> Mapping[str, frozenset[str]]:
        """The names that each variable group holds."""

    def check(self, context: Context) -> Iterable[Finding]:
        """What the project's rules find in one expanded pipeline."""


Opener = Callable[["Path", str], Project]
"""Opens a project's part for a checkout and its pipeline's file; raises PipelineError where that cannot be read."""


@dataclass(frozen=True)
class Itself(Kept):
    """The pipeline's own checkout, for a repository that nobody names a checkout of: it may be the same at a ref."""

    alias: str = ""

    def text(self, name: str) -> str:
        """The text of a file by its path from the top. Raises PipelineError where this is another repository."""
        if name not in self._texts and not (self.root / name).is_file():
            raise PipelineError(_unnamed(self.alias))
        return super().text(name)


def _unnamed(alias: str) -> str:
    return f"{alias} is another repository: name a checkout of it, --repository {alias}=FOLDER"


def opener(checkouts: Mapping[str, Path], own: Path) -> Callable[[Located], Path | Sources]:
    """Other repositories, as checkouts by their alias.

    own: the pipeline's own checkout; it is read for one of Azure Repos that is not among them, if it holds the file.
    """
    known = {alias.lower(): folder for alias, folder in checkouts.items()}

    @cache
    def itself(alias: str) -> Itself:
        return Itself(own, alias=alias)

    def open_(entry: Located) -> Path | Sources:
        alias = str(entry["repository"])
        if alias.lower() in known:
            return known[alias.lower()]
        if entry.get("type", "git") != "git":
            raise PipelineError(_unnamed(alias))
        return itself(alias)

    return open_


def predefined(known: Mapping[str, str]) -> dict[str, str]:
    """Variables for templates: those that are known of a way to start, and all others with a chosen text."""
    return {**dict.fromkeys(SYSTEM - NOT_CHOSEN - {name.lower() for name in known}, CHOSEN), **known}


def choices(root: Path, file: str) -> list[dict[str, str]]:
    """What can be chosen when a run is queued: the defaults, and each value of each parameter."""
    entries = _parameters(root, file)
    listed = [(entry, value) for entry in entries for value in entry.get("values") or []]
    return [{}, *({entry["name"]: value} for entry, value in listed if value != entry.get("default"))]


def _parameters(root: Path, file: str) -> list[Located]:
    document = load(root, file)
    found = document.get("parameters") if isinstance(document, Located) else None
    return [entry for entry in found or [] if isinstance(entry, Located)]


def check(
    root: Path,
    file: str,
    projects: Sequence[Opener] = (),
    *,
    groups: Mapping[str, frozenset[str]] | None = None,
    variables: Iterable[str] = (),
    repositories: Mapping[str, Path] | None = None,
) -> list[Finding]:
    """Every finding in every way to start, each once, by file and line.

    groups: the names that each variable group holds, as far as they are known. variables: those that are defined in
    the pipeline's settings and not in the YAML. repositories: checkouts of other repositories, by their alias
    (`opener`).
    """
    known = findings(root, file, projects, groups=groups, variables=variables, repositories=repositories)
    return sorted(set(known), key=lambda finding: (finding.file, finding.line, finding.rule, finding.message))


def findings(
    root: Path,
    file: str,
    projects: Sequence[Opener] = (),
    *,
    groups: Mapping[str, frozenset[str]] | None = None,
    variables: Iterable[str] = (),
    repositories: Mapping[str, Path] | None = None,
) -> Iterator[Finding]:
    """What `check` gives, as it is found: one way to start after another, each finding as often as it is made."""
    held = dict(groups or {})
    try:
        opened = [project(root, file) for project in projects]
        for project in opened:
            held |= project.groups
        defaults = {
            entry["name"]: entry["default"]
            for entry in _parameters(root, file)
            if isinstance(entry.get("default"), str)
        }
        ways = list(product(choices(root, file), WAYS))
    except PipelineError as error:
        yield Finding("expands", file, 0, str(error))
        return
    # Each way reads the same files, and most templates expand to the same in several.
    sources, others = Kept(root), opener(repositories or {}, root)
    shared: Shared = {}
    for chosen, way in ways:
        given = predefined(WAYS[way])
        try:
            pipeline = read(sources, file, given, chosen, others, shared)
        except PipelineError as error:
            yield Finding("expands", file, 0, f"{error} ({way})")
            continue
        context = Context(
            root=root,
            pipeline=pipeline,
            predefined=given,
            chosen={**defaults, **chosen},
            groups={name.lower(): names for name, names in held.items()},
            defined=frozenset(name.lower() for name in variables),
        )
        for rule in rules.ALL:
            yield from rule(context)
        for project in opened:
            yield from project.check(context)
