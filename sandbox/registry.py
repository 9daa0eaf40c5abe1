"""The private registry (distribution, from Debian's docker-registry) that stands behind ECR's front."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sandbox import packages
from sandbox.files import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

USER = "sandbox"


def prepare(folder: Path, keys: Path, port: int, cache: Path, say: Callable[[str], None]) -> list[str]:
    """Write its configuration below FOLDER; the command that serves it on 127.0.0.1:PORT.

    It asks for a password (in keys/registry-password) that only the front knows, so that nobody passes the front by.
    Configuration: https://distribution.github.io/distribution/about/configuration/
    """
    root = packages.unpack(("docker-registry",), cache, say)
    passwords = keys / "registry.htpasswd"
    if not passwords.exists():
        write(passwords, _htpasswd((keys / "registry-password").read_text(encoding="utf-8")), mode=0o600)
    configuration = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "relativeurls": True},
        "auth": {"htpasswd": {"realm": "sandbox", "path": str(passwords)}},
    }
    file = folder / "config.json"  # JSON is YAML
    write(file, json.dumps(configuration, indent=2))
    return [str(root / "usr" / "bin" / "docker-registry"), "serve", str(file)]


def _htpasswd(password: str) -> str:
    """A line of an htpasswd file; the registry takes bcrypt alone. The least cost: the password is random."""
    import bcrypt

    return f"{USER}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()}\n"
