"""What the ground's tests share: a private engine for a while, and a picture of the machine that it must not change."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import docker_engine, image_archive, packages, private_dockerd, processes
from sandbox.layout import CHECKOUT, Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE = Layout.find().cache
_NAME = "docker"


@dataclass
class Engine:
    """A private engine in a folder of its own."""

    home: Path
    root: Path | None = None
    """The unpacked packages; those of the sandbox where none are named."""
    _started: list[processes.Starting] = field(default_factory=list)

    @property
    def address(self) -> str:
        return docker_engine.host(self.home)

    @property
    def supervisor(self) -> int:
        """The id of `python -m sandbox.private_dockerd`."""
        found = processes.pid(self.home / "run", _NAME)
        assert found is not None
        return found

    @property
    def dockerd(self) -> int:
        """dockerd's id as this machine counts."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if words[0] == b"dockerd" and self.address.encode() in words:
                return int(folder.name)
        raise AssertionError("no dockerd of this engine runs")

    def start(self) -> None:
        root = self.root or docker_engine.prepare(CACHE, print)
        started = processes.start(
            _NAME,
            docker_engine.argv(self.home, root),
            run=self.home / "run",
            logs=self.home / "logs",
            ready=processes.ReadyPipe(),
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )
        assert started is not None
        self._started.append(started)
        started.wait()

    def stop(self) -> None:
        processes.stop(self.home / "run", _NAME)
        for each in self._started:
            each.process.wait()
        docker_engine.clean(self.home)


@contextmanager
def private_engine(home: Path, root: Path | None = None) -> Iterator[Engine]:
    """A private engine that is stopped whatever happens."""
    engine = Engine(home, root)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def picture(engine: Engine) -> dict[str, list[str] | str]:
    """The machine as an engine must leave it. What sandboxes beside this one do meanwhile is left out of it."""
    own = f"app1-{private_dockerd.identity(engine.home)}"
    others = re.compile(rf"app1-(?!{own[5:]})|veth")
    environment = packages.environment(docker_engine.prepare(CACHE, print))

    def ask(*command: str) -> str:
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    links = [link["ifname"] for link in json.loads(ask("ip", "-json", "link"))]
    addresses = [line for line in ask("ip", "-brief", "address").splitlines() if not others.search(line)]
    tables = [line for line in ask("nft", "list", "tables").splitlines() if not others.search(line)]
    rules = [ask("nft", "list", "table", *table.split()[1:]) for table in tables]
    if shutil.which("iptables-save"):
        rules += [line for line in ask("iptables-save").splitlines() if line[0] not in "#:" and not others.search(line)]
    seen: dict[str, list[str] | str] = {
        "links": sorted(name for name in links if not others.match(name)),
        "addresses": addresses,
        "rules": rules,
        "mounts": Path("/proc/self/mountinfo").read_text(encoding="utf-8"),
        "cgroups": sorted(str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{own}*")),
        "runtime": sorted(str(path) for path in private_dockerd.SHARED.glob(f"{own[5:]}*")),
    }
    if not any(name.startswith("app1-") and name != own for name in links):  # other engines share these
        seen["forwarding"] = [
            f"{path} {path.read_text(encoding='ascii').strip()}"
            for pattern in ("ip_forward", "conf/*/forwarding", "conf/*/accept_redirects")
            for path in sorted(Path("/proc/sys/net/ipv4").glob(pattern))
        ]
        folders = ("/etc/docker", "/opt/containerd", "/run/containerd", "/run/docker", "/run/runc", "/run/mount")
        seen["folders"] = [folder for folder in folders if Path(folder).exists()]
    return seen


def run_container(engine: Engine, cache: Path = CACHE) -> str:
    """A container that serves a page on the loopback and runs on; the port. Its image is busybox alone."""
    layer = image_archive.Layer()
    busybox = next(packages.unpack(("busybox-static",), cache, print).glob("**/bin/busybox"))
    layer.file("usr/bin/busybox", busybox.read_bytes(), mode=0o755)
    layer.file("www/index.html", b"hello\n")
    archive = io.BytesIO()
    with docker_engine.client(engine.address) as client:
        image_archive.write(archive, "hello:1", layer, str(client.version()["Arch"]), {})
        client.images.load(archive.getvalue())
        container = client.containers.run(
            "hello:1",
            # It listens before it goes into the background; what Docker publishes takes connections earlier.
            ["busybox", "sh", "-c", "busybox httpd -p 8080 -h /www && echo serves && exec busybox tail -f /dev/null"],
            detach=True,
            init=True,  # else nothing in it heeds the signal to stop, and each stop waits until it is killed
            ports={"8080/tcp": ("127.0.0.1", 0)},
        )
        while b"serves" not in container.logs():  # as a stream, docker-py would leave its socket open
            container.reload()
            assert container.status in ("created", "running"), container.logs()
            time.sleep(0.05)
        container.reload()
        published = container.ports["8080/tcp"]
        assert published
        return str(published[0]["HostPort"])
