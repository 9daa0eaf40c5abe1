"""Our lint of the pipeline: what no schema checks. `python -m tests.pipeline.lint azure-pipelines.yml`.

Each way in which a run can start, with each choice of who queues it, is expanded and every rule is asked of it.
Exit codes: 0 clean, 1 findings, 2 unreadable.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.pipeline import rules, rules_order, rules_secrets
from tests.pipeline.rules import Declared, Finding, Stack
from tests.pipeline.runner.documents import PipelineError, load
from tests.pipeline.runner.model import read

if TYPE_CHECKING:
    from collections.abc import Mapping

WAYS: Mapping[str, Mapping[str, str]] = {
    "pull request": {"Build.Reason": "PullRequest", "Build.SourceBranch": "refs/pull/1/merge"},
    "push to main": {"Build.Reason": "IndividualCI", "Build.SourceBranch": "refs/heads/main"},
    "run of a branch by hand": {"Build.Reason": "Manual", "Build.SourceBranch": "refs/heads/topic"},
    "nightly": {"Build.Reason": "Schedule", "Build.SourceBranch": "refs/heads/main"},
}
"""How a run can start, with what templates see of it."""

PLAIN = re.compile(r"[\w./:@=-]*")
"""Text that a shell takes as one word, or as none."""


def settings(root: Path, project: Mapping[str, Any], stack: str) -> dict[str, Any]:
    """What the program is configured with for a stack: the defaults of Pulumi.yaml, then the stack's own file."""
    found = {key: entry["default"] for key, entry in project["config"].items() if "default" in entry}
    file = root / f"Pulumi.{stack.rpartition('/')[2]}.yaml"
    own: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]
    prefix = f"{project['name']}:"
    return found | {key.removeprefix(prefix): value for key, value in own.items() if key.startswith(prefix)}


def declared(root: Path, file: str = "azure-pipelines.yml") -> Declared:
    """What is defined outside of the YAML: names of the program's group and of the state's, and each stack's settings.

    Raises PipelineError for a list of stacks that cannot be read.
    """
    project: dict[str, Any] = yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8"))
    config = project["config"]
    state: dict[str, Any] = yaml.safe_load((root / "pipelines/state-group.yml").read_text(encoding="utf-8"))
    handed = [stage.get("parameters") or {} for stage in load(root / file, file).get("stages") or []]
    try:
        stacks = {
            entry["stack"]: Stack(
                group=entry["group"],
                reader=entry["reader"],
                preview=entry["preview"],
                state=entry["state"],
                environment=entry["environment"],
                raw=entry,
                settings=settings(root, project, entry["stack"]),
            )
            for parameters in handed
            for entry in parameters.get("stacks") or []
        }
    except (KeyError, TypeError, FileNotFoundError) as error:
        raise PipelineError(f"{file}: an entry of stacks cannot be read: {error!r}") from None
    return Declared(
        access_key=config["accessKeyVariable"]["default"],
        secret_key=config["secretKeyVariable"]["default"],
        account=config["accountVariable"]["default"],
        state={name: bool(entry["secret"]) for name, entry in state.items()},
        stacks=stacks,
        literals=frozenset(
            text for part in handed for text in rules.texts(part) if "${{" not in text and not PLAIN.fullmatch(text)
        ),
    )


def choices(root: Path, file: str) -> list[dict[str, str]]:
    """What can be chosen when a run is queued: the defaults, and each value of each parameter."""
    entries = load(root / file, file).get("parameters") or []
    listed = [(entry, value) for entry in entries for value in entry.get("values") or []]
    return [{}, *({entry["name"]: value} for entry, value in listed if value != entry.get("default"))]


def check(root: Path, file: str) -> list[Finding]:
    """Every finding in every way to start, each once, by file and line."""
    found: dict[Finding, None] = {}
    try:
        known = declared(root, file)
        ways = [(way, chosen) for way in WAYS for chosen in choices(root, file)]
    except PipelineError as error:
        return [Finding("expands", file, 0, str(error))]
    for way, chosen in ways:
        predefined = rules_secrets.predefined(WAYS[way])
        try:
            pipeline = read(root, file, predefined, chosen)
        except PipelineError as error:
            found[Finding("expands", file, 0, f"{error} ({way})")] = None
            continue
        context = rules.Context(root, pipeline, known, predefined)
        for rule in (*rules.ALL, *rules_secrets.ALL, *rules_order.ALL):
            found.update(dict.fromkeys(rule(context)))
    return sorted(found, key=lambda finding: (finding.file, finding.line, finding.rule, finding.message))


@dataclass
class _Options(argparse.Namespace):
    file: Path = Path()


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the pipeline's file, in the checkout's top folder")
    options = parser.parse_args(namespace=_Options())
    if not options.file.is_file():
        print(f"{options.file} does not exist", file=sys.stderr)
        return 2
    found = check(options.file.resolve().parent, options.file.name)
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
