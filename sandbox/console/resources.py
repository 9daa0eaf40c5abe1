"""Pages of what pipelines use: variable groups, environments, service connections, each with what guards it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.console import guards
from sandbox.console.model import Page, Table, row

if TYPE_CHECKING:
    from sandbox.console.model import Ask


def library(ask: Ask) -> Page:
    """The variable groups; the service gives no secret's value, and whatever it gave for one would not be shown."""
    tables = []
    for group in ask("GET", "_apis/distributedtask/variablegroups")["value"]:
        rows = [
            row(name, "(secret)" if one.get("isSecret") else one.get("value"))
            for name, one in sorted(group["variables"].items())
        ]
        name = f"{group['name']} ({group['id']})"
        tables.append(Table(name, ("Variable", "Value"), rows, note=group.get("description") or ""))
        tables.append(guards.table(ask, "variablegroup", str(group["id"]), f"{name}: who may use it"))
    return Page("Library", tables or [Table("Variable groups", (), (), "No variable group: `make up` makes one.")])


def environments(ask: Ask) -> Page:
    """The environments with the checks that guard each."""
    tables = [
        guards.table(ask, "environment", str(one["id"]), f"{one['name']} ({one['id']})")
        for one in ask("GET", "_apis/distributedtask/environments")["value"]
    ]
    return Page("Environments", tables or [Table("Environments", (), (), "No environment: `make up` makes one.")])


def connections(ask: Ask) -> Page:
    """The service connections, without what they sign in with."""
    tables = []
    for one in ask("GET", "_apis/serviceendpoint/endpoints")["value"]:
        ready = "ready" if one.get("isReady") else "not ready"
        scheme = (one.get("authorization") or {}).get("scheme", "")
        name = f"{one['name']} ({one['type']}, {scheme}, {ready})"
        tables.append(guards.table(ask, "endpoint", str(one["id"]), name))
    nothing = "No service connection. A stack with pipelineIdentity: oidc declares some."
    return Page("Service connections", tables or [Table("Service connections", (), (), nothing)])
