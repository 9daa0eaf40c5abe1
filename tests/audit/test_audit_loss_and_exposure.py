"""Loss and exposure: what would be gone, what could go more easily, what would be readable."""

import json
from pathlib import Path
from typing import Any

import pytest

from audit.model import UNKNOWN
from audit.plan.classify.loss import expires_more
from audit.report import Report
from tests.audit import previews as p

REPOSITORY = {
    "name": "app-one",
    "imageTagMutability": "IMMUTABLE",
    "imageScanningConfiguration": {"scanOnPush": True},
    "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": "arn:aws:kms:us-east-2:123456789012:key/1"}],
    "forceDelete": False,
}


def _changed(**inputs: Any) -> dict[str, Any]:
    return p.step(p.REPOSITORY, "repository", REPOSITORY, {**REPOSITORY, **inputs})


def test_a_safe_repository_is_only_a_change(tmp_path: Path) -> None:
    assert p.risks_of(tmp_path, p.step(p.REPOSITORY, "repository", None, REPOSITORY)) == {"change"}
    assert p.risks_of(tmp_path, _changed(tags={"a": "b"})) == {"change"}


def test_a_replaced_or_deleted_repository_is_a_loss(tmp_path: Path) -> None:
    replaced = p.step(
        p.REPOSITORY, "repository", REPOSITORY, {**REPOSITORY, "name": "two"}, op="replace", replaceReasons=["name"]
    )
    report = p.report_of(tmp_path, p.digest(replaced))
    assert report.worst == "loss-repository-replaced"
    assert "Forced by: name." in report.findings[0].details
    assert p.risks_of(tmp_path, p.step(p.REPOSITORY, "repository", REPOSITORY, None)) == {"loss-repository-deleted"}


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"imageTagMutability": "MUTABLE"}, "exposure-mutable-tags"),
        ({"imageTagMutability": None}, "exposure-mutable-tags"),
        ({"imageTagMutability": UNKNOWN}, "exposure-mutable-tags"),
        ({"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"}, "exposure-mutable-tags"),
        ({"imageScanningConfiguration": {"scanOnPush": False}}, "exposure-scan-off"),
        ({"imageScanningConfiguration": None}, "exposure-scan-off"),
        ({"encryptionConfigurations": [{"encryptionType": "AES256"}]}, "exposure-encryption-weaker"),
        ({"encryptionConfigurations": [{"encryptionType": "KMS"}]}, "exposure-encryption-weaker"),
        ({"encryptionConfigurations": None}, "exposure-encryption-weaker"),
        ({"forceDelete": True}, "loss-force-delete"),
    ],
)
def test_a_guard_of_a_repository_that_is_lowered_is_seen(tmp_path: Path, inputs: dict[str, Any], expected: str) -> None:
    assert p.risks_of(tmp_path, _changed(**inputs)) == {expected}


def test_a_guard_that_is_raised_is_only_a_change(tmp_path: Path) -> None:
    weak = {"name": "app-one", "imageTagMutability": "MUTABLE", "forceDelete": True}
    assert p.risks_of(tmp_path, p.step(p.REPOSITORY, "repository", weak, REPOSITORY)) == {"change"}


def test_a_lifted_protection_is_a_loss_also_where_nothing_else_changes(tmp_path: Path) -> None:
    step = p.step(p.REPOSITORY, "repository", REPOSITORY, REPOSITORY, op="same", old_options={"protect": True})
    report = p.report_of(tmp_path, p.digest(step))
    assert report.worst == "loss-protection-removed"
    kept = p.step(p.USER, "u", {"name": "u"}, {"name": "v"}, old_options={"retainOnDelete": True})
    assert "loss-protection-removed" in p.risks_of(tmp_path, kept)


def test_a_deleted_or_replaced_group_key_or_other_resource_is_a_loss(tmp_path: Path) -> None:
    assert "loss-variable-group" in p.risks_of(tmp_path, p.step(p.GROUP, "g", {"name": "g"}, None))
    assert "loss-credential" in p.risks_of(tmp_path, p.step(p.KEY, "k", {"user": "u"}, None))
    assert "loss-resource" in p.risks_of(tmp_path, p.step(p.USER, "u", {"name": "u"}, {"name": "v"}, op="replace"))


def test_destroying_the_stack_is_loss_step_by_step(tmp_path: Path) -> None:
    risks = p.risks_of(
        tmp_path,
        p.step(p.REPOSITORY, "repository", REPOSITORY, None),
        p.step(p.GROUP, "g", {"name": "g"}, None),
        p.step(p.KEY, "k", {"user": "u"}, None),
        p.step(p.USER, "u", {"name": "u"}, None),
    )
    assert risks == {"loss-repository-deleted", "loss-variable-group", "loss-credential", "loss-resource"}


def _lifecycle(*rules: tuple[str, int]) -> str:
    return json.dumps(
        {
            "rules": [
                {
                    "rulePriority": number,
                    "selection": {"tagStatus": status, "countType": "imageCountMoreThan", "countNumber": count},
                    "action": {"type": "expire"},
                }
                for number, (status, count) in enumerate(rules, 1)
            ]
        }
    )


def test_a_lifecycle_that_keeps_less_is_a_loss_and_one_that_keeps_more_is_none() -> None:
    old = _lifecycle(("untagged", 1), ("any", 30))
    assert expires_more(old, _lifecycle(("untagged", 1), ("any", 10)))
    assert expires_more(old, _lifecycle(("any", 1), ("any", 30)))
    assert expires_more(None, old)
    assert expires_more(old, _lifecycle(("any", 30))), "a dropped first rule protected what it selected"
    assert expires_more(old, _lifecycle(("untagged", 1), ("any", 40))) == []
    assert expires_more(old, _lifecycle(("untagged", 1))) == [], "what no rule selects any more is never expired"
    assert expires_more(old, UNKNOWN) is None
    archived = old.replace('"expire"', '"transition"')
    assert expires_more(archived, old), "the same images, which were kept in the archive before, expire"
    assert expires_more(archived, archived) == []


def test_a_lifecycle_on_an_existing_repository_is_a_loss_and_on_a_new_one_is_none(tmp_path: Path) -> None:
    rules = _lifecycle(("any", 30))
    lifecycle = p.step(p.LIFECYCLE, "l", None, {"repository": "app-one", "policy": rules})
    assert p.risks_of(tmp_path, lifecycle) == {"loss-lifecycle-expires-more"}
    new = p.step(p.REPOSITORY, "repository", None, REPOSITORY)
    assert p.risks_of(tmp_path, lifecycle, new) == {"change"}
    unknown = p.step(
        p.LIFECYCLE, "l", {"repository": "app-one", "policy": rules}, {"repository": "app-one", "policy": UNKNOWN}
    )
    report = p.report_of(tmp_path, p.digest(unknown))
    assert (report.worst, report.findings[0].proved) == ("loss-lifecycle-expires-more", False)


def test_a_lifecycle_that_moves_to_another_repository_expires_images_of_that_one(tmp_path: Path) -> None:
    here, there = ({"repository": name, "policy": _lifecycle(("any", 30))} for name in ("r", "q"))
    for op in ("replace", "update"):
        moved = p.step(p.LIFECYCLE, "l", here, there, op=op)
        assert p.risks_of(tmp_path, moved) == {"loss-lifecycle-expires-more"}
        new = p.step(p.REPOSITORY, "q", None, {**REPOSITORY, "name": "q"})
        assert p.risks_of(tmp_path, moved, new) == {"change"}


def test_a_secret_that_stops_being_one_is_an_exposure(tmp_path: Path) -> None:
    def group(**variable: Any) -> dict[str, Any]:
        return {
            "name": "g",
            "variables": [{"name": "K", **variable}, {"name": "account", "value": "1"}],
        }

    secret = group(secretValue="[secret]", isSecret=True)
    for plain in (
        group(value="[secret]", isSecret=False),
        group(value="abcdefghijk", isSecret=False),
        group(value="abcdefghijk"),
    ):
        assert "exposure-secret-in-clear" in p.risks_of(tmp_path, p.step(p.GROUP, "g", secret, plain))
    moved = {"name": "g", "variables": list(reversed(secret["variables"]))}
    assert p.risks_of(tmp_path, p.step(p.GROUP, "g", secret, moved)) == {"change"}
    dropped = p.step(p.GROUP, "g", secret, secret, op="update", old_options={"additionalSecretOutputs": ["variables"]})
    assert "exposure-secret-in-clear" in p.risks_of(tmp_path, dropped)


def test_a_variable_that_stops_being_secret_is_seen_in_a_masked_list(tmp_path: Path) -> None:
    """The engine masks the whole list on both sides; only the detailed diff tells."""

    def masked(**diff: str) -> Report:
        inputs = {"name": "g", "variables": "[secret]"}
        detailed = {f"variables[2].{name}": {"kind": kind, "inputDiff": True} for name, kind in diff.items()}
        changed = p.step(p.GROUP, "g", inputs, inputs, op="update", diffReasons=["variables"], detailedDiff=detailed)
        return p.report_of(tmp_path, p.digest(changed))

    for diff in (
        {"isSecret": "update", "secretValue": "delete", "value": "add"},
        {"isSecret": "delete"},
        {"secretValue": "delete", "value": "add"},
    ):
        found = masked(**diff).findings
        assert [(item.risk, item.proved) for item in found] == [("exposure-secret-in-clear", False)], diff
    for diff in ({"secretValue": "update"}, {"isSecret": "update", "secretValue": "add", "value": "delete"}):
        assert masked(**diff).worst == "change", diff
    unmasked = {"name": "g", "variables": [{"name": "K", "value": "abcdefghijk"}]}
    step = p.step(p.GROUP, "g", {"name": "g", "variables": "[secret]"}, unmasked)
    assert p.risks_of(tmp_path, step) == {"exposure-secret-in-clear"}


def test_a_registry_password_in_clear_is_an_exposure_and_is_masked(tmp_path: Path) -> None:
    inputs = {"imageName": "x", "registry": {"server": "x", "username": "AWS", "password": "p4ssw0rd-in-clear"}}
    report = p.report_of(tmp_path, p.digest(p.step(p.IMAGE, "image", None, inputs)))
    assert report.worst == "exposure-secret-in-clear"
    assert "p4ssw0rd" not in str(report)
