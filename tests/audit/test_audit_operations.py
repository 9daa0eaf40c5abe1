"""What every operation means for every type that has rules: the table says it, and the rules do it."""

from pathlib import Path
from typing import Any

import pytest

from audit.model import UNKNOWN, kind_of
from audit.plan.classify.reviewed import ALL, TYPES, ruled
from audit.report.catalogue import CLASSES
from tests.audit import previews as p

FAMILY = (
    "azuredevops:index:GitPermissions",
    "azuredevops:index:CheckApproval",
    "azuredevops:index:BranchPolicyMinReviewers",
    "azuredevops:index:RepositoryPolicyMaxFileSize",
    "azuredevops:index:ServiceEndpointAws",
    "azuredevops:index:ServiceendpointMaven",
    "pulumi:providers:aws",
)
"""Members of the families that the table knows by a pattern."""

KINDS = sorted({*TYPES, *FAMILY})
GREEN = {"change", "access-narrowed", "none"}
NOTHING_IN_A_CLOUD = {"pulumi:pulumi:Stack"}
WORDS = {kind for kind in KINDS if "*" in (ruled(kind) or TYPES["aws:iam:User"]).harmless}
"""Types of which every property is harmless, with a reason."""


def token(kind: str) -> str:
    """A type's token, with its file where its package has such."""
    package, module, name = kind.split(":")
    if package in ("pulumi", "docker-build", "aws-native"):
        return kind
    return f"{package}:{module}/{name[0].lower()}{name[1:]}:{name}"


def entry(kind: str) -> Any:
    found = ruled(kind)
    assert found is not None
    return found


def worst(folder: Path, step: dict[str, Any]) -> str:
    return p.report_of(folder, p.digest(step)).worst


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_is_its_kind(kind: str) -> None:
    assert kind_of(token(kind)) == kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_creation_an_import_and_a_deletion_are_what_the_table_says(tmp_path: Path, kind: str) -> None:
    """Of a thing of which nothing is declared, so that only its being there or not counts."""
    for op in ("create", "import"):
        assert worst(tmp_path, p.step(token(kind), "x", None, {}, op=op)) == entry(kind).create, op
    assert worst(tmp_path, p.step(token(kind), "x", {}, None)) == entry(kind).delete


@pytest.mark.parametrize("kind", KINDS)
def test_a_replacement_is_what_the_table_says(tmp_path: Path, kind: str) -> None:
    assert worst(tmp_path, p.step(token(kind), "x", {}, {}, op="replace")) == entry(kind).replace


@pytest.mark.parametrize("kind", KINDS)
def test_reading_refreshing_and_discarding_change_nothing(tmp_path: Path, kind: str) -> None:
    inputs = {"name": "x"}
    for op in ("read", "refresh", "discard", "same"):
        new = None if op == "discard" else inputs
        assert worst(tmp_path, p.step(token(kind), "x", inputs, new, op=op)) == "none", op


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_by_a_deletion_is_never_less(tmp_path: Path, kind: str) -> None:
    inputs = {"name": "x", "policy": p.policy(p.allow("*", "*")), "permissions": {"Use": "Allow"}}
    for new, op in ((None, "delete"), ({"name": "y"}, "replace")):
        step = p.step(token(kind), "x", inputs, new, op=op, old_options={"retainOnDelete": True})
        assert "access-narrowed" not in {item.risk for item in p.report_of(tmp_path, p.digest(step)).findings}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in WORDS])
def test_a_property_that_nobody_reviewed_is_loud_in_every_operation(tmp_path: Path, kind: str) -> None:
    base = {"permissions": {"Use": "Allow"}} if kind.endswith("Permissions") else {}
    old, new = ({**base, "somethingElse": value} for value in ("a", "b"))
    for before, after, op in (
        (None, new, "create"), (None, new, "import"), (old, new, "update"), (old, new, "replace"),
        (old, base, "update"),
        (old, {**base, "somethingElse": UNKNOWN}, "update"),
    ):  # fmt: skip
        found = worst(tmp_path, p.step(token(kind), "x", before, after, op=op))
        if before is None and entry(kind).judged == ALL:
            assert CLASSES.rank[found] <= CLASSES.rank[entry(kind).create]  # the thing is judged as a whole
        else:
            assert found not in GREEN, op
    masked = {**base, "somethingElse": "[secret]"}
    hidden = p.step(token(kind), "x", masked, masked, op="update", diffReasons=["somethingElse"])
    assert worst(tmp_path, hidden) not in GREEN


WHOSE = ("user", "group", "role", "repository", "bucket", "keyId", "queueUrl", "arn", "secretArn")
"""Holders of a document: without one nothing is held, and another holder of nothing is a change."""
RAISES = {"permissionsBoundary", "deletionProtectionEnabled"} | {
    f"{verb}Public{what}" for verb, what in (("block", "Acls"), ("block", "Policy"), ("ignore", "Acls"))
} | {"restrictPublicBuckets"}  # fmt: skip
"""Guards: where there was none, one that cannot be seen takes nothing away."""


def _judged() -> list[tuple[str, str]]:
    pairs = []
    for kind in KINDS:
        tops = {path.split(".")[0].removesuffix("[]") for path in entry(kind).rules}
        document = bool({"policy"} & entry(kind).judged)
        pairs += [
            (kind, name) for name in sorted({*entry(kind).judged, *tops} - {"*"}) if not (document and name in WHOSE)
        ]
    return pairs


@pytest.mark.parametrize(("kind", "name"), _judged())
def test_a_judged_property_that_cannot_be_seen_is_never_green(tmp_path: Path, kind: str, name: str) -> None:
    values: tuple[Any, ...] = (True, "true") if name in RAISES else ("a", [], {}, True, None)
    for old in values:
        for new in (UNKNOWN, "[secret]"):
            before = {} if old is None else {name: old}
            step = p.step(token(kind), "x", before, {name: new}, op="update")
            assert worst(tmp_path, step) not in GREEN, (old, new)
