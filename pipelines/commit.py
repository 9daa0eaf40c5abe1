"""The date of the commit that is checked out: its image's labels and configuration hold it instead of the clock."""

from __future__ import annotations

from pipelines import agent

VARIABLE = "SOURCE_DATE_EPOCH"
"""Seconds since 1970; https://reproducible-builds.org/specs/source-date-epoch/."""


def date() -> dict[str, str]:
    """The variable for the program, so that the same commit is the same image on every agent and in every run.

    Empty on a workstation, where an image is named and dated after its content, and where the variable is set already.
    Raises Stop where there is no git, or the checkout is no git repository.
    """
    if not agent.on_agent() or agent.optional(VARIABLE):
        return {}
    return {VARIABLE: agent.captured(["git", "show", "--no-patch", "--format=%ct", "HEAD"]).strip()}
