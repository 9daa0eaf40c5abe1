"""A report for a terminal: findings first, then what they rest on."""

import io
import os
import sys
from collections.abc import Iterator

from audit.model import Finding
from audit.report.model import Record, Report, Row, Table
from audit.report.text import cell, change, columns, line, neutralised, policy_lines, proof, value

STYLE = {
    "incomplete": "bold white on red",
    "access": "bold red",
    "loss": "bold magenta",
    "exposure": "bold yellow",
    "rotation": "bold cyan",
    "policy": "yellow",
    "waiver": "yellow",
    "change": "green",
    "none": "green",
}
WITNESS_STYLE = {"allowed": "red", "refused": "green", "because": ""}
OPERATION = {"create": "+", "update": "~", "delete": "-", "replace": "±", "import": "="}
STATUS = {"same": "=", "differs": "≠", "missing": "✗", "unknown": "?", "not compared": "·"}
MOST = 200
"""Findings, steps and updates shown."""
MOST_CHANGES = 12

Line = tuple[str, str]
"""A line and its style."""


def render(report: Report) -> str:
    """Text with ANSI colours where standard output is a terminal and NO_COLOR is not set (https://no-color.org)."""
    lines = [(text, style) for text, style in _lines(report)]
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return "\n".join(text for text, _ in lines) + "\n"
    from rich.console import Console
    from rich.text import Text

    output = io.StringIO()
    console = Console(
        file=output, force_terminal=True, color_system="standard", highlight=False, markup=False, emoji=False
    )
    console.print(Text("\n").join(Text(text, style) for text, style in lines), soft_wrap=True)
    return output.getvalue()


def _say(text: str, style: str = "", indent: int = 0) -> Line:
    return " " * indent + neutralised(line(text)), style


def _lines(report: Report) -> Iterator[Line]:
    yield from _head(report)
    serious = report.serious if report.command == "plan" else report.findings
    for finding in serious[:MOST]:
        yield from _finding(finding, report)
    if len(serious) > MOST:
        yield _say(f"… {len(serious) - MOST:,} more findings; the HTML and JSON reports hold them all")
    if report.rows:
        yield from (("", ""), ("Changes", "bold"))
    for row in report.rows[:MOST]:
        yield from _row(row)
    if len(report.rows) > MOST:
        yield _say(f"… {len(report.rows) - MOST:,} more steps; the HTML and JSON reports hold them all", indent=2)
    for table in report.tables:
        yield from _overview(table) if report.records else _table(table)
    if report.command == "compare":
        for record in report.records:
            yield from _difference(record)
    for item in report.messages[:20]:
        yield _say(f"{item.severity}: {item.message}", "red" if item.severity == "error" else "yellow")
    for note in report.notes:
        yield _say(note, "dim")


def _head(report: Report) -> Iterator[Line]:
    style = STYLE[report.family]
    if report.command == "plan":
        yield _say(f"{report.project or '?'} / {report.stack or '?'}: {report.headline}", style)
        yield _say(f"{report.counted}; {report.waived()} waived; fingerprint {report.fingerprint}", "dim")
        return
    yield _say(report.headline if report.command == "compare" else f"{report.title}: {report.headline}", style)
    if report.command == "compare":
        yield from ((neutralised(f"{name:<8} {line(text)}"), "dim") for name, text in report.facts.items())
    elif report.counts:
        yield _say(report.counted, "dim")


def _finding(finding: Finding, report: Report) -> Iterator[Line]:
    rule = report.catalogue[finding.risk]
    waived = f" (waived until {finding.waiver['expires']} by {finding.waiver['owner']})" if finding.waiver else ""
    yield "", ""
    yield _say(f"{finding.risk}{proof(finding)}{waived}: {finding.reason}", "dim" if waived else STYLE[rule.family])
    if finding.urn:
        yield _say(finding.urn, "dim", 2)
    yield from (_say(text, indent=2) for text in finding.details[:30])
    yield from (_say(text, WITNESS_STYLE[kind], 2) for kind, text in policy_lines(finding, 5))
    yield _say(f"Check: {rule.check}", "dim", 2)


def _row(row: Row) -> Iterator[Line]:
    step = row.step
    yield _say(f"{OPERATION.get(step.op, '?')} {step.kind} {step.name}  [{row.risk}]", indent=2)
    compared = {finding.policy.property for finding in row.findings if finding.policy}
    for item in step.changes[:MOST_CHANGES]:
        if item.path not in compared:
            yield _say(change(item), "dim", 6)
    if len(step.changes) > MOST_CHANGES:
        yield _say(f"… and {len(step.changes) - MOST_CHANGES} more properties", "dim", 6)


def _table(table: Table) -> Iterator[Line]:
    """A thing that is as it should be takes one line; the other formats show its facts too."""
    head = f"{STATUS[table.status]} {table.title}{f'  {table.kind}' if table.kind else ''}  [{table.status}]"
    if table.status == "same" and table.subject:
        yield _say(head, "dim")
        return
    yield "", ""
    yield _say(head, "bold")
    if not table.rows:
        return
    rows = [
        ["", *table.columns],
        *([STATUS[row.status], *(cell(item, 60) for item in row.cells)] for row in table.rows),
    ]
    for number, text in enumerate(columns(rows)):
        quiet = number == 0 or table.rows[number - 1].status == "same"
        yield " " * 4 + neutralised(text), "dim" if quiet else ""


def _overview(table: Table) -> Iterator[Line]:
    """The newest entries of a long list, newest last."""
    newest = table.rows[-MOST:]
    if len(table.rows) > len(newest):
        yield _say(f"the newest {len(newest)} of them; the HTML and JSON reports hold them all")
    rows = [[neutralised(value(item, 48)) for item in row.cells] for row in newest]
    yield from ((text, "") for text in columns([list(table.columns), *rows]))


def _difference(record: Record) -> Iterator[Line]:
    yield "", ""
    yield _say(record.subject)
    yield _say(record.sentence, indent=2)
    yield from (_say(text, indent=4) for text in record.lines)
