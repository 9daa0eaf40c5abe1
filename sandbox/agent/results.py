"""What an agent works with, and what is left of the jobs that it has run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.agent import commands

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


OF_AN_OPERATOR = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AZDO_ORG_SERVICE_URL",
    "AZDO_PERSONAL_ACCESS_TOKEN",
    "GOGC",
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER",
    "PULUMI_HOME",
    "PULUMI_STACK",
    "PYTHONPATH",
    "VIRTUAL_ENV",
)
"""What the sandbox gives an operator; a job gets it from the pipeline, or not at all."""


OF_A_MACHINE = (
    "ALL_PROXY",
    "AWS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)
"""What an agent's machine says in small letters: no variable of a run can be written in them (docs/azure-devops.md)."""


def of_an_agent(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """The environment of an agent whose home is a folder of its own."""
    kept = {name: value for name, value in environment.items() if name not in OF_AN_OPERATOR}
    machine = {name.lower(): kept[name] for name in OF_A_MACHINE if kept.get(name)}
    return {**machine, **kept, "HOME": str(home)}


@dataclass(frozen=True)
class Machine:
    """The agent's machine.

    work: folder that jobs run in. ended: where the folder of a job is moved when it has ended. environ: the agent's own
    environment. python: folder of the `python3` that UsePythonVersion gives. caches: what Cache@2 restores, by the
    first word of its key. tools: what the machine came with, by the path below its folder of tools. minute: seconds of
    a minute of timeouts, for tests.
    """

    work: Path
    ended: Path
    environ: Mapping[str, str]
    python: Path
    caches: Mapping[str, Path] = field(default_factory=dict)
    tools: Mapping[str, Path] = field(default_factory=dict)
    minute: float = 60.0


@dataclass
class StepResult:
    """How a step ended and what its log shows (masked)."""

    stage: str
    job: str
    title: str
    result: str
    log: list[str]


@dataclass
class Results:
    """What the jobs of a run left with their agent."""

    steps: list[StepResult] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)
    tests: list[tuple[str, str, bool]] = field(default_factory=list)
    issues: list[tuple[str, str]] = field(default_factory=list)
    workspaces: list[Path] = field(default_factory=list)
    """Folders of the jobs, kept as they are when the job has ended."""
    written: list[tuple[str, str]] = field(default_factory=list, repr=False)
    """Step and line of all that scripts wrote, with their commands and before anything was masked."""

    def unmasked(self) -> list[tuple[str, str]]:
        """What scripts wrote, less the secrets that they told the agent of: what its masks should not be needed for."""
        return [(step, told) for step, line in self.written if (told := commands.without_told_secrets(line)).strip()]

    def step(self, title: str, stage: str = "") -> StepResult:
        """The last result of a step by its title."""
        found = [row for row in self.steps if row.title == title and row.stage.startswith(stage)]
        if not found:
            raise LookupError(f"no step {title!r}; there are {[row.title for row in self.steps]}")
        return found[-1]

    def log(self) -> str:
        """Everything that the jobs printed."""
        return "\n".join(line for row in self.steps for line in row.log)
