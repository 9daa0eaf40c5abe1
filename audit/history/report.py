"""Fills the report of a history from its ledger."""

from collections import Counter
from typing import Any

from audit.history.ledger import Entry, Ledger, worst_of
from audit.report.catalogue import CLASSES
from audit.report.model import Part, Record, Report, Table, TableRow
from audit.report.terminal import OPERATION
from audit.report.text import UNPROVED, line, value

COLUMNS = ("#", "Ended", "Kind", "Who", "Commit", "Steps", "Worst", "Message")


def filled(ledger: Ledger) -> Report:
    """The report of a ledger."""
    entries = ledger["entries"]
    failed = sum(entry["result"] != "succeeded" for entry in entries)
    verdict = (
        f"{len(entries):,} update{'' if len(entries) == 1 else 's'}"
        + (f", {failed:,} not succeeded" if failed else "")
        + f"; worst: {worst_of(entries)}; head {ledger['head']}"
    )
    return Report(
        command="history",
        project=ledger["project"],
        stack=ledger["stack"],
        verdict=verdict,
        facts={"Backend": ledger["backend"]},
        tables=[Table("Updates", COLUMNS, [TableRow(_cells(entry)) for entry in entries])],
        records=[_record(entry) for entry in entries],
        data=ledger,
    )


def _operations(entry: Entry) -> str:
    counted = Counter(step["op"] for step in entry["steps"])
    shown = " ".join(f"{OPERATION.get(op, op + ' ')}{count}" for op, count in sorted(counted.items()))
    return shown + (f" …{entry['stepsLeftOut']}" if entry["stepsLeftOut"] else "")


def _who(entry: Entry) -> str:
    who = entry["who"]
    return who["name"] or who["email"] or "not recorded"


def _where(entry: Entry) -> str:
    """The commit, else the build, in short."""
    commit = entry["commit"]
    revision = commit["revision"][:10] + ("+changes" if commit["dirty"] else "")
    build = entry["pipeline"].get("ci.build.number") or entry["pipeline"].get("ci.build.id") or ""
    return " ".join(part for part in (revision, f"build {build}" if build else "") if part)


def _cells(entry: Entry) -> list[str]:
    return [
        str(entry["number"]),
        entry["ended"] or entry["started"],
        entry["kind"] + ("" if entry["result"] == "succeeded" else f" ({entry['result']})"),
        _who(entry),
        _where(entry),
        _operations(entry),
        entry["worst"],
        entry["message"],
    ]


def _record(entry: Entry) -> Record:
    number, ended, kind, who, where, operations, worst, message = _cells(entry)
    names = {step["risk"] for step in entry["steps"]} | {
        finding["risk"] for step in entry["steps"] for finding in step["findings"]
    }
    left_out = entry["stepsLeftOut"]
    facts = [TableRow([line(name), value(fact, 1000)]) for name, fact in _facts(entry).items() if fact]
    return Record(
        subject=line(message) or ended,
        op=f"{number} {kind}",
        about=" · ".join(part for part in (ended, who, where, operations) if part),
        risk=worst,
        risks=sorted(names or {"none"}, key=CLASSES.rank.__getitem__),
        facts=Table(f"Facts of update {number}", ("What", "Value"), facts),
        parts=[Part(step["op"], step["risk"], step["urn"], _said(step)) for step in entry["steps"]],
        lines=[f"{left_out:,} more steps of the least risk are counted only."] if left_out else [],
    )


def _said(step: dict[str, Any]) -> list[str]:
    found = [finding["reason"] + ("" if finding["proved"] else UNPROVED) for finding in step["findings"]]
    return [*found, *([f"Changed: {', '.join(step['changes'])}"] if step["changes"] else [])]


def _facts(entry: Entry) -> dict[str, str]:
    return {
        "Update": entry["id"],
        "Started, ended": f"{entry['started']} {entry['ended']}",
        "Who": f"{_who(entry)} ({entry['who']['source']})" if entry["who"]["name"] else _who(entry),
        "Commit": entry["commit"]["revision"],
        "Branch": entry["commit"]["branch"],
        "Repository": entry["commit"]["repository"],
        **entry["pipeline"],
        "Engine": entry["engine"],
        "Resources after": str(entry["resources"]),
        **{f"Setting {item['name']}": f"{value(item['old'])} → {value(item['new'])}" for item in entry["settings"]},
        "Digest": entry["digest"],
        "Follows": entry["previous"],
    }
