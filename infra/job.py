"""Whether a job of Azure Pipelines runs the program.

`pipelines/surroundings.py` says the same for the steps; no room may import both, so a test holds the two together.
"""

from collections.abc import Mapping

MARKS = frozenset({"TF_BUILD", "AGENT_ID", "AGENT_JOBNAME"})
"""Variables that an agent sets in every step."""


def in_a_job(environment: Mapping[str, str]) -> bool:
    """Whether an agent started this: a variable can be given another value there, and none can be taken away."""
    return bool(environment.keys() & MARKS)
