"""AssumeRoleWithWebIdentity against the real process: one right token, and every kind of wrong token and trust."""

from __future__ import annotations

import functools
import hmac
import http.server
import json
import threading
import time
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import boto3
import botocore.exceptions
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from joserfc import jwk, jwt

from tests.unit.sandbox.aws.support import ACCOUNT, REGION, Service, allow, make_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST = "vstoken.dev.azure.com/6f1b4e3a-0000-4000-8000-000000000001"
ISSUER = f"https://{HOST}"
AUDIENCE = "api://AzureADTokenExchange"
SUBJECT = "sc://acme/app-one/app-one-push"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/push"


@functools.cache
def key(_whose: str = "the issuer's") -> jwk.RSAKey:
    """A key, made when it is first asked for; all have one id."""
    return jwk.RSAKey.generate_key(2048, {"kid": "one"})


class Issuer(http.server.BaseHTTPRequestHandler):
    """Publishes what an issuer publishes; `published` can be replaced."""

    published: dict[str, Any]

    def do_GET(self) -> None:
        content = self.published.get(self.path)
        self.send_response(404 if content is None else 200)
        self.end_headers()
        if content is not None:
            self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


def published(issuer: str = ISSUER) -> dict[str, Any]:
    """By path: the discovery document and the keys."""
    return {
        f"/{HOST}/.well-known/openid-configuration": {"issuer": issuer, "jwks_uri": f"{ISSUER}/.well-known/jwks"},
        f"/{HOST}/.well-known/jwks": jwk.KeySet([key()]).as_dict(private=False),
    }


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A cloud that trusts the issuer, with the role `push`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    Issuer.published = published()
    folder = tmp_path_factory.mktemp("web-identity")
    made = make_service(folder, "http://127.0.0.1:1", "--issuers", f"http://127.0.0.1:{server.server_port}")
    made.start()
    iam = made.client("iam")
    iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=[AUDIENCE], ThumbprintList=["0" * 40])
    iam.create_role(RoleName="push", AssumeRolePolicyDocument=json.dumps(trust()), MaxSessionDuration=3600)
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow("ecr:DescribeRepositories")]})
    iam.put_role_policy(RoleName="push", PolicyName="given", PolicyDocument=document)
    yield made
    made.end()
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _as_it_was(service: Service) -> Iterator[None]:
    """A test that changes the trust or what is published leaves both as they were."""
    yield
    Issuer.published = published()
    service.client("iam").update_assume_role_policy(RoleName="push", PolicyDocument=json.dumps(trust()))


def trust(**changes: Any) -> dict[str, Any]:
    """The role's trust policy."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{HOST}:aud": AUDIENCE, f"{HOST}:sub": SUBJECT}},
    }
    return {"Version": "2012-10-17", "Statement": [statement | changes]}


def token(signer: jwk.RSAKey | None = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """A token as Azure Pipelines mints it; a claim that is None is left out."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "iat": now, "nbf": now, "exp": now + 600, **changes}
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "one", "typ": "JWT", **(header or {})}, kept, signer or key())


def assume(service: Service, web_token: str, **changes: Any) -> dict[str, Any]:
    """What STS answers to a bearer of the token, who has no key."""
    client = boto3.client(
        "sts",
        region_name=REGION,
        endpoint_url=f"http://127.0.0.1:{service.port}",
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )
    asked = {"RoleArn": ROLE, "RoleSessionName": "run-1", "WebIdentityToken": web_token, **changes}
    return dict(client.assume_role_with_web_identity(**asked))


def refused(service: Service, web_token: str, **changes: Any) -> str:
    """The code of the refusal."""
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        assume(service, web_token, **changes)
    return str(refusal.value.response["Error"]["Code"])


def test_a_right_token_gives_a_session_with_the_roles_rights_and_no_more(service: Service) -> None:
    answer = assume(service, token())
    assert answer["SubjectFromWebIdentityToken"] == SUBJECT
    assert answer["Provider"] == PROVIDER
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/push/run-1"
    session = answer["Credentials"]
    assert service.client("sts", session).get_caller_identity()["Arn"] == answer["AssumedRoleUser"]["Arn"]
    assert service.client("ecr", session).describe_repositories()["repositories"] == []
    with pytest.raises(botocore.exceptions.ClientError, match="is not authorized to perform: iam:ListUsers"):
        service.client("iam", session).list_users()


def test_a_session_ends_with_its_role(service: Service) -> None:
    iam = service.client("iam")
    iam.create_role(RoleName="brief", AssumeRolePolicyDocument=json.dumps(trust()))
    session = assume(service, token(), RoleArn=ROLE.replace("push", "brief"))["Credentials"]
    iam.delete_role(RoleName="brief")
    with pytest.raises(botocore.exceptions.ClientError, match="not authorized"):
        service.client("ecr", session).describe_repositories()


def ago(seconds: int) -> int:
    """A moment, as tokens have it."""
    return int(time.time()) - seconds


def changed() -> str:
    """A token with the claims of another one."""
    header, _, signature = token().split(".")
    return f"{header}.{token(sub='sc://a/b/c').split('.')[1]}.{signature}"


# Made when they are needed: a token is good for ten minutes.
WRONG_TOKENS: dict[str, tuple[Callable[[], str], str]] = {
    "signed by another key of the same id": (lambda: token(key("another's")), "InvalidIdentityToken"),
    "of a key that is not published": (lambda: token(header={"kid": "two"}), "InvalidIdentityToken"),
    "expired": (lambda: token(iat=ago(1200), nbf=ago(1200), exp=ago(600)), "ExpiredTokenException"),
    "not in force yet": (lambda: token(nbf=ago(-36000), exp=ago(-40000)), "InvalidIdentityToken"),
    "of another issuer": (lambda: token(iss=f"{ISSUER[:-1]}2"), "InvalidIdentityToken"),
    "of an issuer without TLS": (lambda: token(iss=f"http://{HOST}"), "InvalidIdentityToken"),
    "without an issuer": (lambda: token(iss=None), "InvalidIdentityToken"),
    "for another audience": (lambda: token(aud="sts.amazonaws.com"), "InvalidIdentityToken"),
    "for several audiences": (lambda: token(aud=[AUDIENCE, "another"]), "InvalidIdentityToken"),
    "of another service connection": (lambda: token(sub=f"{SUBJECT}-2"), "AccessDenied"),
    "of that connection in another project": (lambda: token(sub="sc://acme/app-two/app-one-push"), "AccessDenied"),
    "with its subject in capitals": (lambda: token(sub=SUBJECT.upper()), "AccessDenied"),
    "without a subject": (lambda: token(sub=None), "InvalidIdentityToken"),
    "without an end": (lambda: token(exp=None), "InvalidIdentityToken"),
    "no token": (lambda: "eyJ.eyJ", "InvalidIdentityToken"),
    "changed after it was signed": (changed, "InvalidIdentityToken"),
}


@pytest.mark.parametrize("kind", WRONG_TOKENS)
def test_a_wrong_token_is_refused(service: Service, kind: str) -> None:
    wrong, code = WRONG_TOKENS[kind]
    assert refused(service, wrong()) == code


def test_a_token_without_a_signature_is_refused(service: Service) -> None:
    header, claims, _ = token().split(".")
    unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"  # {"alg":"none","typ":"JWT"}
    assert refused(service, f"{unsigned}.{claims}.") == "InvalidIdentityToken"
    assert refused(service, f"{header}.{claims}.AAAA") == "InvalidIdentityToken"


def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused(service: Service) -> None:
    header = urlsafe_b64encode(b'{"alg":"HS256","kid":"one","typ":"JWT"}').rstrip(b"=").decode()
    signed = f"{header}.{token().split('.')[1]}"
    signature = hmac.digest(key().as_pem(private=False), signed.encode(), "sha256")
    assert refused(service, f"{signed}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}") == "InvalidIdentityToken"


WRONG_TRUSTS: dict[str, dict[str, Any]] = {
    "another subject": trust(Condition={"StringEquals": {f"{HOST}:aud": AUDIENCE, f"{HOST}:sub": "sc://acme/x/y"}}),
    "another audience": trust(Condition={"StringEquals": {f"{HOST}:aud": "other", f"{HOST}:sub": SUBJECT}}),
    "the keys of another issuer": trust(Condition={"StringEquals": {"login.microsoftonline.com/t/v2.0:sub": SUBJECT}}),
    "another provider": trust(Principal={"Federated": f"{PROVIDER}2"}),
    "the account, which no federated caller is of": trust(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
    "another action": trust(Action="sts:AssumeRole"),
    "a refusal": trust(Effect="Deny"),
}


@pytest.mark.parametrize("kind", WRONG_TRUSTS)
def test_a_role_that_does_not_trust_the_bearer_is_refused(service: Service, kind: str) -> None:
    service.client("iam").update_assume_role_policy(RoleName="push", PolicyDocument=json.dumps(WRONG_TRUSTS[kind]))
    assert refused(service, token()) == "AccessDenied"


def test_two_issuers_can_be_trusted_while_one_takes_the_others_place(service: Service) -> None:
    both = trust()["Statement"] + trust(Condition={"StringEquals": {f"{HOST}:sub": "/eid1/c/pub/t/abc"}})["Statement"]
    document = json.dumps({"Version": "2012-10-17", "Statement": both})
    service.client("iam").update_assume_role_policy(RoleName="push", PolicyDocument=document)
    assert assume(service, token())["Provider"] == PROVIDER
    assert assume(service, token(sub="/eid1/c/pub/t/abc"))["Provider"] == PROVIDER


def test_a_role_that_is_not_there_is_refused_as_one_that_does_not_trust(service: Service) -> None:
    assert refused(service, token(), RoleArn=f"{ROLE}-2") == "AccessDenied"


def test_a_session_is_no_longer_than_the_role_allows(service: Service) -> None:
    assert refused(service, token(), DurationSeconds=7200) == "ValidationError"


def test_an_issuer_that_publishes_no_keys_or_calls_itself_otherwise_proves_nothing(service: Service) -> None:
    Issuer.published = {}
    assert refused(service, token()) == "IDPCommunicationError"
    Issuer.published = published("https://example.com")
    assert refused(service, token()) == "InvalidIdentityToken"


def test_no_token_and_no_secret_reaches_the_log(service: Service) -> None:
    right = token()
    session = assume(service, right)["Credentials"]
    log = service.log()
    assert SUBJECT in log
    for secret in (right, right.split(".")[2], session["SecretAccessKey"], session["SessionToken"]):
        assert secret not in log
