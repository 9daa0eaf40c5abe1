"""Refuse to go on unless what would happen now is what was approved.

Compares the report that was approved with one of a preview made now (`python -m audit compare`). A plan without changes
passes too: the approved deployment was applied already, so running it again is safe.
"""

from __future__ import annotations

from pathlib import Path

from pipelines import agent, plan

DIFFERS = 4
"""Exit code of `audit compare` for plans that differ."""


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--approved", type=Path, required=True, help="report.json that was approved")
    parser.add_argument("--now", type=Path, required=True, help="report.json of a preview made now")
    options = parser.parse_args()
    approved, now = plan.read(options.approved), plan.read(options.now)
    if not now.steps:
        print("nothing is left to do: the approved plan was applied already")
        return
    code = agent.audit(["compare", str(options.approved), str(options.now)])
    if code == DIFFERS:
        raise agent.Stop(
            f"what would happen now ({now.fingerprint}) is not what was approved ({approved.fingerprint}); nothing was "
            "changed. The differences are in the log above. Start a new run on main, and approve its plan.",
            agent.REFUSED,
        )
    if code:
        raise agent.Stop(f"the plans could not be compared (audit compare ended with {code}): see the log above")


if __name__ == "__main__":
    agent.run(main)
