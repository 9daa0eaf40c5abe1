"""The services' ports on 127.0.0.1: free ones, chosen once and kept, since the repository's URL holds one."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from sandbox.files import write

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Ports:
    """TCP ports on 127.0.0.1."""

    aws: int
    ecr: int
    registry: int
    azure_devops: int


def choose(file: Path) -> Ports:
    """The ports of this sandbox: read from the file, or free ones chosen by the kernel and written to it."""
    if file.exists():
        return Ports(**json.loads(file.read_text(encoding="utf-8")))
    with ExitStack() as held:
        numbers = []
        for _ in fields(Ports):  # all are held until the last is chosen, so that no two are the same
            listener = held.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            numbers.append(listener.getsockname()[1])
    ports = Ports(*numbers)
    write(file, json.dumps(asdict(ports)))
    return ports
