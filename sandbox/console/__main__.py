"""The service process, `python -m sandbox.console`: serves the pages on 127.0.0.1 until it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from pathlib import Path

from sandbox import collector

if __name__ == "__main__":
    collector.seldom()

from aiohttp import web

from sandbox.console.pages import Pages
from sandbox.console.server import Console
from sandbox.console.sources import Aws, AzureDevOps
from sandbox.environment import no_proxy


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; 1 and a sentence where it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.console", description=__doc__)
    parser.add_argument("--keys", type=Path, required=True, help="the key store: the operator's keys, and invitations")
    parser.add_argument("--states", type=Path, required=True, help="the states of the stacks that `make up` works on")
    parser.add_argument("--port", type=int, required=True, help="TCP port of 127.0.0.1")
    parser.add_argument("--azure-devops", required=True, metavar="URL", help="the organisation")
    parser.add_argument("--project", required=True)
    parser.add_argument("--aws", required=True, metavar="URL")
    parser.add_argument("--region", required=True)
    parser.add_argument("--ready-fd", type=int, help="file descriptor that gets `ready` and a newline once it serves")
    options = parser.parse_args(arguments)
    os.umask(0o077)
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = no_proxy()
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
    try:
        asyncio.run(_serve(options))
    except OSError as error:
        print(f"console: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(options: argparse.Namespace) -> None:
    keys = options.keys
    token = (keys / "azure-devops-pat").read_text(encoding="utf-8").strip()
    admin = json.loads((keys / "aws-admin.json").read_text(encoding="utf-8"))
    azure = AzureDevOps(options.azure_devops, token, options.project)
    pages = Pages(azure.ask, options.project, Aws(options.aws, options.region, admin, options.states))
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    # Addresses are logged nowhere: they may hold a token.
    runner = web.AppRunner(Console(pages, options.port, keys).application(), access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", options.port).start()
        if options.ready_fd is not None:
            # Whoever waits may have gone; that is no reason not to serve.
            with contextlib.suppress(BrokenPipeError), os.fdopen(options.ready_fd, "wb") as ready:
                ready.write(b"ready\n")
        await stop.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
