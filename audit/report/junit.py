"""A report as JUnit XML (the form of Jenkins' junit-10.xsd, which Azure Pipelines reads): a test for each finding, and
one that passes for each thing that is as it should be."""

import re

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from audit.model import Finding
from audit.report.model import Report
from audit.report.text import clean, neutralised, policy_lines

PASSES = ("rotation", "change", "none")
"""Families of a plan that inform and do not fail."""

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def render(report: Report) -> str:
    """One suite. A finding fails unless it is waived (then it is skipped) or only informs."""
    plan = report.command == "plan"
    of = f"{report.project}/{report.stack}"
    suite = TestSuite(_attribute(f"audit {of}" if plan else f"audit {report.command} {of}"))
    for name, text in report.facts.items():
        suite.add_property(name.lower(), _attribute(text))
    suite.add_testcases([_case(finding, report) for finding in report.findings])
    good = [table for table in report.tables if table.status == "same"]
    suite.add_testcases([TestCase(_attribute(table.title), f"audit.{report.command}", 0) for table in good])
    xml = JUnitXml()
    xml.add_testsuite(suite)
    text = xml.tostring().decode()  # type: ignore[no-untyped-call] # the one method without annotations
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _case(finding: Finding, report: Report) -> TestCase:
    plan = report.command == "plan"
    name = finding.urn.rsplit("::", 1)[-1] or ("preview" if plan else "")
    case = TestCase(_attribute(f"{name}: {finding.reason}"), f"audit.{finding.risk}", 0)
    if finding.waiver:
        waiver = finding.waiver
        case.result = [
            Skipped(_attribute(f"waived until {waiver['expires']} by {waiver['owner']}: {waiver['reason']}"))
        ]
    elif not plan or report.catalogue[finding.risk].family not in PASSES:
        failure = Failure(_attribute(finding.reason), finding.risk)
        failure.text = _details(finding, report)
        case.result = [failure]
    elif finding.details:
        case.system_out = _details(finding, report)
    return case


def _details(finding: Finding, report: Report) -> str:
    plan = report.command == "plan"
    lines = [finding.urn] if finding.urn or plan else []
    lines += finding.details if plan else finding.details[:30]
    if plan and not finding.proved:
        lines.append("This cannot be proved from the preview.")
    lines += [text for _, text in policy_lines(finding, None if plan else 10)]
    lines.append(f"Check: {report.catalogue[finding.risk].check}")
    return neutralised(_NOT_XML.sub("\ufffd", clean("\n".join(lines))[:16_384]))


def _attribute(text: str) -> str:
    return neutralised(_NOT_XML.sub("\ufffd", " ".join(clean(text)[:1000].split())))
