"""What a sandbox knows, saved under a name and put back: both clouds, the registry, the stacks and their history.

A save belongs to its sandbox, whose ports and keys are in it. It lies in the key store, since it holds what lies there.
What runs goes on running: a service reads its state anew when it finds other files than it wrote. The Docker engine is
not a part of it: images and build caches stay as they are.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sandbox.errors import SandboxError
from sandbox.files import lock, write
from sandbox.progress import say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.layout import Layout

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Secrets before the state that names them: the service that finds the state has them already.
FILES = (
    "keys/aws-*.pickle",
    "keys/azure-devops-state.json",
    "azure-devops/state.json",
    "aws/new-keys.json",
    "aws/scan-findings.json",
)
FOLDERS = ("registry/data", "state", "azure-devops/git", "azure-devops/runs")
"""The registry's files never change, they come and go: their copies are links."""


def folder(layout: Layout) -> Path:
    """Where the saves lie, a folder each."""
    return layout.keys / "saves"


def names(layout: Layout) -> list[str]:
    """The saves that there are."""
    return sorted(path.name for path in folder(layout).glob("[!.]*"))


def save(layout: Layout, name: str) -> None:
    """Keep all that the sandbox knows now; a save of the same name is written over."""
    if not NAME.fullmatch(name):
        raise SandboxError(f"{name!r} is no name of a save: up to 64 letters, digits, '.', '_' and '-'")
    if not layout.ports_file.exists():
        raise SandboxError("there is no sandbox to save: start one with `python -m sandbox up` (or `make up`)")
    kept, new = folder(layout) / name, folder(layout) / f".{name}"
    with _still(layout):
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        _copy(layout.home, new)
        shutil.rmtree(kept, ignore_errors=True)
        new.rename(kept)


def restore(layout: Layout, name: str) -> None:
    """Make the sandbox what it was when it was saved; where it is interrupted, the same again mends it."""
    if name not in names(layout):
        there = ", ".join(names(layout)) or "none"
        raise SandboxError(f"there is no save {name!r} (there is: {there}): `python -m sandbox save {name}` makes one")
    with _still(layout):
        _copy(folder(layout) / name, layout.home)


@contextmanager
def _still(layout: Layout) -> Iterator[None]:
    """Nobody starts or stops the sandbox meanwhile; refused where somebody changes the stack."""
    with lock(layout.lock, say):
        if held := next((layout.state / ".pulumi" / "locks").rglob("*.json"), None):
            raise SandboxError(
                f"a pulumi works on the stack {held.parent.name}: wait for its end "
                "(`python -m sandbox up` unlocks a stack whose pulumi is dead)"
            )
        yield


def _copy(source: Path, target: Path) -> None:
    """Make everything in the target as in the source."""
    for name in FOLDERS:
        shutil.rmtree(target / name, ignore_errors=True)
        if (source / name).exists():
            link = os.link if name.startswith("registry") else shutil.copy2
            shutil.copytree(source / name, target / name, copy_function=link)
    wanted = list(_files(source))
    for name in set(_files(target)) - set(wanted):
        (target / name).unlink()
    for name in wanted:
        write(target / name, (source / name).read_bytes(), mode=0o600)


def _files(root: Path) -> Iterator[str]:
    for pattern in FILES:
        for path in sorted(root.glob(pattern)):
            yield str(path.relative_to(root))
