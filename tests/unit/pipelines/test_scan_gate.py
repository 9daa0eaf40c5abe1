"""The scan gate: what ECR found in the pushed image decides, not how its scan is said to have ended."""

from __future__ import annotations

import datetime
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from pipelines import agent, clients, findings, scan_exceptions, scan_gate
from pipelines.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TODAY = datetime.date(2026, 11, 27)
DIGEST = "sha256:" + "0" * 64
IMAGE = {"repositoryName": "app-one", "imageId": {"imageDigest": DIGEST}}
BASIC: list[dict[str, Any]] = [
    {"name": "CVE-1", "severity": "LOW", "description": "low", "uri": "https://example.com/1"},
    {"name": "CVE-2", "severity": "CRITICAL"},
    {"name": "CVE-3", "severity": "UNDEFINED"},
]
ENHANCED: dict[str, Any] = {
    "title": "CVE-9 - openssl",
    "severity": "CRITICAL",
    "status": "ACTIVE",
    "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-9", "sourceUrl": "https://example.com/9"},
}


def answered(status: str, **held: Any) -> dict[str, Any]:
    """An answer of DescribeImageScanFindings."""
    return {"imageScanStatus": {"status": status}, **held}


def listed(*rows: dict[str, Any], status: str = "COMPLETE", kind: str = "findings", **more: Any) -> dict[str, Any]:
    """An answer with a list of findings."""
    return answered(status, imageScanFindings={kind: list(rows), **more.pop("held", {})}, **more)


@pytest.fixture
def ecr(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """ECR's client that gives the answers put into it, each once; time passes only while the gate waits."""
    client = boto3.client("ecr", region_name="us-east-2", aws_access_key_id="a", aws_secret_access_key="b")
    clock = [0.0]
    monkeypatch.setattr(clients, "client", lambda *_a, **_k: client)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def put(ecr: Stubber, *answers: dict[str, Any]) -> None:
    """The next answers, in this order."""
    for answer in answers:
        ecr.add_response("describe_image_scan_findings", answer, IMAGE)


def found(seconds: float = 10) -> list[Finding]:
    """What the gate reads of the image."""
    return findings.of_image("app-one", DIGEST, "us-east-2", seconds)


def test_the_scan_is_waited_for_and_its_findings_come_the_worst_first(ecr: Stubber) -> None:
    ecr.add_client_error("describe_image_scan_findings", "ScanNotFoundException", expected_params=IMAGE)
    put(ecr, answered("PENDING"), answered("IN_PROGRESS"), listed(*BASIC))
    assert [row.name for row in found(300)] == ["CVE-3", "CVE-2", "CVE-1"]


def test_findings_are_read_to_the_last_page(ecr: Stubber) -> None:
    put(ecr, listed(BASIC[0], nextToken="2", held={"findingSeverityCounts": {"LOW": 1, "CRITICAL": 1}}))
    second = listed(BASIC[1], held={"findingSeverityCounts": {"LOW": 1, "CRITICAL": 1}})
    ecr.add_response("describe_image_scan_findings", second, {**IMAGE, "nextToken": "2"})
    assert [row.name for row in found()] == ["CVE-2", "CVE-1"]


@pytest.mark.parametrize("status", ["COMPLETE", "ACTIVE"])
def test_what_enhanced_scanning_found_counts_whatever_the_status_is(ecr: Stubber, status: str) -> None:
    closed = {**ENHANCED, "status": "CLOSED", "packageVulnerabilityDetails": {"vulnerabilityId": "CVE-8"}}
    put(ecr, listed(ENHANCED, closed, status=status, kind="enhancedFindings"))
    assert found() == [Finding("CVE-9", "CRITICAL", "", "https://example.com/9")]


@pytest.mark.parametrize("kind", ["findings", "enhancedFindings"])
def test_an_empty_list_is_a_clean_image(ecr: Stubber, kind: str) -> None:
    put(ecr, listed(kind=kind))
    assert found() == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answered("COMPLETE"), id="nothing at all"),
        pytest.param(answered("ACTIVE"), id="enhanced, which the key may not read"),
        pytest.param(answered("COMPLETE", imageScanFindings={}), id="an empty structure"),
        pytest.param(answered("COMPLETE", imageScanFindings={"findingSeverityCounts": {"HIGH": 2}}), id="counts only"),
        pytest.param(listed(held={"findingSeverityCounts": {"HIGH": 2}}), id="more counted than listed"),
        pytest.param(answered("IN_PROGRESS"), id="under way"),
    ],
)
def test_an_answer_without_its_findings_is_asked_for_again_and_is_no_clean_bill(
    ecr: Stubber, answer: dict[str, Any]
) -> None:
    put(ecr, answer, answer, answer)
    with pytest.raises(agent.Stop, match="has no findings on"):
        found(10)
    put(ecr, answer, listed(BASIC[1]))
    assert [row.name for row in found(10)] == ["CVE-2"]


@pytest.mark.parametrize(
    "answer",
    [
        {"imageScanStatus": None, "imageScanFindings": {"findings": []}},
        {"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": None},
        {"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": {"findings": None, "enhancedFindings": None}},
    ],
)
def test_nothing_where_something_is_expected_is_no_clean_bill(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
) -> None:
    client = SimpleNamespace(
        describe_image_scan_findings=lambda **_: answer, exceptions=SimpleNamespace(ScanNotFoundException=KeyError)
    )
    monkeypatch.setattr(clients, "client", lambda *_a, **_k: client)
    with pytest.raises(agent.Stop, match="has no findings on"):
        found(0)


@pytest.mark.parametrize(
    "status",
    ["FAILED", "UNSUPPORTED_IMAGE", "SCAN_ELIGIBILITY_EXPIRED", "FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED", "NEW_WORD"],
)
def test_a_scan_that_fails_is_no_clean_bill(ecr: Stubber, status: str) -> None:
    put(ecr, listed(status=status))
    with pytest.raises(agent.Stop, match=f"has no findings on .* {status}"):
        found()


def verdict(*rows: Finding, severity: str = "HIGH", only_fixable: bool = False, **expiries: str) -> scan_gate.Verdict:
    """What the gate makes of findings, with exceptions for those named by `expiries`."""
    exceptions = [
        scan_exceptions.ScanException(name.replace("_", "-"), "why", "who", datetime.date.fromisoformat(day))
        for name, day in expiries.items()
    ]
    return scan_gate.judge(list(rows), severity, exceptions, only_fixable=only_fixable, today=TODAY)


ROWS = [Finding(str(row["name"]), str(row["severity"])) for row in BASIC]


@pytest.mark.parametrize(("severity", "failed"), [("CRITICAL", 2), ("LOW", 3)])
def test_findings_become_test_results_that_fail_from_the_chosen_severity(severity: str, failed: int) -> None:
    root = scan_gate.junit(verdict(*ROWS, severity=severity)).getroot()
    assert root is not None
    assert (root.get("tests"), root.get("failures")) == ("3", str(failed))
    assert len(list(root.iter("failure"))) == failed


def test_an_image_without_findings_is_one_passed_result() -> None:
    root = scan_gate.junit(verdict()).getroot()
    assert root is not None
    assert (root.get("tests"), root.get("failures")) == ("1", "0")


@pytest.mark.parametrize(
    ("stack", "run", "bar"),
    [
        ("HIGH", scan_gate.AS_CONFIGURED, "HIGH"),
        ("HIGH", "LOW", "LOW"),
        ("HIGH", "CRITICAL", "HIGH"),
        ("MEDIUM", "HIGH", "MEDIUM"),
    ],
)
def test_a_queued_run_can_only_tighten_the_bar(stack: str, run: str, bar: str) -> None:
    assert scan_gate.bar(stack, run) == bar


def test_an_exception_counts_until_the_end_of_its_last_day() -> None:
    row = Finding("CVE-2", "CRITICAL")
    assert verdict(row, CVE_2="2026-11-27").passed == [(row, "accepted until 2026-11-27 by who: why")]
    expired = verdict(row, CVE_2="2026-11-26")
    assert expired.refused == [row]
    assert expired.warnings == ["the exception for CVE-2 expired on 2026-11-26; its owner is who"]
    assert verdict(CVE_2="2026-11-28").warnings == ["the exception for CVE-2 matches no finding; its owner is who"]


def test_only_a_finding_that_is_known_to_have_no_fix_passes_for_that() -> None:
    rows = [Finding("CVE-1", "HIGH", fixable=fixable) for fixable in (False, True, None)]
    assert verdict(*rows, only_fixable=True).refused == rows[1:]
    assert verdict(*rows).refused == rows


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("exceptions: [", "is no YAML"),
        ("{}", "must hold one key"),
        ("exceptions: [{id: CVE-1, owner: a, expires: 2026-12-31}]", "exception 1: 'reason' must be a text"),
        ("exceptions: [{id: C, reason: b, owner: a, expires: soon}]", "exception 1: 'expires' must be a date"),
        ("exceptions: [{id: C, reason: b, owner: a, expires: 2026-12-31, x: 1}]", "field 'x' is unknown"),
        ("exceptions: [CVE-1]", "exception 1: is not a mapping"),
        (
            "exceptions: [&a {id: C, reason: b, owner: a, expires: 2026-12-31}, *a]",
            "C is there 2 times",
        ),
    ],
)
def test_a_file_of_exceptions_that_is_wrong_says_where(content: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "exceptions.yml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(agent.Stop, match=said) as stop:
        scan_exceptions.load(file)
    assert stop.value.code == agent.USAGE


def test_a_file_of_exceptions_that_is_not_there_is_an_error_and_the_projects_own_is_read(tmp_path: Path) -> None:
    with pytest.raises(agent.Stop, match="cannot be read"):
        scan_exceptions.load(tmp_path / "none.yml")
    assert isinstance(scan_exceptions.load(Path(scan_gate.__file__).with_name("scan-exceptions.yml")), list)


@pytest.fixture
def gate(ecr: Stubber, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Runs the entry point on an image with the findings of BASIC; gives the file of test results."""
    (tmp_path / "outputs.json").write_text(
        json.dumps({"repository_name": "app-one", "image_by_digest": f"registry/app-one@{DIGEST}"}), encoding="utf-8"
    )
    (tmp_path / "exceptions.yml").write_text(
        "exceptions: [{id: CVE-2, reason: b, owner: a, expires: 2999-12-31}]", encoding="utf-8"
    )
    monkeypatch.setattr(scan_gate, "region", lambda _stack: "us-east-2")

    def run(*more: str) -> Path:
        put(ecr, listed(BASIC[1]))
        results = tmp_path / "scan.xml"
        arguments = ["--stack", "dev", "--outputs", str(tmp_path / "outputs.json"), "--junit", str(results), *more]
        monkeypatch.setattr(sys, "argv", ["scan_gate", *arguments])
        scan_gate.main()
        return results

    return run


def test_the_gate_refuses_a_finding_and_lets_one_with_an_exception_pass(
    gate: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(agent.Stop, match=r"1 findings on .* of HIGH or above: CVE-2") as stop:
        gate("--stricter", "CRITICAL")
    assert stop.value.code == agent.REFUSED
    results = gate("--exceptions", str(tmp_path / "exceptions.yml"))
    assert 'skipped="1"' in results.read_text(encoding="utf-8")
    assert "CVE-2 passes: accepted until 2999-12-31 by a: b" in capsys.readouterr().out
