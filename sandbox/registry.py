"""The registry behind ECR: distribution (Debian's docker-registry) on the loopback, for one user, `sandbox`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from sandbox import packages
from sandbox.files import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

USER = "sandbox"
# The least that bcrypt knows: every request pays for it, and what it hides is random and never leaves this machine.
_ROUNDS = 4


def prepare(folder: Path, keys: Path, port: int, cache: Path, say: Callable[[str], None]) -> list[str]:
    """Write the registry's settings, unpack it on first use, and return its command.

    It serves as soon as 127.0.0.1:PORT accepts, and ends on SIGTERM; what was pushed stays under FOLDER/data.
    keys: the folder with `registry-password`.
    """
    users = folder / "htpasswd"
    _let_in(users, (keys / "registry-password").read_text(encoding="utf-8").strip())
    settings = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder.resolve() / "data")},
            "delete": {"enabled": True},
        },
        "auth": {"htpasswd": {"realm": "sandbox", "path": str(users.resolve())}},
        # Its clients come through ECR's front, which has another address: URLs must not name this one.
        "http": {"addr": f"127.0.0.1:{port}", "relativeurls": True},
    }
    file = folder / "config.yml"
    write(file, yaml.safe_dump(settings), mode=0o600)
    root = packages.unpack(("docker-registry",), cache, say)
    return [str(root / "usr/bin/docker-registry"), "serve", str(file.resolve())]


def _let_in(users: Path, password: str) -> None:
    import bcrypt

    if users.exists():
        _, _, known = users.read_text(encoding="utf-8").strip().partition(":")
        if bcrypt.checkpw(password.encode(), known.encode()):
            return
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(_ROUNDS)).decode()
    write(users, f"{USER}:{hashed}\n", mode=0o600)
