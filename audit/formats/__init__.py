"""The formats of a report. Each module turns one Report into text; nothing here reads a preview."""

from collections.abc import Iterable
from importlib import import_module

from audit.errors import AuditError
from audit.report import Report

NAMES = ("terminal", "markdown", "html", "json", "sarif", "junit", "azure")


def summary_of(wanted: Iterable[tuple[str, str | None]]) -> str | None:
    """Of reports (format, path): the Markdown file, which Azure Pipelines shows as the run's summary."""
    return next((path for name, path in wanted if name == "markdown" and path not in (None, "-")), None)


def render(name: str, report: Report, *, failed: bool = False, summary: str | None = None) -> str:
    """The report in the format; each ends with one line end. `failed`: --fail-on is reached; `summary`: path of the
    Markdown report of this run. Raises AuditError for a format that is not known."""
    if name not in NAMES:
        raise AuditError(f"'{name[:40]}' is no format; formats: {', '.join(NAMES)}")
    module = import_module(f"audit.formats.{name}")
    text: str = module.render(report, summary, failed=failed) if name == "azure" else module.render(report)
    return text.rstrip("\n") + "\n"
