"""The private Docker engine as a process: `python -m sandbox.private_dockerd`, started by the lifecycle as root.

dockerd gets a process and a mount namespace of its own (unshare(1)): when it ends, however it ends, the kernel ends
every container with it, and no mount of it was ever seen outside. What remains, the bridge and its rules, this process
puts back when it is told to stop or sees dockerd end; after a SIGKILL the next start or stop does (`clean`).
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from sandbox import packages
from sandbox.errors import SandboxError
from sandbox.host_network import Host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.host_network import Network

SHARED = Path("/run/app-one-sandbox")  # sockets have short paths (unix(7): 107 bytes), checkouts may not
_STOP_LIMIT = 10.0  # seconds for containers to end before the kernel ends them, and for what it ended to go
# Where docker and containerd write or listen outside the folders that they are given, whatever their settings: hidden
# behind empty file systems, so that nothing of it is left behind and a containerd of the machine is not used.
_HIDDEN = tuple(map(Path, ("/etc/docker", "/opt/containerd", "/run/containerd", "/run/docker", "/run/runc")))
_APPARMOR = Path("/sys/kernel/security/apparmor")  # or else a profile would be loaded into the kernel, and stay
_HIDE_AND_RUN = 'while [ "$1" != -- ]; do mount --no-mtab -t tmpfs tmpfs "$1" || exit 1; shift; done; shift; exec "$@"'


def identity(home: Path) -> str:
    """Eight hexadecimal digits for a sandbox's folder: two checkouts on one machine do not meet."""
    return hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:8]


def runtime(home: Path) -> Path:
    """The folder of this engine's sockets; root's."""
    return SHARED / identity(home)


def _lock(home: Path) -> Path:
    """Held by every process of an engine; it holds the id of the first. Not in the home, which somebody may delete."""
    return SHARED / f"{identity(home)}.lock"


def hold(lock: Path) -> int:
    """The descriptor of a file that this process, and all that inherit the descriptor, now hold alone.

    Raises BlockingIOError where others hold it. The holder may remove the file: a lock on a file that has lost its
    name keeps nobody out, so it is given back and the file that has the name now is tried.
    """
    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            held = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:  # the end of the last engine has just removed the folder
            continue
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(held), lock.stat()):
                return held
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(held)
            raise
        os.close(held)


def _holder(lock: Path) -> str:
    return lock.read_text(encoding="ascii").strip()


def clean(home: Path) -> None:
    """Remove what an engine that has ended left on the machine. Its images stay in the sandbox's folder.

    Raises SandboxError where it has not ended.
    """
    held = _lock(home)
    if not held.exists() and not runtime(home).exists():
        return
    try:
        with FileLock(held, timeout=_STOP_LIMIT):  # processes that were killed take a moment to go
            _clean(home)
            _leave(home)
    except Timeout:
        raise SandboxError(
            f"the private Docker engine of {home} still runs: stop its process, {_holder(held)}"
        ) from None


def _clean(home: Path) -> None:
    folder = runtime(home)
    root = folder / "packages"
    if root.exists():
        Host(SHARED, packages.environment(root.resolve())).take_down(identity(home))
    # cgroups are the kernel's: rmdir, innermost first (cgroups(7))
    name = f"app1-{identity(home)}"
    for group in (*Path("/sys/fs/cgroup").glob(name), *Path("/sys/fs/cgroup").glob(f"*/{name}")):
        for inner in sorted(group.glob("**/"), reverse=True):
            _rmdir(inner)
    if folder.exists():
        shutil.rmtree(folder)


def _rmdir(group: Path) -> None:
    """Remove a cgroup, which is busy for a moment after its last process was killed: version 1 does not say when."""
    deadline = time.monotonic() + _STOP_LIMIT
    while True:
        try:
            group.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _leave(home: Path) -> None:
    """The last thing that the holder of the lock does."""
    _lock(home).unlink(missing_ok=True)
    if SHARED.exists() and {each.name for each in SHARED.iterdir()} <= {"lock"}:  # no other sandbox's engine is there
        with suppress(OSError):  # one begins this moment
            held = hold(SHARED / "lock")  # whoever holds it must not lose its name
            try:
                (SHARED / "lock").unlink()
                SHARED.rmdir()
            finally:
                os.close(held)


def _command(home: Path, network: Network) -> list[str]:
    folder = runtime(home)
    name = network.bridge
    hidden = [str(path) for path in (*_HIDDEN, *([_APPARMOR.parent] if _APPARMOR.exists() else []))]
    return [
        *("setpriv", "--pdeathsig", "KILL"),
        *("unshare", "--pid", "--fork", "--kill-child", "--mount", "--propagation", "slave", "--mount-proc"),
        *("sh", "-c", _HIDE_AND_RUN, "sh", *hidden, "--"),
        *("tini", "--", "dockerd"),
        *("--host", f"unix://{folder / 'docker.sock'}"),
        *("--data-root", str(home / "docker")),
        *("--exec-root", str(folder / "exec")),
        *("--pidfile", str(folder / "dockerd.pid")),
        *("--bridge", name, "--mtu", str(network.mtu)),
        # host_network does these three, in a way that can be undone
        *("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"),
        *("--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{name}"),
        *("--shutdown-timeout", "5", "--log-level", "warn"),
    ]


async def _serve(home: Path, root: Path, ready: int, held: int) -> int:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)

    _clean(home)
    folder = runtime(home)
    folder.mkdir(parents=True, mode=0o700)
    (folder / "packages").symlink_to(root)  # `clean` needs the same `ip` and `nft`
    environment = packages.environment(root)
    try:
        network = Host(SHARED, environment).set_up(identity(home), _HIDDEN)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
            notify.bind(str(folder / "notify"))
            environment["NOTIFY_SOCKET"] = str(folder / "notify")
            dockerd = await asyncio.create_subprocess_exec(
                *_command(home, network), env=environment, start_new_session=True, pass_fds=(held,)
            )
            ended = asyncio.create_task(dockerd.wait())
            stop = asyncio.create_task(told.wait())
            serves = asyncio.create_task(_ready(notify))
            try:
                await asyncio.wait({ended, stop, serves}, return_when=asyncio.FIRST_COMPLETED)
                if serves.done():
                    os.write(ready, b"ready\n")
                    os.close(ready)
                    await asyncio.wait({ended, stop}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                serves.cancel()
                stop.cancel()
                if not ended.done():
                    await _stop(dockerd, ended)
    finally:
        _clean(home)
    if told.is_set():
        return 0
    print(f"dockerd ended with status {dockerd.returncode}", file=sys.stderr)
    return 1


async def _ready(notify: socket.socket) -> None:
    """Wait until dockerd says READY=1, see sd_notify(3)."""
    loop = asyncio.get_running_loop()
    while b"READY=1" not in (await loop.sock_recv(notify, 4096)).split(b"\n"):
        pass


async def _stop(dockerd: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    # The group is unshare, which ignores SIGTERM, and tini, which passes it on to dockerd.
    os.killpg(dockerd.pid, signal.SIGTERM)
    await asyncio.wait({ended}, timeout=_STOP_LIMIT)
    if not ended.done():
        dockerd.kill()
        await ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM (exit status 0) or until dockerd ends by itself (1)."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.private_dockerd", description="The private Docker engine.")
    parser.add_argument("--home", type=Path, required=True, help="the sandbox's folder")
    parser.add_argument("--packages", type=Path, required=True, help="the unpacked packages with dockerd, ip and nft")
    parser.add_argument("--ready-fd", type=int, required=True, help="the descriptor that gets `ready` once it serves")
    chosen = parser.parse_args(arguments)
    # dockerd inherits this lock: until the last of its processes has ended, nobody starts a second one or cleans up.
    lock = _lock(chosen.home)
    try:
        held = hold(lock)
    except BlockingIOError:
        print(f"the private Docker engine of {chosen.home} runs already, process {_holder(lock)}", file=sys.stderr)
        return 1
    os.truncate(held, 0)
    os.write(held, f"{os.getpid()}\n".encode())
    try:
        return asyncio.run(_serve(chosen.home, chosen.packages, chosen.ready_fd, held))
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        _leave(chosen.home)


if __name__ == "__main__":
    raise SystemExit(main())
