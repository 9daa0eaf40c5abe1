"""Run `pulumi up` on one stack and write its public outputs to a file; a second run with nothing to change is fine.

Afterwards the update's own events are held against those of the preview (`--previewed`): a program can behave otherwise
outside of a preview, and what was approved is the preview. A difference fails the run and names the step.

The last thing before it is a look whether the state still is what it was before the preview (`--state`). A cancelled
run passes SIGINT to pulumi, which finishes what it has begun and gives its lock back; an engine that ends of the
signal, since it does not listen yet, has begun no step, and its lock is taken away.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path

from pipelines import agent, commit, identity, state
from pipelines.approved import DIFFERS
from pipelines.preview import POLICIES


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--stack", required=True, help="stack to update")
    parser.add_argument("--outputs", type=Path, required=True, help="file for the stack's outputs, secrets left out")
    parser.add_argument("--state", type=Path, help="what `pipelines.preview --state` wrote; another state is refused")
    parser.add_argument("--previewed", type=Path, help="what `pipelines.preview --events` wrote of the preview before")
    options = parser.parse_args()
    identity.take(options.stack)
    environment = agent.environment(**commit.date())
    # What would happen was previewed, approved and compared by the steps before.
    up = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", options.stack]
    up += ["--policy-pack", POLICIES]  # again: only now is every value known
    events = options.outputs.with_name("update-events.json")
    if options.previewed:
        # The log is written for whoever debugs the engine.
        up, environment = (
            [*up, "--event-log", str(agent.private_file(events))],
            environment | {"PULUMI_DEBUG_COMMANDS": "true"},
        )
    if options.state:
        state.compare(options.stack, options.state)
    try:
        code = _update(options.stack, up, environment)
        if options.previewed:
            _compare(options.stack, options.previewed, events, failed=bool(code))
    finally:
        events.unlink(missing_ok=True)  # it holds settings in clear
    if code:
        raise agent.Stop(
            f"pulumi up of {options.stack} failed with {code}: see the log above. Finished steps are recorded; mend "
            "the cause and run the failed jobs again."
        )
    printed = agent.captured(["pulumi", "stack", "output", "--json", "--stack", options.stack], env=environment)
    public = {name: value for name, value in json.loads(printed).items() if value != "[secret]"}
    agent.private_file(options.outputs).write_text(
        json.dumps(public, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )


def _update(stack: str, up: list[str], environment: dict[str, str]) -> int:
    """The exit code of pulumi up. Raises Cancelled, with the stack's lock given back."""
    try:
        return agent.call(up, env=environment)
    except agent.Cancelled as cancelled:
        if cancelled.ended == -signal.SIGINT:
            # Nobody else's lock: the environment's lets one deployment run at a time.
            agent.call(["pulumi", "cancel", stack, "--yes", "--non-interactive"], env=environment)
        raise


def _compare(stack: str, previewed: Path, events: Path, *, failed: bool) -> None:
    """Raises Stop (REFUSED) where the update did something else than the preview showed."""
    command = ["compare", "--update", str(previewed), str(events)]
    if not failed:
        command.append("--whole")
    code = agent.audit(command)
    if code == DIFFERS:
        raise agent.Stop(
            f"the update of {stack} did something else than was previewed and approved: the log above names the steps. "
            "They are done. Look at each, and at the program for what it does outside of a preview only.",
            agent.REFUSED,
        )
    if code and not failed:
        raise agent.Stop(f"the update of {stack} could not be held against its preview ({code}): see the log above")


if __name__ == "__main__":
    agent.run(main)
