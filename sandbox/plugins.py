"""The engine's plugins: a folder of real ones, or those beside the engine, else this repository's stand-ins."""

from __future__ import annotations

import importlib.metadata
import os
import shlex
import sys
from pathlib import Path

from sandbox import fork_client
from sandbox.engine import VERSION
from sandbox.errors import SandboxError
from sandbox.files import write

PROVIDERS = {"aws": "pulumi-aws", "azuredevops": "pulumi-azuredevops", "docker": "pulumi-docker"}
"""Provider plugin -> the SDK distribution whose version it has."""


def install(pulumi_home: Path, engine: Path, fork_server: Path) -> str:
    """Put every plugin that the program needs where the engine looks; say in one line which they are.

    SANDBOX_PLUGINS names a folder of real ones: `pulumi-resource-NAME` (and, if wanted, `pulumi-language-python`).
    fork_server: the socket of the server that starts the stand-ins.
    """
    folder = os.environ.get("SANDBOX_PLUGINS")
    real = _real(Path(folder)) if folder else {}
    for name, distribution in PROVIDERS.items():
        provider = real.get(f"pulumi-resource-{name}")
        version = importlib.metadata.version(distribution)
        command = [str(provider)] if provider else _stand_in(fork_server, f"providers.{name}")
        _place(pulumi_home, f"resource-{name}-v{version}", f"pulumi-resource-{name}", command)
    language = real.get("pulumi-language-python") or _beside(engine)
    command = [str(language)] if language else _stand_in(fork_server, "language_host")
    _place(pulumi_home, f"language-python-v{VERSION}", "pulumi-language-python", command)
    providers = f"real providers of {folder}" if folder else "stand-in providers"
    return f"{providers}, {'real' if language else 'stand-in'} language host"


def _real(folder: Path) -> dict[str, Path]:
    wanted = [f"pulumi-resource-{name}" for name in PROVIDERS]
    found = {path.name: path.resolve() for path in folder.rglob("pulumi-*") if path.is_file()}
    if missing := [name for name in wanted if name not in found]:
        raise SandboxError(
            f"SANDBOX_PLUGINS={folder} holds no {', '.join(missing)}: put the official plugins there, or unset it"
        )
    host = found.get("pulumi-language-python")
    if host and not host.with_name(f"{host.name}-exec").exists():
        raise SandboxError(
            f"SANDBOX_PLUGINS={folder} holds a pulumi-language-python without pulumi-language-python-exec beside it, "
            "which starts the program: put both of the official release there, or neither"
        )
    return found


def _beside(engine: Path) -> Path | None:
    """The official release has its language host beside the engine."""
    path = engine.resolve().parent / "pulumi-language-python"
    return path if path.exists() else None


def _stand_in(fork_server: Path, module: str) -> list[str]:
    """The command of one of this repository's."""
    # -I: the engine starts plugins in the program's folder, whose own modules are not to be taken for these.
    return [sys.executable, "-I", "-S", fork_client.__file__, str(fork_server), f"sandbox.{module}"]


def _place(pulumi_home: Path, folder: str, file: str, command: list[str]) -> None:
    """A plugin's folder as `pulumi plugin install` lays it out, with a script that starts the command."""
    script = f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'
    path = pulumi_home / "plugins" / folder / file
    if not path.exists() or path.read_text(encoding="utf-8") != script:
        write(path, script, mode=0o755)
