"""The report as Markdown for a pull request comment or a build summary of Azure DevOps.

A comment of Azure DevOps holds at most 150,000 characters (the service answers "A discussion comment cannot be
longer than 150000 characters"; it counts UTF-16 units). Whatever comes from the plan stands in code spans or with
every character escaped that could make a mention, a link to a work item or pull request, HTML or a table.
"""

import difflib
import re

from audit.formats.text import change, clean, headline, line, neutralised, pretty, witness
from audit.model import Finding
from audit.report import Report, Row
from audit.risks import BY_NAME

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
_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#!|@~$&]|(?<=:)/(?=/)|(?<=www)\.", re.IGNORECASE)


def render(report: Report) -> str:
    """The Markdown text, at most LIMIT - ROOM characters long; what does not fit is counted at its end."""
    parts = [_head(report)]
    details = [_finding(finding) for finding in report.findings if finding.risk not in ("change", "none")]
    plain = [row for row in report.rows if row.risk in ("change", "none")]
    details += [_plain(row) for row in plain]
    room = LIMIT - ROOM - units(parts[0])
    left_out = 0
    for part in details:
        size = units(part)
        if size > room or left_out:
            left_out += 1
            continue
        parts.append(part)
        room -= size
    if left_out:
        parts.append(
            f"\n**{left_out:,} more entries do not fit into a comment of Azure DevOps;** the HTML and JSON reports "
            "hold them all.\n"
        )
    if not report.rows and not report.findings:
        parts.append("\nNothing would change.\n")
    return neutralised("".join(parts))


def units(text: str) -> int:
    """Length as Azure DevOps counts it: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def escaped(text: str, longest: int = 400) -> str:
    """Text of the plan in a paragraph or table: every special character as an HTML entity."""
    text = line(text)
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return _entities(text)


def code(text: str, longest: int = 400) -> str:
    """Text of the plan as a code span that cannot end early and cannot open a table cell."""
    text = line(text)
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return f"<code>{_entities(text)}</code>" if text else ""


def _entities(text: str) -> str:
    return _SPECIAL.sub(lambda match: f"&#{ord(match.group())};", text)


def _head(report: Report) -> str:
    counts = (
        ", ".join(f"{count:,} {escaped(op, 40)}" for op, count in report.counts.items() if op != "same") or "no changes"
    )
    lines = [
        f"## Audit of {code(report.project or '?', 100)} / {code(report.stack or '?', 100)}",
        "",
        f"**{headline(report.worst, report.incomplete)}** {counts}."
        + (f" {report.waived()} finding(s) are waived." if report.waived() else ""),
        "",
        f"Fingerprint {code(report.fingerprint)}",
        "",
    ]
    if report.classes():
        lines += ["| | Class | Findings | What it means |", "|---|---|---|---|"]
        for name, count in report.classes().items():
            lines.append(f"| {SYMBOL[BY_NAME[name].family]} | {name} | {count:,} | {BY_NAME[name].what} |")
        lines.append("")
    for item in report.diagnostics[:10]:
        if item.severity in ("error", "warning"):
            lines.append(f"- {item.severity}: {escaped(item.message, 600)}")
    return "\n".join(lines).rstrip("\n") + "\n\n"


def _finding(finding: Finding) -> str:
    risk = BY_NAME[finding.risk]
    proof = "" if finding.proved else " (cannot be proved)"
    waived = " — waived" if finding.waiver else ""
    title = f"{SYMBOL[risk.family]} <b>{finding.risk}</b>{proof}{waived}: {escaped(finding.reason, 600)}"
    lines = [f"<details><summary>{title}</summary>", ""]
    if finding.urn:
        lines += [code(finding.urn, 600), ""]
    if finding.waiver:
        lines.append(
            f"- Waived until {finding.waiver['expires']} by {escaped(finding.waiver['owner'])}: "
            f"{escaped(finding.waiver['reason'])}"
        )
    lines += [f"- {escaped(item, 600)}" for item in finding.details[:30]]
    if finding.policy:
        lines += [f"- Newly allowed: {code(witness(item), 600)}" for item in finding.policy.newly_allowed[:10]]
        lines += [f"- Newly refused: {code(witness(item), 600)}" for item in finding.policy.newly_refused[:10]]
        lines += [f"- Because of {escaped(item, 300)}" for item in finding.policy.because[:10]]
        lines += ["", *_diff(pretty(finding.policy.old), pretty(finding.policy.new))]
    lines += ["", f"Check: {risk.check} Remedy: {risk.remedy}", "", "</details>", ""]
    return "\n".join(lines) + "\n"


def _diff(old: str, new: str) -> list[str]:
    """A fenced difference of two documents; the fence is longer than any run of back ticks within."""
    rows = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=3))[2:]
    shown = [clean(row)[:300] for row in rows[:120] if not row.startswith("@@")]
    if len(rows) > 120:
        shown.append(f"… {len(rows) - 120} more lines")
    longest = max((len(run) for row in shown for run in re.findall("`+", row)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}diff", *shown, fence] if shown else []


def _plain(row: Row) -> str:
    step = row.step
    shown = [f"  - {code(change(item), 300)}" for item in step.changes[:8]]
    if len(step.changes) > 8:
        shown.append(f"  - and {len(step.changes) - 8} more properties")
    return "\n".join([f"- {escaped(step.op, 30)} {code(step.type, 100)} {code(step.name, 150)}", *shown]) + "\n"
