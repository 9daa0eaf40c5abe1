"""The report as JUnit XML (the form of Jenkins' junit-10.xsd, which Azure Pipelines reads): a test for each finding
and plain step."""

import re
from xml.sax.saxutils import escape, quoteattr

from audit.formats.text import clean, neutralised, witness
from audit.model import Finding
from audit.report import Report
from audit.risks import BY_NAME

PASSES = ("rotation", "change", "none")
"""Families that inform and do not fail."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> str:
    """One suite. A finding fails unless it is waived (then it is skipped) or only informs."""
    cases = [_case(finding) for finding in report.findings]
    failures = sum(_fails(finding) for finding in report.findings)
    name = _attribute(f"audit {report.project}/{report.stack}")
    head = f'name={name} tests="{len(cases)}" failures="{failures}" errors="0" skipped="{report.waived()}" time="0"'
    properties = f'<properties><property name="fingerprint" value={_attribute(report.fingerprint)}/></properties>'
    suite = f"<testsuite {head}>{properties}\n{''.join(cases)}</testsuite>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>{suite}</testsuites>\n'


def _fails(finding: Finding) -> bool:
    return finding.waiver is None and BY_NAME[finding.risk].family not in PASSES


def _case(finding: Finding) -> str:
    name = finding.urn.rsplit("::", 1)[-1] or "preview"
    attributes = (
        f'name={_attribute(f"{name}: {finding.reason}")} classname={_attribute(f"audit.{finding.risk}")} time="0"'
    )
    body = ""
    if finding.waiver:
        reason = f"waived until {finding.waiver['expires']} by {finding.waiver['owner']}: {finding.waiver['reason']}"
        body = f"<skipped message={_attribute(reason)}/>"
    elif _fails(finding):
        body = (
            f"<failure type={_attribute(finding.risk)} "
            f"message={_attribute(finding.reason)}>{_text(_details(finding))}</failure>"
        )
    elif finding.details:
        body = f"<system-out>{_text(_details(finding))}</system-out>"
    return f"<testcase {attributes}>{body}</testcase>\n"


def _details(finding: Finding) -> str:
    lines = [finding.urn, *finding.details]
    if not finding.proved:
        lines.append("This cannot be proved from the preview.")
    if finding.policy:
        lines += [f"newly allowed: {witness(item)}" for item in finding.policy.newly_allowed]
        lines += [f"newly refused: {witness(item)}" for item in finding.policy.newly_refused]
        lines += [f"because of {item}" for item in finding.policy.because]
    lines.append(f"Check: {BY_NAME[finding.risk].check}")
    return "\n".join(lines)


def _text(text: str) -> str:
    return escape(neutralised(_NOT_XML.sub("\ufffd", clean(text)[:16_384])))


def _attribute(text: str) -> str:
    return quoteattr(neutralised(_NOT_XML.sub("\ufffd", " ".join(clean(text)[:1000].split()))))
