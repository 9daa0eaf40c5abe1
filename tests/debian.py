"""Packages of a Debian release that need not be this machine's, unpacked into the cache, for newer tools."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from sandbox import docker_engine, packages
from tests.end_to_end.ground.machine import CACHE

if TYPE_CHECKING:
    from collections.abc import Sequence

RELEASE = "trixie"
"""The first whose docker knows the containerd image store and today's rules of .dockerignore."""
DOCKER = ("docker-cli", "docker-buildx", "docker.io", "containerd")
_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_FIRST = 24  # major version of Docker that has both


def new_docker() -> Path:
    """A folder with a docker of today: what the sandbox unpacks here, or where that is older, Debian 13's."""
    root = docker_engine.prepare(CACHE, print)
    shown = subprocess.run([root / "usr/bin/docker", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+)\.", shown)
    assert found, shown
    return root if int(found[1]) >= _FIRST else unpacked(RELEASE, DOCKER)


def new_engine(folder: Path, **features: bool) -> Path:
    """A folder of packages for a private engine of today, with features of dockerd on or off.

    Today's runc and the like need today's C library: what the sandbox unpacks for this machine stands in for them.
    """
    own = docker_engine.prepare(CACHE, print)
    today = new_docker()
    commands = folder / "usr" / "bin"
    commands.mkdir(parents=True)
    (folder / "usr" / "lib").symlink_to(own / "usr" / "lib")
    for name in ("runc", "tini", "nft", "ip"):
        found = shutil.which(name, path=packages.environment(own)["PATH"])
        assert found, name
        (commands / name).symlink_to(found)
    for name in ("containerd", "containerd-shim-runc-v2", "docker-init", "docker-proxy"):
        (commands / name).symlink_to(next(today.glob(f"usr/*bin/{name}")))
    settings = folder / "daemon.json"
    settings.write_text(json.dumps({"features": {name.replace("_", "-"): on for name, on in features.items()}}))
    dockerd = next(today.glob("usr/*bin/dockerd"))
    (commands / "dockerd").write_text(f'#!/bin/sh\nexec {dockerd} --config-file {settings} "$@"\n')
    (commands / "dockerd").chmod(0o755)
    return folder


def unpacked(release: str, names: Sequence[str]) -> Path:
    """The files of NAMES and of what they need but the C library, from this machine's own mirror; apt verifies them."""
    root = CACHE / "packages" / f"{release}-{hashlib.sha256(' '.join(names).encode()).hexdigest()[:12]}"
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{root}.lock"):
        if not root.exists():
            with tempfile.TemporaryDirectory(dir=root.parent, prefix=f"{release}-") as folder:
                _unpack(release, names, Path(folder))
                (Path(folder) / "root").rename(root)
    return root


def _unpack(release: str, names: Sequence[str], folder: Path) -> None:
    for part in ("lists/partial", "archives/partial", "fetched", "root"):
        (folder / part).mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb [signed-by={_KEYS}] {_mirror()} {release} main\n")
    (folder / "status").touch()
    settings = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",  # nothing is installed: the whole closure is wanted
        "Dir::Cache::archives": folder / "archives",
        "Dir::Cache::pkgcache": folder / "pkgcache.bin",
        "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "Acquire::Languages": "none",
    }
    apt = ["apt-get", "-qq", *(word for name, value in settings.items() if value for word in ("-o", f"{name}={value}"))]
    _run([*apt, "update"])
    listed = _run([*apt, "--print-uris", "--no-install-recommends", "install", *names])
    packages = {file.split("_")[0] for file in re.findall(r"^'[^']+' (\S+\.deb) ", listed, re.MULTILINE)}
    _run([*apt, "download", *sorted(packages - {"libc6", "libc-bin"})], cwd=folder / "fetched")
    for archive in (folder / "fetched").glob("*.deb"):
        _run(["dpkg-deb", "--extract", str(archive), str(folder / "root")])


def _mirror() -> str:
    """Where this machine gets Debian's packages from."""
    shown = _run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)"])
    found = re.search(r"^(\S+) Debian Debian$", shown, re.MULTILINE)
    assert found, f"this machine has no package lists of Debian; `apt-get update` fetches them:\n{shown}"
    return found[1]


def _run(command: Sequence[str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout
