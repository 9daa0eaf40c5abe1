"""What each page shows, asked of the services as any client would ask: what an answer hides, no page can show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

LAST = 2000
"""Lines of a log that a page shows, from its end."""


class UnansweredError(Exception):
    """A service that gives no answer; the message says which, and why."""


@dataclass(frozen=True)
class Cell:
    """A text of a table. href: a path of the console."""

    text: str
    href: str = ""


@dataclass(frozen=True)
class Table:
    """A table under a heading; empty: what is said without rows. approvals: ids that a person can answer here."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str = "Nothing yet."
    approvals: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Page:
    """One page. live: it is asked for again while something goes on. text: shown as it is, such as a log."""

    title: str
    tables: Sequence[Table] = ()
    text: str | None = None
    live: bool = False


def _row(*texts: object) -> list[Cell]:
    return [one if isinstance(one, Cell) else Cell("" if one is None else str(one)) for one in texts]


@dataclass(frozen=True)
class Pages:
    """The pages of one project. ask: method, path and body below the project. images: rows of ECR's DescribeImages."""

    ask: Callable[[str, str, object], Any] = field(repr=False)
    project: str
    images_of_ecr: Callable[[], list[Mapping[str, Any]]] = field(repr=False)

    def _list(self, path: str) -> list[dict[str, Any]]:
        return list(self.ask("GET", path, None)["value"])

    def runs(self) -> Page:
        """All runs, the last first."""
        rows = [
            _row(
                Cell(f"{run['buildNumber']} ({run['id']})", f"/runs/{run['id']}"),
                run["sourceBranch"],
                run["reason"],
                run.get("result") or run["status"],
            )
            for run in sorted(self._list("_apis/build/builds"), key=lambda one: -int(one["id"]))
        ]
        nothing = "No run yet: `make pipeline` queues one."
        return Page("Runs", [Table("Runs", ("Run", "Branch", "Reason", "Result"), rows, nothing)])

    def run(self, number: int) -> Page:
        """The timeline of a run in its order, and the approvals that it waits for."""
        run = self.ask("GET", f"_apis/build/builds/{number}", None)
        records = self._list_records(number)
        below: dict[str | None, list[dict[str, Any]]] = {}
        for one in sorted(records, key=lambda record: int(record["order"])):
            below.setdefault(one["parentId"], []).append(one)
        rows: list[list[Cell]] = []

        def add(parent: str | None, depth: int) -> None:
            for one in below.get(parent, ()):
                log = one.get("log")
                shown = Cell("log", f"/runs/{number}/logs/{log['id']}") if log else Cell("")
                issues = "; ".join(str(issue.get("message", "")) for issue in one.get("issues") or ())
                name = "\u2003" * depth + str(one["name"])
                rows.append(_row(name, one["type"], one.get("result") or one["state"], issues, shown))
                add(one["id"], depth + 1)

        add(None, 0)
        due = [
            (str(one["id"]), f"{one['name']}, before the stage {one['details']['stage']}")
            for one in records
            if one["type"] == "Checkpoint.Approval" and one["state"] == "inProgress"
        ]
        columns = ("What", "Kind", "Result", "Issues", "Log")
        title = f"Run {run['buildNumber']} ({number}): {run.get('result') or run['status']}"
        return Page(title, [Table("Timeline", columns, rows, approvals=due)], live=run["status"] != "completed")

    def _list_records(self, number: int) -> list[dict[str, Any]]:
        return list(self.ask("GET", f"_apis/build/builds/{number}/timeline", None)["records"])

    def log(self, number: int, log: int) -> Page:
        """The end of a log."""
        lines = [str(line) for line in self.ask("GET", f"_apis/build/builds/{number}/logs/{log}", None)["value"]]
        return Page(f"Log {log} of run {number}", text="\n".join(lines[-LAST:]))

    def pull_requests(self) -> Page:
        """The pull requests, each with its comments."""
        path = f"_apis/git/repositories/{self.project}/pullrequests"
        tables = []
        for one in self._list(f"{path}?searchCriteria.status=all"):
            number = one["pullRequestId"]
            rows = [
                _row(thread.get("status"), comment["author"]["displayName"], comment["content"])
                for thread in self._list(f"{path}/{number}/threads")
                for comment in thread["comments"]
                if not comment.get("isDeleted")
            ]
            heading = f"{number}: {one['title']} ({one['status']})"
            tables.append(Table(heading, ("Thread", "Who", "Comment"), rows, "No comment."))
        return Page("Pull requests", tables or [Table("Pull requests", (), ())])

    def library(self) -> Page:
        """The variable groups; the service gives no secret's value."""
        tables = [
            Table(
                f"{group['name']} ({group['id']})",
                ("Variable", "Value"),
                [
                    _row(name, "(secret)" if one.get("isSecret") else one.get("value"))
                    for name, one in sorted(group["variables"].items())
                ],
            )
            for group in self._list("_apis/distributedtask/variablegroups")
        ]
        return Page("Library", tables or [Table("Variable groups", (), ())])

    def environments(self) -> Page:
        """The environments with the checks that guard each."""
        tables = []
        for one in self._list("_apis/distributedtask/environments"):
            path = f"_apis/pipelines/checks/configurations?resourceType=environment&resourceId={one['id']}"
            rows = [_row(check["id"], check["type"]["name"]) for check in self._list(path)]
            tables.append(Table(f"{one['name']} ({one['id']})", ("Check", "Kind"), rows, "No check guards it."))
        return Page("Environments", tables or [Table("Environments", (), ())])

    def images(self) -> Page:
        """What ECR lists, the last push first, with what its scan counted."""
        rows = []
        for image in sorted(self.images_of_ecr(), key=lambda one: str(one.get("imagePushedAt", "")), reverse=True):
            counted = (image.get("imageScanFindingsSummary") or {}).get("findingSeverityCounts") or {}
            found = ", ".join(f"{count} {severity}" for severity, count in sorted(counted.items()))
            scan = (image.get("imageScanStatus") or {}).get("status", "not scanned")
            tags = ", ".join(image.get("imageTags") or ["untagged"])
            size = f"{image.get('imageSizeInBytes', 0) / 1e6:.1f} MB"
            rows.append(_row(image["repositoryName"], tags, image["imageDigest"], size, scan, found))
        columns = ("Repository", "Tags", "Digest", "Size", "Scan", "Findings")
        return Page("Images", [Table("Images in ECR", columns, rows, "No image: `make up` pushes one.")])

    def answer(self, approval: str, status: str) -> None:
        """Approve or reject as the person whose sandbox it is; raises what `ask` raises where the service refuses."""
        body = [{"approvalId": approval, "status": status, "comment": "console"}]
        self.ask("PATCH", "_apis/pipelines/approvals", body)
