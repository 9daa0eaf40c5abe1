"""Images: which one a stack released, by the history of its updates, and what a scan found."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from sandbox.console import images
from sandbox.console.model import Page, UnansweredError, lasted, minutes, when
from sandbox.console.sources import Aws, Release

OLD, NEW = f"sha256:{'0' * 64}", f"sha256:{'1' * 64}"


class Account(Aws):
    """An account whose answers are given: by service and operation."""

    answers: dict[str, Any]

    def _call(self, service: str, operation: str, **given: object) -> dict[str, Any]:
        answer = self.answers[f"{service} {operation}"]
        return dict(answer(**given) if callable(answer) else answer)


def account(states: Path, **answers: Any) -> Account:
    made = Account("", "", {}, states)
    given = {name.replace("__", " "): answer for name, answer in answers.items()}
    object.__setattr__(made, "answers", {"s3 list_buckets": {"Buckets": []}, **given})
    return made


def update(states: Path, stack: str, number: int, result: str, digest: str | None) -> None:
    """Write an update into a history as the engine does."""
    folder = states / ".pulumi/history/app-one" / stack
    folder.mkdir(parents=True, exist_ok=True)
    entry = {"kind": "update", "result": result, "startTime": number, "endTime": number}
    (folder / f"{stack}-{number}.history.json").write_text(json.dumps(entry))
    outputs = {"image_by_digest": f"127.0.0.1:5000/team/app@{digest}"} if digest else {}
    resources = [{"type": "pulumi:pulumi:Stack", "outputs": outputs}]
    checkpoint = {"checkpoint": {"latest": {"resources": resources}}}
    (folder / f"{stack}-{number}.checkpoint.json").write_text(json.dumps(checkpoint))


def test_the_last_update_that_succeeded_says_what_is_released(tmp_path: Path) -> None:
    update(tmp_path, "dev", 1, "succeeded", OLD)
    update(tmp_path, "dev", 2, "succeeded", NEW)
    update(tmp_path, "dev", 3, "failed", OLD)
    update(tmp_path, "foundation", 4, "succeeded", None)
    assert account(tmp_path).releases() == [Release("dev", f"team/app@{NEW}", 2)]


def test_a_stack_that_was_destroyed_has_released_nothing(tmp_path: Path) -> None:
    update(tmp_path, "dev", 1, "succeeded", OLD)
    folder = tmp_path / ".pulumi/history/app-one/dev"
    (folder / "dev-2.history.json").write_text(json.dumps({"kind": "destroy", "result": "succeeded", "endTime": 2}))
    (folder / "dev-2.checkpoint.json").write_text(json.dumps({"checkpoint": {"latest": None}}))
    assert account(tmp_path).releases() == []


def test_stacks_in_buckets_are_looked_at_too(tmp_path: Path) -> None:
    update(tmp_path, "dev-image", 5, "succeeded", NEW)
    files = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*.json")}

    def listed(**given: str) -> dict[str, Any]:
        names = [name for name in files if name.startswith(given["Prefix"])]
        return {"Contents": [{"Key": name} for name in names]} if given["Bucket"] == "state" else {}

    one = account(
        Path("/nowhere"),
        s3__list_buckets={"Buckets": [{"Name": "empty"}, {"Name": "state"}]},
        s3__list_objects_v2=listed,
        s3__get_object=lambda **given: {"Body": io.BytesIO(files[given["Key"]].read_bytes())},
    )
    assert one.releases() == [Release("dev-image", f"team/app@{NEW}", 5)]


def ecr(states: Path, findings: dict[str, Any], **more: Any) -> Account:
    image = {"repositoryName": "team/app", "imageDigest": NEW, "imageScanStatus": {"status": "COMPLETE"}, **more}
    return account(
        states,
        ecr__describe_repositories={"repositories": [{"repositoryName": "team/app"}]},
        ecr__describe_images={"imageDetails": [image]},
        ecr__describe_image_scan_findings={"imageScanFindings": findings},
    )


def rows(page: Page, table: int = 0) -> list[list[str]]:
    return [[cell.text for cell in row] for row in page.tables[table].rows]


def test_the_page_says_which_image_is_released_and_from_where_it_knows(tmp_path: Path) -> None:
    update(tmp_path, "dev", 60, "succeeded", NEW)
    page = images.every(ecr(tmp_path, {}, imageTags=["1.0"]))
    (row,) = rows(page)
    assert (row[0], row[2]) == ("1.0", "dev\n1970-01-01 00:01:00 UTC")
    assert "last successful update of a stack" in page.tables[0].note


def test_a_released_image_that_is_gone_is_named(tmp_path: Path) -> None:
    update(tmp_path, "dev", 60, "succeeded", OLD)
    page = images.every(ecr(tmp_path, {}))
    assert rows(page)[0][2] == "no stack"
    assert rows(page, 1) == [[f"team/app@{OLD}", "dev\n1970-01-01 00:01:00 UTC"]]


def test_findings_are_listed_the_worst_first_with_package_version_and_link(tmp_path: Path) -> None:
    attributes = [{"key": "package_name", "value": "openssl"}, {"key": "package_version", "value": "3.0"}]
    low = {"name": "CVE-1", "severity": "LOW"}
    high = {"name": "CVE-2", "severity": "HIGH", "uri": "https://example.org/2", "attributes": attributes}
    vulnerability = {
        "vulnerabilityId": "CVE-3",
        "sourceUrl": "https://example.org/3",
        "vulnerablePackages": [{"name": "a", "version": "1"}, {"name": "b", "version": "2"}],
    }
    enhanced = {"severity": "CRITICAL", "packageVulnerabilityDetails": vulnerability}
    found = {"findings": [low, high], "enhancedFindings": [enhanced]}
    page = images.one(ecr(tmp_path, found), "team/app", NEW)
    assert page is not None
    assert rows(page) == [
        ["CRITICAL", "CVE-3", "a\nb", "1\n2", "https://example.org/3"],
        ["HIGH", "CVE-2", "openssl", "3.0", "https://example.org/2"],
        ["LOW", "CVE-1", "", "", ""],
    ]
    assert not [cell for row in page.tables[0].rows for cell in row if cell.href]


@pytest.mark.parametrize(
    ("status", "said"), [("COMPLETE", "The scan found nothing."), ("IN_PROGRESS", "There is no result of a scan.")]
)
def test_no_finding_is_told_from_no_result(tmp_path: Path, status: str, said: str) -> None:
    one = ecr(tmp_path, {"findings": [], "imageScanCompletedAt": datetime.now(UTC)}, imageScanStatus={"status": status})
    page = images.one(one, "team/app", NEW)
    assert page is not None
    assert page.tables[0].empty == said


def test_an_image_that_is_not_there_has_no_page(tmp_path: Path) -> None:
    assert images.one(ecr(tmp_path, {}), "team/app", OLD) is None


def test_a_service_that_is_away_is_named(tmp_path: Path) -> None:
    key = {"AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "x"}
    away = Aws("http://127.0.0.1:1", "us-east-2", key, tmp_path)
    with pytest.raises(UnansweredError, match=r"AWS does not answer as it should.*make status"):
        away.images()
    assert "AKIAEXAMPLE" not in repr(away)


def test_times_are_in_utc_and_short() -> None:
    assert when(datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-02 01:04:05 UTC"
    assert when("2026-01-02T03:04:05.1234567Z") == "2026-01-02 03:04:05 UTC"
    assert when(None) == ""
    began = "2026-01-02T03:04:05Z"
    ends = {
        "2026-01-02T03:04:06.5Z": "1.5 s",
        "2026-01-02T03:06:10Z": "2 min 05 s",
        "2026-01-02T05:05:05Z": "2 h 01 min",
    }
    assert {end: lasted(began, end) for end in ends} == ends
    assert lasted(began, None) == ""
    assert [minutes(number) for number in (1, 5, 60, 90, 2880)] == [
        "1 minute",
        "5 minutes",
        "1 hour",
        "90 minutes",
        "2 days",
    ]
