"""The services' ports on 127.0.0.1: free ones, chosen once and kept, since the repository's URL holds one.

Not of those that the kernel gives to connections: between the choice and the start of the service, or while it is down,
any program's connection could be given one of them, and the service would not start.
"""

from __future__ import annotations

import json
import random
import socket
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from sandbox.files import write

_OF_CONNECTIONS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST_OF_CONNECTIONS = 32_768


@dataclass(frozen=True)
class Ports:
    """TCP ports on 127.0.0.1."""

    aws: int
    ecr: int
    registry: int
    azure_devops: int
    console: int


def choose(file: Path) -> Ports:
    """The ports of this sandbox: read from the file, or free ones chosen by chance and written to it.

    A service that came later than the sandbox gets a port of its own beside those that are kept.
    """
    names = [each.name for each in fields(Ports)]
    known: dict[str, int] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    missing = [name for name in names if name not in known]
    if not missing:
        return Ports(**{name: known[name] for name in names})
    with ExitStack() as held:
        numbers: list[int] = []
        while len(numbers) < len(missing):
            number = random.choice(_candidates())  # noqa: S311 (no secret)
            listener = held.enter_context(socket.socket())
            with suppress(OSError):  # somebody has it; all of ours are held until the last is chosen
                listener.bind(("127.0.0.1", number))
                if number not in known.values():
                    numbers.append(number)
    ports = Ports(**known, **dict(zip(missing, numbers, strict=True)))
    write(file, json.dumps(asdict(ports)))
    return ports


def _candidates() -> range:
    """Ports of no system service and of no connection, see ip(7), ip_local_port_range."""
    lowest = _FIRST_OF_CONNECTIONS
    if _OF_CONNECTIONS.exists():
        lowest = int(_OF_CONNECTIONS.read_text(encoding="ascii").split()[0])
    return range(10_000, lowest) if lowest > 12_000 else range(10_000, 65_536)  # a machine with a range of its own
