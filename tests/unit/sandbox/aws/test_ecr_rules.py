"""ECR's rules by themselves: tags that stay, manifests and what they say, findings."""

from __future__ import annotations

import json

import pytest

from sandbox.aws import ecr_rules
from sandbox.aws.ecr_rules import ManifestError

FILTERS = [{"filter": "latest", "filterType": "WILDCARD"}, {"filter": "dev-*", "filterType": "WILDCARD"}]


@pytest.mark.parametrize(
    ("mutability", "tag", "immutable"),
    [
        ("MUTABLE", "latest", False),
        ("IMMUTABLE", "latest", True),
        ("IMMUTABLE_WITH_EXCLUSION", "latest", False),
        ("IMMUTABLE_WITH_EXCLUSION", "latest2", True),
        ("IMMUTABLE_WITH_EXCLUSION", "dev-1", False),
        ("IMMUTABLE_WITH_EXCLUSION", "my-dev-1", True),
        ("IMMUTABLE_WITH_EXCLUSION", "v1.0", True),
        ("MUTABLE_WITH_EXCLUSION", "dev-1", True),
        ("MUTABLE_WITH_EXCLUSION", "v1.0", False),
    ],
)
def test_exclusions_turn_the_rule_round_for_the_tags_that_fit_them(mutability: str, tag: str, immutable: bool) -> None:
    assert ecr_rules.is_immutable(mutability, FILTERS, tag) is immutable


def test_a_dot_in_a_filter_is_a_dot() -> None:
    filters = [{"filter": "v1.*", "filterType": "WILDCARD"}]
    assert not ecr_rules.is_immutable("IMMUTABLE_WITH_EXCLUSION", filters, "v1.2")
    assert ecr_rules.is_immutable("IMMUTABLE_WITH_EXCLUSION", filters, "v1-2")


def blob(name: str, size: int) -> dict[str, object]:
    return {"digest": ecr_rules.digest(name.encode()), "size": size, "mediaType": f"type/{name}"}


def test_an_image_is_as_large_as_its_configuration_and_layers() -> None:
    kind = ecr_rules.IMAGE_MEDIA_TYPES[0]
    content = json.dumps(
        {"mediaType": kind, "config": blob("c", 5), "layers": [blob("a", 20), blob("b", 300)]}
    ).encode()
    manifest = ecr_rules.read_manifest(content)
    assert (manifest.size, manifest.media_type, manifest.artifact_media_type) == (325, kind, "type/c")
    assert manifest.digest == ecr_rules.digest(content)
    assert len(manifest.blobs) == 3


def test_an_index_names_its_children() -> None:
    content = json.dumps({"manifests": [blob("one", 1), blob("two", 2)]}).encode()
    manifest = ecr_rules.read_manifest(content, ecr_rules.INDEX_MEDIA_TYPES[1])
    assert manifest.size is None
    assert manifest.children == (ecr_rules.digest(b"one"), ecr_rules.digest(b"two"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "Invalid JSON"),
        (b"[]", "unsupported manifest media type None"),
        (b'{"mediaType": "text/plain"}', "unsupported manifest media type 'text/plain'"),
        (json.dumps({"mediaType": ecr_rules.IMAGE_MEDIA_TYPES[1], "layers": []}).encode(), "'config'"),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_reason(content: bytes, says: str) -> None:
    with pytest.raises(ManifestError, match=says):
        ecr_rules.read_manifest(content)


def test_findings_are_of_an_image_by_name_tag_or_digest() -> None:
    image = ecr_rules.digest(b"image")
    seeded = [
        {"image": "*", "name": "CVE-1", "severity": "LOW"},
        {"image": "app", "name": "CVE-2", "severity": "HIGH"},
        {"image": "app:1.0", "name": "CVE-3", "severity": "HIGH"},
        {"image": "app:2.0", "name": "CVE-4", "severity": "HIGH"},
        {"image": f"app@{image}", "name": "CVE-5", "severity": "CRITICAL"},
        {"image": "other", "name": "CVE-6", "severity": "HIGH"},
    ]
    found = ecr_rules.findings_of(seeded, "app", image, ["1.0"])
    assert [finding["name"] for finding in found] == ["CVE-1", "CVE-2", "CVE-3", "CVE-5"]
    assert ecr_rules.count_severities(found) == {"CRITICAL": 1, "HIGH": 2, "LOW": 1}
