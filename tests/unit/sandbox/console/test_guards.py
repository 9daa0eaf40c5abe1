"""Checks and permissions in words that a person reads."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.azure_devops import checks
from sandbox.console import guards, resources

TASK = {"id": checks.TASK, "name": "Task Check"}
PIPELINES = [{"id": 3, "name": "app-one"}]


def shown(check: dict[str, Any], permissions: dict[str, Any] | None = None) -> list[list[str]]:
    """The rows of a resource with this check alone."""

    def ask(_: str, path: str) -> Any:
        if "pipelinePermissions" in path:
            return {"pipelines": [], **(permissions or {})}
        if "build/definitions" in path:
            return {"value": PIPELINES}
        assert path.endswith("resourceType=environment&resourceId=5&$expand=settings")
        return {"value": [{"timeout": 60, **check}]}

    return [[cell.text for cell in row] for row in guards.table(ask, "environment", "5", "production").rows]


def told(settings: dict[str, Any], kind: dict[str, str] | None = None, timeout: int = 60) -> list[str]:
    """Kind with name, and settings of a check."""
    return shown({"type": kind or TASK, "settings": settings, "timeout": timeout})[1]


def test_the_ids_are_those_of_the_service() -> None:
    assert (guards.APPROVAL, guards.EXCLUSIVE_LOCK) == (checks.APPROVAL, checks.EXCLUSIVE_LOCK)
    assert guards.BRANCH_CONTROL == checks.BRANCH_CONTROL
    assert guards.TEMPLATE in checks.TYPES


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "Approvers: Ada, Operations; all of them.\nWho queued the run may approve it."),
        ({"minRequiredApprovers": 1}, "Approvers: Ada, Operations; 1 of them.\nWho queued the run may approve it."),
        (
            {"executionOrder": "inSequence", "requesterCannotBeApprover": True, "instructions": "Read it."},
            (
                "Approvers: Ada, Operations; all of them, in this order.\nWho queued the run may not approve it.\n"
                "Instructions: Read it."
            ),
        ),
        ({"approvers": [{"id": "8", "displayName": "Ada"}]}, "Approver: Ada.\nWho queued the run may approve it."),
    ],
)
def test_an_approval_names_its_approvers(more: dict[str, Any], said: str) -> None:
    people = [{"id": "8", "displayName": "Ada"}, {"id": "9", "displayName": "Operations"}]
    row = told({"approvers": people, **more}, {"id": checks.APPROVAL, "name": "Approval"}, 43200)
    assert row == ["Approval", f"{said}\nTimes out after 30 days."]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "Branches: *.\nThe branch need not be protected."),
        (
            {"allowedBranches": "refs/heads/main,refs/tags/*", "ensureProtectionOfBranch": "true"},
            (
                "Branches: refs/heads/main, refs/tags/*.\n"
                "The branch has to be protected; the check fails where that is not known."
            ),
        ),
    ],
)
def test_branch_control_names_its_branches(inputs: dict[str, str], said: str) -> None:
    settings = {"displayName": "Only main", "definitionRef": {"id": guards.BRANCH_CONTROL.upper()}, "inputs": inputs}
    assert told(settings) == ["Branch control\nOnly main", f"{said}\nTimes out after 1 hour."]


def test_business_hours_are_told_with_their_time_zone() -> None:
    inputs = {"businessDays": "Monday, Friday", "startTime": "09:00", "endTime": "17:30", "timeZone": "UTC"}
    row = told({"displayName": "Office", "definitionRef": {"id": guards.BUSINESS_HOURS}, "inputs": inputs}, timeout=90)
    assert row == ["Business hours\nOffice", "Monday, Friday, 09:00 to 17:30, UTC.\nTimes out after 90 minutes."]


def test_a_lock_and_a_template_are_told() -> None:
    lock = told({}, {"id": checks.EXCLUSIVE_LOCK, "name": "ExclusiveLock"}, 1440)
    assert lock == ["Exclusive lock", "One run at a time.\nTimes out after 1 day."]
    wanted = [{"templatePath": "safe.yml", "repositoryName": "rules", "repositoryRef": "refs/heads/main"}]
    template = told({"extendsChecks": wanted}, {"id": guards.TEMPLATE, "name": "ExtendsCheck"})
    assert template[1].startswith("Has to extend safe.yml of rules (refs/heads/main).")


def test_the_inputs_of_a_check_that_is_not_known_are_not_shown() -> None:
    inputs = {"headers": "Authorization: Bearer a-secret"}
    row = told({"displayName": "Ask", "definitionRef": {"id": "another"}, "inputs": inputs})
    assert row == ["Task Check\nAsk", "Its settings are not shown here.\nTimes out after 1 hour."]


@pytest.mark.parametrize(
    ("permissions", "said"),
    [
        ({}, "No pipeline may use it."),
        ({"allPipelines": {"authorized": True}}, "Every pipeline of the project may use it."),
        ({"pipelines": [{"id": 3, "authorized": True}]}, "Pipelines: app-one (3)."),
        (
            {"pipelines": [{"id": 3, "authorized": False}, {"id": 4, "authorized": True}]},
            "Pipelines: a deleted one (4).",
        ),
    ],
)
def test_permissions_name_the_pipelines(permissions: dict[str, Any], said: str) -> None:
    assert shown({"type": TASK}, permissions)[0] == ["Permission", said]


def test_a_secrets_value_is_not_shown_even_where_the_service_gave_it() -> None:
    variables = {"Key": {"value": "a-secret", "isSecret": True}, "Open": {"value": "seen"}}

    def ask(_: str, path: str) -> Any:
        groups = [{"id": 1, "name": "app-one", "variables": variables}] if "variablegroups" in path else []
        return {"value": groups, "pipelines": []}

    page = resources.library(ask)
    assert "a-secret" not in str(page)
    assert [[cell.text for cell in row] for row in page.tables[0].rows] == [["Key", "(secret)"], ["Open", "seen"]]
