"""Agent pools of the organisation and the agent queues through which a project uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.azure_devops import locations, projects
from sandbox.azure_devops.errors import distributed_task
from sandbox.azure_devops.protocol import Router

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Draft, Json

router = Router()

# As in a new organisation of the service.
_POOLS: dict[int, Json] = {
    1: {"id": 1, "name": "Default", "isHosted": False, "isLegacy": False, "poolType": "automation"},
    9: {"id": 9, "name": "Azure Pipelines", "isHosted": True, "isLegacy": False, "poolType": "automation"},
}


def seed_project(draft: Draft, project: Json) -> None:
    """Give a new project a queue for each pool."""
    for pool in _POOLS.values():
        number = draft.next_id("queue")
        draft.table("queues")[str(number)] = {
            "id": number,
            "projectId": project["id"],
            "name": pool["name"],
            "pool": pool["id"],
        }


def wire(queue: Json) -> Json:
    """Return an agent queue as the API shows it."""
    return {
        "id": queue["id"],
        "projectId": queue["projectId"],
        "name": queue["name"],
        "pool": {**_POOLS[queue["pool"]], "size": 0},
    }


def by_name(draft: Draft, project: Json, name: str) -> Json | None:
    """Return a project's queue by its name."""
    for queue in of_project(draft, project):
        if queue["name"].lower() == name.lower():
            return queue
    return None


def by_id(draft: Draft, project: Json, number: int) -> Json | None:
    """Return a project's queue by its id."""
    queue = draft.table("queues").get(str(number))
    return queue if queue and queue["projectId"] == project["id"] else None


def of_project(draft: Draft, project: Json) -> list[Json]:
    """Return the queues of a project."""
    return [queue for queue in draft.table("queues").values() if queue["projectId"] == project["id"]]


@router.on(locations.POOLS, "GET", "vso.agentpools")
def pools(call: Call) -> object:
    """List the pools (`poolName`), or give one by its id."""
    if "poolId" in call.values:
        number = call.number("poolId")
        if number not in _POOLS:
            raise distributed_task(
                404, "TaskAgentPoolNotFoundException", f"No agent pool found with identifier {number}."
            )
        return {**_POOLS[number], "size": 0}
    name = call.query.get("poolname", "").lower()
    return [{**pool, "size": 0} for pool in _POOLS.values() if not name or pool["name"].lower() == name]


@router.on(locations.QUEUES, "GET", "vso.agentpools")
def queues(call: Call) -> object:
    """List the project's queues (`queueName`, `queueNames`, `queueIds`), or give one by its id."""
    project = projects.of(call)
    if "queueId" in call.values:
        number = call.number("queueId")
        queue = by_id(call.draft, project, number)
        if queue is None:
            raise distributed_task(
                404, "TaskAgentQueueNotFoundException", f"No agent queue found with identifier {number}."
            )
        return wire(queue)
    found = of_project(call.draft, project)
    names = call.query.get("queuenames") or call.query.get("queuename") or ""
    if names:
        wanted = {name.lower() for name in names.split(",")}
        found = [queue for queue in found if queue["name"].lower() in wanted]
    if ids := call.query.get("queueids"):
        found = [queue for queue in found if str(queue["id"]) in ids.split(",")]
    return [wire(queue) for queue in found]
