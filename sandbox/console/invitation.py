"""Invitations to the console: one-time tokens, of which only the newest is good.

Each is an empty file (0600) in the key store (0700) whose name is the token's SHA-256. So what is kept signs nobody in,
a running console knows of an invitation without being told, and a token is taken once: by who removes the file.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from sandbox.files import own_folder

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.layout import Layout
    from sandbox.ports import Ports

SERVICE = "console"


def folder(keys: Path) -> Path:
    """Where invitations lie."""
    return keys / SERVICE


def new(keys: Path) -> str:
    """A new token; those that were given before and not used end."""
    own_folder(folder(keys))
    earlier = list(folder(keys).iterdir())
    token = secrets.token_urlsafe(32)
    _file(keys, token).touch(mode=0o600, exist_ok=False)
    for one in earlier:
        one.unlink(missing_ok=True)  # another command, or a browser, may have been quicker
    return token


def take(keys: Path, token: str) -> bool:
    """Whether a token is good; with that it is used up."""
    try:
        _file(keys, token).unlink()
    except FileNotFoundError:
        return False
    return True


def address(layout: Layout, ports: Ports, page: str = "/runs") -> str:
    """The address of a page of the console, with a new token: good for one browser, once."""
    return f"http://127.0.0.1:{ports.console}{page}?token={new(layout.keys)}"


def _file(keys: Path, token: str) -> Path:
    return folder(keys) / hashlib.sha256(token.encode()).hexdigest()
