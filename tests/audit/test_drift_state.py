"""States: which files are read, what is said of others, and how secrets are kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from audit import state
from audit.errors import AuditError
from tests.audit import histories


def file(folder: Path, document: Any) -> str:
    path = folder / "state.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return str(path)


DEPLOYMENT = {"manifest": {"time": "2026-01-01T00:00:00Z"}, "resources": histories.stack()}


@pytest.mark.parametrize(
    "document",
    [
        {"version": 3, "deployment": DEPLOYMENT},
        histories.checkpoint(histories.stack()),
        DEPLOYMENT,
        {"stack": "dev", "latest": DEPLOYMENT},
        {"version": 4, "deployment": DEPLOYMENT},
    ],
    ids=["export", "checkpoint", "deployment", "inner checkpoint", "version 4"],
)
def test_every_form_of_a_state_is_read(tmp_path: Path, document: dict[str, Any]) -> None:
    recorded, _ = state.load(file(tmp_path, document))
    assert (recorded.stack, recorded.project) == ("dev", "app-one")
    assert [item.name for item in recorded.of("aws:iam:User", "aws:ecr:Repository")] == ["repository", "user"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "is empty"),
        ('{"version": 3, "deployment": {', "is truncated or no JSON"),
        ("[]", "is no state"),
        ("[" * 100_000, "is no JSON that a state could be"),
        ({"steps": []}, "is a preview"),
        ({"hello": 1}, "is no state"),
        ({"version": 2, "deployment": {}}, "version 2"),
        ({"version": 3, "deployment": {"resources": [{"urn": 1}]}}, "without URN or type"),
        ({"version": 3, "deployment": {"resources": [{"urn": "u", "type": "t", "inputs": []}]}}, "inputs are of a"),
    ],
)
def test_what_is_no_state_is_named_in_one_sentence(tmp_path: Path, document: Any, said: str) -> None:
    with pytest.raises(AuditError, match=said) as raised:
        state.load(file(tmp_path, document))
    assert "\n" not in str(raised.value)
    assert "state.json" in str(raised.value)


def test_a_file_that_is_not_there_or_too_large_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="cannot be read"):
        state.load(str(tmp_path / "absent.json"))
    with pytest.raises(AuditError, match=r"larger than 10 bytes"):
        state.load(file(tmp_path, DEPLOYMENT), max_bytes=10)


def test_a_stack_without_resources_is_an_empty_state(tmp_path: Path) -> None:
    assert state.load(file(tmp_path, {"version": 3, "deployment": None}))[0].resources == []


def secret(value: Any) -> dict[str, str]:
    return {**histories.sealed(""), "plaintext": json.dumps(value)}


def test_a_sealed_secret_is_masked_and_an_open_one_is_known(tmp_path: Path) -> None:
    resources = [
        histories.resource("a:b:C", "sealed", {"password": histories.sealed("x")}),
        histories.resource("a:b:C", "open", {"password": secret("hunter22"), "list": [secret({"a": "deeper-secret"})]}),
    ]
    document = {"version": 3, "deployment": {"resources": resources}}
    recorded, raw = state.load(file(tmp_path, document))
    assert recorded.resources[0].inputs["password"] == "[secret]"
    assert recorded.resources[1].inputs["password"] == "hunter22"
    assert set(state.secrets_in(raw)) == {"hunter22", "deeper-secret"}


def test_of_variables_only_the_secret_values_are_secrets() -> None:
    variables = [
        {"name": "account", "value": "123456789012"},
        {"name": "key", "secretValue": "s3cr3t-value", "isSecret": True},
        {"name": "other", "value": "also-secret", "isSecret": True},
    ]
    assert set(state.secrets_in({"inputs": {"variables": secret(variables)}})) == {"s3cr3t-value", "also-secret"}


def test_components_reads_and_what_waits_for_deletion_are_not_managed(tmp_path: Path) -> None:
    resources = [
        histories.resource("a:b:C", "managed", {}),
        histories.resource("a:b:C", "component", {}, custom=False),
        histories.resource("a:b:C", "read", {}, external=True),
        histories.resource("a:b:C", "waiting", {}, delete=True),
    ]
    recorded, _ = state.load(file(tmp_path, {"version": 3, "deployment": {"resources": resources}}))
    assert [item.name for item in recorded.of("a:b:C")] == ["managed"]
