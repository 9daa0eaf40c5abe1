"""Imports what the processes of tests/service_forks.py run, before the first of them is forked."""

from __future__ import annotations

import gc
import sys

# multiprocessing hands on how its own process was started; tests/conftest.py has changed that meanwhile.
sys.dont_write_bytecode = False

from sandbox import collector, sdk  # noqa: E402
from sandbox.providers import plugin  # noqa: E402

collector.seldom()
sdk.messages_only()

import sandbox.aws.app  # noqa: E402 (after messages_only)
import sandbox.aws.ecr_front  # noqa: E402
import sandbox.azure_devops.__main__  # noqa: E402, F401
from sandbox.providers.aws import session  # noqa: E402

for _name in plugin.PROVIDERS:
    plugin.entry(_name)
session.read_ahead()
gc.freeze()
