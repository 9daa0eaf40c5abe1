"""Look for drift of the image, and for keys that are too old; each look is made even if an earlier one finds something.

A checkpoint that is not what the image's stack may record (`python -m audit state`) is refused before an engine works
on it, and nothing else is looked at.

Compares the program with the real resources (`pulumi preview --refresh`, with the tag that is deployed, so that the
build number of the night is no change), the record with the real resources (`pulumi refresh --preview-only`), what no
provider sees (`python -m audit drift`) and the keys of KEY_USERS (`python -m audit keys`). Needs the reader's
credentials. The foundation is not looked at: its state is the operators' alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import agent, identity, plan, state
from pipelines.preview import REPORTS, SECRETS, preview
from pipelines.stack_region import region

if TYPE_CHECKING:
    import argparse

NO_CHANGES_EXPECTED = 7
"""Exit code of pulumi for changes where --expect-no-changes was given."""


def survey(look: str, arguments: list[str], options: argparse.Namespace) -> bool:
    """Have the audit look at what is really there; whether it found anything."""
    page = options.report / f"{look}.md"
    command = [look, *arguments, "--fail-on", "change", "--report", f"markdown={page}"]
    if known := [name for name in SECRETS if agent.optional(name)]:
        command += ["--known-secrets", *known]
    code = agent.audit(command, env=agent.environment(AWS_REGION=region(options.stack)))
    if code not in (0, state.FINDING):
        raise agent.Stop(f"audit {look} failed with {code}: see the log above")
    agent.upload_summary(page)
    return code == state.FINDING


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--stack", required=True, help="stack to look at")
    parser.add_argument("--private", type=Path, required=True, help="folder for the raw plan; emptied by the cleanup")
    parser.add_argument("--report", type=Path, required=True, help="folder for the reports")
    options = parser.parse_args()
    identity.take(options.stack)
    options.report.mkdir(parents=True, exist_ok=True)
    printed = agent.captured(["pulumi", "stack", "output", "--json", "--stack", options.stack], env=agent.environment())
    outputs = json.loads(printed)
    if "image_tag" not in outputs:
        raise agent.Stop(f"{options.stack} has no image yet: a run on main releases the first", agent.USAGE)
    tag, found = outputs["image_tag"], []
    preview(options.stack, options.private, options.report, refresh=True, BUILD_BUILDNUMBER=tag)
    agent.upload_summary(options.report / REPORTS["markdown"])
    if steps := plan.read(options.report / REPORTS["json"]).steps:
        found.append(f"{len(steps)} resources are not as declared")
    refresh = ["pulumi", "refresh", "--preview-only", "--expect-no-changes", "--non-interactive"]
    code = agent.call([*refresh, "--stack", options.stack], env=agent.environment(BUILD_BUILDNUMBER=tag))
    if code == NO_CHANGES_EXPECTED:
        found.append("resources are not as recorded")
    elif code:
        raise agent.Stop(f"pulumi refresh of {options.stack} failed with {code}: see the log above")
    recorded = options.private / "state.json"
    if agent.call(["pulumi", "stack", "export", "--stack", options.stack], env=agent.environment(), output=recorded):
        raise agent.Stop(f"the state of {options.stack} could not be read: see the log above")
    looks = [("drift", [str(recorded)])]
    if users := list(filter(None, (agent.optional("KEY_USERS") or "").split(","))):
        looks.append(("keys", [part for user in users for part in ("--user", user)]))
    for look, arguments in looks:
        if survey(look, arguments, options):
            found.append(f"audit {look} has findings")
    if found:
        raise agent.Stop(f"{options.stack}: {'; '.join(found)}. The summaries of this run say what.", agent.REFUSED)
    print(f"{options.stack} is as declared and as recorded, and no key is too old")


if __name__ == "__main__":
    agent.run(main)
