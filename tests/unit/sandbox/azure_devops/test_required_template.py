"""The check that a run's YAML extends one template of one repository at one ref."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.sandbox.azure_devops.service import Json, Service, definition_body, push

REQUIRED = "4020e66e-b0f3-47e1-bc88-48f3cc59b5f3"
TEMPLATE = """
stages:
- stage: s
  jobs:
  - deployment: d
    environment: ENVIRONMENT
    strategy: {runOnce: {deploy: {steps: [{bash: echo}]}}}
"""
DECLARED = "resources: {repositories: [{repository: t, type: git, name: app-one/app-one, ref: REF}]}\n"
EXTENDS = "extends: {template: run.yml@t}"
_numbers = itertools.count(1)

Result = Callable[..., tuple[str, str]]


@pytest.fixture
def environment(service: Service) -> str:
    """An environment that is open to all pipelines, behind the check for `run.yml` of refs/heads/trusted."""
    name = f"templates-{next(_numbers)}"
    number = service.post("app-one/_apis/distributedtask/environments", {"name": name})["id"]
    service.patch(
        f"app-one/_apis/pipelines/pipelinePermissions/environment/{number}", {"allPipelines": {"authorized": True}}
    )
    service.post("app-one/_apis/pipelines/checks/configurations", check(str(number)))
    push(service, {"/run.yml": TEMPLATE.replace("ENVIRONMENT", name)}, "refs/heads/trusted")
    return name


def check(number: str, **changes: str) -> dict[str, Any]:
    one = {
        "repositoryType": "git",
        "repositoryName": "app-one/app-one",
        "repositoryRef": "refs/heads/trusted",
        "templatePath": "run.yml",
    }
    settings = {"extendsChecks": [{name: text for name, text in (one | changes).items() if text}]}
    return {"type": {"id": REQUIRED}, "resource": {"type": "environment", "id": number}, "settings": settings}


@pytest.fixture
def stage(service: Service, environment: str) -> Result:
    """How the stage of a YAML goes on: its state, and its first issue."""
    own = TEMPLATE.replace("ENVIRONMENT", environment)

    def result(text: str, **files: str) -> tuple[str, str]:
        branch = f"refs/heads/template-{next(_numbers)}"
        pushed = {"/azure-pipelines.yml": text.replace("OWN", own), "/run.yml": own, **files}
        for one in (branch, "refs/heads/other"):
            push(service, pushed, one)
        pipeline = service.post("app-one/_apis/build/definitions", definition_body(service, branch[11:]))
        body = {"reason": "individualCI", "sourceBranch": branch}
        build: Json = service.post(f"app-one/_apis/sandbox/triggers/{pipeline['id']}", body)
        records = service.get(f"app-one/_apis/build/builds/{build['id']}/timeline")["records"]
        (row,) = (one for one in records if one["type"] == "Stage")
        issues = row.get("issues") or [{"message": ""}]
        return str(row["result"] or row["state"]), str(issues[0]["message"])

    return result


def test_a_run_that_extends_the_template_at_its_ref_goes_on(stage: Result) -> None:
    text = DECLARED.replace("REF", "refs/heads/trusted") + "extends: {template: run.yml@t}"
    assert stage(text) == ("inProgress", "")


@pytest.mark.parametrize(
    "text",
    [
        "OWN",
        "extends: {template: run.yml}",
        "extends: {template: /run.yml}",
        # of the right repository and path, but of the branch's own commit or of another ref
        DECLARED.replace("REF", "refs/heads/other") + "extends: {template: run.yml@t}",
        DECLARED.replace("REF", "refs/heads/trusted") + "stages: [{template: run.yml@t}]",
        # the same repository by another name: nothing says that the service knows it
        DECLARED.replace("REF", "refs/heads/trusted").replace("app-one/app-one", "app-one") + EXTENDS,
        DECLARED.replace("REF", "trusted") + EXTENDS,
        # what is extended extends the template in turn: the root may hand it anything
        DECLARED.replace("REF", "refs/heads/trusted") + "extends: {template: middle.yml}",
    ],
)
def test_any_other_yaml_is_refused(stage: Result, text: str) -> None:
    result, issue = stage(text, **{"/middle.yml": "extends: {template: run.yml@t}"})
    assert result == "failed"
    assert (
        "The pipeline does not extend a required template (run.yml of app-one/app-one at refs/heads/trusted)" in issue
    )


def test_what_is_extended_instead_is_named(stage: Result) -> None:
    result, issue = stage("extends: {template: run.yml}")
    assert result == "failed"
    assert "; it extends run.yml of app-one/app-one at refs/heads/template-" in issue


@pytest.mark.parametrize("missing", ["repositoryType", "repositoryName", "repositoryRef", "templatePath"])
def test_a_check_that_names_a_template_in_part_is_refused(service: Service, environment: str, missing: str) -> None:
    (found,) = (
        one for one in service.get("app-one/_apis/distributedtask/environments")["value"] if one["name"] == environment
    )
    body = check(str(found["id"]), **{missing: ""})
    status, _, message = service.refused("POST", "app-one/_apis/pipelines/checks/configurations", body)
    assert (status, "A required template check needs extendsChecks" in message) == (400, True)
