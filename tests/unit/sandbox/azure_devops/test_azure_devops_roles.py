"""What a contributor and a run may not do in the Azure DevOps service, whatever the scopes of their tokens."""

from __future__ import annotations

import json

import pytest

from sandbox.azure_devops import roles
from sandbox.azure_devops.server import ROUTES
from tests.unit.sandbox.azure_devops.service import Json, Service, definition_body, group_body, push

Ask = tuple[str, str, object]
"""Method, path and body, in which {group} and {definition} stand for ids."""


def filled(ask: Ask, at: Json) -> Ask:
    """Put the ids in."""
    text = json.dumps(ask)
    for name, number in at.items():
        text = text.replace(f"{{{name}}}", str(number))
    method, path, body = json.loads(text)
    return method, path, body


@pytest.fixture(scope="module")
def tokens(service: Service) -> dict[str, str]:
    """A contributor's token and a running job's."""
    pipeline = service.post("app-one/_apis/build/definitions", definition_body(service, "roles"))["id"]
    push(service, {"/azure-pipelines.yml": "jobs: [{job: x, steps: [{bash: echo}]}]"}, "refs/heads/roles")
    body = {"reason": "individualCI", "sourceBranch": "refs/heads/roles"}
    build = service.post(f"app-one/_apis/sandbox/triggers/{pipeline}", body)
    run = service.post("_apis/sandbox/agent/requests", {"build": build["id"]})["job"]["accessToken"]
    return {"contributor": service.post("_apis/sandbox/usertokens/developer")["token"], "run": run}


REFUSED: dict[str, Ask] = {
    "edit the definition": ("PUT", "app-one/_apis/build/definitions/{definition}", {}),
    "make a definition": ("POST", "app-one/_apis/build/definitions", {}),
    "open the group to all": (
        "PATCH",
        "app-one/_apis/build/authorizedresources",
        [{"type": "variablegroup", "id": "{group}", "authorized": True}],
    ),
    "open the group to a pipeline": (
        "PATCH",
        "app-one/_apis/pipelines/pipelinePermissions/variablegroup/{group}",
        {"pipelines": [{"id": "{definition}", "authorized": True}]},
    ),
    "open resources of a definition": (
        "PATCH",
        "app-one/_apis/build/definitions/{definition}/resources",
        [{"type": "variablegroup", "id": "{group}", "authorized": True}],
    ),
    "change the group": ("PUT", "_apis/distributedtask/variablegroups/{group}", {}),
    "make a policy": ("POST", "app-one/_apis/policy/configurations", {}),
    "make a check": ("POST", "app-one/_apis/pipelines/checks/configurations", {}),
    "make a connection": ("POST", "_apis/serviceendpoint/endpoints", {}),
    "make an environment": ("POST", "app-one/_apis/distributedtask/environments", {"name": "own"}),
    "disable the repository": ("PATCH", "app-one/_apis/git/repositories/app-one", {"isDisabled": True}),
}
_OF_A_RUN: dict[str, Ask] = {
    "queue a run": ("POST", "app-one/_apis/build/builds", {"definition": {"id": "{definition}"}}),
    "read a group": ("GET", "app-one/_apis/distributedtask/variablegroups/{group}", None),
    "read connections": ("GET", "app-one/_apis/serviceendpoint/endpoints", None),
    "push": ("POST", "app-one/_apis/git/repositories/app-one/refs", []),
    "open a pull request": ("POST", "app-one/_apis/git/repositories/app-one/pullrequests", {}),
}


@pytest.fixture(scope="module")
def at(service: Service) -> Json:
    """A group and a definition."""
    group = service.post("_apis/distributedtask/variablegroups", group_body(service.project_id(), "of-others"))
    definition = service.post("app-one/_apis/build/definitions", definition_body(service, "of-others"))
    return {"group": group["id"], "definition": definition["id"]}


@pytest.mark.parametrize("who", ["contributor", "run"])
@pytest.mark.parametrize("what", REFUSED)
def test_neither_a_contributor_nor_a_run_changes_what_guards(
    service: Service, tokens: dict[str, str], at: Json, what: str, who: str
) -> None:
    method, path, body = filled(REFUSED[what], at)
    answer = service.ask(method, path, body, token=tokens[who])
    assert answer.status_code in (401, 403), answer.text
    assert answer.json()["message"].startswith(("TF215106: Access denied.", "TF400813:"))


@pytest.mark.parametrize("what", _OF_A_RUN)
def test_a_run_neither_starts_others_nor_looks_into_the_library(
    service: Service, tokens: dict[str, str], at: Json, what: str
) -> None:
    method, path, body = filled(_OF_A_RUN[what], at)
    assert service.ask(method, path, body, token=tokens["run"]).status_code in (401, 403)
    assert service.ask(method, path, body, token=tokens["contributor"]).status_code not in (401, 403)


def test_every_rule_is_of_a_request_that_the_service_has() -> None:
    known = {(route.location, route.method) for route in ROUTES}
    assert [f"{method} {location.resource}" for location, method in roles.RULES.keys() - known] == []
