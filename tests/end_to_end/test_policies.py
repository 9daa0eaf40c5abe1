"""The policy pack under the real engine: what is declared here breaks no rule, and what breaks one is not begun."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.workstation import Sandbox, Workstation

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

PACK = ("--policy-pack", "policies")
TRUST = (
    '[{"issuer": "https://vstoken.dev.azure.com/6f1b4e3a-0000-4000-8000-000000000001", '
    '"push": "sc://acme/app-one/app-one-push", "reader": "sc://acme/app-one/app-one-reader"}]'
)


@pytest.fixture
def fresh(sandbox: Sandbox, tmp_path: Path) -> Workstation:
    """A checkout whose stack has nothing in it yet."""
    return Workstation.make(tmp_path / "fresh", sandbox)


def rules(printed: str, level: str) -> set[str]:
    """The rules that a preview names at a level."""
    return set(re.findall(rf"\[{level}\] \[severity: \w+\]\s+([\w-]+)", printed))


def test_what_is_declared_breaks_no_rule_in_any_of_its_forms(fresh: Workstation) -> None:
    forms: list[dict[str, str]] = [
        {},
        {"declares": "foundation", "imageBackend": "s3://image-state/app-one?region=us-east-2&awssdk=v2"},
        {"pipelineIdentity": "oidc", "oidcTrust": TRUST},
    ]
    for form in forms:
        if form.get("declares"):
            fresh.pulumi("config", "rm", "app-one:imageTagMutabilityExclusions")
            form["imageTagMutability"] = "IMMUTABLE"
        fresh.config(**form)
        printed = fresh.pulumi("preview", *PACK, "--non-interactive").stdout
        assert "app-one@v" in printed, printed
        assert rules(printed, "mandatory") == set()
        # Of a first preview: what is not known yet is said not to have been judged.
        unjudged = set(re.findall(r"can't run policy '([\w-]+)'", printed))
        assert rules(printed, "advisory") == unjudged, printed
        assert unjudged


def test_what_breaks_a_rule_is_named_with_its_remedy_and_nothing_is_begun(fresh: Workstation) -> None:
    fresh.pulumi("config", "rm", "app-one:imageTagMutabilityExclusions")
    fresh.config(imageTagMutability="MUTABLE", allowAllPipelines="true")
    done = fresh.pulumi("preview", *PACK, "--non-interactive", expect=1)
    assert rules(done.stdout, "mandatory") == {"ecr-immutable-tags", "devops-closed-group"}
    assert "imageTagMutability is MUTABLE. Set app-one:imageTagMutability IMMUTABLE." in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    fresh.up(*PACK, "--non-interactive", expect=None)
    kept = {each["type"] for each in fresh.resources()}
    assert not {name for name in kept if name.startswith(("aws:ecr", "azuredevops:index/variableGroup"))}


def test_a_file_of_waivers_that_cannot_be_used_stops_the_preview(fresh: Workstation) -> None:
    file = fresh.folder / "policies/waivers.yml"
    file.write_text("- {rule: ecr-scan, resource: a, reason: b}\n", encoding="utf-8")
    done = fresh.pulumi("preview", *PACK, "--non-interactive", expect=None)
    assert done.returncode != 0
    assert "entry 1 of waivers.yml waives ecr-scan, which is no rule: see docs/controls.md" in done.stdout + done.stderr
