"""Runs one Pulumi program for the language host: the request on standard input, the answer to the descriptor named."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    # The engine interrupts the host's whole group when it is done; the host then ends this process by SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)

from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2


def main(descriptor: int) -> None:
    """Serve one RunRequest: the SDK's own server connects the program to the engine and runs it."""
    request = language_pb2.RunRequest.FromString(sys.stdin.buffer.read())
    directory = request.info.program_directory or request.pwd
    os.chdir(request.pwd or directory)
    sys.path.insert(0, directory)
    sys.argv = [str(Path(directory))]
    server = LanguageServer(lambda: (runpy.run_path(directory, run_name="__main__"), None)[1])
    answer = server.Run(request, None)  # type: ignore[no-untyped-call]  # the SDK's server has no types
    if answer.error:  # the SDK has logged it by now; `bail` keeps the engine from printing it a second time
        answer = language_pb2.RunResponse(bail=True)
    with os.fdopen(descriptor, "wb") as pipe:
        pipe.write(answer.SerializeToString())


if __name__ == "__main__":
    main(int(sys.argv[1]))
