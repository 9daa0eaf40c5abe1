"""Reports: one neutral model, one catalogue of classes and rules, one renderer a format."""

from audit.report.model import Report
from audit.report.render import FORMATS, render

__all__ = ["FORMATS", "Report", "render"]
