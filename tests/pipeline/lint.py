"""Our lint of the pipeline: what no schema checks. `python -m tests.pipeline.lint azure-pipelines.yml`.

Each way in which a run can start is expanded and every rule is asked of it.
Exit codes: 0 clean, 1 findings, 2 unreadable.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.pipeline import rules
from tests.pipeline.rules import Declared, Finding
from tests.pipeline.runner.documents import PipelineError
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


def declared(root: Path) -> Declared:
    """What is defined outside of the YAML: the names in the program's group and in the state's."""
    settings: dict[str, Any] = yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    own: dict[str, Any] = yaml.safe_load((root / "pipelines/state-group.yml").read_text(encoding="utf-8"))
    names = {key: settings[key]["default"] for key in ("accessKeyVariable", "secretKeyVariable", "accountVariable")}
    secrets = {names["accessKeyVariable"], names["secretKeyVariable"], "System.AccessToken"}
    return Declared(
        group=settings["variableGroupName"]["default"],
        group_names=frozenset(names.values()),
        own_names=frozenset(own),
        secrets=frozenset(secrets | {name for name, entry in own.items() if entry["secret"]}),
    )


def check(root: Path, file: str) -> list[Finding]:
    """Every finding in every way to start, each once, by file and line."""
    known = declared(root)
    found: dict[Finding, None] = {}
    for way, predefined in WAYS.items():
        try:
            pipeline = read(root, file, predefined, {})
        except PipelineError as error:
            found[Finding("expands", file, 0, f"{error} ({way})")] = None
            continue
        context = rules.Context(root, pipeline, known, pull_request=predefined["Build.Reason"] == "PullRequest")
        for rule in rules.ALL:
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
