"""Says whether two previews would do the same to the same prior state, or exactly what differs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.errors import AuditError
from audit.fingerprint import combine
from audit.formats import json as json_format
from audit.formats.markdown import LIMIT, ROOM, code, escaped, units
from audit.formats.text import line, neutralised, value
from audit.redact import Redactor
from audit.report import SCHEMA, SCHEMA_VERSION, from_file


@dataclass(slots=True)
class Difference:
    """One step that is not the same. `kind`: added, removed, operation, planned or prior, or incomplete or source for
    the previews as a whole; `lines` say what differs
    in it."""

    urn: str
    kind: str
    approved: str = ""
    now: str = ""
    lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Comparison:
    """The answer."""

    approved: str
    now: str
    differences: list[Difference]

    @property
    def same(self) -> bool:
        """Whether the fingerprints are equal."""
        return self.approved == self.now and not self.differences


def load(path: str, known_secrets: Sequence[str], max_bytes: int) -> dict[str, Any]:
    """A preview, an event log or a JSON report, as the values of a JSON report. Raises AuditError."""
    report = _saved(path, max_bytes)
    if report is not None:
        return _checked(report, path, known_secrets)
    return json_format.data(from_file(path, known_secrets, max_bytes=max_bytes))


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


def compare(approved: Mapping[str, Any], now: Mapping[str, Any]) -> Comparison:
    """What differs between two reports, by step."""
    before, after = _by_step(approved), _by_step(now)
    differences = []
    if approved["incomplete"] or now["incomplete"]:
        which = [
            name for name, report in (("the approved one", approved), ("the one of now", now)) if report["incomplete"]
        ]
        differences.append(
            Difference(
                "", "incomplete", lines=[f"{' and '.join(which)} ended with an error; what is missing is not known"]
            )
        )
    for urn in sorted({*before, *after}):
        old, new = before.get(urn), after.get(urn)
        if old is None and new is not None:
            differences.append(
                Difference(urn, "added", "", _ops(new), [f"now: {text}" for step in new for text in _changes(step)])
            )
        elif new is None and old is not None:
            differences.append(
                Difference(
                    urn, "removed", _ops(old), "", [f"approved: {text}" for step in old for text in _changes(step)]
                )
            )
        elif old is not None and new is not None and _marks(old) != _marks(new):
            differences.append(_difference(urn, old, new))
    if differences and approved.get("source") != now.get("source"):
        reason = "one is a digest and the other an event log, which shows no dependencies and few options"
        differences.append(Difference("", "source", lines=[f"{reason}; compare two of one kind"]))
    return Comparison(str(approved["fingerprint"]), str(now["fingerprint"]), differences)


def _by_step(report: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for step in report["steps"]:
        found.setdefault(step["urn"], []).append(step)
    return {urn: sorted(steps, key=_mark) for urn, steps in found.items()}


def _mark(step: Mapping[str, Any]) -> tuple[str, str, str]:
    return step["op"], step["planned"], step["prior"]


def _marks(steps: list[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    return [_mark(step) for step in steps]


def _ops(steps: list[Mapping[str, Any]]) -> str:
    return ", ".join(str(step["op"]) for step in steps)


def _difference(urn: str, old: list[Mapping[str, Any]], new: list[Mapping[str, Any]]) -> Difference:
    kind = "planned"
    if _ops(old) != _ops(new):
        kind = "operation"
    elif all(one["planned"] == other["planned"] for one, other in zip(old, new, strict=True)):
        kind = "prior"
    result = Difference(urn, kind, _ops(old), _ops(new))
    before = [text for step in old for text in _changes(step)]
    after = [text for step in new for text in _changes(step)]
    result.lines += [f"approved: {text}" for text in before if text not in after]
    result.lines += [f"now: {text}" for text in after if text not in before]
    if kind == "prior" or _priors(old) != _priors(new):
        result.lines.append(
            "the recorded state before the change is not the one that was approved: something was changed in between"
        )
    if not result.lines:
        result.lines.append(
            "the difference is in what the report does not show in full (options of the resource, a long value)"
        )
    return result


def _priors(steps: list[Mapping[str, Any]]) -> list[Any]:
    return [step["prior"] for step in steps]


def _changes(step: Mapping[str, Any]) -> list[str]:
    return [_change(item) for item in step["changes"]]


def _change(item: Mapping[str, Any]) -> str:
    if item["kind"] == "hidden":
        return f"{item['path']}: masked value"
    sides = [value(item[side], 1000) for side in ("old", "new") if side in item]
    return f"{item['path']}: {' → '.join(sides)}"


SENTENCES = {
    "added": "would be touched now ({now}) and was not part of what was approved",
    "removed": "was part of what was approved ({approved}) and would not be touched now",
    "operation": "was approved as {approved} and would be {now} now",
    "planned": "would become something else than was approved ({now})",
    "prior": "starts from another recorded state than was approved ({now})",
    "incomplete": "a preview is incomplete",
    "source": "the previews are of two kinds",
}


def render(result: Comparison, form: str) -> str:
    """The answer as text, Markdown or JSON."""
    if form == "json":
        differences = [
            {
                "urn": item.urn,
                "kind": item.kind,
                "approved": item.approved,
                "now": item.now,
                "lines": [line(text) for text in item.lines],
            }
            for item in result.differences
        ]
        answer = {"same": result.same, "approved": result.approved, "now": result.now, "differences": differences}
        return neutralised_json(json.dumps(answer, separators=(",", ":"))) + "\n"
    if result.same:
        return f"Same: what would happen now is what was approved ({result.now}).\n"
    head = (
        f"Differs: what would happen now is not what was approved.\napproved {result.approved}\nnow      {result.now}\n"
    )
    if form == "markdown":
        return _markdown(result)
    parts = [head]
    for item in result.differences:
        parts.append(f"\n{line(item.urn)}\n  {_sentence(item)}\n")
        parts += [f"    {line(text)}\n" for text in item.lines]
    return neutralised("".join(parts))


def neutralised_json(text: str) -> str:
    """JSON text without a command of an Azure Pipelines log."""
    return text.replace("##", "#\\u0023")


def _sentence(item: Difference) -> str:
    return SENTENCES[item.kind].format(approved=line(item.approved), now=line(item.now))


def _markdown(result: Comparison) -> str:
    parts = [f"## Not what was approved\n\napproved {code(result.approved)}\n\nnow {code(result.now)}\n\n"]
    room, left_out = LIMIT - ROOM - units(parts[0]), 0
    for item in result.differences:
        part = (
            "\n".join(
                [
                    f"- {code(item.urn, 600)} {escaped(_sentence(item))}",
                    *(f"  - {escaped(text, 600)}" for text in item.lines[:40]),
                ]
            )
            + "\n"
        )
        if left_out or units(part) > room:
            left_out += 1
            continue
        room -= units(part)
        parts.append(part)
    if left_out:
        parts.append(f"\n{left_out:,} more steps differ.\n")
    return neutralised("".join(parts))
