"""Wait for ECR's findings on the pushed digest and refuse at a chosen severity; findings become JUnit test results.

The bar is the stack's --severity. A queued run may name another one (--stricter), which counts only where it is lower.
A finding of the reviewed file of exceptions passes until its exception expires. With --findings fixable one passes of
which the scanner says that there is no fix; one of which it says nothing (basic scanning) counts.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from pipelines import agent, findings, identity, scan_exceptions, words
from pipelines.findings import SEVERITIES, Finding
from pipelines.stack_region import region

if TYPE_CHECKING:
    from pipelines.scan_exceptions import ScanException

AS_CONFIGURED = "as-configured"
"""What a queued run says that leaves the bar as it is."""


@dataclass(frozen=True)
class Verdict:
    """What the gate makes of an image's findings."""

    refused: list[Finding]
    passed: list[tuple[Finding, str]]
    """Findings that reach the bar and pass all the same, with why."""
    below: list[Finding]
    warnings: list[str] = field(default_factory=list)
    """Exceptions that have expired or that no finding needs."""


def bar(severity: str, stricter: str) -> str:
    """The lowest severity that fails: the stack's, or a lower one that this run asks for."""
    return severity if stricter == AS_CONFIGURED else min(severity, stricter, key=SEVERITIES.index)


def judge(
    rows: list[Finding],
    severity: str,
    exceptions: list[ScanException],
    *,
    only_fixable: bool,
    today: datetime.date,
) -> Verdict:
    """Sort an image's findings by what becomes of them."""
    valid = {row.id: row for row in exceptions if row.expires >= today}
    verdict = Verdict([], [], [])
    for row in rows:
        if not row.reaches(severity):
            verdict.below.append(row)
        elif row.name in valid:
            reason = valid[row.name]
            verdict.passed.append((row, f"accepted until {reason.expires} by {reason.owner}: {reason.reason}"))
        elif only_fixable and row.fixable is False:
            verdict.passed.append((row, "there is no fix yet"))
        else:
            verdict.refused.append(row)
    names = {row.name for row in rows}
    for entry in exceptions:
        if entry.expires < today:
            verdict.warnings.append(
                f"the exception for {entry.id} expired on {entry.expires}; its owner is {entry.owner}"
            )
        elif entry.id not in names:
            verdict.warnings.append(f"the exception for {entry.id} matches no finding; its owner is {entry.owner}")
    return verdict


def junit(verdict: Verdict) -> ElementTree.ElementTree[ElementTree.Element]:
    """One test case a finding: refused ones have failed, passed ones are skipped. Without findings one has passed."""
    suite = ElementTree.Element("testsuite", name="ECR scan")
    for finding in verdict.refused:
        message = f"{finding.severity}: {finding.name}"
        ElementTree.SubElement(_case(suite, finding), "failure", message=message).text = _text(finding)
    for finding, why in verdict.passed:
        case = _case(suite, finding)
        ElementTree.SubElement(case, "skipped", message=why)
        ElementTree.SubElement(case, "system-out").text = _text(finding)
    for finding in verdict.below:
        ElementTree.SubElement(_case(suite, finding), "system-out").text = _text(finding)
    if not len(suite):
        ElementTree.SubElement(suite, "testcase", classname="ECR scan", name="no findings")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(verdict.refused)))
    suite.set("skipped", str(len(verdict.passed)))
    return ElementTree.ElementTree(suite)


def _case(suite: ElementTree.Element, finding: Finding) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=finding.severity, name=finding.name)


def _text(finding: Finding) -> str:
    return f"{finding.description}\n{finding.uri}".strip()


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--stack", required=True, help="stack that was updated")
    parser.add_argument("--outputs", type=Path, required=True, help="outputs that `pipelines.deploy` wrote")
    parser.add_argument("--severity", choices=SEVERITIES, default="HIGH", help="the lowest severity that fails")
    parser.add_argument(
        "--stricter",
        choices=(AS_CONFIGURED, *SEVERITIES),
        default=AS_CONFIGURED,
        help="what a queued run asks for; it counts only where it is lower than --severity",
    )
    parser.add_argument(
        "--findings",
        choices=("all", "fixable"),
        default="all",
        help="fixable lets those pass that are known to have no fix",
    )
    parser.add_argument(
        "--exceptions",
        type=Path,
        default=Path(__file__).with_name("scan-exceptions.yml"),
        help="reviewed file of findings that are accepted for a time",
    )
    parser.add_argument("--junit", type=Path, required=True, help="where the findings are written as test results")
    parser.add_argument("--seconds", type=int, default=300, help="how long the scan is waited for")
    options = parser.parse_args()
    identity.take(options.stack)
    exceptions = scan_exceptions.load(options.exceptions)
    outputs = agent.read_json(options.outputs, "the outputs that `pipelines.deploy` wrote")
    try:
        repository, digest = outputs["repository_name"], outputs["image_by_digest"].partition("@")[2]
    except KeyError as missing:
        raise agent.Stop(f"{options.outputs} has no {missing}: is it of this program?", agent.USAGE) from None
    rows = findings.of_image(repository, digest, region(options.stack), options.seconds)
    severity = bar(options.severity, options.stricter)
    today = datetime.datetime.now(datetime.UTC).date()
    verdict = judge(rows, severity, exceptions, only_fixable=options.findings == "fixable", today=today)
    options.junit.parent.mkdir(parents=True, exist_ok=True)
    junit(verdict).write(options.junit, encoding="utf-8", xml_declaration=True)
    counts = {name: sum(row.severity == name for row in rows) for name in reversed(SEVERITIES)}
    counts["UNDEFINED"] = len(rows) - sum(counts.values())
    print(words.neutral(f"findings on {digest}: {json.dumps(counts)}; the bar is {severity}"))
    for row, why in verdict.passed:
        print(words.neutral(f"{row.severity} {row.name} passes: {why}"))
    for warning in verdict.warnings:
        agent.issue(f"{options.exceptions.name}: {warning}", "warning")
    if over := [row.name for row in verdict.refused]:
        raise agent.Stop(
            f"{len(over)} findings on {repository}@{digest} of {severity} or above: {', '.join(over[:20])}. "
            "The image is pushed but not released: rebuild it on a mended base and run again, or have an exception "
            f"reviewed ({options.exceptions.name}).",
            agent.REFUSED,
        )


if __name__ == "__main__":
    agent.run(main)
