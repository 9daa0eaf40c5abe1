"""The AWS service process: `python -m sandbox.aws`, two servers on 127.0.0.1 that share one account."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from sandbox import collector

if __name__ == "__main__":
    collector.seldom()

from sandbox.aws.config import TOKEN_LIFETIME, Config
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from sandbox.aws.app import Cloud

LOOPBACK = "127.0.0.1"


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65536:
        raise argparse.ArgumentTypeError(f"{text} is no fixed port: the repository's URL holds it, so choose one")
    return number


def arguments(argv: list[str]) -> tuple[Config, int | None]:
    """Read the command line: the settings, and the file descriptor that hears "ready"."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.aws", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="what it keeps besides secrets")
    parser.add_argument("--keys", type=Path, required=True, help="the key store: aws-admin.json, registry-password")
    parser.add_argument("--port", type=_port, required=True, help="AWS APIs")
    parser.add_argument("--registry-port", type=_port, required=True, help="ECR's data plane")
    parser.add_argument("--upstream", required=True, metavar="URL", help="the private registry")
    parser.add_argument("--account", default="123456789012")
    parser.add_argument("--region", default="us-east-2")
    parser.add_argument("--token-lifetime", type=float, default=TOKEN_LIFETIME, metavar="SECONDS")
    parser.add_argument("--issuers", default="", metavar="URL", help="where issuers of web identities are")
    parser.add_argument("--ready-fd", type=int)
    parsed = vars(parser.parse_args(argv))
    ready = parsed.pop("ready_fd")
    return Config(**parsed), ready


async def serve(cloud: Cloud, ready: int | None) -> None:
    """Serve both ports until SIGTERM or SIGINT."""
    from aiohttp import web
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    from sandbox.aws.app import Api
    from sandbox.aws.ecr_front import Front

    class Handler(MotoRequestHandler):
        """Leaves the log to the application, which knows the operation and the caller."""

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Nothing."""

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    api = make_server(LOOPBACK, cloud.config.port, Api(cloud), threaded=True, request_handler=Handler)
    api.daemon_threads = True  # type: ignore[attr-defined] # an idle connection must not hold up the stop
    thread = Thread(target=api.serve_forever, name="aws-api")
    runner = web.AppRunner(Front(cloud).application(), access_log=None, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, cloud.config.registry_port, reuse_address=True).start()
        thread.start()
        await asyncio.to_thread(cloud.sweep)
        if ready is not None:
            with os.fdopen(ready, "w") as pipe:
                pipe.write("ready\n")
        await stop.wait()
    finally:
        await runner.cleanup()
        if thread.is_alive():
            await asyncio.to_thread(api.shutdown)
            thread.join()
        api.server_close()
        cloud.close()


def main(argv: list[str]) -> int:
    """Run the process; 1 and a sentence where it cannot start."""
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        config, ready = arguments(argv)
        config.admin()
        config.registry_password()
        # moto takes its account from the environment, once, when it is imported.
        os.environ["MOTO_ACCOUNT_ID"] = config.account
        from sandbox.aws.app import Cloud

        asyncio.run(serve(Cloud(config), ready))
    except (SandboxError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
