"""Processes of a few seconds are not searched for circular garbage, least of all at their end."""

from __future__ import annotations

import subprocess
import sys

from tests.workstation import CHECKOUT

SCRIPT = """
import atexit, gc

atexit.register(lambda: print(gc.get_threshold()[0] > 50_000, gc.get_freeze_count() > 1000))
from sandbox import collector

collector.seldom()
"""


def test_a_short_process_is_searched_seldom_and_its_objects_not_once_more_at_the_end() -> None:
    # What was registered first is called last: after the freeze.
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"
