"""Pages of runs: all of them, one with its timeline and the approvals that it waits for, and a log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sandbox.console.model import Cell, Page, Table, lasted, row, state, when

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.console.model import Ask

LAST = 2000
"""Lines of a log that a page shows, from its end."""
_MERGE = re.compile(r"refs/pull/(\d+)/merge")


def every(ask: Ask) -> Page:
    """All runs, the last first."""
    rows = [
        row(
            Cell(f"{one['definition']['name']} {one['buildNumber']} ({one['id']})", f"/runs/{one['id']}"),
            _result(one),
            _branch(one["sourceBranch"]),
            one["reason"],
            when(one["queueTime"]),
            lasted(one.get("startTime"), one.get("finishTime")),
        )
        for one in sorted(ask("GET", "_apis/build/builds")["value"], key=lambda one: -int(one["id"]))
    ]
    columns = ("Run", "Result", "Branch", "Reason", "Queued", "Took")
    return Page("Runs", [Table("All runs", columns, rows, "No run yet: `make pipeline` queues one.")])


def one(ask: Ask, number: int) -> Page:
    """The timeline of a run in its order, and the approvals that it waits for."""
    run = ask("GET", f"_apis/build/builds/{number}")
    records = list(ask("GET", f"_apis/build/builds/{number}/timeline")["records"])
    below: dict[str | None, list[dict[str, Any]]] = {}
    for record in sorted(records, key=lambda record: int(record["order"])):
        below.setdefault(record["parentId"], []).append(record)
    rows: list[list[Cell]] = []

    def add(parent: str | None, depth: int) -> None:
        for record in below.get(parent, ()):
            rows.append(_record(number, record, depth))
            add(record["id"], depth + 1)

    add(None, 0)
    due = [
        (str(record["id"]), f"{record['name']}, before the stage {record['details']['stage']}")
        for record in records
        if record["type"] == "Checkpoint.Approval" and record["state"] == "inProgress"
    ]
    facts = (
        ("Result", _result(run)),
        ("Branch", _branch(run["sourceBranch"])),
        ("Commit", Cell(run["sourceVersion"], code=True)),
        ("For", Cell(f"{run['requestedFor']['displayName']} ({run['reason']})")),
        ("Queued", Cell(when(run["queueTime"]))),
        ("Took", Cell(lasted(run.get("startTime"), run.get("finishTime")))),
    )
    columns = ("What", "Result", "Took", "Log", "Issues")
    tables = [Table("Timeline", columns, rows, approvals=due)]
    title = f"{run['definition']['name']}: run {run['buildNumber']} ({number})"
    return Page(title, tables, live=run["status"] != "completed", back=Cell("Runs", "/runs"), facts=facts)


def log(ask: Ask, number: int, log: int) -> Page:
    """The end of a log."""
    lines = [str(line) for line in ask("GET", f"_apis/build/builds/{number}/logs/{log}")["value"]]
    left = len(lines) - LAST
    facts = (("Left out", Cell(f"the first {left} lines")),) if left > 0 else ()
    text = "\n".join(lines[-LAST:])
    return Page(f"Log {log} of run {number}", text=text, back=Cell(f"Run {number}", f"/runs/{number}"), facts=facts)


def _record(number: int, record: Mapping[str, Any], depth: int) -> list[Cell]:
    log = record.get("log")
    kind = {"Stage": "Stage ", "Checkpoint.Approval": "Approval of "}.get(record["type"], "")
    return row(
        "\u2003" * depth + kind + str(record["name"]),
        state(record.get("result") or record["state"]),
        lasted(record.get("startTime"), record.get("finishTime")),
        Cell("log", f"/runs/{number}/logs/{log['id']}") if log else "",
        "; ".join(str(issue.get("message", "")) for issue in record.get("issues") or ()),
    )


def _result(run: Mapping[str, Any]) -> Cell:
    return state(run.get("result") or run["status"])


def _branch(ref: str) -> Cell:
    """A branch by its name, a pull request's merge as a link to its page."""
    if found := _MERGE.fullmatch(ref):
        return Cell(f"pull request {found[1]}", f"/pull-requests/{found[1]}")
    return Cell(ref.removeprefix("refs/heads/"))
