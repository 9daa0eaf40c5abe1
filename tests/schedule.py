"""Which worker of pytest-xdist runs which file (--dist loadfile --no-loadscope-reorder).

Two of them run the end-to-end tests, and each has a sandbox of its own, with images and states that many tests begin
with: to make those costs half a minute of CPU. Much of an end-to-end test waits; meanwhile a third worker runs unit
tests. Whoever has no more of its own kind helps with the other. The runs of the pipeline share a delivery, so their
files stay together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

END_TO_END = "tests/end_to_end/"
RUNS = "tests/end_to_end/test_pipeline_"
SANDBOXED = frozenset({"gw0", "gw1"})


class Scheduling(LoadFileScheduling):  # type: ignore[misc] # pytest-xdist carries no types
    """See the module."""

    def _split_scope(self, nodeid: str) -> str:
        return RUNS if nodeid.startswith(RUNS) else str(super()._split_scope(nodeid))

    def _assign_work_unit(self, node: WorkerController) -> None:
        end_to_end = node.gateway.id in SANDBOXED
        own = next((scope for scope in self.workqueue if scope.startswith(END_TO_END) == end_to_end), None)
        if own is not None:
            self.workqueue.move_to_end(own, last=False)
        super()._assign_work_unit(node)
