"""Reading the clouds: what refuses, what is not there and what cannot be reached are told apart."""

import base64
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import boto3
import moto
import pytest

from audit.clouds import Gone, NotOffered, Refused, found
from audit.clouds.aws import Aws
from audit.clouds.azure_devops import AzureDevOps
from audit.command import entry as audit
from audit.errors import AuditError
from tests.audit import histories

PAT = "a" * 52
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiIxIn0.c2lnbmF0dXJl"


class Service(BaseHTTPRequestHandler):
    """Answers every request alike, as the test says."""

    status: ClassVar[int] = 200
    body: ClassVar[bytes] = b"{}"
    headers_sent: ClassVar[dict[str, str]] = {}
    signed: ClassVar[list[str]] = []

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.signed.append(self.headers.get("Authorization", ""))
        self.send_response(self.status)
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def log_message(self, *_arguments: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    Service.status, Service.body, Service.headers_sent = 200, b"{}", {}
    Service.signed.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AZDO_ORG_SERVICE_URL", f"{url}/acme")
        monkeypatch.setenv("AZDO_PERSONAL_ACCESS_TOKEN", PAT)
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE000000001")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x" * 40)
        monkeypatch.setenv("AWS_REGION", "us-east-2")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        yield url
        server.shutdown()
        thread.join()


def devops() -> Any:
    return AzureDevOps().get("one/_apis/distributedtask/variablegroups/1", "Variable Groups (Read)")


def test_what_azure_devops_does_not_have_is_gone(service: str) -> None:
    del service
    Service.status = 404
    with pytest.raises(Gone):
        devops()
    Service.status, Service.body = 200, b"null"
    with pytest.raises(Gone):
        devops()


@pytest.mark.parametrize("status", [401, 203, 302])
def test_a_sign_in_page_means_a_wrong_token(service: str, status: int) -> None:
    del service
    Service.status, Service.headers_sent = status, {"Location": "http://127.0.0.1/_signin"}
    with pytest.raises(AuditError, match="AZDO_PERSONAL_ACCESS_TOKEN") as raised:
        devops()
    assert PAT not in str(raised.value)


@pytest.mark.parametrize("status", [403, 429, 500])
def test_another_refusal_names_the_scope_and_the_status(service: str, status: int) -> None:
    del service
    Service.status = status
    with pytest.raises(Refused) as raised:
        devops()
    assert raised.value.permission == ("Variable Groups (Read) of the token" if status == 403 else "")
    assert f"HTTP {status}" in str(raised.value)


BASIC = "Basic " + base64.b64encode(f":{PAT}".encode()).decode()


def azure_cli(folder: Path, printed: str, code: int = 0) -> None:
    """An Azure CLI that prints, and writes down what it was asked."""
    program = folder / "az"
    program.write_text(f"#!/bin/sh\necho \"$*\" >> {folder}/asked\nprintf '%s' '{printed}'\nexit {code}\n", "utf-8")
    program.chmod(0o755)


@pytest.mark.parametrize(("token", "signed"), [(PAT, BASIC), (JWT, f"Bearer {JWT}")])
def test_a_token_of_entra_is_sent_as_a_bearers_and_a_personal_one_as_basic(
    service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str, signed: str
) -> None:
    del service
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n", encoding="utf-8")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AZDO_PERSONAL_ACCESS_TOKEN", token)
    devops()
    assert Service.signed == [signed]
    assert AzureDevOps().personal is (token == PAT)


def test_without_a_token_who_is_signed_in_to_the_azure_cli_asks(
    service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del service
    azure_cli(tmp_path, json.dumps({"accessToken": JWT, "tokenType": "Bearer"}))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("AZDO_PERSONAL_ACCESS_TOKEN")
    devops()
    assert Service.signed == [f"Bearer {JWT}"]
    asked = (tmp_path / "asked").read_text(encoding="utf-8")
    assert asked == "account get-access-token --output json --resource 499b84ac-1321-427f-aa17-267ca6975798\n"
    monkeypatch.setenv("ARM_USE_CLI", "false")
    with pytest.raises(AuditError, match="sign in with `az login`"):
        devops()
    monkeypatch.setenv("AZDO_PERSONAL_ACCESS_TOKEN", PAT)
    devops()
    assert Service.signed[-1] == BASIC


@pytest.mark.parametrize(("printed", "code"), [("", 1), (JWT, 1), ("no JSON", 0), ("[]", 0), ('{"accessToken": 7}', 0)])
def test_an_azure_cli_that_gives_no_token_is_named_and_its_words_are_not_repeated(
    service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, printed: str, code: int
) -> None:
    del service
    azure_cli(tmp_path, printed, code)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("AZDO_PERSONAL_ACCESS_TOKEN")
    with pytest.raises(AuditError, match="the Azure CLI gives no token for Azure DevOps: sign in") as raised:
        devops()
    assert JWT not in str(raised.value)


def test_an_answer_that_is_no_json_is_named(service: str) -> None:
    del service
    Service.body = b"<html>"
    with pytest.raises(AuditError, match="is not JSON"):
        devops()


def test_a_list_without_end_is_no_list(service: str) -> None:
    del service
    Service.body, Service.headers_sent = b'{"value": [1]}', {"x-ms-continuationtoken": "again"}
    with pytest.raises(Refused, match="do not end"):
        AzureDevOps().values("_apis/projects", "Project and Team (Read)")


def test_a_list_of_aws_is_read_to_its_last_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """IAM gives a hundred at once; the last one is the one that nobody declared."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-2")
    with moto.mock_aws():
        iam = boto3.client("iam", region_name="us-east-2")
        iam.create_user(UserName="push")
        document = histories.policy("ecr:PutImage")
        for number in range(101):
            policy = iam.create_policy(PolicyName=f"p-{number}", PolicyDocument=document)["Policy"]
            iam.attach_user_policy(UserName="push", PolicyArn=policy["Arn"])
        assert iam.list_attached_user_policies(UserName="push")["IsTruncated"]
        listed = Aws().pages("iam", "ListAttachedUserPolicies", "AttachedPolicies", UserName="push")
    assert len(listed) == 101


class Pages(Service):
    """Gives one service-specific credential a page, as IAM does for an operation that the SDK knows no pages of."""

    def answer(self) -> None:
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        number = int(asked.rpartition("Marker=page-")[2] or 0) if "Marker=" in asked else 0
        more = f"<IsTruncated>true</IsTruncated><Marker>page-{number + 1}</Marker>" if number < 2 else ""
        body = (
            "<ListServiceSpecificCredentialsResponse xmlns='https://iam.amazonaws.com/doc/2010-05-08/'>"
            f"<ListServiceSpecificCredentialsResult><ServiceSpecificCredentials><member><UserName>u</UserName>"
            f"<ServiceSpecificCredentialId>ACCA{number}</ServiceSpecificCredentialId></member>"
            f"</ServiceSpecificCredentials>{more}</ListServiceSpecificCredentialsResult>"
            "</ListServiceSpecificCredentialsResponse>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_a_list_of_aws_is_read_to_its_last_page_also_where_the_sdk_knows_no_pages(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del service
    monkeypatch.setattr(Service, "answer", Pages.answer)
    listed = Aws().pages("iam", "ListServiceSpecificCredentials", "ServiceSpecificCredentials", UserName="u")
    assert [item["ServiceSpecificCredentialId"] for item in listed or []] == ["ACCA0", "ACCA1", "ACCA2"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "set AZDO_ORG_SERVICE_URL"),
        ("http://dev.azure.example/acme", "must begin with https"),
        ("dev.azure.com/acme", "must be an address"),
        ("https://user:pass@dev.azure.com/acme", "must be an address"),
        ("http://127.0.0.1:9/acme", "cannot be reached"),
    ],
)
def test_a_wrong_organisation_is_named(monkeypatch: pytest.MonkeyPatch, url: str, said: str) -> None:
    monkeypatch.setenv("AZDO_ORG_SERVICE_URL", url)
    monkeypatch.setenv("AZDO_PERSONAL_ACCESS_TOKEN", PAT)
    with pytest.raises(AuditError, match=said):
        devops()


def aws_error(code: str, status: int = 400) -> None:
    Service.status = status
    Service.body = (
        f'<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    ).encode()


@pytest.mark.parametrize(
    ("code", "status", "raised"),
    [
        ("AccessDenied", 403, Refused),
        ("Throttling", 400, Refused),
        ("InvalidClientTokenId", 403, AuditError),
        ("SignatureDoesNotMatch", 403, AuditError),
        ("ExpiredToken", 403, AuditError),
        ("InvalidAction", 400, NotOffered),
    ],
)
def test_refusals_of_aws_are_told_apart(service: str, code: str, status: int, raised: type[Exception]) -> None:
    del service
    aws_error(code, status)
    with pytest.raises(raised) as error:
        Aws().call("iam", "GetUser", UserName="push")
    if isinstance(error.value, Refused):
        assert error.value.permission == ("iam:GetUser" if status == 403 else "")
        assert "push" in str(error.value)


def test_what_aws_does_not_have_is_gone_and_is_asked_once(service: str) -> None:
    del service
    aws_error("NoSuchEntity", 404)
    aws = Aws()
    assert found(lambda: aws.call("iam", "GetUser", UserName="push")) is None
    with pytest.raises(Gone):
        aws.pages("iam", "ListUserPolicies", "PolicyNames", UserName="push")
    aws_error("AccessDenied", 403)
    with pytest.raises(Gone):
        aws.call("iam", "GetUser", UserName="push")


def test_a_wrong_profile_and_an_unreachable_endpoint_are_named(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    del service
    with pytest.raises(AuditError, match="nowhere"):
        Aws(profile="nowhere")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(AuditError, match="cannot be reached"):
        Aws().account()


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("{", "truncated or no JSON"),
        (json.dumps({"version": 3, "deployment": None}), "has no resources"),
        (json.dumps({"steps": []}), "is a preview"),
    ],
)
def test_drift_says_what_is_wrong_with_its_input(
    tmp_path: Any, capsys: pytest.CaptureFixture[str], state: str, said: str
) -> None:
    path = tmp_path / "state.json"
    path.write_text(state, encoding="utf-8")
    assert audit(["drift", str(path)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["x.json", "--expiry-days", "-1"], ["x.json", "--fail-on", "nonsense"], ["x.json", "--report", "pdf=x"],
     ["x.json", "--known-secrets", "NOT_SET_ANYWHERE"], ["absent.json"]],
)  # fmt: skip
def test_wrong_usage_is_one_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(["drift", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("audit: ")
    assert error.count("\n") == 1


def test_the_credentials_of_another_account_are_refused(
    service: str, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    del service
    Service.body = (
        b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        b"<Arn>arn:aws:iam::210987654321:user/x</Arn><Account>210987654321</Account></GetCallerIdentityResult>"
        b"</GetCallerIdentityResponse>"
    )
    user = histories.resource("aws:iam/user:User", "u", {"arn": "arn:aws:iam::123456789012:user/u"})
    path = tmp_path / "state.json"
    path.write_text(json.dumps({"version": 3, "deployment": {"resources": [user]}}), encoding="utf-8")
    assert audit(["drift", str(path)]) == 2
    assert "account 210987654321, the state is of 123456789012" in capsys.readouterr().err
