"""What ECR found in an image: waited for, read to its last page, and judged by what the answer holds.

Basic scanning answers with `findings`, enhanced scanning with `enhancedFindings`, and both can end COMPLETE; a status
alone says nothing of what was found. An answer without either list is asked for again, and is an error in the end.
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from pipelines import agent, clients

SEVERITIES = ("INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")
"""ECR's severities, rising. UNDEFINED, UNTRIAGED and unknown ones count as the highest: nobody has judged them."""

DELAY = 5.0
"""Seconds between two questions to ECR, which tells nobody by itself."""

_UNDER_WAY = {"IN_PROGRESS", "PENDING"}
_FINISHED = {"COMPLETE", "ACTIVE"}
"""ACTIVE: enhanced scanning goes on looking, and answers with what it has found."""


@dataclass(frozen=True)
class Finding:
    """One vulnerability of one image."""

    name: str
    """CVE or other id; the title where enhanced scanning has no id."""
    severity: str
    description: str = ""
    uri: str = ""
    fixable: bool | None = None
    """Whether there is a fix; None where the scanner does not say, as basic scanning never does."""

    def reaches(self, severity: str) -> bool:
        """Whether it is at least as severe."""
        own = SEVERITIES.index(self.severity) if self.severity in SEVERITIES else len(SEVERITIES)
        return own >= SEVERITIES.index(severity)


def of_image(repository: str, digest: str, region: str, seconds: float) -> list[Finding]:
    """The findings on an image, the most severe first.

    Raises Stop where the scan fails, or where no complete list of findings comes within `seconds`.
    """
    import botocore.exceptions

    client = clients.client("ecr", region)
    end = time.monotonic() + seconds
    while True:
        try:
            found, why = _answer(client, {"repositoryName": repository, "imageId": {"imageDigest": digest}})
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise agent.Stop(f"ECR refused the findings on {repository}@{digest}: {error}") from None
        if found is not None:
            rank = {name: place for place, name in enumerate(reversed(SEVERITIES))}
            return sorted(found, key=lambda finding: (rank.get(finding.severity, -1), finding.name))
        if time.monotonic() + DELAY > end:
            raise agent.Stop(_without(repository, digest, f"{why} after {seconds:g} s"))
        time.sleep(DELAY)


def _without(repository: str, digest: str, why: str) -> str:
    return (
        f"ECR has no findings on {repository}@{digest}: {why}. Is scan on push on (scanOnPush)? With enhanced scanning "
        "the key also needs inspector2:ListCoverage and inspector2:ListFindings."
    )


def _answer(client: Any, image: dict[str, Any]) -> tuple[list[Finding] | None, str]:
    """The findings if the answer holds all of them, else None and why not. Raises Stop for a scan that has failed."""
    found: list[Finding] = []
    counts: Counter[str] = Counter()
    more: dict[str, Any] = {}
    while True:
        try:
            page = client.describe_image_scan_findings(**image, **more)
        except client.exceptions.ScanNotFoundException:
            return None, "no scan has begun"
        status = page.get("imageScanStatus") or {}
        word = status.get("status", "without a status")
        if word in _UNDER_WAY:
            return None, f"its scan is {word}"
        if word not in _FINISHED:
            described = " ".join(filter(None, (f"its scan is {word}", status.get("description"))))
            raise agent.Stop(_without(image["repositoryName"], image["imageId"]["imageDigest"], described))
        held = page.get("imageScanFindings") or {}
        if held.get("findings") is None and held.get("enhancedFindings") is None:
            return None, f"its scan is {word}, but the answer holds no list of findings"
        counts |= Counter(held.get("findingSeverityCounts") or {})  # the same on every page
        found += [_basic(row) for row in held.get("findings") or []]
        found += [_enhanced(row) for row in held.get("enhancedFindings") or [] if row.get("status") != "CLOSED"]
        if not page.get("nextToken"):
            break
        more = {"nextToken": page["nextToken"]}
    if missing := counts - Counter(finding.severity for finding in found):
        return None, f"it counts findings that it does not list ({dict(missing)})"
    return found, ""


def _basic(row: dict[str, Any]) -> Finding:
    """An ImageScanFinding."""
    return Finding(
        row.get("name", "?"), row.get("severity", "UNDEFINED"), row.get("description", ""), row.get("uri", "")
    )


def _enhanced(row: dict[str, Any]) -> Finding:
    """An EnhancedImageScanFinding; fixAvailable is YES, NO or PARTIAL."""
    details = row.get("packageVulnerabilityDetails") or {}
    fix = row.get("fixAvailable")
    return Finding(
        details.get("vulnerabilityId") or row.get("title") or row.get("findingArn", "?"),
        row.get("severity", "UNTRIAGED"),
        row.get("description", ""),
        details.get("sourceUrl", ""),
        None if fix is None else fix != "NO",
    )
