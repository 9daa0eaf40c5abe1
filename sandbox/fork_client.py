"""What the engine starts for a plugin: one forked by the sandbox's fork server, else an interpreter of its own.

`python -I -S sandbox/fork_client.py SOCKET MODULE [ARGUMENT...]`, as the script of each plugin says. It gives the
server its descriptors, folder, umask and environment, passes signals on, and ends as the plugin ends. Where no server
answers, or one that has imported something else than lies here now, it becomes `python -m MODULE`: the same, slower.

A request is the length of the rest, and with it the descriptors 0, 1 and 2; the rest are texts that end with NUL:
module, folder, umask, number of arguments, the arguments, and NAME=VALUE of each variable. Each byte after it is a
signal to pass on; the answers are TAKEN and, in the end, a status. Numbers are written by `packed`.

It is started so often that it imports what is written in C alone: `signal` and `socket` bring in enumerations, and take
longer than the interpreter itself.
"""

import _signal  # type: ignore[import-not-found]  # no stub: `signal` is what has one
import _socket
import os
import select
import sys

ENVIRONMENT = "SANDBOX_FORK_SERVER"
"""Tells a plugin the server's socket, for what it starts itself."""
SIZE = 4
"""Bytes of a length, of a descriptor, and of a status: the exit status, or minus the number of the signal that ended
the plugin."""
TAKEN = b"+"
USUAL = frozenset({"PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONVERSION"})
"""Of the variables that could set up an interpreter, those that change nothing here, or that a fork obeys.

PYTHONVERSION is the pipeline's own: which one its jobs ask for.
"""
HANDLED = (_signal.SIGINT, _signal.SIGTERM)
"""The signals by which plugins are ended; they are passed on."""
_CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 (pathlib is 10 ms)


def command(module: str, *arguments: str) -> list[str]:
    """The command that runs a module for a plugin: through the server that started it, if one did."""
    if server := os.environ.get(ENVIRONMENT):
        return [sys.executable, "-I", "-S", __file__, server, module, *arguments]
    return process(module, *arguments)


def process(module: str, *arguments: str) -> list[str]:
    """The command of a process of its own."""
    # The engine starts plugins in the program's folder, whose sandbox/ is not to be taken for this one.
    safe = ["-P"] if module.startswith("sandbox.") else []
    return [sys.executable, *safe, "-u", "-m", module, *arguments]


def packed(*numbers: int) -> bytes:
    """Numbers as C has them (int)."""
    return b"".join(number.to_bytes(SIZE, sys.byteorder, signed=True) for number in numbers)


def unpacked(content: bytes) -> int:
    """The number that was packed."""
    return int.from_bytes(content, sys.byteorder, signed=True)


def connect(path: str) -> _socket.socket | None:
    """A connection to a socket, however long its path is; None where nobody listens."""
    folder, name = os.path.split(path)
    connection = _socket.socket(_socket.AF_UNIX)
    try:
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        try:
            connection.connect(f"/proc/self/fd/{descriptor}/{name}")
        finally:
            os.close(descriptor)
    except OSError:
        connection.close()
        return None
    return connection


def main(path: str, module: str, arguments: list[str]) -> int:
    """Run the plugin; return its exit status."""
    engine = os.pidfd_open(os.getppid())
    told, told_by = _socket.socketpair()
    told_by.setblocking(False)
    _signal.set_wakeup_fd(told_by.fileno())
    for number in HANDLED:
        _signal.signal(number, lambda *_: None)
    environment = {**os.environ, "PYTHONPATH": _CHECKOUT, ENVIRONMENT: path}
    # An interpreter that is set up otherwise is none of the server's. Python takes an empty variable for none
    # (but PYTHONTZPATH, which a fork reads itself).
    usual = all(not (name.startswith("PYTHON") and value) or name in USUAL for name, value in environment.items())
    connection = connect(path) if usual else None
    if connection is None or not _taken(connection, told, engine, [module, *arguments], environment):
        for number in HANDLED:
            _signal.signal(number, _signal.SIG_DFL)
        either: list[_socket.socket | int] = [told, engine]
        meanwhile = select.select(either, [], [], 0)[0]
        if told in meanwhile:
            _end_by(told.recv(1)[0])
        if engine in meanwhile:
            return 1
        os.execve(sys.executable, process(module, *arguments), environment)  # noqa: S606
    return _follow(connection, told, engine)


def _taken(
    connection: _socket.socket, told: _socket.socket, engine: int, asked: list[str], environment: dict[str, str]
) -> bool:
    """Ask the server for the plugin, and wait for its answer, a signal, or the engine's end."""
    try:
        umask = os.umask(0o077)
        os.umask(umask)
        texts = [asked[0], os.getcwd(), str(umask), str(len(asked) - 1), *asked[1:]]  # noqa: PTH109 (pathlib is 10 ms)
        texts += [f"{name}={value}" for name, value in environment.items()]
        content = os.fsencode("".join(f"{text}\0" for text in texts))
        connection.sendmsg([packed(len(content))], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed(0, 1, 2))])
        connection.sendall(content)
        awaited: list[_socket.socket | int] = [connection, told, engine]
        ready = select.select(awaited, [], [])[0]
        return connection in ready and connection.recv(len(TAKEN)) == TAKEN
    except OSError:  # the server has ended meanwhile, or the folder is gone
        return False


def _follow(connection: _socket.socket, told: _socket.socket, engine: int) -> int:
    """Pass signals on until the plugin ends. An engine that was killed interrupts nobody: then this does."""
    watched: list[_socket.socket | int] = [connection, told, engine]
    while True:
        ready = select.select(watched, [], [])[0]
        if connection in ready:
            break
        if told in ready:
            connection.send(told.recv(64))
        if engine in ready:
            watched.remove(engine)
            connection.send(bytes([_signal.SIGTERM]))
    answer = connection.recv(SIZE)
    if len(answer) < SIZE:
        print("the sandbox's fork server has ended, and this plugin with it", file=sys.stderr)
        return 1
    status = unpacked(answer)
    if status < 0:
        _end_by(-status)
    return status


def _end_by(number: int) -> None:
    """End as a process does that does not handle a signal."""
    if number in HANDLED:
        _signal.signal(number, _signal.SIG_DFL)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    os._exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))  # nothing is left to be tidied up
