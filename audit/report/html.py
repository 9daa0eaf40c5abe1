"""A report as one HTML file: no network, light and dark, filter, expandable entries, policies side by side, fit for
print and phone.

The templates escape everything that is put into them, and a Content-Security-Policy allows only the style and script of
this file, by their hashes.
"""

import base64
import difflib
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from audit.model import Finding
from audit.report.model import Report, Row, Table
from audit.report.terminal import STATUS
from audit.report.text import cell, change, clean, line, neutralised, policy_lines, pretty, value, witness

MOST_STEPS = 20_000
"""Steps listed; of a larger plan the least severe ones are counted only."""
MANY = 200
"""With more steps, those out of sight are not laid out."""
MOST_LINES = 600
"""Lines of a document that are compared side by side."""
OPERATION = {
    "create": "+ create",
    "update": "~ update",
    "delete": "- delete",
    "replace": "± replace",
    "import": "= import",
}
SCRIPTED = ("plan", "history")
"""Commands whose page has the filter."""


def render(report: Report) -> str:
    """The whole page."""
    style, script = _asset("page.css"), _asset("page.js") if report.command in SCRIPTED else ""
    policy = [f"style-src '{_hash(style)}'", *([f"script-src '{_hash(script)}'"] if script else [])]
    return (
        _environment()
        .get_template(f"{_page(report)}.html")
        .render(
            report=report,
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            policy=Markup("default-src 'none'; " + "; ".join(policy) + "; base-uri 'none'; form-action 'none'"),  # noqa: S704 - hashes
            filters=_filters(report),
        )
    )


def _page(report: Report) -> str:
    return report.command if report.command in SCRIPTED else "survey"


@cache
def _environment() -> Environment:
    names = ("base.html", "parts.html", "plan.html", "history.html", "survey.html")
    environment = Environment(
        loader=DictLoader({name: _asset(name) for name in names}),
        autoescape=True,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"line": line, "clean": clean, "number": "{:,}".format}
    environment.globals |= {
        "MANY": MANY,
        "MOST_STEPS": MOST_STEPS,
        "OPERATION": OPERATION,
        "STATUS": STATUS,
        "cells_of": _cells_of,
        "change": _change,
        "changes_of": _changes_of,
        "policy_lines": policy_lines,
        "risks_of": risks_of,
        "side_by_side": _side_by_side,
        "value": value,
        "witness": witness,
    }
    return environment


def _plain(item: Any) -> Any:
    """Text that cannot act on a reader or be a command of a log; a template escapes it besides."""
    return neutralised(clean(item)) if type(item) is str else item


def _filters(report: Report) -> list[tuple[str, int]]:
    """Classes that the filter offers, worst first, and in how many entries each is."""
    entries: Iterable[Iterable[str]] = [risks_of(row) for row in report.rows] or [item.risks for item in report.records]
    counted = Counter(name for risks in entries for name in risks)
    return [(name, counted[name]) for name in report.catalogue.by_name if counted[name]]


def risks_of(row: Row) -> list[str]:
    """The classes of a step, worst first."""
    names = {finding.risk for finding in row.findings} or {row.risk}
    return [*names] if len(names) == 1 else sorted(names, key=_rank)


def _rank(name: str) -> int:
    from audit.report.catalogue import CLASSES

    return CLASSES.rank[name]


def _changes_of(row: Row) -> list[Any]:
    compared = {finding.policy.property for finding in row.findings if finding.policy}
    return [item for item in row.step.changes if item.path not in compared]


def _change(item: Any) -> str:
    return change(item).replace("  (forces replacement)", "")


def _cells_of(table: Table) -> Iterator[tuple[str, list[str]]]:
    for row in table.rows:
        yield "same" if row.status == "same" else "differs", [cell(item, 2000) for item in row.cells]


def _side_by_side(finding: Finding) -> Iterator[tuple[str, tuple[str, str]]]:
    """Rows of two documents, aligned where their lines are the same."""
    if finding.policy is None:
        return
    before, after = (pretty(side).splitlines()[:MOST_LINES] for side in (finding.policy.old, finding.policy.new))
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, left_start, left_end, right_start, right_end in matcher.get_opcodes():
        left, right = before[left_start:left_end], after[right_start:right_end]
        for index in range(max(len(left), len(right))):
            yield (
                "same" if kind == "equal" else "differs",
                (left[index] if index < len(left) else "", right[index] if index < len(right) else ""),
            )


@cache
def _asset(name: str) -> str:
    return (files("audit.report") / "templates" / name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
