"""The formats of a report. Each module turns one Report into text; nothing here reads a preview."""

from importlib import import_module

from audit.errors import AuditError
from audit.report import Report

NAMES = ("terminal", "markdown", "html", "json", "sarif", "junit", "azure")


def render(name: str, report: Report) -> str:
    """The report in the format; each ends with one line end. Raises AuditError for a format that is not known."""
    if name not in NAMES:
        raise AuditError(f"'{name[:40]}' is no format; formats: {', '.join(NAMES)}")
    text: str = import_module(f"audit.formats.{name}").render(report)
    return text.rstrip("\n") + "\n"
