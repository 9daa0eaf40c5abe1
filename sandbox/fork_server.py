"""A fork server for the engine's plugins: what they import is imported once, and not for every command.

`python -P -u -m sandbox.fork_server --socket PATH --ready-fd N`. For each command the engine starts a language host,
the program, and three providers; most of what they do is to import the SDKs. sandbox/fork_client.py, which the engine
starts in their place, asks this process for a fork of it, which has them in memory. Nothing is imported before it is
asked for, and nothing of the program's: that may lie in any checkout.
"""

from __future__ import annotations

import argparse
import atexit
import ctypes
import functools
import gc
import importlib
import os
import runpy
import selectors
import signal
import socket
import sys
import sysconfig
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sandbox import collector
from sandbox.fork_client import HANDLED, SIZE, TAKEN, packed, unpacked
from sandbox.providers import plugin

if TYPE_CHECKING:
    from collections.abc import Callable

    Entry = Callable[[list[str]], int]

SDK_MODULES = ("pulumi_aws.ecr", "pulumi_aws.iam", "pulumi_azuredevops", "pulumi_docker")
"""Of the SDKs, what the program uses: pulumi_aws imports of itself only what is asked for."""
LATE_MODULES = ("grpc._channel", "grpc._server", "grpc._utilities", "encodings.idna")
"""What gRPC and the clients of HTTP import when they are first used: in each fork, if not before."""
_ROOM = str(Path(__file__).parent) + os.sep
_LIBRARY = sysconfig.get_path("purelib")
READ_LIMIT = 5.0
"""Seconds for a client to say what it wants; it does so at once, and else starts its plugin itself."""
_NEVER = -1
"""What no file was changed at."""
_PR_SET_PDEATHSIG = 1
"""Of linux/prctl.h."""
_prctl = ctypes.CDLL(None).prctl


def _language_host() -> Entry:
    from sandbox import language_host

    language_host.sdk_version()
    language_host.required_packages()
    return language_host.main


def _program() -> Entry:
    from sandbox import run_program

    for name in SDK_MODULES:
        hasattr(importlib.import_module(name), "Provider")  # those of pulumi_aws are read when first something is asked
    return run_program.main


def _policies() -> Entry:
    for name in ("pulumi.policy", "pulumi_policy"):
        importlib.import_module(name)

    def main(arguments: list[str]) -> int:  # noqa: ARG001 (it reads sys.argv)
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
        runpy.run_module("pulumi.policy", run_name="__main__", alter_sys=True)
        return 0

    return main


def _aws() -> Entry:
    from sandbox.providers.aws import session

    session.read_ahead()
    return plugin.entry("aws")


MODULES: dict[str, Callable[[], Entry]] = {
    "sandbox.language_host": _language_host,
    "sandbox.run_program": _program,
    "pulumi.policy": _policies,
    **{f"sandbox.providers.{name}": functools.partial(plugin.entry, name) for name in plugin.PROVIDERS},
    "sandbox.providers.aws": _aws,
}
"""What can be asked for: each function imports all that its module uses, and returns where the module begins."""


@dataclass
class Task:
    """What a client asks for; descriptors: its standard input, output and error."""

    module: str
    folder: str
    umask: int
    arguments: list[str]
    environment: dict[str, str]
    descriptors: list[int]

    @classmethod
    def receive(cls, connection: socket.socket) -> Task:
        """Read a request. Raises OSError or ValueError for one that is not whole."""
        first, descriptors, _, _ = socket.recv_fds(connection, SIZE, 3)
        try:
            content, length = b"", unpacked(first.ljust(SIZE, b"\0"))
            while len(content) < length and (more := connection.recv(length - len(content))):
                content += more
            if len(descriptors) < 3 or len(content) < length:
                raise ValueError("a client has ended before it had said what it wants")
            module, folder, umask, count, *rest = os.fsdecode(content).split("\0")[:-1]
            environment = dict(each.split("=", 1) for each in rest[int(count) :])
            return cls(module, folder, int(umask), rest[: int(count)], environment, list(descriptors))
        except (OSError, ValueError):
            for descriptor in descriptors:
                os.close(descriptor)
            raise

    def run(self) -> int:
        """Become the plugin: in a fork, which does nothing else. The exit status."""
        for number, descriptor in enumerate(self.descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(self.environment)
        time.tzset()
        sys.dont_write_bytecode = bool(self.environment.get("PYTHONDONTWRITEBYTECODE"))
        sys.pycache_prefix = self.environment.get("PYTHONPYCACHEPREFIX") or None
        os.chdir(self.folder)
        os.umask(self.umask)
        sys.argv = [self.module, *self.arguments]
        return _entry(self.module)(self.arguments)


class Server:
    """Forks for whoever asks, and tells each client how its fork ended."""

    def __init__(self, listener: socket.socket, told: socket.socket) -> None:
        """listener: where clients connect; told: readable when it is to end."""
        self._listener, self._told = listener, told
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._selector.register(told, selectors.EVENT_READ)
        self._forks: dict[int, tuple[int, socket.socket]] = {}
        """By the handle of its process (a pidfd): its id, and its client."""
        self._packages = _packages()
        self._imported: dict[str, int] = {}
        """By path: when it was changed last (ns), as of its import."""
        self._remember(time.time_ns())

    def serve(self) -> Task | None:
        """Return None when it is to end; and in each fork, what that one is to run."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._told:
                    for handle in self._forks:
                        _send(handle, signal.SIGTERM)
                    return None
                if key.fileobj is self._listener:
                    if task := self._fork():
                        return task
                elif key.fd == key.data:
                    self._ended(key.data)
                elif key.data in self._forks and self._forks[key.data][1] is key.fileobj:  # numbers are used again
                    self._pass_on(key.data)

    def _fork(self) -> Task | None:
        """Take a request; in the fork, return it. A client that gets no answer starts its plugin itself."""
        try:
            connection, _ = self._listener.accept()
        except OSError as error:  # no descriptor is left, say: the others go on
            print(f"a client could not be answered: {error}", file=sys.stderr)
            return None
        try:
            connection.settimeout(READ_LIMIT)
            task = Task.receive(connection)
        except (OSError, ValueError):
            connection.close()
            return None
        try:
            child = self._child(task)
        except OSError as error:
            print(f"{task.module} could not be forked: {error}", file=sys.stderr)
            child = None
        if child == 0:
            self._leave(connection)
            return task
        for descriptor in task.descriptors:
            os.close(descriptor)
        if child is None:
            connection.close()
            return None
        handle = os.pidfd_open(child)
        self._forks[handle] = (child, connection)
        self._selector.register(handle, selectors.EVENT_READ, handle)
        self._selector.register(connection, selectors.EVENT_READ, handle)
        with suppress(OSError):  # it has ended meanwhile: its end of the connection says so next
            connection.send(TAKEN)
        return None

    def _child(self, task: Task) -> int | None:
        """Import what a task needs, and fork: the id of the child, 0 in it, None where the client has to do without."""
        if not self._up_to_date():
            return None
        begun = time.time_ns()
        before, imported = len(sys.modules), _imported(task.module)
        if len(sys.modules) != before:  # to look through them all touches, and so copies, what the forks share
            self._remember(begun)
        if not imported:
            return None
        gc.freeze()  # the memory that all forks share stays as it is
        server = os.getpid()
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)  # none comes to the child before it takes them itself
        child = os.fork()
        if child == 0:
            # As the process group of a plugin ends with the engine, so this one does with the server.
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != server:
                os._exit(1)
        with suppress(PermissionError, ProcessLookupError):  # both do it, so that it is done when either goes on
            os.setpgid(child, child)
        if child:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        return child

    def _leave(self, connection: socket.socket) -> None:
        """In a fork: close what is the server's alone, and take signals as a new process does."""
        self._selector.close()
        for handle, (_, other) in self._forks.items():
            os.close(handle)
            other.close()
        for each in (connection, self._listener, self._told):
            each.close()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)

    def _pass_on(self, handle: int) -> None:
        """Signals of a client to its fork. One that was killed can pass nothing on: then the fork's group is killed."""
        child, connection = self._forks[handle]
        try:
            signals = connection.recv(64)
        except OSError:
            signals = b""
        for number in signals:
            _send(handle, number)
        if not signals:
            self._selector.unregister(connection)
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)

    def _ended(self, handle: int) -> None:
        child, connection = self._forks.pop(handle)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with suppress(OSError):  # nobody is left to hear it
            connection.send(packed(status))
        with suppress(KeyError):
            self._selector.unregister(connection)
        self._selector.unregister(handle)
        connection.close()
        os.close(handle)

    def _remember(self, begun: int) -> None:
        """When the files of this room that are imported by now were changed.

        begun: when the import began (ns since the epoch); what was changed since may have been read before or after.
        """
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None) or ""
            if path.startswith(_ROOM) and path not in self._imported:
                changed = _changed(path)
                self._imported[path] = changed if changed < begun else _NEVER

    def _up_to_date(self) -> bool:
        """Whether what is imported is what lies here now; the packages are known by their versions."""
        changed = any(_changed(path) != before for path, before in self._imported.items())
        return not changed and _packages() == self._packages


@functools.cache
def _entry(module: str) -> Entry:
    """Where a module begins, once all that it uses is imported."""
    entry = MODULES[module]()
    if "grpc" in sys.modules:
        for name in LATE_MODULES:
            importlib.import_module(name)
    return entry


def _imported(module: str) -> bool:
    """Import what a module needs. What cannot be imported, the client's own process says, where somebody reads it."""
    try:
        _entry(module)
    except Exception:  # noqa: BLE001 (whatever a package raises)
        return False
    return True


def _packages() -> set[str]:
    return {name for name in os.listdir(_LIBRARY) if name.endswith(".dist-info")}  # noqa: PTH208 (before every fork)


def _changed(path: str) -> int:
    """When a file was changed (ns since the epoch); 0 for one that is gone."""
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 (for every file, before every fork)
    except OSError:
        return 0


def _send(handle: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it has ended: its handle says so next
        signal.pidfd_send_signal(handle, number)


def listen(path: Path) -> socket.socket:
    """Listen on a socket of this user alone, however long its path is; one of a server that was killed is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    umask = os.umask(0o177)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.umask(umask)
        os.close(folder)
    listener.listen(64)
    return listener


def _end(status: int) -> NoReturn:
    """End a fork as multiprocessing ends its own: what an interpreter does at its end, but for freeing what it holds.

    That would touch, and so copy, all of the memory that it shares.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    os._exit(status)


def main() -> int:
    """Serve until SIGTERM or SIGINT; in a fork, be the plugin."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.fork_server", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="where it listens")
    parser.add_argument("--ready-fd", type=int, required=True, help="the descriptor that gets `ready` once it serves")
    options = parser.parse_args()
    collector.seldom()
    told, telling = socket.socketpair()
    telling.setblocking(False)
    signal.set_wakeup_fd(telling.fileno())
    for number in HANDLED:
        signal.signal(number, lambda *_: None)
    server = Server(listen(options.socket), told)
    with os.fdopen(options.ready_fd, "w") as ready:
        ready.write("ready\n")
    task = server.serve()
    if task is None:
        return 0
    telling.close()
    return _end(task.run())


if __name__ == "__main__":
    sys.exit(main())
