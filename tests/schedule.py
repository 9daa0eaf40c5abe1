"""Which worker of pytest-xdist runs which file (--dist loadfile --no-loadscope-reorder).

To make what an end-to-end test begins with costs up to half a minute of CPU: a sandbox, in it a stack that is
deployed, or a team's delivery. So each worker begins with one kind of files. When there are no more of its own, it
helps with those for which it has to make least. Much of an end-to-end test waits; meanwhile the third worker runs unit
tests. The runs of the pipeline share a delivery, so their files stay together.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

CHECKOUT = Path(__file__).parents[1]
END_TO_END = "tests/end_to_end/"
RUNS = "tests/end_to_end/test_pipeline_"
SANDBOX, DEPLOYED, UNIT = "sandbox", "deployed", "unit"
"""What the tests of a file begin with: a sandbox at most, a stack that is deployed in it, or nothing of that."""
PREFERS = {"gw0": (SANDBOX, UNIT, DEPLOYED), "gw1": (DEPLOYED, SANDBOX, UNIT)}
OF_OTHERS = (UNIT, SANDBOX, DEPLOYED)


@functools.cache
def kind(scope: str) -> str:
    """That of a file, or of the pipeline's runs."""
    if not scope.startswith(END_TO_END):
        return UNIT
    if scope == RUNS:
        return SANDBOX
    return DEPLOYED if "Workstation.deployed(" in (CHECKOUT / scope).read_text(encoding="utf-8") else SANDBOX


class Scheduling(LoadFileScheduling):  # type: ignore[misc] # pytest-xdist carries no types
    """See the module."""

    def _split_scope(self, nodeid: str) -> str:
        return RUNS if nodeid.startswith(RUNS) else str(super()._split_scope(nodeid))

    def _assign_work_unit(self, node: WorkerController) -> None:
        preferred = PREFERS.get(node.gateway.id, OF_OTHERS)
        self.workqueue.move_to_end(min(self.workqueue, key=lambda scope: preferred.index(kind(scope))), last=False)
        super()._assign_work_unit(node)
