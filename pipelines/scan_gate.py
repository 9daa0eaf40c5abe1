"""Wait for ECR's findings on the pushed digest and refuse at a chosen severity; findings become JUnit test results.

For registries with basic scanning, which ends COMPLETE (ECR DescribeImageScanFindings). Enhanced scanning stays ACTIVE
and its findings are Amazon Inspector's, which the pipeline's key may not read: an image with it is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pipelines import agent
from pipelines.registry import region

SEVERITIES = ("INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")
"""ECR's severities, rising. UNDEFINED and unknown ones count as the highest: nobody has judged them."""

DELAY = 5
"""Seconds between two questions to ECR."""


@dataclass(frozen=True)
class Finding:
    """One vulnerability: its name (CVE), severity, what it is about, and where to read of it."""

    name: str
    severity: str
    description: str
    uri: str

    def reaches(self, severity: str) -> bool:
        """Whether it is at least as severe."""
        own = SEVERITIES.index(self.severity) if self.severity in SEVERITIES else len(SEVERITIES)
        return own >= SEVERITIES.index(severity)


def waiter(client: Any, seconds: int) -> Any:
    """A botocore waiter for a finished scan.

    botocore's own ImageScanComplete takes a scan that has not begun (ScanNotFoundException) for an error and waits on
    for one that will never be COMPLETE.
    """
    from botocore.waiter import WaiterModel, create_waiter_with_client

    def status(state: str, expected: str) -> dict[str, str]:
        return {"state": state, "matcher": "path", "argument": "imageScanStatus.status", "expected": expected}

    failures = (
        "ACTIVE",
        "FAILED",
        "UNSUPPORTED_IMAGE",
        "SCAN_ELIGIBILITY_EXPIRED",
        "FINDINGS_UNAVAILABLE",
        "LIMIT_EXCEEDED",
    )
    model = WaiterModel(
        {
            "version": 2,
            "waiters": {
                "ScanFinished": {
                    "operation": "DescribeImageScanFindings",
                    "delay": DELAY,
                    "maxAttempts": max(1, seconds // DELAY),
                    "acceptors": [
                        status("success", "COMPLETE"),
                        *(status("failure", end) for end in failures),
                        {"state": "retry", "matcher": "error", "expected": "ScanNotFoundException"},
                    ],
                }
            },
        }
    )
    return create_waiter_with_client("ScanFinished", model, client)


def findings(repository: str, digest: str, region: str, seconds: int) -> list[Finding]:
    """The findings on an image, the most severe first. Raises Stop where the scan fails or is not finished in time."""
    import boto3
    import botocore.exceptions

    client = boto3.client("ecr", region_name=region)
    image: Any = {"repositoryName": repository, "imageId": {"imageDigest": digest}}
    try:
        waiter(client, seconds).wait(**image)
        pages = list(client.get_paginator("describe_image_scan_findings").paginate(**image))
    except botocore.exceptions.WaiterError as error:
        raise agent.Stop(
            f"ECR has no findings on {repository}@{digest}: {error}. "
            "Is scan on push on, and the scanning of the registry basic?"
        ) from None
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        raise agent.Stop(f"ECR refused the findings on {repository}@{digest}: {error}") from None
    found = []
    for page in pages:
        rows: Any = page.get("imageScanFindings", {})
        found += [
            Finding(row["name"], row.get("severity", ""), row.get("description", ""), row.get("uri", ""))
            for row in rows.get("findings", [])
        ]
    rank = {name: place for place, name in enumerate(reversed(SEVERITIES))}
    return sorted(found, key=lambda finding: (rank.get(finding.severity, -1), finding.name))


def junit(rows: list[Finding], severity: str) -> ElementTree.ElementTree[ElementTree.Element]:
    """One test case a finding; those that reach the severity have failed. Without findings one case has passed."""
    suite = ElementTree.Element("testsuite", name="ECR scan")
    for finding in rows:
        case = ElementTree.SubElement(suite, "testcase", classname=finding.severity or "UNDEFINED", name=finding.name)
        text = f"{finding.description}\n{finding.uri}".strip()
        if finding.reaches(severity):
            ElementTree.SubElement(case, "failure", message=f"{finding.severity}: {finding.name}").text = text
        else:
            ElementTree.SubElement(case, "system-out").text = text
    if not rows:
        ElementTree.SubElement(suite, "testcase", classname="ECR scan", name="no findings")
    suite.set("tests", str(max(1, len(rows))))
    suite.set("failures", str(sum(finding.reaches(severity) for finding in rows)))
    return ElementTree.ElementTree(suite)


def main() -> None:
    """Entry point."""
    parser = agent.parser(__doc__ or "")
    parser.add_argument("--stack", required=True, help="stack that was updated")
    parser.add_argument("--outputs", type=Path, required=True, help="outputs that `pipelines.deploy` wrote")
    parser.add_argument("--severity", choices=SEVERITIES, default="HIGH", help="the lowest severity that fails")
    parser.add_argument("--junit", type=Path, required=True, help="where the findings are written as test results")
    parser.add_argument("--seconds", type=int, default=300, help="how long the scan is waited for")
    options = parser.parse_args()
    outputs = agent.read_json(options.outputs, "the outputs that `pipelines.deploy` wrote")
    try:
        repository, digest = outputs["repository_name"], outputs["image_by_digest"].partition("@")[2]
    except KeyError as missing:
        raise agent.Stop(f"{options.outputs} has no {missing}: is it of this program?", agent.USAGE) from None
    rows = findings(repository, digest, region(options.stack), options.seconds)
    options.junit.parent.mkdir(parents=True, exist_ok=True)
    junit(rows, options.severity).write(options.junit, encoding="utf-8", xml_declaration=True)
    counts = {name: sum(row.severity == name for row in rows) for name in reversed(SEVERITIES)}
    print(agent.neutral(f"findings on {digest}: {json.dumps(counts)}"))
    if over := [row.name for row in rows if row.reaches(options.severity)]:
        raise agent.Stop(
            f"{len(over)} findings on {repository}@{digest} of {options.severity} or above: {', '.join(over[:20])}. "
            "The image is pushed but not released: rebuild it on a mended base and run again.",
            agent.REFUSED,
        )


if __name__ == "__main__":
    agent.run(main)
