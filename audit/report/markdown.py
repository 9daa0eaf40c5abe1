"""A report as Markdown for a pull request comment or a build summary of Azure DevOps.

A comment of Azure DevOps holds at most 150,000 characters (the service answers "A discussion comment cannot be
longer than 150000 characters"; it counts UTF-16 units). Whatever comes from outside stands in code spans or with
every character escaped that could make a mention, a link to a work item or pull request, HTML or a table.
"""

import difflib
import re
from collections.abc import Iterator

from audit.model import Finding
from audit.report.model import Record, Report, Row, Table
from audit.report.terminal import STATUS
from audit.report.text import cell, change, clean, line, neutralised, policy_lines, pretty, proof

LIMIT = 150_000
ROOM = 4_000
"""Characters left free for a marker that the poster adds and for the note on what was left out."""

SYMBOL = {
    "incomplete": "⛔",
    "access": "🔑",
    "loss": "💥",
    "exposure": "👁",
    "rotation": "🔄",
    "policy": "📕",
    "waiver": "📎",
    "change": "✏️",
    "none": "✅",
}
LEFT_OUT = {
    "plan": "\n**{:,} more entries do not fit into a comment of Azure DevOps;** "
    "the HTML and JSON reports hold them all.\n",
    "history": "\n{:,} older updates do not fit; the HTML and JSON reports hold them all.\n",
    "compare": "\n{:,} more steps differ.\n",
}
MORE_LEFT_OUT = "\n**{:,} more entries do not fit;** the HTML and JSON reports hold them all.\n"
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#!|@~$&]|(?<=:)/(?=/)|(?<=www)\.", re.IGNORECASE)


def render(report: Report) -> str:
    """The Markdown text, at most LIMIT - ROOM characters long; what does not fit is counted at its end."""
    parts = [_head(report)]
    room, left_out = LIMIT - ROOM - units(parts[0]), 0
    for part in _parts(report):
        size = units(part)
        if left_out or size > room:
            left_out += 1
            continue
        parts.append(part)
        room -= size
    if left_out:
        parts.append(LEFT_OUT.get(report.command, MORE_LEFT_OUT).format(left_out))
    if report.command == "plan" and not report.rows and not report.findings:
        parts.append("\nNothing would change.\n")
    return neutralised("".join(parts))


def units(text: str) -> int:
    """Length as Azure DevOps counts it: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def escaped(text: str, longest: int = 400) -> str:
    """Text from outside in a paragraph or table: every special character as an HTML entity."""
    text = line(text)
    return _entities(text if len(text) <= longest else text[: longest - 1] + "…")


def code(text: str, longest: int = 400) -> str:
    """Text from outside as a code span that cannot end early and cannot open a table cell."""
    shown = escaped(text, longest)
    return f"<code>{shown}</code>" if shown else ""


def _entities(text: str) -> str:
    return _SPECIAL.sub(lambda match: f"&#{ord(match.group())};", text)


def _head(report: Report) -> str:
    if report.command == "plan":
        return _plan_head(report)
    if report.command == "compare":
        facts = "".join(f"{name} {code(text)}\n\n" for name, text in report.facts.items())
        return f"## Not what was approved\n\n{facts}" if facts else f"{report.headline}\n"
    if report.records:
        table = report.tables[0]
        head = f"| {' | '.join(table.columns)} |\n|{'---|' * len(table.columns)}\n"
        return f"## {escaped(report.title)}\n\n{escaped(report.headline)}\n\n{head}"
    return f"## {escaped(report.title)}\n\n**{escaped(report.headline)}** {escaped(report.counted)}.\n\n"


def _plan_head(report: Report) -> str:
    counted = ", ".join(f"{count:,} {escaped(op, 40)}" for op, count in report.counts.items() if op != "same")
    waived = f" {report.waived()} finding(s) are waived." if report.waived() else ""
    lines = [
        f"## Audit of {code(report.project or '?', 100)} / {code(report.stack or '?', 100)}",
        "",
        f"**{report.headline}** {counted or 'no changes'}.{waived}",
        "",
        *(part for name, text in report.facts.items() for part in (f"{name} {code(text)}", "")),
    ]
    if report.classes():
        lines += ["| | Class | Findings | What it means |", "|---|---|---|---|"]
        for name, count in report.classes().items():
            rule = report.catalogue[name]
            lines.append(f"| {SYMBOL[rule.family]} | {name} | {count:,} | {rule.what} |")
        lines.append("")
    lines += [
        f"- {item.severity}: {escaped(item.message, 600)}"
        for item in report.diagnostics[:10]
        if item in report.messages
    ]
    return "\n".join(lines).rstrip("\n") + "\n\n"


def _parts(report: Report) -> Iterator[str]:
    for finding in report.serious if report.command == "plan" else report.findings:
        yield _finding(finding, report)
    for row in report.rows:
        if row.risk in ("change", "none"):
            yield _row(row)
    if report.command == "history":
        for table in report.tables:
            yield from (_overview(item.cells) for item in reversed(table.rows))
    else:
        yield from map(_table, report.tables)
    if report.command == "compare":
        yield from map(_difference, report.records)
    yield from (f"{escaped(note, 1000)}\n\n" for note in report.notes)


def _finding(finding: Finding, report: Report) -> str:
    rule = report.catalogue[finding.risk]
    plan = report.command == "plan"
    waived = " — waived" if finding.waiver else ""
    symbol = f"{SYMBOL[rule.family]} " if plan else ""
    title = f"{symbol}<b>{finding.risk}</b>{proof(finding)}{waived}: {escaped(finding.reason, 600)}"
    lines = [f"<details><summary>{title}</summary>", ""]
    if finding.urn:
        lines += [code(finding.urn, 600), ""] if plan else [f"- {escaped(finding.urn, 600)}"]
    if finding.waiver:
        waiver = finding.waiver
        lines.append(f"- Waived until {waiver['expires']} by {escaped(waiver['owner'])}: {escaped(waiver['reason'])}")
    lines += [f"- {escaped(item, 600)}" for item in finding.details[:30]]
    lines += [f"- {_said(kind, text) if plan else escaped(text, 600)}" for kind, text in policy_lines(finding, 10)]
    if finding.policy and plan:
        lines += ["", *_diff(pretty(finding.policy.old), pretty(finding.policy.new))]
    remedy = rule.remedy if plan else escaped(rule.remedy, 600)
    return "\n".join([*lines, "", f"Check: {rule.check} Remedy: {remedy}", "", "</details>", ""]) + "\n"


def _said(kind: str, text: str) -> str:
    """What was proved: a request as code, a reason as text."""
    if kind == "because":
        return "Because of " + escaped(text.removeprefix("because of "), 300)
    name, _, request = text.partition(": ")
    return f"{name.capitalize()}: {code(request, 600)}"


def _diff(old: str, new: str) -> list[str]:
    """A fenced difference of two documents; the fence is longer than any run of back ticks within."""
    rows = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=3))[2:]
    shown = [clean(row)[:300] for row in rows[:120] if not row.startswith("@@")]
    if len(rows) > 120:
        shown.append(f"… {len(rows) - 120} more lines")
    longest = max((len(run) for row in shown for run in re.findall("`+", row)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}diff", *shown, fence] if shown else []


def _row(row: Row) -> str:
    step = row.step
    shown = [f"  - {code(change(item), 300)}" for item in step.changes[:8]]
    if len(step.changes) > 8:
        shown.append(f"  - and {len(step.changes) - 8} more properties")
    return "\n".join([f"- {escaped(step.op, 30)} {code(step.type, 100)} {code(step.name, 150)}", *shown]) + "\n"


def _table(table: Table) -> str:
    title = f"{STATUS[table.status]} <b>{escaped(table.title)}</b> {escaped(table.kind)} [{table.status}]"
    lines = [f"<details><summary>{title}</summary>", ""]
    if table.rows:
        lines += [f"| | {' | '.join(table.columns)} |", f"|{'---|' * (len(table.columns) + 1)}"]
        for row in table.rows:
            cells = [code(cell(item, 300), 300) or "-" for item in row.cells]
            lines.append(f"| {STATUS[row.status]} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "</details>", ""]) + "\n"


def _overview(cells: list[str]) -> str:
    return "| " + " | ".join(code(item, 200) or " " for item in cells) + " |\n"


def _difference(record: Record) -> str:
    lines = [f"- {code(record.subject, 600)} {escaped(record.sentence)}"]
    return "\n".join([*lines, *(f"  - {escaped(text, 600)}" for text in record.lines[:40])]) + "\n"
