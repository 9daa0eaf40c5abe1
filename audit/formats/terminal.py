"""The report for a terminal: findings first, then what changes."""

import io
import os
import sys

from audit.formats.text import change, headline, line, neutralised, witness
from audit.model import Finding
from audit.report import Report, Row
from audit.risks import BY_NAME

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
MARK = {"create": "+", "update": "~", "delete": "-", "replace": "±", "import": "="}
MOST_ROWS = 200
MOST_CHANGES = 12


def render(report: Report) -> str:
    """Text with ANSI colours where standard output is a terminal and NO_COLOR is not set (https://no-color.org)."""
    lines: list[tuple[str, str]] = []

    def say(text: str, style: str = "", indent: int = 0) -> None:
        lines.append((" " * indent + neutralised(line(text)), style))

    counts = ", ".join(f"{count:,} {op}" for op, count in report.counts.items() if op != "same") or "no changes"
    say(
        f"{report.project or '?'} / {report.stack or '?'}: {headline(report.worst, report.incomplete)}",
        STYLE[BY_NAME[report.worst].family],
    )
    say(f"{counts}; {report.waived()} waived; fingerprint {report.fingerprint}", "dim")
    serious = [finding for finding in report.findings if finding.risk not in ("change", "none")]
    for finding in serious[:MOST_ROWS]:
        say("")
        for text, style, indent in _lines(finding):
            say(text, style, indent)
    if len(serious) > MOST_ROWS:
        say(f"… {len(serious) - MOST_ROWS:,} more findings; the HTML and JSON reports hold them all")
    if report.rows:
        say("")
        say("Changes", "bold")
    for row in report.rows[:MOST_ROWS]:
        say(f"{MARK.get(row.step.op, '?')} {row.step.kind} {row.step.name}  [{row.risk}]", "", 2)
        for text in _changes(row):
            say(text, "dim", 6)
    if len(report.rows) > MOST_ROWS:
        say(f"… {len(report.rows) - MOST_ROWS:,} more steps; the HTML and JSON reports hold them all", "", 2)
    for item in report.diagnostics[:20]:
        if item.severity in ("error", "warning"):
            say(f"{item.severity}: {item.message}", "red" if item.severity == "error" else "yellow")
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return "\n".join(text for text, _ in lines) + "\n"
    return _coloured(lines)


def _coloured(lines: list[tuple[str, str]]) -> str:
    from rich.console import Console
    from rich.text import Text

    output = io.StringIO()
    console = Console(
        file=output, force_terminal=True, color_system="standard", highlight=False, markup=False, emoji=False
    )
    console.print(Text("\n").join(Text(text, style) for text, style in lines), soft_wrap=True)
    return output.getvalue()


def _lines(finding: Finding) -> list[tuple[str, str, int]]:
    risk = BY_NAME[finding.risk]
    proof = "" if finding.proved else " (cannot be proved)"
    waived = f" (waived until {finding.waiver['expires']} by {finding.waiver['owner']})" if finding.waiver else ""
    lines = [(f"{finding.risk}{proof}{waived}: {finding.reason}", "dim" if finding.waiver else STYLE[risk.family], 0)]
    lines += [(finding.urn, "dim", 2)] if finding.urn else []
    lines += [(item, "", 2) for item in finding.details[:30]]
    if finding.policy:
        lines += [(f"newly allowed: {witness(item)}", "red", 2) for item in finding.policy.newly_allowed[:5]]
        lines += [(f"newly refused: {witness(item)}", "green", 2) for item in finding.policy.newly_refused[:5]]
        lines += [(f"because of {item}", "", 2) for item in finding.policy.because[:5]]
    lines.append((f"Check: {risk.check}", "dim", 2))
    return lines


def _changes(row: Row) -> list[str]:
    compared = {finding.policy.property for finding in row.findings if finding.policy}
    shown = [change(item) for item in row.step.changes[:MOST_CHANGES] if item.path not in compared]
    if len(row.step.changes) > MOST_CHANGES:
        shown.append(f"… and {len(row.step.changes) - MOST_CHANGES} more properties")
    return shown
