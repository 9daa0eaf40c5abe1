"""infra/state.yml says what the program declares: all of it, and nothing else, under the names that settings give."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from audit.checkpoint.expected import Entry, Expected
from audit.checkpoint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]
LIST = ROOT / "infra/state.yml"
TRUST = [
    {
        "issuer": "https://vstoken.dev.azure.com/0d5f8bd4-6a57-4b05-a2cb-30be6a2b4a0d",
        "push": "sc://acme/app-one/app-one-push",
        "reader": "sc://acme/app-one/app-one-reader",
    }
]
NAMES = {
    "repositoryName": "team/shop",
    "iamPath": "/teams/",
    "pushPolicyName": "shop-policy",
    "pushGroupName": "shop-group",
    "pushUserName": "shop-user",
    "pushRoleName": "shop-role",
    "readerName": "shop-reader",
    "stateName": "shop-state",
    "variableGroupName": "shop-variables",
    "pipelineName": "shop-pipeline",
    "pipelineEnvironment": "shop-environment",
}
"""Names of everything that has one, all different."""
WAYS: dict[str, dict[str, Any]] = {
    "everything": {"declares": "everything", "pipelineEnabled": "true"},
    "a foundation with keys": {
        "declares": "foundation",
        "pipelineEnabled": "true",
        "imageBackend": "s3://bucket/app-one?region=us-east-2&awssdk=v2",
        "pullRequestPreview": "true",
        "accessKeyGeneration": "7",
        "accessKeyKeepPrevious": "true",
    },
    "a foundation with identity tokens": {
        "declares": "foundation",
        "pipelineEnabled": "true",
        "pipelineIdentity": "oidc",
        "oidcTrust": TRUST,
        "imageBackend": "s3://bucket/app-one?region=us-east-2&awssdk=v2",
    },
    "an image": {"declares": "image"},
}


@pytest.fixture(autouse=True)
def _the_files_names_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline's YAML has the names of Pulumi.dev.yaml."""
    monkeypatch.setattr("infra.pipeline_files.mismatches", lambda *_: [])


def expected(settings: dict[str, Any]) -> Expected:
    config = {f"app-one:{key}": value for key, value in settings.items()} | {"aws:region": "us-east-2"}
    return Expected.load(LIST, Settings("app-one", "dev", config))


def declared(run_program: Callable[..., Any], way: str) -> tuple[Expected, list[Any]]:
    settings = {**NAMES, **WAYS[way]}
    agent = {"TF_BUILD": "True"} if settings["declares"] == "image" else {}
    program = run_program({f"app-one:{key}": value for key, value in settings.items()}, environment=agent)
    return expected(settings), program.resources


def entry_of(listed: Expected, resource: Any, resources: list[Any]) -> Entry | None:
    """The entry of a registered resource: below the same component, which has the same name."""
    above = next(
        (each for each in resources if each.name == resource.parent and each.type.startswith("app-one:")), None
    )
    for entry in listed.entries:
        if entry.type != resource.type or not any(listed.fits(name, resource.name) for name in entry.names):
            continue
        if (entry.parent is None) is not (above is None):
            continue
        if entry.parent and above and (entry.parent.type != above.type or above.name not in entry.parent.names):
            continue
        return entry
    return None


@pytest.mark.parametrize("way", WAYS)
def test_whatever_the_program_declares_is_listed(run_program: Callable[..., Any], way: str) -> None:
    listed, resources = declared(run_program, way)
    for resource in resources:
        entry = entry_of(listed, resource, resources)
        assert entry, (
            f"infra/state.yml has no {resource.type} '{resource.name}' below '{resource.parent}'; add it there"
        )
        if WAYS[way]["declares"] != "everything":
            assert entry.part == WAYS[way]["declares"]
        assert not set(entry.outputs) & set(resource.inputs), "what is declared is a property"
        for name, template in entry.properties.items():
            assert listed.fits(template, resource.inputs.get(name)), (resource.name, name, resource.inputs.get(name))
        assert list(entry.ignore_changes) == resource.ignore_changes
        assert resource.deleted_with in ("", entry.deleted_with)
        assert resource.protect is bool(entry.protected_unless)
        assert resource.replacement_trigger is None or "replacementTrigger" in entry.options


def test_nothing_is_listed_that_the_program_does_not_declare(run_program: Callable[..., Any]) -> None:
    reached: set[tuple[str, str]] = set()
    names: set[tuple[str, str]] = set()
    for way in WAYS:
        listed, resources = declared(run_program, way)
        names = {(entry.qualified, name) for entry in listed.entries for name in entry.names}
        for resource in resources:
            entry = entry_of(listed, resource, resources)
            assert entry
            reached |= {(entry.qualified, name) for name in entry.names if listed.fits(name, resource.name)}
    assert names - reached == set()


def test_every_name_that_a_setting_gives_is_compared() -> None:
    text = LIST.read_text(encoding="utf-8")
    assert set(NAMES) <= set(re.findall(r"\$\{(\w+)\}", text))


def test_the_plugins_are_those_of_the_requirements() -> None:
    pins = dict(
        re.findall(r"^pulumi-(\w+)==(\S+)$", (ROOT / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE)
    )
    listed = expected({})
    del pins["policy"]  # a library of the policy pack, no provider
    assert set(listed.plugins) == set(pins)
    for name, plugin in listed.plugins.items():
        assert plugin.versions[0] == pins[name]
