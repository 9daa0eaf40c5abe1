"""Decide whether a plan is within the pipeline's rights; if not, say who has to run what.

The pipeline's key pushes images to one repository and nothing else. A change of anything else (IAM, the repository, the
variable group) is an operator's work: `--mode mark` says so and goes on (a pull request), `--mode refuse` ends with
code 3 (main).
"""

from __future__ import annotations

from pathlib import Path

from pipelines import agent, plan


def _word(text: str) -> str:
    """A name from a plan as a part of one line: it begins no line, ends no code and holds no control character."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text.replace("`", ""))
    return " ".join(printable.split())


def message(found: plan.Plan, stack: str, operators: str) -> str:
    """What a person has to do, in Markdown."""
    rows = "\n".join(f"- {step.op} `{_word(step.type)}` {_word(step.name)}" for step in found.beyond_rights)
    # A pull request's commit is a merge that is in no clone: what is merged is on main afterwards.
    pull_request = agent.optional("BUILD_REASON") == "PullRequest"
    commit = agent.optional("BUILD_SOURCEVERSION") or "COMMIT"
    when, where = ("after the merge, ", "main && git pull") if pull_request else ("", commit)
    # The image is left to the pipeline: an operator's build would have another tag and other labels.
    images = " ".join(f"--exclude '**{kind}::**'" for kind in sorted(plan.WITHIN_RIGHTS))
    return (
        f"This change of stack {stack} needs an operator: the pipeline's key pushes images and may do nothing else.\n"
        f"{rows}\n"
        f"Who: one of {operators}, with an AWS identity of their own that may change these resources.\n"
        f"What: {when}git checkout {where} && pulumi up --stack {stack} {images}\n"
        "Then start a new run on main: it finds these resources as declared and goes on."
    )


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--stack", required=True, help="stack that the plan is of")
    parser.add_argument("--plan", type=Path, required=True, help="report.json of the audit")
    parser.add_argument("--mode", choices=("mark", "refuse"), required=True, help="whether to end with code 3")
    parser.add_argument("--operators", default="the operators", help="who may change what the pipeline may not")
    options = parser.parse_args()
    found = plan.read(options.plan)
    if not found.beyond_rights:
        print(f"within the pipeline's rights: {len(found.steps)} changes")
        return
    text = message(found, options.stack, options.operators)
    if options.mode == "refuse":
        raise agent.Stop(text, agent.REFUSED)
    agent.issue(text, "warning")


if __name__ == "__main__":
    agent.run(main)
