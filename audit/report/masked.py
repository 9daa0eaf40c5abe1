"""Takes secrets out of a report of what was looked up, before a format sees it."""

from audit.model import PolicyDiff
from audit.report.model import Report
from audit.secrets.redact import Redactor


def redacted(report: Report, redactor: Redactor) -> Report:
    """The report without secrets, changed in place."""
    report.project, report.stack = redactor.text(report.project), redactor.text(report.stack)
    for table in report.tables:
        table.title, table.subject = redactor.text(table.title), redactor.text(table.subject)
        for row in table.rows:
            row.cells = [redactor.value(cell) for cell in row.cells]
    for finding in report.findings:
        finding.urn, finding.reason = redactor.text(finding.urn), redactor.text(finding.reason)
        finding.details = [redactor.text(item) for item in finding.details]
        if finding.policy is not None:
            _policy(finding.policy, redactor)
    report.notes = [redactor.text(item) for item in report.notes]
    report.data = redactor.value(report.data)
    return report


def _policy(policy: PolicyDiff, redactor: Redactor) -> None:
    policy.old, policy.new = redactor.value(policy.old), redactor.value(policy.new)
    policy.newly_allowed = [redactor.value(item) for item in policy.newly_allowed]
    policy.newly_refused = [redactor.value(item) for item in policy.newly_refused]
    policy.because = [redactor.text(item) for item in policy.because]
