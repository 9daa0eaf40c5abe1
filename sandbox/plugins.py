"""The engine's plugins: a folder of real ones, or those beside the engine, else this repository's stand-ins."""

from __future__ import annotations

import importlib.metadata
import os
import shlex
import sys
from pathlib import Path

from sandbox.engine import VERSION
from sandbox.errors import SandboxError
from sandbox.files import write
from sandbox.layout import CHECKOUT

PROVIDERS = {"aws": "pulumi-aws", "azuredevops": "pulumi-azuredevops", "docker": "pulumi-docker"}
"""Provider plugin -> the SDK distribution whose version it has."""


def install(pulumi_home: Path, engine: Path) -> str:
    """Put every plugin that the program needs where the engine looks; say in one line which they are.

    SANDBOX_PLUGINS names a folder of real ones: `pulumi-resource-NAME` (and, if wanted, `pulumi-language-python`).
    """
    folder = os.environ.get("SANDBOX_PLUGINS")
    real = _real(Path(folder)) if folder else {}
    for name, distribution in PROVIDERS.items():
        command = real.get(f"pulumi-resource-{name}")
        version = importlib.metadata.version(distribution)
        _place(pulumi_home, f"resource-{name}-v{version}", f"pulumi-resource-{name}", command, f"providers.{name}")
    language = real.get("pulumi-language-python") or _beside(engine)
    _place(pulumi_home, f"language-python-v{VERSION}", "pulumi-language-python", language, "language_host")
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


def _place(pulumi_home: Path, folder: str, file: str, command: Path | None, module: str) -> None:
    """A plugin's folder as `pulumi plugin install` lays it out, with a script that starts the command or our module."""
    # -P: the engine starts plugins in the program's folder, whose own sandbox/ is not to be taken for this one.
    stand_in = ("env", f"PYTHONPATH={CHECKOUT}", sys.executable, "-P", "-m", f"sandbox.{module}")
    started = shlex.join([str(command)] if command else stand_in)
    script = f'#!/bin/sh\nexec {started} "$@"\n'
    path = pulumi_home / "plugins" / folder / file
    if not path.exists() or path.read_text(encoding="utf-8") != script:
        write(path, script, mode=0o755)
