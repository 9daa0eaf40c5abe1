"""What stands between a pipeline and a protected resource, in words: who may use it, and the checks on it.

https://learn.microsoft.com/azure/devops/pipelines/process/approvals. The inputs of a check that is not known here are
not shown: those that call another service may hold its credentials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.console.model import Cell, Table, minutes, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sandbox.console.model import Ask

APPROVAL = "8c6f20a7-a545-4486-9777-f762fafe0d4d"
EXCLUSIVE_LOCK = "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563"
TEMPLATE = "4020e66e-b0f3-47e1-bc88-48f3cc59b5f3"
BRANCH_CONTROL = "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b"
BUSINESS_HOURS = "445fde2f-6c39-441c-807f-8a59ff2e075f"
"""The ids are those of every organisation. The last two are tasks, which a check of the type `Task Check` names."""


def table(ask: Ask, kind: str, identifier: str, heading: str) -> Table:
    """The permissions and the checks of a resource. kind: as the service's addresses spell it."""
    permissions = ask("GET", f"_apis/pipelines/pipelinePermissions/{kind}/{identifier}")
    path = f"_apis/pipelines/checks/configurations?resourceType={kind}&resourceId={identifier}&$expand=settings"
    rows = [row(*_told(check)) for check in ask("GET", path)["value"]]
    return Table(heading, ("Guard", "Settings"), [row("Permission", _pipelines(ask, permissions)), *rows])


def _pipelines(ask: Ask, permissions: Mapping[str, Any]) -> Cell:
    if (permissions.get("allPipelines") or {}).get("authorized"):
        return Cell("Every pipeline of the project may use it.", tone="waits")
    allowed = [one["id"] for one in permissions["pipelines"] if one["authorized"]]
    if not allowed:
        return Cell("No pipeline may use it.")
    names = {one["id"]: one["name"] for one in ask("GET", "_apis/build/definitions")["value"]}
    told = _list(f"{names.get(one, 'a deleted one')} ({one})" for one in allowed)
    return Cell(f"Pipelines: {told}.")


def _told(check: Mapping[str, Any]) -> tuple[str, str]:
    """A check's kind with the name that somebody gave it, and its settings, a sentence each."""
    settings = check.get("settings") or {}
    kind = str(check["type"]["id"]).lower()
    if task := settings.get("definitionRef"):
        kind = str(task.get("id")).lower()
    name, sentences = _KINDS.get(kind, (check["type"]["name"], _unknown))
    told = [*sentences(settings), f"Times out after {minutes(int(check['timeout']))}."]
    return "\n".join(filter(None, (name, settings.get("displayName")))), "\n".join(told)


def _approval(settings: Mapping[str, Any]) -> Iterator[str]:
    people = _list(one.get("displayName") or one["id"] for one in settings["approvers"])
    count, needed = len(settings["approvers"]), settings.get("minRequiredApprovers") or 0
    if count == 1:
        yield f"Approver: {people}."
    else:
        how = f"{needed} of them" if needed else "all of them"
        order = ", in this order" if settings.get("executionOrder") == "inSequence" else ""
        yield f"Approvers: {people}; {how}{order}."
    yield "Who queued the run may " + (
        "not approve it." if settings.get("requesterCannotBeApprover") else "approve it."
    )
    if settings.get("instructions"):
        yield f"Instructions: {settings['instructions']}"


def _branch_control(settings: Mapping[str, Any]) -> Iterator[str]:
    given = settings.get("inputs") or {}
    yield f"Branches: {_list(part.strip() for part in str(given.get('allowedBranches') or '*').split(','))}."
    if _true(given.get("ensureProtectionOfBranch")):
        unknown = "passes" if _true(given.get("allowUnknownStatusBranch")) else "fails"
        yield f"The branch has to be protected; the check {unknown} where that is not known."
    else:
        yield "The branch need not be protected."


def _business_hours(settings: Mapping[str, Any]) -> Iterator[str]:
    given = settings.get("inputs") or {}
    days = _list(part.strip() for part in str(given.get("businessDays") or "").split(","))
    yield f"{days}, {given.get('startTime')} to {given.get('endTime')}, {given.get('timeZone')}."


def _exclusive_lock(_: Mapping[str, Any]) -> Iterator[str]:
    yield "One run at a time."


def _template(settings: Mapping[str, Any]) -> Iterator[str]:
    for one in settings.get("extendsChecks") or ():
        yield f"Has to extend {one.get('templatePath')} of {one.get('repositoryName')} ({one.get('repositoryRef')})."


def _unknown(_: Mapping[str, Any]) -> Iterator[str]:
    yield "Its settings are not shown here."


def _list(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def _true(value: object) -> bool:
    return str(value).lower() == "true"


_KINDS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], Iterator[str]]]] = {
    APPROVAL: ("Approval", _approval),
    EXCLUSIVE_LOCK: ("Exclusive lock", _exclusive_lock),
    TEMPLATE: ("Required template", _template),
    BRANCH_CONTROL: ("Branch control", _branch_control),
    BUSINESS_HOURS: ("Business hours", _business_hours),
}
