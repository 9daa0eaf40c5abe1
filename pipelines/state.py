"""A stack's recorded state: whether it is what this program records, and whether it is still the same.

A state is code: `check` holds the checkpoint against what the image's stack may contain (`python -m audit state`),
before an engine works on it.

The fingerprint is equal only while nobody has updated, refreshed or edited the stack. It is taken before a preview and
compared as the last thing before `pulumi up`, which sees what a comparison of plans cannot: an update by somebody else
in between. It is a SHA-256 over all that `pulumi stack export` prints, where secrets stay encrypted and the engine
writes the time of each update.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pipelines import agent

if TYPE_CHECKING:
    from pathlib import Path


FINDING = 3
"""Exit code of audit for a finding."""


def check(stack: str, report: Path) -> None:
    """Go on only where the checkpoint is the program's. Raises Stop: code 3 where it is not.

    report: folder for state.md, which the run's page shows where something was found.
    """
    report.mkdir(parents=True, exist_ok=True)
    page = report / "state.md"
    # Pulumi Cloud encrypts for its stacks.
    cloud = (agent.optional("PULUMI_BACKEND_URL") or "").startswith("https://")
    by = ["--secrets-provider", "service"] if cloud else []
    command = ["state", "--stack", stack, "--expect", str(agent.TOP / "infra/state.yml")]
    code = agent.audit([*command, "--part", "image", *by, "--report", f"markdown={page}"], env=agent.environment())
    if code == FINDING:
        agent.upload_summary(page)
        raise agent.Stop(
            f"{stack}: its checkpoint is not what this program records. No engine has worked on it; let none. The "
            "summary of this run says what it holds.",
            agent.REFUSED,
        )
    if code:
        raise agent.Stop(f"audit state of {stack} failed with {code}: see the log above")


def fingerprint(stack: str) -> str:
    """The state's fingerprint, 64 hexadecimal digits. Raises Stop where the state cannot be read."""
    export = ["pulumi", "stack", "export", "--stack", stack]
    return hashlib.sha256(agent.captured(export, env=agent.environment()).encode()).hexdigest()


def write(stack: str, file: Path) -> None:
    """Keep the fingerprint for `compare`."""
    agent.private_file(file).write_text(fingerprint(stack), encoding="utf-8")


def compare(stack: str, file: Path) -> None:
    """Go on only while the state is what it was. Raises Stop: code 3 where it is not, code 2 without the file."""
    try:
        before = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise agent.Stop(f"{file} is missing: run `pipelines.preview --state {file}` first", agent.USAGE) from None
    if fingerprint(stack) != before:
        raise agent.Stop(
            f"somebody changed the stack {stack} after its preview was compared with the approved one; nothing was "
            "changed here. Start a new run on main, and approve its plan.",
            agent.REFUSED,
        )
