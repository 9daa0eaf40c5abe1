"""The stack in the sandbox: made once, run by the real engine, with the checkout's stack file left as it is."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox import layout as names, processes
from sandbox.errors import SandboxError
from sandbox.files import write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox.layout import Layout

_LAST_MOMENT = 2.0
"""Seconds that a killed engine may take to end."""
_OF_A_KEY = re.compile(r"^(?:secretsprovider|encryptedkey):.*\n?(?:[ \t].*\n?)*", re.MULTILINE)
READS_STACK_FILE = {"up", "preview", "refresh", "destroy", "import", "watch"}


def init(layout: Layout, environment: dict[str, str], say: Callable[[str], None]) -> None:
    """Make the stack if there is none."""
    if (layout.state / ".pulumi" / "stacks" / names.PROJECT / f"{names.STACK}.json").exists():
        return
    say(f"making the stack {names.STACK}")
    layout.state.mkdir(parents=True, exist_ok=True)
    make(layout, names.STACK, environment)


def make(layout: Layout, name: str, environment: dict[str, str]) -> None:
    """Make a stack. Raises SandboxError where the engine does not.

    It is made from Pulumi.yaml and a copy of the stack file: the engine writes the salt of a new stack into the stack
    file, and the checkout's is not to change. The salt stands in the state too, and is read from there. One that the
    checkout's file has, as after a command of the engine itself, or committed, is the stack's again.
    """
    file = layout.checkout / f"Pulumi.{name}.yaml"
    with tempfile.TemporaryDirectory(prefix="app-one-stack-") as folder:
        shutil.copy(layout.checkout / "Pulumi.yaml", folder)
        Path(folder, file.name).write_text(settings(file), encoding="utf-8")
        done = subprocess.run(
            ["pulumi", "stack", "init", name, "--non-interactive"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        remedy = ""
        if "incorrect passphrase" in done.stderr:
            remedy = (
                f"\nThe encryptionsalt in {file.name} is of another passphrase: take that line out; "
                "if it is the one of your real stack, use a checkout without it"
            )
        raise SandboxError(f"the stack {name} could not be made with {file}: {done.stderr.strip()}{remedy}")


def settings(file: Path) -> str:
    """A stack file without the key that encrypts the secrets of the real stack.

    A team commits it with its stack (docs/azure-devops.md). The sandbox's KMS does not have that key: in the sandbox,
    secrets are encrypted by the passphrase, and what that key has encrypted (`secure`) cannot be read. Empty where
    there is no file: such a stack has the project's defaults. Raises SandboxError for one that cannot be read.
    """
    try:
        return _OF_A_KEY.sub("", file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8"
        raise SandboxError(f"{file} cannot be read: {why}") from None


def unlock(layout: Layout, say: Callable[[str], None]) -> None:
    """Take away the locks of engines that have ended, and name the owner of each that lives: it keeps its lock."""
    for lock in sorted((layout.state / ".pulumi" / "locks").rglob("*.json")):
        try:
            holder = json.loads(lock.read_text(encoding="utf-8"))
            host, number = str(holder["hostname"]), int(holder["pid"])
        except (FileNotFoundError, IsADirectoryError):  # given back meanwhile; or a stack's folder of such a name
            continue
        except (ValueError, TypeError, KeyError):  # the engine writes its lock whole: nobody holds this one
            host, number = os.uname().nodename, 0
        if host != os.uname().nodename:
            say(
                f"the stack is locked by process {number} on {host}; if it ended: python -m sandbox pulumi cancel --yes"
            )
        elif _is_engine(number):
            say(f"the stack is locked by process {number}, which runs: wait for it, or end it")
        else:
            say(f"process {number or 'unknown'} ended without unlocking the stack: unlocking it")
            for file in (lock, lock.with_name(f"{lock.name}.attrs")):
                file.unlink(missing_ok=True)


def _is_engine(number: int) -> bool:
    """Whether a process is a living engine. One that was killed a moment ago is waited for; an id is used again."""
    try:
        handle = os.pidfd_open(number)
    except (OSError, OverflowError):  # there is no such process
        return False
    try:
        if Path(f"/proc/{number}/comm").read_text(encoding="utf-8").strip() != "pulumi" or not processes.lives(number):
            return False
        select.select([handle], [], [], _LAST_MOMENT)
        return processes.lives(number)
    except (FileNotFoundError, ProcessLookupError):
        return False
    finally:
        os.close(handle)


def pulumi(layout: Layout, arguments: Sequence[str], environment: dict[str, str]) -> int:
    """Run the engine in the checkout; the exit status is the engine's.

    Commands that read the stack file are given a copy, `settings`: with a passphrase the engine would add a salt to it.
    """
    extra = {}
    if arguments and arguments[0] in READS_STACK_FILE:
        copy = layout.run / f"Pulumi.{names.STACK}.yaml"
        write(copy, settings(layout.checkout / f"Pulumi.{names.STACK}.yaml"))
        extra["PULUMI_OPTION_CONFIG_FILE"] = str(copy)
    process = subprocess.Popen(["pulumi", *arguments], cwd=layout.checkout, env=environment | extra)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the engine got the signal too: it ends its step, saves its state, and unlocks
            continue


def outputs(layout: Layout, environment: dict[str, str]) -> dict[str, Any]:
    """The stack's outputs, secrets masked."""
    command = ["pulumi", "stack", "output", "--json"]
    done = subprocess.run(command, cwd=layout.checkout, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SandboxError(f"the stack's outputs could not be read: {done.stderr.strip()}")
    return dict(json.loads(done.stdout))
