"""Pages of ECR's images: tags and digests, which of them a stack has released, and what the scan of each found."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.console.model import Cell, Page, Table, row, state, when

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.console.sources import Aws, Release

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")
FROM = (
    "Released is what the last successful update of a stack recorded as its image, by digest, in the stack's history: "
    "a stack of `make up` in .sandbox/state, the pipeline's in its bucket. ECR itself does not know."
)


def every(aws: Aws) -> Page:
    """All images, the last push first; and released ones that ECR has no more."""
    images, releases = aws.images(), aws.releases()
    rows = []
    for image in sorted(images, key=lambda one: str(one.get("imagePushedAt", "")), reverse=True):
        name = _name(image)
        rows.append(
            row(
                Cell(_tags(image), f"/images/{name}"),
                image["repositoryName"],
                _released(name, releases),
                _counted(image),
                when(image.get("imagePushedAt")),
                _size(image),
                Cell(image["imageDigest"], code=True),
            )
        )
    there = {_name(image) for image in images}
    gone = [
        row(Cell(one.image, code=True), Cell(f"{one.stack}\n{_ended(one)}", tone="bad"))
        for one in releases
        if one.image not in there
    ]
    columns = ("Tags", "Repository", "Released by", "Findings", "Pushed", "Size", "Digest")
    tables = [Table("Images in ECR", columns, rows, "No image: `make up` pushes one.", FROM)]
    if gone:
        tables.append(Table("Released, and not in ECR any more", ("Image", "Released by"), gone))
    return Page("Images", tables)


def one(aws: Aws, repository: str, digest: str) -> Page | None:
    """One image with the findings of its scan, the worst first; None where there is no such image."""
    image = next((one for one in aws.images() if _name(one) == f"{repository}@{digest}"), None)
    if image is None:
        return None
    status = (image.get("imageScanStatus") or {}).get("status", "")
    found = aws.findings(repository, digest)["imageScanFindings"] if status in ("COMPLETE", "ACTIVE") else {}
    rows = [_enhanced(one) for one in found.get("enhancedFindings") or ()]
    rows += [_basic(one) for one in found.get("findings") or ()]
    rows.sort(key=lambda one: (_rank(one[0].text), one[1].text))
    facts = (
        ("Tags", Cell(_tags(image))),
        ("Digest", Cell(digest, code=True)),
        ("Pushed", Cell(when(image.get("imagePushedAt")))),
        ("Size", Cell(_size(image))),
        ("Released by", _released(_name(image), aws.releases())),
        ("Scan", state(status) if status else Cell("not scanned")),
        ("Scanned", Cell(when(found.get("imageScanCompletedAt")))),
    )
    empty = "The scan found nothing." if found else "There is no result of a scan."
    columns = ("Severity", "Name", "Package", "Version", "Link")
    tables = [Table("Findings", columns, rows, empty)]
    return Page(f"{repository}: {_tags(image)}", tables, back=Cell("Images", "/images"), facts=facts)


def _basic(finding: Mapping[str, Any]) -> list[Cell]:
    """A row of an ImageScanFinding: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageScanFinding.html."""
    more = {one["key"]: one.get("value", "") for one in finding.get("attributes") or ()}
    package, version = more.get("package_name"), more.get("package_version")
    return row(state(finding["severity"]), finding["name"], package, version, finding.get("uri"))


def _enhanced(finding: Mapping[str, Any]) -> list[Cell]:
    """A row of an EnhancedImageScanFinding, as enhanced scanning gives them."""
    details = finding.get("packageVulnerabilityDetails") or {}
    packages = details.get("vulnerablePackages") or ()
    names, versions = ("\n".join(str(one.get(key, "")) for one in packages) for key in ("name", "version"))
    name = details.get("vulnerabilityId") or finding.get("title")
    return row(state(finding["severity"]), name, names, versions, details.get("sourceUrl"))


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _name(image: Mapping[str, Any]) -> str:
    return f"{image['repositoryName']}@{image['imageDigest']}"


def _tags(image: Mapping[str, Any]) -> str:
    return ", ".join(image.get("imageTags") or ["untagged"])


def _size(image: Mapping[str, Any]) -> str:
    return f"{image.get('imageSizeInBytes', 0) / 1e6:.1f} MB"


def _counted(image: Mapping[str, Any]) -> Cell:
    """How many of each severity the scan found; the worst decides the colour."""
    status = (image.get("imageScanStatus") or {}).get("status", "not scanned")
    counts = (image.get("imageScanFindingsSummary") or {}).get("findingSeverityCounts") or {}
    if not counts:
        return Cell("none", tone="good") if status in ("COMPLETE", "ACTIVE") else Cell(status)
    ordered = sorted(counts, key=_rank)
    return Cell(", ".join(f"{counts[one]} {one}" for one in ordered), tone=state(ordered[0]).tone)


def _released(name: str, releases: Sequence[Release]) -> Cell:
    by = [f"{one.stack}\n{_ended(one)}" for one in releases if one.image == name]
    return Cell("\n".join(by), tone="good") if by else Cell("no stack")


def _ended(release: Release) -> str:
    return when(datetime.fromtimestamp(release.ended, UTC))
