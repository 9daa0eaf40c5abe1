"""The Docker engine: the one that runs on this machine, else a private one (private_dockerd) that disturbs nothing."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sandbox import packages, private_dockerd
from sandbox.errors import SandboxError
from sandbox.files import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import docker

DEFAULT = "unix:///var/run/docker.sock"
_PACKAGES = ("docker.io", "containerd", "runc", "tini", "nftables")
# Parts that some releases have split off: the command line, and BuildKit's client for it.
_OPTIONAL = ("docker-cli", "docker-buildx")


def host(home: Path) -> str:
    """DOCKER_HOST of this sandbox's private engine, whether it runs or not."""
    return f"unix://{private_dockerd.runtime(home) / 'docker.sock'}"


def find(home: Path) -> str | None:
    """DOCKER_HOST of the engine that the user has: DOCKER_HOST's, else the current docker context's.

    None: there is none and a private one may be started here. Raises SandboxError where there is none and none may be
    started, and where the one that DOCKER_HOST names does not answer or cannot serve a sandbox.
    """
    named = os.environ.get("DOCKER_HOST")
    if named and named != host(home):
        fault = _fault(named)
        if fault:
            raise SandboxError(
                f"the Docker engine that DOCKER_HOST names, {named}, {fault}; start it or unset DOCKER_HOST"
            )
        return named
    address = _context()
    fault = _fault(address)
    if fault is None:
        return address
    if sys.platform != "linux" or os.geteuid() != 0:
        raise SandboxError(
            f"a Docker engine is needed: the one at {address} {fault}. Start Docker, or let this user use it "
            "(`sudo usermod -aG docker $USER`, then log in again), or be root on Linux: the sandbox then brings its own"
        )
    return None


def prepare(cache: Path, say: Callable[[str], None]) -> Path:
    """The folder with dockerd and all that it needs: unpacked from Debian packages on first use."""
    # `ip` is on nearly every machine; where it is not, it comes along.
    return packages.unpack((*_PACKAGES, *(() if shutil.which("ip") else ("iproute2",))), cache, say, optional=_OPTIONAL)


def argv(home: Path, root: Path) -> list[str]:
    """The command of the private engine's process; it takes `--ready-fd N` and stops on SIGTERM.

    root: what `prepare` gave.
    """
    home = home.resolve()
    return [sys.executable, "-m", "sandbox.private_dockerd", "--home", str(home), "--packages", str(root)]


def clean(home: Path) -> None:
    """Remove what a private engine that was killed left on the machine; call it when its process has ended."""
    private_dockerd.clean(home)


@contextmanager
def client(address: str, *, timeout: int = 600) -> Iterator[docker.DockerClient]:
    """A docker-py client of an engine while it is used.

    timeout: seconds without an answer; to load an image takes a busy engine minutes.
    """
    import docker

    if address == os.environ.get("DOCKER_HOST"):
        engine = docker.from_env(timeout=timeout)  # with the TLS settings that go with it
    else:
        engine = docker.DockerClient(base_url=address, timeout=timeout)
    try:
        yield engine
    finally:
        engine.close()


def cli(cache: Path, say: Callable[[str], None]) -> Path:
    """A docker command that builds with BuildKit: the one on PATH if it does, else one from Debian packages."""
    own = shutil.which("docker")
    if own and subprocess.run([own, "buildx", "version"], capture_output=True, check=False).returncode == 0:
        return Path(own)
    root = prepare(cache, say)
    command = root.parent / f"docker-{root.name}"
    # Up to 22 the command has BuildKit's client built in but asks to be told; later ones look for the plugin.
    write(command, f'#!/bin/sh\nDOCKER_BUILDKIT=1 exec {shlex.quote(f"{root}/usr/bin/docker")} "$@"\n', mode=0o755)
    return command


def _context() -> str:
    from docker.context import ContextAPI

    current: Any = ContextAPI.get_current_context()
    return DEFAULT if current is None or current.Name == "default" else str(current.Host)


def _fault(address: str) -> str | None:
    """What keeps an engine from serving a sandbox, as the end of a sentence; None if nothing does."""
    import docker.errors
    import requests

    parts = urlsplit(address)
    try:
        if parts.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as plain:  # asked first: docker-py wraps the cause beyond recognition
                plain.connect(parts.path)
        elif parts.hostname in {"127.0.0.1", "localhost", "::1"}:
            socket.create_connection((parts.hostname, parts.port or 2375), timeout=10).close()
        else:
            return "is on another machine, which does not reach the sandbox's registry on this one's loopback"
        with client(address, timeout=60) as engine:
            options = engine.info().get("SecurityOptions") or []
    except (docker.errors.DockerException, requests.RequestException) as error:
        return f"does not answer ({error})"
    except OSError as error:
        return f"does not answer ({(error.strerror or str(error)).lower()})"
    if any("name=rootless" in option for option in options):
        return "is rootless: its network is not this machine's, so it does not reach the sandbox's registry"
    return None
