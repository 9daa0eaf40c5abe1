"""Run `pulumi up` on one stack and write its public outputs to a file; a second run with nothing to change is fine.

The last thing before it is a look whether the state still is what it was before the preview (`--state`). A cancelled
run passes SIGINT to pulumi, which finishes what it has begun and gives its lock back; an engine that ends of the
signal, since it does not listen yet, has begun no step, and its lock is taken away.
"""

from __future__ import annotations

import json
import signal
from pathlib import Path

from pipelines import agent, commit, identity, state
from pipelines.preview import POLICIES


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--stack", required=True, help="stack to update")
    parser.add_argument("--outputs", type=Path, required=True, help="file for the stack's outputs, secrets left out")
    parser.add_argument("--state", type=Path, help="what `pipelines.preview --state` wrote; another state is refused")
    options = parser.parse_args()
    identity.take()
    environment = agent.environment(**commit.date())
    # What would happen was previewed, approved and compared by the steps before.
    up = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", options.stack]
    up += ["--policy-pack", POLICIES]  # again: only now is every value known
    if options.state:
        state.compare(options.stack, options.state)
    try:
        code = agent.call(up, env=environment)
    except agent.Cancelled as cancelled:
        if cancelled.ended == -signal.SIGINT:
            # Nobody else's lock: the environment's lets one deployment run at a time.
            agent.call(["pulumi", "cancel", options.stack, "--yes", "--non-interactive"], env=environment)
        raise
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


if __name__ == "__main__":
    agent.run(main)
