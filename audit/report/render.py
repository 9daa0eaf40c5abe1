"""Turns a report into text, by the name of a format. A renderer is loaded when it is asked for."""

from audit.errors import AuditError
from audit.report.model import Report

FORMATS = ("terminal", "markdown", "html", "json", "sarif", "junit", "azure")


def render(name: str, report: Report, *, failed: bool = False, summary: str | None = None) -> str:
    """The report in the format; each ends with one line end. `failed`: --fail-on is reached; `summary`: path of the
    Markdown report of this run. Raises AuditError for a format that is not known."""
    return _text(name, report, summary, failed=failed).rstrip("\n") + "\n"


def _text(name: str, report: Report, summary: str | None, *, failed: bool) -> str:
    if name == "terminal":
        from audit.report import terminal

        return terminal.render(report)
    if name == "markdown":
        from audit.report import markdown

        return markdown.render(report)
    if name == "html":
        from audit.report import html

        return html.render(report)
    if name == "json":
        from audit.report import json

        return json.render(report)
    if name == "sarif":
        from audit.report import sarif

        return sarif.render(report)
    if name == "junit":
        from audit.report import junit

        return junit.render(report)
    if name == "azure":
        from audit.report import azure

        return azure.render(report, summary, failed=failed)
    raise AuditError(f"'{name[:40]}' is no format; formats: {', '.join(FORMATS)}")
