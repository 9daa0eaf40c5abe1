"""ECR's basic scans, with findings that a file chooses (moto: always the same one, and never a scan on push)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.aws import ecr_rules
from sandbox.aws.ecr_images import ServerException

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.aws.ecr_images import EcrImage

AGAIN = timedelta(hours=24)
"""An image can be scanned once in this time."""


@dataclass(frozen=True)
class Scans:
    """What scans find.

    file: {"seconds": how long a scan takes (0), "findings": [{"image": "NAME", "NAME:TAG", "NAME@DIGEST" or "*",
    "name": "CVE-...", "severity": one of ecr_rules.SEVERITIES, and whatever else an ImageScanFinding has}]}. It is read
    whenever a scan is asked for; without it every scan is complete at once and finds nothing.
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageScanFinding.html
    """

    file: Path

    def status(self, image: EcrImage) -> dict[str, str]:
        """ImageScanStatus of an image that is or was scanned."""
        duration = timedelta(seconds=float(self._seeded().get("seconds", 0)))
        if image.scanned_at is not None and datetime.now(UTC) - image.scanned_at < duration:
            return {"status": "IN_PROGRESS"}
        return {"status": "COMPLETE", "description": "The scan was completed successfully."}

    def of_image(self, image: EcrImage) -> dict[str, Any]:
        """What DescribeImages tells of the image's last scan."""
        if image.scanned_at is None:
            return {}
        status = self.status(image)
        if status["status"] != "COMPLETE":
            return {"imageScanStatus": status}
        summary = {key: value for key, value in self.findings(image).items() if key != "findings"}
        return {"imageScanStatus": status, "imageScanFindingsSummary": summary}

    def findings(self, image: EcrImage) -> dict[str, Any]:
        """ImageScanFindings of a complete scan."""
        seeded = self._seeded().get("findings", [])
        found = ecr_rules.findings_of(seeded, image.repository_name, image.image_digest, image.image_tags)
        return {
            "imageScanCompletedAt": image.scanned_at,
            "vulnerabilitySourceUpdatedAt": image.scanned_at,
            "findingSeverityCounts": ecr_rules.count_severities(found),
            "findings": found,
        }

    def _seeded(self) -> dict[str, Any]:
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ServerException(f"{self.file} is no JSON: {error}") from error
        if not isinstance(content, dict) or not isinstance(content.get("findings", []), list):
            raise ServerException(f'{self.file} must hold {{"seconds": 0, "findings": [...]}}')
        for number, finding in enumerate(content.get("findings", [])):
            complete = isinstance(finding, dict) and {"image", "name", "severity"} <= finding.keys()
            if not complete or finding["severity"] not in ecr_rules.SEVERITIES:
                raise ServerException(
                    f"{self.file}: finding {number} needs image, name and severity ({', '.join(ecr_rules.SEVERITIES)})"
                )
        return content
