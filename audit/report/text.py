"""What every format shares: values in one line, text that cannot act on a terminal or an Azure Pipelines agent."""

import json
import re
from typing import Any

from audit.model import ENGINE_SECRET, UNKNOWNS, Change, Finding, holds_unknown

LONGEST_VALUE = 300
"""Characters of one value in formats for people; the JSON report holds more."""

LONGEST_TEXT = 16_384
"""Characters of one text in the JSON report of a plan."""

KNOWN_LATER = "(known after apply)"

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Controls, escapes, direction-changing characters (Unicode TR 36), lone surrogates, and all that Unicode has readers
ignore (Default_Ignorable_Code_Point in its DerivedCoreProperties.txt): names that differ in them alone look alike."""

_COLOUR_TAG = re.compile(r"<\{%[^%]{0,40}%\}>")
_COMMAND = re.compile(r"#(?=#\s*(?:vso)?\[)", re.IGNORECASE)


def clean(text: str) -> str:
    """The text with every character that could act made visible as an escape; line ends and tabs stay."""
    if text.isascii() and text.isprintable() and "<{%" not in text:
        return text
    return _CONTROLS.sub(_escape, _COLOUR_TAG.sub("", text.replace("\r\n", "\n")))


def cleaned(item: Any) -> Any:
    """A JSON value with every character that could act made visible."""
    if isinstance(item, str):
        return clean(item)
    if isinstance(item, (list, tuple)):
        return [cleaned(entry) for entry in item]
    if isinstance(item, dict):
        return {clean(str(name)): cleaned(entry) for name, entry in item.items()}
    return item


def cut(text: str) -> str:
    """The same, as long as a report holds one text; a longer one is cut and says so."""
    text = clean(text)
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}… ({len(text):,} characters)"


def line(text: str) -> str:
    """The same in one line."""
    return " ".join(clean(text).split())


def _escape(match: re.Match[str]) -> str:
    point = ord(match.group())
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}"


def neutralised(text: str) -> str:
    """The text without anything that an Azure Pipelines agent takes for a command (`##vso[`, `##[`), wherever it
    stands in a line."""
    return _COMMAND.sub("# ", text)


def value(item: Any, longest: int = LONGEST_VALUE) -> str:
    """A JSON value in one line, unknowns in words, shortened."""
    if item is None:
        return ""
    shown = line(item if isinstance(item, str) else json.dumps(item, ensure_ascii=False, separators=(", ", ": ")))
    if len(shown) < 4096 and holds_unknown(shown):
        for mark in UNKNOWNS:
            shown = shown.replace(mark, KNOWN_LATER)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def change(item: Change) -> str:
    """A change in one line."""
    suffix = "  (forces replacement)" if item.replaces else ""
    if item.kind == "hidden":
        return f"{line(item.path)}: {ENGINE_SECRET} changes, its value is not visible{suffix}"
    if item.kind == "add":
        return f"{line(item.path)}: {value(item.new)}{suffix}"
    if item.kind == "delete":
        return f"{line(item.path)}: {value(item.old)} is removed{suffix}"
    if item.old is None:
        return f"{line(item.path)}: {value(item.new)}{suffix}"
    return f"{line(item.path)}: {value(item.old)} → {value(item.new)}{suffix}"


def witness(request: dict[str, Any]) -> str:
    """A request in one line."""
    parts = [f"{line(str(request.get('action')))} on {line(str(request.get('resource')))}"]
    if request.get("principal"):
        parts.append(f"by {line(str(request['principal']))}")
    context = request.get("context") or {}
    if context:
        parts.append("where " + ", ".join(f"{line(str(key))} is {value(item, 120)}" for key, item in context.items()))
    return " ".join(parts)


_GRAMMAR = "Version Id Statement Sid Effect Principal NotPrincipal Action NotAction Resource NotResource Condition"
_PLACES = {name: place for place, name in enumerate(_GRAMMAR.split())}


def pretty(document: Any) -> str:
    """A policy document over several lines; the order of an object's members means nothing, and a provider records
    another one than was declared, so they are written in one order."""
    if document is None:
        return "(none)"
    if isinstance(document, str):
        return clean(document)
    return clean(json.dumps(_ordered(document), indent=2, ensure_ascii=False))


def _ordered(document: Any) -> Any:
    """The members of objects in the order of the policy grammar, others after them by name; lists as they are."""
    if isinstance(document, list):
        return [_ordered(item) for item in document]
    if isinstance(document, dict):
        return {name: _ordered(document[name]) for name in sorted(document, key=_place)}
    return document


def _place(name: Any) -> tuple[int, str]:
    return (_PLACES.get(name, len(_PLACES)), str(name))


def headline(worst: str, incomplete: bool) -> str:
    """The report's verdict in one sentence."""
    if incomplete:
        return "The preview ended with an error: nothing is proved."
    if worst == "none":
        return "Nothing changes."
    if worst == "change":
        return "Changes, and no risk that this tool knows."
    return f"Worst: {worst}."


UNPROVED = " (cannot be proved)"


def proof(finding: Finding) -> str:
    """What is said of a finding that is not proved."""
    return "" if finding.proved else UNPROVED


def policy_lines(finding: Finding, most: int | None = None) -> list[tuple[str, str]]:
    """What the comparison of two policies proved, at most so many of each: kind (allowed, refused, because) and
    words."""
    if finding.policy is None:
        return []
    return [
        *(("allowed", f"newly allowed: {witness(item)}") for item in finding.policy.newly_allowed[:most]),
        *(("refused", f"newly refused: {witness(item)}") for item in finding.policy.newly_refused[:most]),
        *(("because", f"because of {item}") for item in finding.policy.because[:most]),
    ]


def columns(rows: list[list[str]]) -> list[str]:
    """Rows in columns as wide as they need."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def cell(item: Any, longest: int) -> str:
    """A value in a table; a dash where there is none."""
    return "-" if item is None else value(item, longest)


def escaped_commands(text: str) -> str:
    """JSON text in which a command of a log is written with an escape, so that printing the file in a pipeline does
    nothing."""
    return _COMMAND.sub("\\\\u0023", text)
