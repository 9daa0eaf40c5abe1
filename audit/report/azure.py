"""A report as lines of an Azure Pipelines log: issues that show up on the run, and the summary page.

Only the commands written here are commands; text from outside is escaped as the agent unescapes it and neutralised
before. Source: "Logging commands" of the Azure Pipelines documentation; escapes of agent's CommandStringConvertor
(%AZP25, %3B, %0D, %0A, %5D).
"""

from pathlib import Path

from audit.report.model import Report
from audit.report.sarif import LEVEL
from audit.report.terminal import render as terminal
from audit.report.text import line, neutralised, proof

MOST_ISSUES = 50


def render(report: Report, summary: str | None = None, *, failed: bool = False) -> str:
    """Log lines. `summary`: path of the Markdown report that this run wrote; `failed`: whether --fail-on is reached."""
    plan = report.command == "plan"
    title = "Audit of the plan" if plan else neutralised(line(report.title))
    lines = [f"##[group]{title}", terminal(report).rstrip("\n"), "##[endgroup]"]
    issues = [finding for finding in report.serious if finding.waiver is None] if plan else report.findings
    for finding in issues[:MOST_ISSUES]:
        kind = "error" if LEVEL[report.catalogue[finding.risk].family] == "error" else "warning"
        message = f"{finding.risk}{proof(finding)}: {finding.reason}"
        lines.append(command("task.logissue", message, type=kind, code=finding.risk))
    if len(issues) > MOST_ISSUES:
        more = f"{len(issues) - MOST_ISSUES:,} more findings are in the reports"
        lines.append(command("task.logissue", more, type="warning"))
    if summary:
        lines.append(command("task.uploadsummary", str(Path(summary).resolve())))
    result = "Failed" if failed else "SucceededWithIssues" if issues else "Succeeded"
    lines.append(command("task.complete", report.headline, result=result))
    return "\n".join(lines) + "\n"


def command(name: str, message: str, **properties: str) -> str:
    """One logging command; nothing in its message or properties can end it or begin another."""
    shown = "".join(f"{key}={escape(line(item), in_property=True)};" for key, item in properties.items())
    return f"##vso[{name}{' ' if shown else ''}{shown}]{escape(neutralised(line(message)))}"


def escape(text: str, *, in_property: bool = False) -> str:
    """Text as the agent wants it in a command."""
    text = text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(";", "%3B").replace("]", "%5D") if in_property else text
