"""Redaction: no secret passes, encoded or not, and what is no secret stays readable."""

import base64
import html
import json
import random
import re
import uuid
from html.entities import codepoint2name
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from audit.model import ENGINE_SECRET, REDACTED, UNKNOWN
from audit.report import FORMATS, render
from audit.report.text import LONGEST_TEXT
from audit.secrets import hidden
from audit.secrets.redact import Redactor
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
    "AWS secret access key in a path": "/secrets/wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS secret access key after its id": "AKIA4XQ7Z2WJ3P5RT6YB/wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS secret access key before a slash": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY/latest",
    "AWS secret access key before an equals sign": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY=x",
    "AWS secret access key after an equals sign": "k=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "URL with a token": "https://3f9ac2d07b1e4c55a6@example.org/x",
    "URL with a token in upper case": "git+https://TOKENTOKEN1@example.org/x",
    "shared access signature": "https://a.blob.core.windows.net/c/b?sv=2022-11-02&se=2027&sig=aB3%2Fxyz0123456789abcdefgh%3D",
    "shared access signature in JSON of Go": "?sv=2022-11-02\\u0026sig=aB3%2Fxyz0123456789abcdefgh%3D\\u0026se=2027",
    "Azure client secret": "abc8Q~dE3fG4hI5jK6lM7nO8pQ9rS0tU1vW2xY3z",
    "storage account key": "eL5zrFAG4tCmzLSHdnRjhSoDzV4NhHuAJyqOIQwWHcq4Ek1fLkwkmnq2HLjC2jIYQwpmVBvGYcCkhxEyKsxkGQ==",
    "AWS secret access key in a URL": "k=wJalrXUtnFEMI%2FK7MDENG%2fbPxRfiCYEXAMPLEKEY",
    "AWS secret access key in a URL in a URL": "wJalrXUtnFEMI%252FK7MDENG%252FbPxRfiCYEXAMPLEKEY",
    "docker login with -p": "docker login -u AWS -p hunterhunter registry.example.org",
    "docker login with a quoted password": 'docker login --username AWS --password "hunter2hunter" r.example.org',
    "password among the words of a command": "tool --password hunter2hunter run",
    "Google key": "AIza" + "Sy3" * 11 + "aB",
    "Slack webhook": "https://hooks.slack.com/services/T00000000/B00000000/a1B2c3D4e5F6g7H8i9J0k1L2",
    "Stripe key": "sk_live_" + "a1B2" * 6,
    "presigned URL": "https://b.s3.amazonaws.com/k?X-Amz-Signature=" + "0123456789abcdef" * 4,
}
AWS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
INNER = {
    "URL with a password": "correct-horse",
    "header": "dXNlcjpjb3JyZWN0LWhvcnNl",
    "assignment": "correct-horse-battery",
    "docker configuration": base64.b64encode(b"user:correct horse").decode(),
    "private key in JSON": "MIIEvQ",
    "URL with a token": "3f9ac2d07b1e4c55a6",
    "URL with a token in upper case": "TOKENTOKEN1",
    "shared access signature": "aB3%2Fxyz",
    "shared access signature in JSON of Go": "aB3%2Fxyz",
    "presigned URL": "0123456789abcdef",
    "docker login with -p": "hunterhunter",
    "docker login with a quoted password": "hunter2hunter",
    "password among the words of a command": "hunter2hunter",
    "Slack webhook": "a1B2c3D4e5F6g7H8i9J0k1L2",
    "AWS secret access key in a URL": "wJalrXUtnFEMI",
    "AWS secret access key in a URL in a URL": "wJalrXUtnFEMI",
    **{name: AWS_KEY for name in SHAPES if " URL" not in name and name.startswith("AWS secret access key ")},
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_value_of_a_known_shape_is_masked_wherever_it_stands(name: str) -> None:
    secret = INNER.get(name, SHAPES[name])
    for text in (SHAPES[name], f"failed with {SHAPES[name]} at 12:00"):
        assert secret not in Redactor().text(text)
    nested = Redactor().value({"a": [{"b": SHAPES[name]}], SHAPES[name]: 1})
    assert secret not in json.dumps(nested)
    assert secret not in json.dumps(nested, ensure_ascii=False).replace("\\n", "\n")


def json_times(text: str, times: int) -> str:
    """A text as JSON, in JSON, in JSON."""
    for _ in range(times):
        text = json.dumps(text)
    return text


@pytest.mark.parametrize(
    "encode",
    [
        lambda s: s,
        lambda s: json_times(s, 3),
        lambda s: "".join(f"\\u{unit:04x}" for unit in utf16_units(s)),
        lambda s: "".join(f"\\u{unit:04X}" for unit in utf16_units(s)),
        lambda s: "".join(f"\\\\u{unit:04x}" for unit in utf16_units(s)),
        lambda s: "".join(f"&#{ord(letter)};" for letter in s),
        lambda s: "".join(f"&#x{ord(letter):x};" for letter in s),
        lambda s: "".join(f"&{codepoint2name.get(ord(letter), f'#{ord(letter)}')};" for letter in s),
        lambda s: html.escape(html.escape(s)),
        lambda s: json.dumps(html.escape(s)),
        lambda s: quote(quote(s, safe=""), safe=""),
        lambda s: re.sub("%..", lambda match: match.group().lower(), quote(s, safe="")),
        lambda s: "".join(f"%{byte:02x}" for byte in s.encode()),
        quote_plus,
        lambda s: quote(json.dumps(s), safe=""),
        lambda s: s.encode().hex().upper(),
        lambda s: f"0x{s.encode().hex()}00",
        lambda s: base64.b32encode(s.encode()).decode(),
        lambda s: base64.b32encode(s.encode()).decode().lower(),
        lambda s: base64.b32encode(f"xyz{s}".encode()).decode(),
        lambda s: base64.b64encode(s.encode("utf-16-le")).decode(),
        lambda s: base64.b64encode(s.encode("utf-16-be")).decode(),
        lambda s: base64.b64encode(s.encode("utf-16")).decode(),
        lambda s: base64.b64encode(f"x{s}".encode("utf-16-le")).decode(),
        lambda s: s.encode("utf-16-le").hex(),
        lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
        lambda s: "key" + base64.b64encode(s.encode()).decode(),
        lambda s: base64.b64encode(f"xy{s}z".encode()).decode(),
        lambda s: base64.b64encode(json.dumps({"a": json.dumps(s)}).encode()).decode(),
        lambda s: quote(base64.b64encode(f"AWS:{s}".encode()).decode(), safe=""),
        lambda s: base64.b64encode(quote(s, safe="").encode()).decode(),
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
@pytest.mark.parametrize(
    "secret", [SECRET, 'p%41ss&amp;w\\u0041"rd', "correct horse battery", "wJalrXUtnFEMI/K7MDENG+bP"]
)
@pytest.mark.parametrize("others", [0, 300])
def test_a_known_secret_is_masked_in_every_usual_encoding(encode: Any, secret: str, others: int) -> None:
    redactor = Redactor([secret, *(f"another-secret-{number}" for number in range(others))])
    following = f" after {encode('plain text')}"
    redacted = redactor.text(f"before {encode(secret)}{following}")
    assert redacted.startswith("before ")
    assert redacted.endswith(Redactor().text(following))  # what has a shape of its own is masked anyway
    assert REDACTED in redacted.removesuffix(Redactor().text(following))
    assert not fuzzing.leaks(redacted, secret)


def utf16_units(text: str) -> list[int]:
    """The numbers that JSON's escapes are made of."""
    raw = text.encode("utf-16-be")
    return [raw[at] << 8 | raw[at + 1] for at in range(0, len(raw), 2)]


def test_a_secret_beyond_the_first_plane_is_found_in_its_surrogates() -> None:
    secret = "key🔑🔒key"
    assert Redactor([secret]).text(f"a {json.dumps(secret)} b") == f'a "{REDACTED}" b'


def test_only_the_secret_is_masked_of_an_escaped_text() -> None:
    text = json.dumps(json.dumps({"user": 'the "admin"', "value": SECRET, "after": "50 % & more"}))
    redacted = Redactor([SECRET]).text(text)
    assert json.loads(json.loads(redacted)) == {"user": 'the "admin"', "value": REDACTED, "after": "50 % & more"}
    url = Redactor([SECRET]).text(f"https://example.org/?a={quote('ü &')}&b={quote(SECRET, safe='')}&c=%20")
    assert url == f"https://example.org/?a={quote('ü &')}&b={REDACTED}&c=%20"


def test_looking_for_secrets_is_linear_in_the_text_and_not_in_their_number() -> None:
    """By counting the places that are looked at, not the seconds."""
    looked = []

    class Counting(str):
        def __contains__(self, item: object) -> bool:
            looked.append(item)
            return super().__contains__(item)  # type: ignore[operator] # a text

    many = hidden.Finder(f"secret-number-{number}" for number in range(5000))
    assert many.spans(Counting("a plain text without any of them, " * 20)) == []
    assert len(looked) < 10
    assert many.spans("secret-number-4999") == [(0, 18)]


@pytest.mark.parametrize(
    "unit",
    [
        "%25",
        "\\\\",
        "&amp;",
        "aB3/",
        "0",
        "=",
        "ab-",
        "%",
        "\\u0025",
        "QUJD",
        "sig=",
        "http://a@",
        "docker login ",
        "--password ",
        "%2F",
        "aQ~",
        "%2FaB3",
        "hooks.slack.com/",
    ],
)
def test_no_text_takes_more_than_its_length(unit: str) -> None:
    """A hostile text of half a megabyte: an exponent, or a square, would not come to an end in a test."""
    Redactor(["hunter2-secret"]).text(unit * (500_000 // len(unit)))


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
        "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "4/DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "123456789012.dkr.ecr.us-east-2.amazonaws.com/app-one@sha256:" + "0123456789abcdef" * 4,
        "sha512:" + "0123456789abcdef" * 8,
        "MD5 d41d8cd98f00b204e9800998ecf8427e",
        "7c1f4e5e-0000-4000-8000-000000000000",
        "urn:uuid:7C1F4E5E-0000-4000-8000-000000000000",
        "arn:aws:iam::aws:policy/AmazonSSMManagedEC2InstanceDefaultPolicy",
        "arn:aws:iam::123456789012:role/service-role/AmazonEC2ContainerServiceRoleForWorkloads",
        "arn:aws:secretsmanager:us-east-2:123456789012:secret:prod/database-AbCdEf",
        "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "urn:pulumi:dev::app-one::aws:secretsmanager/secret:Secret::database-credentials",
        "urn:pulumi:dev::app-one::app:Main$random:index/randomPassword:RandomPassword::database",
        "random:index/randomPassword:RandomPassword",
        "azuredevops:index/personalAccessToken:PersonalAccessToken",
        "error: urn:pulumi:dev::app-one::random:index/randomPassword:RandomPassword::database: failed",
        "https://git@example.org/x.git",
        "https://app1@dev.azure.com/app1/project/_git/repository",
        "https://example.org/users/a1b2c3@example.org",
        "src/main/java/com/example/application/Ab",
        "https://example.org/?signed=yes&assign=0123456789abcdef",
        "100%25 of R&amp;D, \\u0041\\\\",
    ]
    redactor = Redactor(["another-secret", "hunter2"])
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
    text = "".join(render(name, report) for name in FORMATS)
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
    text = render("json", report)
    assert "first-clear-value" not in text
    assert "second-clear-value" not in text
    assert "third-plain-value" in text


def test_a_secret_config_value_that_the_program_read_in_clear_is_masked_by_its_name(tmp_path: Path) -> None:
    preview = p.digest(
        p.step("x:y:Z", "z", None, {"licenceCode": "plain-to-see-42"}), config={"app-one:licenceCode": "[secret]"}
    )
    assert "plain-to-see-42" not in render("json", p.report_of(tmp_path, preview))


def test_the_engines_secret_envelope_is_masked(tmp_path: Path) -> None:
    envelope = {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "plaintext": '"in-the-envelope"',
    }
    report = p.report_of(tmp_path, p.digest(p.step("x:y:Z", "z", None, {"a": envelope, "b": "see in-the-envelope"})))
    assert "in-the-envelope" not in render("json", report)


def test_the_structure_of_what_is_masked_stays() -> None:
    value = {"a": {"password": "correct-horse", "n": 1}, "b": ["x", {"token": "abcdefghij"}], "c": None}
    assert Redactor().value(value) == {"a": {"password": REDACTED, "n": 1}, "b": ["x", {"token": REDACTED}], "c": None}


def test_random_digests_identifiers_and_names_are_no_secrets() -> None:
    chance = random.Random(5)  # noqa: S311 - repeatable on purpose
    redactor = Redactor(["another-secret", "hunter2"])
    for _ in range(500):
        raw = chance.randbytes(64)
        digest = raw[:32].hex()
        for text in (
            f"sha256:{digest}",
            f"repository@sha256:{digest}",
            digest[:40],
            raw.hex(),
            raw.hex().upper(),
            str(uuid.UUID(bytes=raw[:16])),
            f"arn:aws:iam::{chance.randrange(10**12):012}:role/app-{digest[:12]}",
            f"arn:aws:ecr:us-east-2:123456789012:repository/{digest[:7]}/app",
            f"urn:pulumi:dev::app-one::aws:iam/accessKey:AccessKey::key-{digest[:7]}",
            f"AKIA{base64.b32encode(raw[:10]).decode()}",
            f"app-{digest[:7]}.{chance.randrange(10**6)}",
        ):
            assert redactor.text(text) == text


def test_a_random_aws_secret_key_is_masked_alone_and_in_a_path() -> None:
    chance = random.Random(5)  # noqa: S311 - repeatable on purpose
    for _ in range(3000):
        key = base64.b64encode(chance.randbytes(30)).decode()
        for text in (key, f"k={key}", f"{key}=v", f"a/{key}", f"/prod/app/{key}/x", f"AKIAIOSFODNN7EXAMPLE/{key}"):
            assert key not in Redactor().text(text)


def test_short_known_secrets_do_not_mask_ordinary_text() -> None:
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
    for name in FORMATS:
        assert "unchanged-and-not-shown" not in render(name, report)


def test_mutated_previews_with_secrets_in_every_place_leak_nothing_and_crash_nowhere() -> None:
    """A part of the 10,000 of `python -m tests.audit.fuzzing`."""
    outcomes = [outcome for _, outcome in fuzzing.run(1000, seed=7)]
    assert outcomes.count("read") > 500


def test_the_fuzzers_own_check_sees_a_leak() -> None:
    """The net is tested with what must be caught, so that a blind check cannot pass."""
    for number, encode in enumerate(fuzzing.ENCODERS):
        assert fuzzing.leaks(f"x {encode('hunter2-secret')} y", "hunter2-secret"), number
    assert LONGEST_TEXT > 1000


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


@pytest.mark.parametrize(
    "text",
    [
        "sha512-eL5zrFAG4tCmzLSHdnRjhSoDzV4NhHuAJyqOIQwWHcq4Ek1fLkwkmnq2HLjC2jIYQwpmVBvGYcCkhxEyKsxkGQ==",
        "docker login -u AWS --password-stdin registry.example.org",
        "docker login -u AWS -p $TOKEN registry.example.org",
        "use --password instead of a prompt",
        "arn%3Aaws%3Aecr%3Aus-east-2%3A123456789012%3Arepository%2Fapp-one",
        "https%3A%2F%2Fdev.azure.com%2FMyOrganisationName%2FMyProjectName%2F_git%2Fapp-one",
        "sha256%3A" + "0123456789abcdef" * 4,
        "0123456789abcdef" * 8,
        "https://slack.com/services/app-one",
    ],
)
def test_what_only_resembles_one_of_these_shapes_stays(text: str) -> None:
    assert Redactor().text(text) == text
