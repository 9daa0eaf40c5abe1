"""Previews of this project's own stack: what is asked of the engine, in which order, and what it must be judged as."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.model import UNKNOWNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.workstation import Workstation

GOLDEN = Path(__file__).with_name("golden")
PREVIEW = ("preview", "--json", "--show-sames")
DESTROY = ("destroy", "--preview-only", "--json")


@dataclass(frozen=True)
class Scenario:
    """One preview. `classes` are the findings that it must give, counted; `fails` that the engine refuses it."""

    name: str
    classes: dict[str, int]
    settings: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = PREVIEW
    edit: tuple[str, str, str] | None = None
    fails: bool = False


@dataclass(frozen=True)
class Stage:
    """Previews from one state of the stack. `up` is what the stack is brought to before them; None: nothing yet."""

    up: dict[str, str] | None
    scenarios: tuple[Scenario, ...]


BASE = {"imageTagMutability": "IMMUTABLE", "imageTagMutabilityExclusions": "[]"}
"""What a checkout's stack file may set otherwise, and what these previews are about."""

ALL_OPEN = (
    "infra/foundation.py",
    "document=document,",
    (
        'document=document.replace("ecr:PutImage", "ecr:*").replace('
        'self._around.account.repository_arn(settings.repository_name), "*"),'
    ),
)
"""The wildcard that the program's own lint would refuse, written past it."""

OIDC = {
    "pipelineIdentity": "oidc",
    "oidcTrust": json.dumps(
        [
            {
                "issuer": f"https://{issuer}",
                "push": f"sc://acme/app-one/{party}-push",
                "reader": f"sc://acme/app-one/{party}-reader",
            }
            for issuer, party in (
                ("vstoken.dev.azure.com/6f1b4e3a-0000-4000-8000-000000000001", "first"),
                ("login.microsoftonline.com/6f1b4e3a-0000-4000-8000-000000000002/v2.0", "second"),
            )
        ]
    ),
}
"""Identity tokens of two issuers, in the place of a key."""

FOUNDATION = {"declares": "foundation", "imageBackend": "s3://acme-image-state"}
"""What operators run where the image is another stack's: with a party that only reads, and the rights on state."""

STAGES = (
    Stage(
        None,
        (
            Scenario(
                "first-up",
                {
                    # The push policy, and the group that it is attached to; how far a run's token reaches, which the
                    # provider never sends (docs/azure-devops.md, section 7).
                    "access-broadened": 3,
                    "group-membership": 1,
                    "credential-created": 1,
                    "pipeline-authorized": 2,  # for the variable group, and for the environment
                    # The stack and its five components; repository, lifecycle, group, user, variable group, image;
                    # environment with its four checks, the group's two, two branch policies.
                    "change": 21,
                },
            ),
            Scenario(
                "first-up-of-a-foundation",
                {
                    # Four policies (push, read, and the state for each), their attachments, the token's reach.
                    "access-broadened": 9,
                    "group-membership": 2,
                    "credential-created": 2,
                    "pipeline-authorized": 4,  # for three variable groups, and for the environment
                    # The stack and its nine components; repository, lifecycle, two groups, two users, three variable
                    # groups; environment with its four checks, two of each variable group, another of the one that
                    # holds the key that pushes, two branch policies.
                    "change": 33,
                },
                FOUNDATION,
            ),
            Scenario(
                "first-up-with-identity-tokens",
                {
                    "access-broadened": 9,  # as with keys, for roles in the place of groups
                    "trust-changed": 4,  # two issuers, and two roles that trust them
                    "credential-created": 2,  # two service connections
                    "pipeline-authorized": 6,  # for these too
                    # The stack and its twelve components; repository, lifecycle, three variable groups; environment
                    # with its four checks, two of each variable group, five of the connections, two branch policies.
                    "change": 36,
                },
                FOUNDATION | OIDC,
            ),
        ),
    ),
    Stage(
        {},
        (
            Scenario("nothing", {}),
            Scenario(
                "rotation",
                {"credential-created": 1, "loss-credential": 1, "rotation": 1, "change": 1},
                {"accessKeyGeneration": "2"},
            ),
            Scenario(
                "rotation-with-overlap",
                {"credential-created": 1, "rotation": 1, "change": 1},
                {"accessKeyGeneration": "2", "accessKeyKeepPrevious": "true"},
            ),
            Scenario(
                "to-identity-tokens",
                {
                    "access-broadened": 2,  # the role's policy, and its attachment
                    "trust-changed": 3,  # two issuers, and the role that trusts them
                    "credential-created": 1,
                    "pipeline-authorized": 1,
                    # Federation, role and connection as components; the connection's approval, branch control and
                    # required template; the variables that name role and connection.
                    "change": 7,
                },
                OIDC | {"keepAccessKey": "true"},
            ),
            Scenario("opened-group", {"group-opened": 1}, {"allowAllPipelines": "true"}),
            Scenario("mutable-tags", {"exposure-mutable-tags": 1}, {"imageTagMutability": "MUTABLE"}),
            Scenario("broadened-policy", {"access-broadened": 1}, {"allowPull": "true"}),
            Scenario("wildcard-policy", {"access-broadened": 1}, edit=ALL_OPEN),
            Scenario(
                "unprotected",
                {"loss-force-delete": 1, "loss-protection-removed": 1},
                {"forceDelete": "true"},
            ),
            Scenario(
                "protected-repository",
                {"preview-incomplete": 1, "loss-repository-replaced": 1, "change": 2},
                {"encryptionType": "KMS"},
                fails=True,
            ),
        ),
    ),
    Stage(
        {"forceDelete": "true", "accessKeyGeneration": "2", "accessKeyKeepPrevious": "true"},
        (
            Scenario("deleted-key", {"loss-credential": 1}, {"accessKeyKeepPrevious": "false"}),
            Scenario(
                "replaced-repository",
                {"loss-repository-replaced": 1, "change": 2},  # lifecycle policy and image follow
                {"encryptionType": "KMS"},
            ),
            Scenario(
                "destroy",
                {
                    "group-membership": 1,
                    "loss-repository-deleted": 1,
                    "loss-variable-group": 1,
                    "loss-credential": 2,
                    # Approval, lock, two branch controls, two required templates, two branch policies.
                    "guard-weakened": 8,
                    "loss-resource": 11,  # these eight again, the pipeline, its environment, the user
                    "access-narrowed": 4,  # the push policy and its attachment, the pipeline's two authorisations
                    # The stack and its five components; lifecycle policy, group, image.
                    "change": 9,
                },
                command=DESTROY,
            ),
        ),
    ),
)
SCENARIOS = {scenario.name: scenario for stage in STAGES for scenario in stage.scenarios}


def play(workstation: Workstation) -> Iterator[tuple[Scenario, str]]:
    """Every scenario with what the engine printed, in order; the stack must be empty and stays as the last one left
    it."""
    for stage in STAGES:
        base = BASE | (stage.up or {})
        workstation.config(**base)
        if stage.up is not None:
            workstation.up()
        for scenario in stage.scenarios:
            yield scenario, preview(workstation, scenario)


def preview(workstation: Workstation, scenario: Scenario) -> str:
    """What the engine prints for a scenario, whose stack was brought to its stage; its settings end with it."""
    stack_file = workstation.folder / "Pulumi.dev.yaml"
    settings = stack_file.read_text(encoding="utf-8")
    if scenario.settings:
        workstation.config(**scenario.settings)
    path, before, after = scenario.edit or ("Pulumi.yaml", "", "")
    source = workstation.folder / path
    original = source.read_text(encoding="utf-8")
    assert before in original, f"{path} does not hold {before!r} any more"
    try:
        source.write_text(original.replace(before, after) if before else original, encoding="utf-8")
        return workstation.pulumi(*scenario.command, expect=None if scenario.fails else 0).stdout
    finally:
        source.write_text(original, encoding="utf-8")
        stack_file.write_text(settings, encoding="utf-8")


# --- what differs from machine to machine is replaced, so that a golden preview made again is the same


NUMBERED: tuple[tuple[str, Callable[[int], str]], ...] = (
    (
        rf"(?!{'|'.join(sorted(UNKNOWNS))})\b[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}\b",
        lambda number: f"00000000-0000-4000-8000-{number:012x}",
    ),
    (r"\bAKIA[A-Z2-7]{16}\b", lambda number: f"AKIAEXAMPLE{number:09d}"),
    (r"\b[0-9a-f]{64}\b", lambda number: f"{number:064x}"),
    (r"\b[0-9a-f]{32}\b", lambda number: f"{number:032x}"),
    (r"(?<=content-)[0-9a-f]{12}\b", lambda number: f"{number:012x}"),
    (r"(?<=\.build/context/)[0-9a-f]{12}\b", lambda number: f"{number:012x}"),
    (r"(?<=\b127\.0\.0\.1:)\d+", lambda number: f"{4999 + number}"),
    (r"(?<=terraform-)\d{26}\b|(?<=app-one-push-)\d{20,30}\b", lambda number: f"{20260101 * 10**18 + number}"),
    (r'(?<="uniqueId": ")\w+|(?<="policyId": ")\w+', lambda number: f"EXAMPLE{number:013d}"),
)
"""Volatile texts: each distinct one becomes a number, in the order of the resources."""

TIMES = re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def normalised(printed: str) -> str:
    """The preview without times, ports, ids, positions in files and order of steps, as JSON over several lines."""
    preview = json.loads(printed)
    preview["duration"] = 0
    preview["steps"].sort(key=lambda step: (step["urn"], step["op"]))
    _number_guards(preview["steps"])
    text = json.dumps(_tidy(preview), indent=1, sort_keys=True)
    text = TIMES.sub("2026-01-01T00:00:00Z", text)
    for pattern, name in NUMBERED:
        seen: dict[str, str] = {}
        text = re.sub(pattern, lambda match: seen.setdefault(match.group(), name(len(seen) + 1)), text)  # noqa: B023
    return text + "\n"


def _number_guards(steps: list[dict[str, Any]]) -> None:
    """Checks and branch policies are made at once, and numbered by the service in the order that they come in."""
    for family in ("azuredevops:index/check", "azuredevops:index/branchPolicy"):
        guards = sorted({step["urn"] for step in steps if family in step["urn"]})
        for step in steps:
            for state in (step.get("oldState"), step.get("newState")):
                if step["urn"] in guards and state and state.get("id"):
                    number = str(guards.index(step["urn"]) + 1)
                    state["id"] = number
                    if "id" in state.get("outputs", {}):
                        state["outputs"]["id"] = number


def _tidy(value: Any, name: str = "") -> Any:
    """The value without places in files, and with what the engine lists in any order in one order."""
    if isinstance(value, dict):
        places = ("stackTrace", "sourcePosition")
        return {
            key: _tidy(item, key if name != "propertyDependencies" else "dependencies")
            for key, item in value.items()
            if key not in places
        }
    if isinstance(value, list):
        found = [_tidy(item) for item in value]
        return sorted(found) if name == "dependencies" else found
    return value
