"""Decide whether a plan is the image's and nothing else; if not, say who has to do what.

The pipeline pushes images to one repository, and the stack that it runs declares the image alone. A plan that holds
more (IAM, the repository, a variable group) is not of that stack: `--mode mark` says so and goes on (a pull request),
`--mode refuse` ends with code 3 (main). Sets the output variable `changes` to the number of changes: without any there
is nothing to approve.
"""

from __future__ import annotations

from pathlib import Path

from pipelines import agent, plan, words


def message(found: plan.Plan, stack: str, operators: str) -> str:
    """What a person has to do, in Markdown."""
    rows = "\n".join(f"- {step.op} {words.code(step.type)} {words.code(step.name)}" for step in found.beyond_rights)
    # A pull request's commit is a merge that is in no clone: what is merged is on main afterwards.
    pull_request = agent.optional("BUILD_REASON") == "PullRequest"
    commit = agent.optional("BUILD_SOURCEVERSION") or "COMMIT"
    when, where = ("after the merge, ", "main && git pull") if pull_request else ("", commit)
    return (
        f"This plan of stack {stack} holds more than the image. The pipeline pushes images and may do nothing else: it "
        "needs an operator.\n"
        f"{rows}\n"
        f"Who: one of {operators}, with an AWS identity of their own.\n"
        f"What: {when}git checkout {where}, look where these come from, and run `pulumi up` on the stack of the "
        "foundation (app-one:declares foundation), which declares all but the image; never on this one.\n"
        "Then start a new run on main."
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
    agent.set_variable("changes", str(len(found.steps)), output=True)
    if not found.beyond_rights:
        print(f"within the pipeline's rights: {len(found.steps)} changes")
        return
    text = message(found, options.stack, options.operators)
    if options.mode == "refuse":
        raise agent.Stop(text, agent.REFUSED)
    agent.issue(text, "warning")


if __name__ == "__main__":
    agent.run(main)
