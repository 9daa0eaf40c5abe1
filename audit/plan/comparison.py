"""Says whether two previews would do the same to the same prior state, or exactly what differs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from audit.errors import AuditError
from audit.model import kind_of, masked
from audit.plan.fingerprint import combine
from audit.report import json as json_format
from audit.report.json import SCHEMA, SCHEMA_VERSION
from audit.report.model import Record, Report
from audit.report.text import line, value
from audit.secrets.redact import Redactor

Step = Mapping[str, Any]
"""A step as a JSON report holds it."""

SENTENCES = {
    "added": "would be touched now ({now}) and was not part of what was approved",
    "removed": "was part of what was approved ({approved}) and would not be touched now",
    "operation": "was approved as {approved} and would be {now} now",
    "planned": "would become something else than was approved ({now})",
    "prior": "starts from another recorded state than was approved ({now})",
    "masked": "would get masked values ({now}): whether they are those that were approved cannot be told",
    "incomplete": "a preview is incomplete",
    "source": "the previews are of two kinds",
}
"""What is said of a difference of a step, and of the previews as a whole."""


def load(path: str, known_secrets: Sequence[str], max_bytes: int) -> dict[str, Any]:
    """A preview, an event log or a JSON report, as the values of a JSON report. Raises AuditError."""
    report = _saved(path, max_bytes)
    if report is not None:
        return _checked(report, path, known_secrets)
    from audit.plan.report import from_file  # brings the language of IAM policies, which saved reports do not need

    return json_format.plan(from_file(path, known_secrets, max_bytes=max_bytes))


def _checked(report: dict[str, Any], path: str, known_secrets: Sequence[str]) -> dict[str, Any]:
    """A saved report, whole and unchanged, without what is a secret here (the run that wrote it may not have known)."""
    try:
        rows = [(step["urn"], step["op"], step["planned"], step["prior"]) for step in report["steps"]]
        for step in report["steps"]:
            if not all(
                isinstance(change["path"], str) and isinstance(change["kind"], str) for change in step["changes"]
            ):
                raise TypeError
        own = combine(rows, incomplete=report["incomplete"])
        matches = own == report["fingerprint"] and all(isinstance(item, str) for row in rows for item in row)
    except (KeyError, TypeError, AttributeError):
        raise AuditError(f"{path}: is no whole report of `audit plan --format json`; make it again") from None
    if not matches:
        raise AuditError(
            f"{path}: its steps do not add up to its fingerprint, so it was changed or made by another version; make "
            "it again"
        )
    redactor = Redactor(known_secrets)
    return {**report, "steps": [{**step, "changes": redactor.value(step["changes"])} for step in report["steps"]]}


def _saved(path: str, max_bytes: int) -> dict[str, Any] | None:
    """The report in the file, or None where the file is something else (a preview, which has a reader of its own)."""
    if path == "-":
        return None
    try:
        with Path(path).open("rb") as stream:
            start = stream.read(256)
            if f'"schema":"{SCHEMA}"'.encode() not in start:
                return None
            text = start + stream.read(max_bytes)
        report = json.loads(text)
    except OSError as error:
        raise AuditError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise AuditError(f"{path}: is a truncated or broken report; make it again") from None
    if not isinstance(report, dict) or report.get("version") != SCHEMA_VERSION:
        raise AuditError(f"{path}: is a report of another version than {SCHEMA_VERSION}; make it again")
    return report


def compare(approved: Mapping[str, Any], now: Mapping[str, Any]) -> Report:
    """What differs between two reports, by step."""
    before, after = _by_step(approved), _by_step(now)
    found = []
    if approved["incomplete"] or now["incomplete"]:
        both = (("the approved one", approved), ("the one of now", now))
        which = " and ".join(name for name, report in both if report["incomplete"])
        found.append(_record("", "incomplete", [f"{which} ended with an error; what is missing is not known"]))
    for urn in sorted({*before, *after}):
        old, new = before.get(urn, []), after.get(urn, [])
        if not old:
            found.append(_record(urn, "added", [f"now: {text}" for text in _changes(new)], new=new))
        elif not new:
            found.append(_record(urn, "removed", [f"approved: {text}" for text in _changes(old)], old=old))
        elif list(map(_mark, old)) != list(map(_mark, new)):
            found.append(_difference(urn, old, new))
        elif hidden := sorted({path for step in new for path in _masked(step)}):
            found.append(_record(urn, "masked", [f"{path}: masked on both sides" for path in hidden], old, new))
    if found and approved.get("source") != now.get("source"):
        reason = "one is a digest and the other an event log, which shows no dependencies and few options"
        found.append(_record("", "source", [f"{reason}; compare two of one kind"]))
    return _report(str(approved["fingerprint"]), str(now["fingerprint"]), found)


def _report(approved: str, now: str, found: list[dict[str, Any]]) -> Report:
    same = approved == now and not found
    verdict = f"Same: what would happen now is what was approved ({now})."
    return Report(
        command="compare",
        project="",
        stack="",
        verdict=verdict if same else "Differs: what would happen now is not what was approved.",
        facts={} if same else {"approved": approved, "now": now},
        records=[Record(item["urn"], _sentence(item), lines=item["lines"]) for item in found],
        data={"same": same, "approved": approved, "now": now, "differences": found},
    )


def _record(
    urn: str, kind: str, lines: list[str], old: Sequence[Step] = (), new: Sequence[Step] = ()
) -> dict[str, Any]:
    """A difference as the JSON answer holds it."""
    shown = [line(text) for text in lines]
    return {"urn": urn, "kind": kind, "approved": _ops(old), "now": _ops(new), "lines": shown}


def _sentence(item: Mapping[str, Any]) -> str:
    return SENTENCES[item["kind"]].format(approved=line(item["approved"]), now=line(item["now"]))


def _by_step(report: Mapping[str, Any]) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in report["steps"]:
        found.setdefault(step["urn"], []).append(step)
    return {urn: sorted(steps, key=_mark) for urn, steps in found.items()}


def _mark(step: Step) -> tuple[str, str, str]:
    return step["op"], step["planned"], step["prior"]


def _ops(steps: Sequence[Step]) -> str:
    return ", ".join(str(step["op"]) for step in steps)


def _difference(urn: str, old: list[Step], new: list[Step]) -> dict[str, Any]:
    kind = "planned"
    if _ops(old) != _ops(new):
        kind = "operation"
    elif [step["planned"] for step in old] == [step["planned"] for step in new]:
        kind = "prior"
    before, after = _changes(old), _changes(new)
    lines = [f"approved: {text}" for text in before if text not in after]
    lines += [f"now: {text}" for text in after if text not in before]
    if kind == "prior" or [step["prior"] for step in old] != [step["prior"] for step in new]:
        lines.append(
            "the recorded state before the change is not the one that was approved: something was changed in between"
        )
    if not lines:
        lines.append(
            "the difference is in what the report does not show in full (options of the resource, a long value)"
        )
    return _record(urn, kind, lines, old, new)


def _masked(step: Step) -> Iterator[str]:
    """Paths that change to something masked."""
    for item in step["changes"]:
        if item["kind"] == "hidden" and "new" not in item:
            yield item["path"]
        yield from masked(item.get("new"), kind_of(str(step.get("type", ""))), item["path"])


def _changes(steps: Sequence[Step]) -> list[str]:
    return [_change(item) for step in steps for item in step["changes"]]


def _change(item: Step) -> str:
    if item["kind"] == "hidden":
        return f"{item['path']}: masked value"
    sides = [value(item[side], 1000) for side in ("old", "new") if side in item]
    return f"{item['path']}: {' → '.join(sides)}"
