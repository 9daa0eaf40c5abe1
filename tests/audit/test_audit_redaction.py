"""Redaction: no secret passes, encoded or not, and what is no secret stays readable."""

import base64
import html
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from audit import formats
from audit.formats import json as json_format
from audit.model import ENGINE_SECRET, REDACTED, UNKNOWN
from audit.redact import Redactor, encodings
from tests.audit import fuzzing, previews as p

SECRET = 'hunter2&"ü\\/ <secret> +='

SHAPES = {
    "AWS secret access key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS session token": "IQoJb3JpZ2luX2VjE" + "aB3" * 60,
    "Azure DevOps token, short": "a2b3c4d5e6f7g2h3i4j5k6l7m2n3o4p5q6r7s2t3u4v5w6x7y2z3",
    "Azure DevOps token, long": "aB3" + "x9Y" * 24 + "9AZDO1a2B",
    "private key": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----",
    "private key in JSON": '{"k": "-----BEGIN PRIVATE KEY-----\\nMIIEvQ\\n-----END PRIVATE KEY-----"}',
    "private key that is cut": "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA",
    "ECR token": base64.b64encode(b'{"payload":"' + b"x" * 200 + b'","version":"2"}').decode(),
    "docker login": base64.b64encode(b"AWS:eyJwYXlsb2FkIjoi" + b"x" * 30).decode(),
    "docker configuration": json.dumps({"auths": {"r": {"auth": base64.b64encode(b"user:correct horse").decode()}}}),
    "JSON web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "GitHub token": "ghp_" + "a1B2" * 9,
    "Pulumi token": "pul-" + "0123456789abcdef" * 2 + "01234567",
    "URL with a password": "https://user:correct-horse@example.org/x",
    "header": "Authorization: Basic dXNlcjpjb3JyZWN0LWhvcnNl",
    "assignment": "AWS_SECRET_ACCESS_KEY=correct-horse-battery",
}
INNER = {
    "URL with a password": "correct-horse",
    "header": "dXNlcjpjb3JyZWN0LWhvcnNl",
    "assignment": "correct-horse-battery",
    "docker configuration": base64.b64encode(b"user:correct horse").decode(),
    "private key in JSON": "MIIEvQ",
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_value_of_a_known_shape_is_masked_wherever_it_stands(name: str) -> None:
    secret = INNER.get(name, SHAPES[name])
    for text in (SHAPES[name], f"failed with {SHAPES[name]} at 12:00"):
        assert secret not in Redactor().text(text)
    nested = Redactor().value({"a": [{"b": SHAPES[name]}], SHAPES[name]: 1})
    assert secret not in json.dumps(nested)
    assert secret not in json.dumps(nested, ensure_ascii=False).replace("\\n", "\n")


@pytest.mark.parametrize(
    "encode",
    [
        lambda s: s,
        lambda s: f"a{s}b",
        lambda s: quote(s, safe=""),
        quote,
        json.dumps,
        lambda s: json.dumps(json.dumps(s)),
        lambda s: json.dumps(s, ensure_ascii=False),
        html.escape,
        lambda s: s.encode().hex(),
        lambda s: base64.b64encode(s.encode()).decode(),
        lambda s: base64.b64encode(f"x{s}".encode()).decode(),
        lambda s: base64.urlsafe_b64encode(f"xy{s}z".encode()).decode(),
        lambda s: base64.b64encode(base64.b64encode(s.encode())).decode(),
    ],
)
def test_a_known_secret_is_masked_in_every_usual_encoding(encode: Any) -> None:
    redacted = Redactor([SECRET]).text(f"before {encode(SECRET)} after")
    assert redacted.startswith("before ")
    assert redacted.endswith(" after")
    assert REDACTED in redacted
    assert not fuzzing.leaks(redacted, SECRET)


def test_what_is_no_secret_stays() -> None:
    plain = [
        "AKIAIOSFODNN7EXAMPLE",
        "arn:aws:iam::123456789012:policy/app-one/push-to-the-repository-of-app-one",
        "sha256:" + "0123456789abcdef" * 4,
        "0123456789abcdef0123456789abcdef01234567",
        UNKNOWN,
        ENGINE_SECRET,
        "true",
        "",
        "123456789012.dkr.ecr.us-east-2.amazonaws.com/app-one:20261123.1",
        "ecr:GetAuthorizationToken",
        "urn:pulumi:dev::app-one::app-one:infra:PushAccess$aws:iam/policy:Policy::app-one-policy",
        "secretsmanager:GetSecretValue",
        "https://example.org/a/b?c=d",
        "password must have 12 characters",
    ]
    redactor = Redactor(["another-secret"])
    assert [redactor.text(text) for text in plain] == plain
    document = p.policy(p.allow(["ecr:GetAuthorizationToken", "secretsmanager:GetSecretValue"], "*"))
    assert redactor.text(document) == document


def test_values_under_a_secret_name_are_masked_and_found_elsewhere(tmp_path: Path) -> None:
    inputs = {
        "password": "correct-horse-1",
        "secretKey": "correct-horse-2",
        "masterUserPassword": ["correct-horse-3"],
        "note": "it is correct-horse-1",
        "hasPassword": True,
        "passwordLength": 12,
        "secretArn": "arn:aws:secretsmanager:us-east-2:1:secret:x",
    }
    report = p.report_of(tmp_path, p.digest(p.step("x:y:Z", "z", None, inputs)))
    text = "".join(formats.render(name, report) for name in formats.NAMES)
    assert "correct-horse" not in text
    assert "arn:aws:secretsmanager:us-east-2:1:secret:x" in text
    assert "passwordLength" in text


def test_a_variable_marked_secret_or_named_secret_is_masked(tmp_path: Path) -> None:
    variables = [
        {"name": "a", "value": "first-clear-value", "isSecret": True},
        {"name": "App-One.SecretKey", "value": "second-clear-value"},
        {"name": "c", "value": "third-plain-value"},
    ]
    report = p.report_of(
        tmp_path, p.digest(p.step(p.GROUP, "g", None, {"variables": variables, "note": "first-clear-value"}))
    )
    text = formats.render("json", report)
    assert "first-clear-value" not in text
    assert "second-clear-value" not in text
    assert "third-plain-value" in text


def test_a_secret_config_value_that_the_program_read_in_clear_is_masked_by_its_name(tmp_path: Path) -> None:
    preview = p.digest(
        p.step("x:y:Z", "z", None, {"licenceCode": "plain-to-see-42"}), config={"app-one:licenceCode": "[secret]"}
    )
    assert "plain-to-see-42" not in formats.render("json", p.report_of(tmp_path, preview))


def test_the_engines_secret_envelope_is_masked(tmp_path: Path) -> None:
    envelope = {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "plaintext": '"in-the-envelope"',
    }
    report = p.report_of(tmp_path, p.digest(p.step("x:y:Z", "z", None, {"a": envelope, "b": "see in-the-envelope"})))
    assert "in-the-envelope" not in formats.render("json", report)


def test_the_structure_of_what_is_masked_stays() -> None:
    value = {"a": {"password": "correct-horse", "n": 1}, "b": ["x", {"token": "abcdefghij"}], "c": None}
    assert Redactor().value(value) == {"a": {"password": REDACTED, "n": 1}, "b": ["x", {"token": REDACTED}], "c": None}


def test_every_encoding_is_long_enough_not_to_mask_ordinary_text() -> None:
    assert all(len(form) >= 4 for form in encodings("abc")) is True
    assert Redactor(["ab"]).text("about") == "about"
    assert Redactor(["ab"]).value({"x": "ab"}) == {"x": REDACTED}


def test_a_report_never_holds_the_raw_preview(tmp_path: Path) -> None:
    preview = p.digest(
        p.step(
            p.USER,
            "u",
            {"name": "u", "path": "/unchanged-and-not-shown/"},
            {"name": "v", "path": "/unchanged-and-not-shown/"},
        )
    )
    report = p.report_of(tmp_path, preview)
    for name in formats.NAMES:
        assert "unchanged-and-not-shown" not in formats.render(name, report)


def test_mutated_previews_with_secrets_in_every_place_leak_nothing_and_crash_nowhere() -> None:
    """A part of the 10,000 of `python -m tests.audit.fuzzing`."""
    outcomes = [outcome for _, outcome in fuzzing.run(1000, seed=7)]
    assert outcomes.count("read") > 500


def test_the_fuzzers_own_check_sees_a_leak() -> None:
    """The net is tested with what must be caught, so that a blind check cannot pass."""
    for number, encode in enumerate(fuzzing.ENCODERS):
        assert fuzzing.leaks(f"x {encode('hunter2-secret')} y", "hunter2-secret"), number
    assert json_format.LONGEST > 1000


@pytest.mark.parametrize(
    "name",
    [
        "pwd",
        "pass",
        "userPass",
        "adminPwd",
        "certificatePem",
        "secretString",
        "SecretBinary",
        "secretValue",
        "tokenValue",
        "signingKey",
        "sharedKey",
        "ssh_key",
    ],
)
def test_more_names_say_secret_and_numbers_under_them_are_masked(name: str) -> None:
    assert Redactor().value({name: "correct horse", "n": {name: 12345678}}) == {name: REDACTED, "n": {name: REDACTED}}
    assert Redactor().value({name: 3, "compass": "correct horse"}) == {name: 3, "compass": "correct horse"}


@pytest.mark.parametrize(
    "pair",
    [
        {"name": "DB_PASSWORD", "Value": "correct horse"},
        {"Name": "DB_PASSWORD", "Value": "correct horse"},
        {"key": "DB_PASSWORD", "value": "correct horse"},
        {"is_secret": True, "value": "correct horse"},
        {"IsSecret": True, "Value": "correct horse"},
    ],
)
def test_a_named_value_is_masked_whatever_the_case_of_its_keys(pair: dict[str, Any]) -> None:
    redactor = Redactor()
    redactor.visit(pair)
    assert "correct horse" not in json.dumps(redactor.value([pair, "a correct horse b"]))


def test_an_aws_secret_key_without_a_digit_is_masked_and_a_path_of_that_length_is_not() -> None:
    assert Redactor().text("wJalrXUtnFEMI/KxMDENG/bPxRfiCYEXAMPLEKEY") == REDACTED
    path = "Documents/Projects/Application/Resources"
    assert len(path) == 40
    assert Redactor().text(path) == path
