"""The service process, `python -m sandbox.azure_devops`: serves one organisation on 127.0.0.1 until it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import re
import signal
import sys
from pathlib import Path

from sandbox import collector

if __name__ == "__main__":
    collector.seldom()

from aiohttp import web
from filelock import FileLock, Timeout

from sandbox.azure_devops.server import application, seed
from sandbox.azure_devops.store import Store, StoreError
from sandbox.azure_devops.tokens import Authenticator

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,62}[A-Za-z0-9])?")


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code: 0 stopped, 2 cannot start (one line on stderr says why)."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.azure_devops", description="Azure DevOps on one machine")
    parser.add_argument("--folder", type=Path, required=True, help="where the state lies, without any secret")
    parser.add_argument(
        "--keys", type=Path, required=True, help="the key store: azure-devops-pat is read, secrets are kept"
    )
    parser.add_argument("--port", type=_port, required=True, help="TCP port of 127.0.0.1")
    parser.add_argument("--organization", type=_name, required=True, help="the organisation, first part of every path")
    parser.add_argument("--project", type=_name, required=True, help="the project that exists from the start")
    parser.add_argument("--ready-fd", type=int, help="file descriptor that gets `ready` and a newline once it serves")
    parser.add_argument("--page-size", type=int, metavar="N", help="entries of a page of a list at most")
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        options.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(options.folder / "lock", timeout=0):
            asyncio.run(_serve(options))
    except Timeout:
        return _refuse(f"another process serves {options.folder}; stop it first, or give another --folder")
    except (StoreError, OSError, _UnusableError) as error:
        return _refuse(str(error))
    return 0


class _UnusableError(Exception):
    """What the service needs is not there."""


async def _serve(options: argparse.Namespace) -> None:
    store = Store(options.folder, options.keys)
    authenticator = Authenticator(_operator_token(options.keys))
    seed(store, options.organization, options.project)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    service = application(store, authenticator, options.organization, options.page_size)
    runner = web.AppRunner(service, access_log=None, shutdown_timeout=2)
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


def _operator_token(keys: Path) -> str:
    file = keys / "azure-devops-pat"
    try:
        token = file.read_text().strip()
    except OSError as error:
        raise _UnusableError(
            f"{file}: cannot be read ({error.strerror}); it has to hold the operator's token"
        ) from error
    if not token:
        raise _UnusableError(f"{file}: is empty; it has to hold the operator's token")
    return token


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65536:
        raise argparse.ArgumentTypeError(
            f"{text}: a port from 1 to 65535 is needed; 0 (any) would change the service's URL"
        )
    return number


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r}: letters, digits, '.', '_', '-' and inner spaces, at most 64")
    return text


def _refuse(message: str) -> int:
    print(f"azure-devops: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
