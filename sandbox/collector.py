"""Python's search for circular garbage: in processes that end after seconds what it costs, it never brings in.

With the SDKs a program is 300,000 objects. To look through them, while they are imported and once more at the end, is
a third of the CPU of the import. The emulated services import as much; what they make later is searched in time.
"""

from __future__ import annotations

import atexit
import gc

_OBJECTS = 100_000
"""New objects before the first search; 700 is Python's own. A program that makes far more is searched as usual."""


def seldom() -> None:
    """Search seldom, and not at the end of the process, when all of it is freed anyway."""
    gc.set_threshold(_OBJECTS)
    atexit.register(gc.freeze)
