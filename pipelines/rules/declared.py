"""What is defined outside of our pipeline's YAML, and what a rule of ours is asked about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

from azure_pipelines import rules
from azure_pipelines.documents import Folder, PipelineError, load
from azure_pipelines.model import texts
from azure_pipelines.rules import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from azure_pipelines.documents import Located

PLAIN = re.compile(r"[\w./:@=-]*")
"""Text that a shell takes as one word, or as none."""


LISTED = (
    "group",
    "connection",
    "reader",
    "preview",
    "state",
    "environment",
    "identity",
    "severity",
    "findings",
)
"""What the pipeline lists of a stack and the rules ask about."""
ROLE, CONNECTION, USERS = "App-One.Role", "App-One.Connection", "App-One.Users"
"""What the program's groups hold besides (infra/foundation.py)."""


@dataclass(frozen=True)
class Stack:
    """One stack: its entry in the pipeline's list, and the names that its settings give the program.

    group, connection, reader, preview, state, environment, identity, severity, findings: as the pipeline lists them.
    raw: the entry. settings: the program's for this stack. foundation: those of the stack that declares the names.
    """

    group: str
    connection: str
    reader: str
    preview: str
    state: str
    environment: str
    identity: str
    severity: str
    findings: str
    raw: Located
    settings: Mapping[str, Any]
    foundation: Mapping[str, Any]


@dataclass(frozen=True)
class Declared:
    """What is defined outside of the YAML.

    access_key, secret_key, account: names in the group that the program declares. state: names in the group of the
    state, and whether each is secret. stacks: by the name that pulumi has for them. literals: texts that the root file
    hands to its templates and that a shell would not take as one word. files: the texts of the root file and of our
    templates, by their paths.
    """

    access_key: str
    secret_key: str
    account: str
    state: Mapping[str, bool]
    stacks: Mapping[str, Stack]
    literals: frozenset[str]
    files: Mapping[str, str]

    @property
    def group_names(self) -> frozenset[str]:
        """Names in the program's group."""
        return frozenset({self.access_key, self.secret_key, self.account, ROLE, CONNECTION, USERS})

    @property
    def own_names(self) -> frozenset[str]:
        """Names in the group of the state."""
        return frozenset(self.state)

    @property
    def secrets(self) -> frozenset[str]:
        """Secret names of both, and the run's own token."""
        of_state = {name for name, secret in self.state.items() if secret}
        return frozenset({self.access_key, self.secret_key, "System.AccessToken"} | of_state)

    def is_secret(self, name: str) -> bool:
        """Whether a variable is secret; names have no case."""
        return name.lower() in self._secrets

    @cached_property
    def _secrets(self) -> frozenset[str]:
        return frozenset(secret.lower() for secret in self.secrets)

    @property
    def groups(self) -> Mapping[str, frozenset[str]]:
        """The names that each group holds."""
        found: dict[str, frozenset[str]] = {}
        own, state = self.group_names, self.own_names
        for row in self.stacks.values():
            for name, names in ((row.group, own), (row.reader, own), (row.state, state)):
                found[name] = found.get(name, frozenset()) | names
        return found


@dataclass(frozen=True)
class Context(rules.Context):
    """One expanded pipeline of ours to check."""

    declared: Declared

    @cached_property
    def lowered(self) -> dict[str, str]:
        """The variables that the templates saw, by their names in lower case."""
        return {name.lower(): value for name, value in self.predefined.items()}


Rule = Callable[[Context], Iterable[Finding]]


def _read(file: Path) -> Any:
    """A YAML file, by libyaml where PyYAML was built with it: ten times as fast."""
    return yaml.load(file.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


def settings(root: Path, project: Mapping[str, Any], stack: str) -> dict[str, Any]:
    """What the program is configured with for a stack: the defaults of Pulumi.yaml, then the stack's own file."""
    found = {key: entry["default"] for key, entry in project["config"].items() if "default" in entry}
    file = root / f"Pulumi.{stack.rpartition('/')[2]}.yaml"
    own: dict[str, Any] = _read(file)["config"]
    prefix = f"{project['name']}:"
    return found | {key.removeprefix(prefix): value for key, value in own.items() if key.startswith(prefix)}


def declared(root: Path, file: str = "azure-pipelines.yml") -> Declared:
    """What is defined outside of the YAML: names of the program's group and of the state's, and each stack's settings.

    Raises PipelineError for a list of stacks that cannot be read.
    """
    project: dict[str, Any] = _read(root / "Pulumi.yaml")
    config = project["config"]
    state: dict[str, Any] = _read(root / "pipelines/state-group.yml")
    # What the file extends is of this repository too, at a ref.
    run = str((load(root, file).get("extends") or {}).get("template") or file).partition("@")[0]
    handed = [stage.get("parameters") or {} for stage in load(root, run).get("stages") or []]
    try:
        stacks = {
            entry["stack"]: Stack(
                **{name: entry[name] for name in LISTED},
                raw=entry,
                settings=settings(root, project, entry["stack"]),
                foundation=settings(root, project, entry["foundation"]),
            )
            for parameters in handed
            for entry in parameters.get("stacks") or []
        }
    except (KeyError, TypeError, FileNotFoundError) as error:
        raise PipelineError(f"{file}: an entry of stacks cannot be read: {error!r}") from None
    templates = sorted(str(path.relative_to(root)) for path in root.glob("pipelines/templates/*.yml"))
    return Declared(
        access_key=config["accessKeyVariable"]["default"],
        secret_key=config["secretKeyVariable"]["default"],
        account=config["accountVariable"]["default"],
        state={name: bool(entry["secret"]) for name, entry in state.items()},
        stacks=stacks,
        literals=frozenset(
            text for part in handed for text in texts(part) if "${{" not in text and not PLAIN.fullmatch(text)
        ),
        files={name: Folder(root).text(name) for name in (file, *templates)},
    )
