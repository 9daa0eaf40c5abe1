"""Debian packages, unpacked into the cache instead of installed: apt verifies them, the machine stays as it was."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from sandbox.errors import SandboxError
from sandbox.files import lock, write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_APT_STATE = (Path("/var/lib/apt/lists"), Path("/var/lib/dpkg/status"))
# A line of `apt-get --print-uris`: 'URI' FILE SIZE HASH
_FILE = re.compile(r"^'[^']+' (\S+\.deb) \d+", re.MULTILINE)


def with_dependencies(names: Sequence[str], *, optional: Sequence[str] = ()) -> list[str]:
    """The command that asks apt for NAMES and whatever of their dependencies this machine lacks.

    optional: names that only some releases have; the ones without a candidate are left out.
    """
    wanted = [*names, *(f"{name}?" for name in optional)]
    return ["install", "--assume-yes", "--no-install-recommends", "--reinstall", *wanted]


def alone(names: Sequence[str]) -> list[str]:
    """The command that asks apt for NAMES and nothing else."""
    return ["download", *names]


def files(wanted: Sequence[str], cache: Path, say: Callable[[str], None]) -> list[str]:
    """The files that apt would fetch for a command (`with_dependencies`, `alone`), sorted: NAME_VERSION_ARCH.deb.

    Raises SandboxError where there is no apt, or it does not know a package even after its lists were fetched.
    """
    if shutil.which("apt-get") is None:
        raise SandboxError(
            f"packages are missing ({', '.join(_names(wanted))}) and there is no apt-get here: "
            "the sandbox prepares itself on Debian and Ubuntu only; elsewhere start a Docker engine first"
        )
    return sorted(_FILE.findall(_ask(["--print-uris", *wanted], cache, say)))


def download(names: Sequence[str], into: Path, cache: Path, say: Callable[[str], None]) -> list[Path]:
    """Fetch package files (as `files` names them) into a folder; apt checks signatures and hashes."""
    packages = []
    for name in names:
        package, version, arch = unquote(name).removesuffix(".deb").split("_")
        packages.append(f"{package}={version}" if arch == "all" else f"{package}:{arch}={version}")
    _ask(["download", *packages], cache, say, folder=into)
    return sorted(into.glob("*.deb"))


def architecture() -> str:
    """Debian's name of this machine's architecture: `amd64`, `arm64`."""
    return _run(["dpkg", "--print-architecture"]).strip()


def unpack(names: Sequence[str], cache: Path, say: Callable[[str], None], *, optional: Sequence[str] = ()) -> Path:
    """A folder that holds the files of NAMES and of what they need and the machine lacks.

    One folder for each set of versions, whole or not there. Where apt cannot answer (no network, no lists) and an
    earlier one is there, that one serves.
    """
    group = cache / "packages" / _digest([*names, *optional])
    with lock(group.with_suffix(".lock"), say):
        chosen = group / "chosen.json"
        stamp = [path.stat().st_mtime_ns for path in _APT_STATE if path.exists()]
        if chosen.exists():
            earlier = json.loads(chosen.read_text(encoding="utf-8"))
            if earlier["apt"] == stamp and (group / earlier["root"]).exists():  # apt would answer the same, in 2 s
                return group / str(earlier["root"])
        try:
            wanted = files(with_dependencies(names, optional=optional), cache, say)
        except SandboxError:
            if not chosen.exists() or not (group / earlier["root"]).exists():
                raise
            say(f"apt does not answer; using {names[0]} as it was unpacked earlier")
            return group / str(earlier["root"])
        root = group / _digest(wanted)
        if not root.exists():
            say(f"unpacking {', '.join(names)} from the distribution's packages ({len(wanted)} files, once)")
            _unpack(wanted, root, cache, say)
        write(chosen, json.dumps({"apt": stamp, "root": root.name}))
        return root


def _unpack(wanted: Sequence[str], root: Path, cache: Path, say: Callable[[str], None]) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    for left in root.parent.glob(".unpacking-*"):  # of a run that was killed: we hold the lock
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".unpacking-") as name:
        temporary = Path(name)
        fetched = temporary / "files"
        fetched.mkdir()
        whole = temporary / "root"
        whole.mkdir()
        archives = download(wanted, fetched, cache, say)
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # xz keeps one core busy for each
            list(pool.map(lambda archive: _run(["dpkg-deb", "--extract", str(archive), str(whole)]), archives))
        whole.rename(root)


def environment(root: Path) -> dict[str, str]:
    """The process environment in which the commands of an unpacked folder are found first, with their libraries."""
    commands = [root / part for part in ("usr/sbin", "usr/bin", "sbin", "bin")]
    libraries = [*root.glob("usr/lib/*-linux-gnu*"), *root.glob("lib/*-linux-gnu*")]
    # A root shell that `su` opened may lack the administrator's folders.
    path = [
        *(str(each) for each in commands if each.is_dir()),
        os.environ.get("PATH", "/usr/bin:/bin"),
        "/usr/sbin",
        "/sbin",
    ]
    known = os.environ.get("LD_LIBRARY_PATH")
    return {
        **os.environ,
        "PATH": ":".join(path),
        "LD_LIBRARY_PATH": ":".join([*(str(each) for each in sorted(libraries)), *([known] if known else [])]),
    }


def _ask(command: Sequence[str], cache: Path, say: Callable[[str], None], folder: Path | None = None) -> str:
    """Ask apt with the machine's lists, then, as they may be missing or outdated, with fresh ones kept in the cache."""
    own = cache / "apt"
    for part in ("archives", "lists/partial"):
        (own / part).mkdir(parents=True, exist_ok=True)
    settings = {
        # With the machine's archives, --print-uris would leave out what happens to lie there.
        "Dir::Cache::archives": own / "archives",
        # Images of containers switch apt's own index of the lists off; without it each question takes 2 s.
        "Dir::Cache::pkgcache": own / "pkgcache.bin",
    }
    if os.geteuid() == 0:
        settings["APT::Sandbox::User"] = Path("root")  # apt's own user may not write into this user's cache
    try:
        return _run(["apt-get", *_options(settings), *_without_unknown(command, settings)], folder)
    except SandboxError:
        say("fetching the distribution's package lists")
    settings |= {"Dir::State::lists": own / "lists"}
    # One unreachable source among several is no reason to stop: the question itself is asked again below.
    subprocess.run(["apt-get", *_options(settings), "update"], capture_output=True, check=False, env=_environment())
    return _run(["apt-get", *_options(settings), *_without_unknown(command, settings)], folder)


def _options(settings: Mapping[str, Path]) -> list[str]:
    return ["-qq", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]


def _without_unknown(command: Sequence[str], settings: Mapping[str, Path]) -> list[str]:
    """The command without those of its optional packages (`NAME?`) that have no candidate."""
    optional = [word[:-1] for word in command if word.endswith("?")]
    if not optional:
        return list(command)
    policy = _run(["apt-cache", *_options(settings), "policy", *optional])
    known = re.findall(r"^(\S+):\n.*\n +Candidate: [^(]", policy, re.MULTILINE)
    return [*(word for word in command if not word.endswith("?")), *known]


def _run(command: Sequence[str], folder: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=_environment())
    if done.returncode != 0:
        words = [word for word in command if not word.startswith(("-", "Dir::", "APT::"))]
        cause = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise SandboxError(
            f"`{' '.join(words)}` failed: {cause}; check the network and the package sources "
            "(`apt-get update` as root shows more)"
        )
    return done.stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def _names(wanted: Sequence[str]) -> list[str]:
    return [word for word in wanted[1:] if not word.startswith("-")]


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
