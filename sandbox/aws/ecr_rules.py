"""ECR's rules, pure: which tag may be moved, what a manifest says of its image, and what a scan found."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.aws import ecr_lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

IMAGE_MEDIA_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
INDEX_MEDIA_TYPES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
"""The tag grammar of the OCI distribution specification, section "Pulling manifests"."""
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")


class ManifestError(ValueError):
    """The manifest is none that ECR takes; the message says why."""


@dataclass(frozen=True)
class Manifest:
    """What a manifest says. size: bytes of its configuration and layers, None for an index."""

    digest: str
    media_type: str
    artifact_media_type: str | None
    size: int | None
    blobs: tuple[str, ...]
    children: tuple[str, ...]


def digest(content: bytes) -> str:
    """The content's digest in the OCI form."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def read_manifest(content: bytes, media_type: str | None = None) -> Manifest:
    """Read an image manifest or an index; media_type is what the caller said, else the manifest's own is taken."""
    try:
        parsed = json.loads(content)
    except ValueError as error:
        raise ManifestError("Invalid JSON syntax") from error
    kind = (media_type or parsed.get("mediaType")) if isinstance(parsed, dict) else None
    try:
        if kind in IMAGE_MEDIA_TYPES:
            blobs = [parsed["config"], *parsed["layers"]]
            return Manifest(
                digest=digest(content),
                media_type=kind,
                artifact_media_type=parsed.get("artifactType") or parsed["config"]["mediaType"],
                size=sum(int(blob["size"]) for blob in blobs),
                blobs=tuple(blob["digest"] for blob in blobs),
                children=(),
            )
        if kind in INDEX_MEDIA_TYPES:
            children = tuple(child["digest"] for child in parsed["manifests"])
            return Manifest(digest(content), kind, parsed.get("artifactType"), None, (), children)
    except (KeyError, TypeError, ValueError) as error:
        raise ManifestError(f"the manifest is no {kind}: {error!r} is missing or wrong") from error
    raise ManifestError(f"unsupported manifest media type {kind!r}")


def is_immutable(mutability: str, filters: Iterable[Mapping[str, str]], tag: str) -> bool:
    """Whether a tag of the repository stays on the image that it was first put on.

    mutability: MUTABLE, IMMUTABLE, or one of them WITH_EXCLUSION, whose filters (`*` stands for any characters, and
    the whole tag has to fit) name the tags that are treated the other way round.
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
    """
    immutable = mutability.startswith("IMMUTABLE")
    if not mutability.endswith("_WITH_EXCLUSION"):
        return immutable
    return immutable != any(ecr_lifecycle.fits(item["filter"], tag) for item in filters)


def findings_of(
    seeded: Iterable[Mapping[str, Any]], repository: str, image_digest: str, tags: Iterable[str]
) -> list[Any]:
    """The seeded findings that are of this image: `image` is NAME:TAG, NAME@DIGEST, NAME or `*`."""
    names = {"*", repository, f"{repository}@{image_digest}", *(f"{repository}:{tag}" for tag in tags)}
    return [
        {key: value for key, value in finding.items() if key != "image"}
        for finding in seeded
        if finding["image"] in names
    ]


def count_severities(findings: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many findings there are of each severity that occurs."""
    severities = [finding["severity"] for finding in findings]
    return {severity: severities.count(severity) for severity in SEVERITIES if severity in severities}
