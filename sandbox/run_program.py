"""Runs one Pulumi program for the language host: the request on standard input, and how it went as the exit status.

As the official host's executor: a RunError is logged and ends with 1, whereupon the host adds an error of its own; any
other exception is logged with its traceback and ends with ALREADY_TOLD; the program may exit by itself; and an
interrupt, by which the host cancels a program, ends with Python's traceback unless the program says otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox import collector

if __name__ == "__main__":
    collector.seldom()

import pulumi
import pulumi.runtime
from pulumi.runtime.proto import language_pb2

ALREADY_TOLD = 32
"""The exit status that says: the user has read an error by now, add none."""
QUIET = "SANDBOX_NO_DEBUG_MESSAGES"
"""Where it is set, nothing is said for `pulumi --debug`: the SDK calls the engine 180 times for it in every run."""


def main(arguments: list[str]) -> int:
    """Entry point; arguments: the engine's address."""
    return run(language_pb2.RunRequest.FromString(sys.stdin.buffer.read()), arguments[0])


def run(request: language_pb2.RunRequest, engine_address: str) -> int:
    """Run the program of a request; return the exit status."""
    directory = request.info.program_directory or request.pwd
    os.chdir(request.pwd or directory)
    sys.path.insert(0, directory)
    sys.argv = [str(Path(directory)), *request.args]
    pulumi.runtime.set_all_config(dict(request.config), list(request.configSecretKeys))
    settings = pulumi.runtime.Settings(
        project=request.project,
        stack=request.stack,
        monitor=request.monitor_address,
        engine=engine_address,
        parallel=request.parallel,
        dry_run=request.dryRun,
        organization=request.organization,
        root_directory=request.info.root_directory,
    )
    pulumi.runtime.configure(settings)
    if os.environ.get(QUIET):
        pulumi.log.debug = lambda *_, **__: None
    # What is left undone when the engine stops a program is no news.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=max(request.parallel, 1) * 4)
    loop.set_default_executor(executor)
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(lambda: _run(directory)))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 1
    except Exception as error:  # noqa: BLE001 (whatever the program raises is told)
        pulumi.log.error("Program failed with an unhandled exception:\n" + _traceback(error, directory))
        return ALREADY_TOLD
    finally:
        executor.shutdown(wait=True)
        loop.close()
    return 0


def _run(directory: str) -> None:
    runpy.run_path(directory, run_name="__main__")


def _traceback(error: Exception, directory: str) -> str:
    """The traceback from the program's own first line on."""
    frames = traceback.extract_tb(error.__traceback__)
    main_file = os.path.realpath(Path(directory, "__main__.py"))
    first = next((index for index, each in enumerate(frames) if os.path.realpath(each.filename) == main_file), 0)
    return "".join(traceback.format_exception(error, limit=first - len(frames)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
