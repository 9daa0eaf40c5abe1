"""The policy pack under the real engine: what is declared here breaks no rule, and what breaks one is not begun."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from policies import waivers
from policies.rules import RULES
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
    return Workstation.make(tmp_path / "fresh", sandbox.empty())


def rules(printed: str, level: str) -> set[str]:
    """The rules that a preview names at a level."""
    return set(re.findall(rf"\[{level}\] \[severity: \w+\]\s+([\w-]+)", printed))


def ended() -> set[str]:
    """The rules with a waiver that ended: somebody has to look at it again, and the pack says so."""
    today = datetime.now(tz=UTC).date()
    return {each.rule for each in waivers.load({rule.id for rule in RULES}) if each.until and each.until < today}


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
        assert rules(printed, "advisory") - ended() == unjudged - ended(), printed
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


def test_the_images_own_stack_breaks_no_rule(fresh: Workstation) -> None:
    fresh.sandbox.client("ecr").create_repository(repositoryName="app-one", imageTagMutability="IMMUTABLE")
    fresh.pulumi("config", "rm", "app-one:imageTagMutabilityExclusions")
    fresh.config(declares="image", imageTagMutability="IMMUTABLE", baseImageLocal="true")
    agent = {"TF_BUILD": "True", "BUILD_BUILDNUMBER": "20261127.1"}
    printed = fresh.pulumi("preview", *PACK, "--non-interactive", env=agent).stdout
    assert "docker:index:Image" in printed
    assert "app-one@v" in printed
    assert rules(printed, "mandatory") | rules(printed, "advisory") == set()


def test_a_program_that_gives_a_run_the_right_to_push_before_an_approval_is_refused(fresh: Workstation) -> None:
    fresh.pulumi("config", "rm", "app-one:imageTagMutabilityExclusions")
    fresh.config(declares="foundation", imageTagMutability="IMMUTABLE", pipelineIdentity="oidc", oidcTrust=TRUST)
    fresh.config(imageBackend="s3://image-state/app-one?region=us-east-2&awssdk=v2", keepAccessKey="true")
    declared = fresh.folder / "infra/pipeline.py"
    text = declared.read_text(encoding="utf-8")
    approved = "if protected.approval:"
    assert approved in text
    declared.write_text(text.replace(approved, 'if protected.kind == "environment":'), encoding="utf-8")
    done = fresh.pulumi("preview", *PACK, "--non-interactive", expect=1)
    assert rules(done.stdout, "mandatory") == {"devops-approval-before-push"}
    # The key in the group, and the connection to the role; the reader's may be used without.
    at_fault = re.findall(r"devops-approval-before-push +\(\S+ (\S+)\)", done.stdout)
    assert sorted(at_fault) == ["push-connection", "variable-group"]
    assert "iam-no-key-beside-tokens" in rules(done.stdout, "advisory")


def test_a_provider_from_elsewhere_is_refused(fresh: Workstation) -> None:
    program = fresh.folder / "__main__.py"
    provider = (
        "import os, pulumi_aws\n"
        'elsewhere = pulumi.ResourceOptions(plugin_download_url="https://plugins.example.com")\n'
        'key = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]\n'
        'pulumi_aws.Provider("elsewhere", access_key=key[0], secret_key=key[1], opts=elsewhere)\n'
    )
    program.write_text(program.read_text(encoding="utf-8") + provider, encoding="utf-8")
    done = fresh.pulumi("preview", *PACK, "--non-interactive", expect=1)
    assert rules(done.stdout, "mandatory") == {"engine-official-plugins", "engine-secrets-from-environment"}
    assert "may fetch its plugin from anywhere. Declare no provider and no plugin_download_url" in done.stdout


def test_a_file_of_waivers_that_cannot_be_used_stops_the_preview(fresh: Workstation) -> None:
    file = fresh.folder / "policies/waivers.yml"
    file.write_text("- {rule: ecr-scan, resource: a, reason: b}\n", encoding="utf-8")
    done = fresh.pulumi("preview", *PACK, "--non-interactive", expect=None)
    assert done.returncode != 0
    assert "entry 1 of waivers.yml waives ecr-scan, which is no rule: see docs/controls.md" in done.stdout + done.stderr
