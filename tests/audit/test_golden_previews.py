"""Real previews of this project's stack, made by the real engine (tests/audit/make_golden.py), and what they must be
judged as."""

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit.model import kind_of
from audit.plan.report import from_file
from audit.report import FORMATS, Report, render
from tests.audit.scenarios import GOLDEN, SCENARIOS, normalised

INFRA = Path(__file__).parents[2] / "infra"
PLUGINS = ("aws", "azuredevops", "docker")


def judged(name: str) -> Report:
    return from_file(str(GOLDEN / f"{name}.json"))


def finding(name: str, risk: str) -> Any:
    found = [item for item in judged(name).findings if item.risk == risk]
    assert len(found) == 1
    return found[0]


def test_every_scenario_has_its_golden_preview_and_no_other_is_kept() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_preview_of_this_stack_gets_exactly_its_classes(name: str) -> None:
    found = Counter(item.risk for item in judged(name).findings)
    assert found == SCENARIOS[name].classes


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_golden_preview_names_no_machine_and_no_moment(name: str) -> None:
    text = (GOLDEN / f"{name}.json").read_text(encoding="utf-8")
    assert normalised(text) == text
    assert not re.search(r"/(?:home|root|tmp|work|Users)/", text)


def declared(source: str) -> Iterator[str]:
    """The types of resources that a module declares, such as `aws.iam.Role(...)`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            plugin, *module, name = ast.unparse(node.func).split(".")
            if plugin in PLUGINS and name[0].isupper() and not name.endswith("Args"):
                yield ":".join((plugin, *(module or ("index",)), name))


def test_every_type_that_the_program_declares_is_in_a_golden_preview() -> None:
    """So none of them is without rules: a golden preview has no finding that is not expected."""
    program = {kind for path in INFRA.glob("*.py") for kind in declared(path.read_text(encoding="utf-8"))}
    assert {"aws:iam:Role", "azuredevops:index:ServiceEndpointAws", "docker:index:Image"} <= program
    steps = [step for name in SCENARIOS for step in json.loads((GOLDEN / f"{name}.json").read_bytes())["steps"]]
    seen = {kind_of(step["urn"].split("::")[2].rpartition("$")[2]) for step in steps if step["op"] != "same"}
    assert program - seen == set()


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_writes_every_golden_preview(form: str) -> None:
    for name in SCENARIOS:
        assert render(form, judged(name))


def test_the_wildcard_is_proved_with_a_request_that_was_refused() -> None:
    policy = finding("wildcard-policy", "access-broadened").policy
    assert policy.verdict == "broadened"
    assert any(not item["resource"].endswith(":repository/app-one") for item in policy.newly_allowed)


@pytest.mark.parametrize("name", ["broadened-policy", "wildcard-policy"])
def test_a_policy_is_compared_with_what_it_was_before(name: str) -> None:
    """Its own ARN, which is recorded and not declared, does not make it another holder's policy."""
    found = finding(name, "access-broadened")
    assert "is new" not in found.reason
    assert found.policy.old["Statement"]
    assert "ecr:GetAuthorizationToken" not in {item["action"] for item in found.policy.newly_allowed}


def test_a_policy_is_shown_with_what_changes_in_it_and_nothing_else() -> None:
    """The provider records its members in another order than they are declared in."""
    shown = render("markdown", judged("broadened-policy")).partition("```diff")[2].partition("```")[0]
    assert [row for row in shown.splitlines() if row.startswith("-")] == []
    added = [row for row in shown.splitlines() if row.startswith("+")]
    assert [row for row in added if "Sid" in row] == ['+      "Sid": "PullImages",']
    assert sum('"Resource"' in row for row in added) == 1


def test_pulling_is_proved_with_an_action_of_pulling() -> None:
    policy = finding("broadened-policy", "access-broadened").policy
    assert {item["action"] for item in policy.newly_allowed} & {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}


@pytest.mark.parametrize("name", ["rotation", "rotation-with-overlap"])
def test_a_rotation_is_followed_from_the_key_to_the_variables(name: str) -> None:
    follows = finding(name, "rotation").follows
    assert follows[0] == {
        "what": "credential",
        "urn": follows[0]["urn"],
        "name": "access-key-2",
    }
    assert any(item["what"] == "variable" for item in follows)


def test_the_same_preview_has_the_same_fingerprint_and_others_have_others() -> None:
    marks = [judged(name).fingerprint for name in SCENARIOS]
    assert len(set(marks)) == len(marks)
    assert marks == [judged(name).fingerprint for name in SCENARIOS]


def test_a_golden_preview_holds_what_the_engine_masked_as_masked() -> None:
    text = (GOLDEN / "rotation.json").read_text(encoding="utf-8")
    steps = json.loads(text)["steps"]
    group = next(step for step in steps if step["urn"].endswith("::variable-group") and step["op"] == "update")
    assert group["oldState"]["inputs"]["variables"] == "[secret]"
    assert group["newState"]["inputs"]["variables"] == "[secret]"
