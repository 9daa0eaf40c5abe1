"""The Docker engine: the one that runs on this machine, else a private one (private_dockerd) that disturbs nothing."""

from __future__ import annotations

import os
import re
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
    return command(prepare(cache, say))


def builds(docker: str) -> bool:
    """Whether a docker command builds with BuildKit: by its plugin, or, up to Docker 22, by itself."""
    if subprocess.run([docker, "buildx", "version"], capture_output=True, check=False).returncode == 0:
        return True
    said = subprocess.run([docker, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"version (\d+)\.", said)
    return version is not None and int(version[1]) < _WITHOUT_ITS_OWN


def command(root: Path) -> Path:
    """A docker command that builds with BuildKit, of the packages that `prepare` unpacked into `root`."""
    made = root.parent / f"docker-{root.name}"
    docker, plugin = root / "usr/bin/docker", root / "usr/libexec/docker/cli-plugins/docker-buildx"
    text = _WITH_PLUGIN if plugin.exists() else _BUILT_IN
    write(made, text.format(docker=shlex.quote(str(docker)), plugin=shlex.quote(str(plugin))), mode=0o755)
    return made


_WITHOUT_ITS_OWN = 23
"""From this version of the docker command on BuildKit's client is a plugin."""

# Up to Docker 22 the command has BuildKit's client built in but asks to be told.
_BUILT_IN = """#!/bin/sh
DOCKER_BUILDKIT=1 exec {docker} "$@"
"""
# Later ones leave it to a plugin, which they look for in the machine's own folders and in the user's settings: neither
# is the sandbox's to write to. So what is the plugin's is handed to it here.
_WITH_PLUGIN = """#!/bin/sh
count=0 option= plugin=
for word; do
    count=$((count + 1))
    case $option$word in
        -H | --host) option=--host= ;;
        -c | --context) option=--context= ;;
        --config) option=--config= ;;
        --host=*) host=${{word#--host=}} option= ;;
        --context=*) context=${{word#--context=}} option= ;;
        --config=*) config=${{word#--config=}} option= ;;
        image | builder) ;;
        build | buildx) plugin=$word && break ;;
        *) break ;;
    esac
done
[ -n "$plugin" ] || exec {docker} "$@"
shift $count
if [ -n "${{host-}}" ]; then export DOCKER_HOST="$host" && unset DOCKER_CONTEXT; fi
if [ -n "${{context-}}" ]; then export DOCKER_CONTEXT="$context" && unset DOCKER_HOST; fi
if [ -n "${{config-}}" ]; then export DOCKER_CONFIG="$config"; fi
[ "$plugin" = buildx ] || set -- build "$@"
exec {plugin} "$@"
"""


def _context() -> str:
    from docker.context import ContextAPI

    current: Any = ContextAPI.get_current_context()
    return DEFAULT if current is None or current.Name == "default" else str(current.Host)


def _fault(address: str) -> str | None:
    """What keeps an engine from serving a sandbox, as the end of a sentence; None if nothing does."""
    import docker.errors
    import requests

    try:
        parts = urlsplit(address)
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
    except ValueError as error:
        return f"is no address such as {DEFAULT} ({error})"
    if any("name=rootless" in option for option in options):
        return "is rootless: its network is not this machine's, so it does not reach the sandbox's registry"
    return None
