"""How long a plugin of the engine lives: until the engine interrupts it, or has ended itself."""

from __future__ import annotations

import os
import select
import signal
import socket


class Lifetime:
    """Begun before the engine is told the port: one that was killed by then has closed the pipe that the port goes to.

    The engine interrupts its plugins and kills those that are not gone in 5 s. It may be killed itself: then the handle
    of its process becomes readable. (A terminal's interrupt does not come here: plugins have a group of their own.)
    The interrupt comes through a socket, so that one just before the wait is not missed; and it has a handler, since a
    shell that starts a command in the background has every process below it ignore interrupts.
    """

    def __init__(self) -> None:
        self._engine = os.pidfd_open(os.getppid())
        self._interrupted, self._told = socket.socketpair()
        self._told.setblocking(False)
        signal.set_wakeup_fd(self._told.fileno())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)

    def last(self, port: int) -> None:
        """Tell the engine the port, which it reads from the first line of output, and return when it is over."""
        print(port, flush=True)
        select.select([self._interrupted.fileno(), self._engine], [], [])
        signal.set_wakeup_fd(-1)  # a second interrupt is no news
