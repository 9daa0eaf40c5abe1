"""The AWS API server: every request is authenticated, judged, carried out by moto, and kept, in this order."""

from __future__ import annotations

import io
import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from threading import RLock
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

from moto.ecr.models import ecr_backends
from moto.moto_server.werkzeug_app import BackendRequest, create_backend_app
from werkzeug.test import run_wsgi_app

import iam
from sandbox.aws import authorise, ecr_control, iam_control, resources, s3_control, signature, simulator, web_identity
from sandbox.aws.actions import SERVICES, Call, Service, known_query, parse, understand
from sandbox.aws.ecr_scans import Scans
from sandbox.aws.errors import Answer, AwsError, answer, denied, expired_session, unknown_key, wrong_signature
from sandbox.aws.new_keys import NewKeys
from sandbox.aws.principals import Directory, Principal
from sandbox.aws.registry import Registry, RegistryError
from sandbox.aws.state import SERVICES as KEPT, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from wsgiref.types import StartResponse, WSGIEnvironment

    from moto.core.request import Request

    from sandbox.aws.config import Config
    from sandbox.aws.resources import Need

LOG = logging.getLogger("sandbox.aws")
LARGEST = 64 * 1024 * 1024
"""Bytes of one request's body: they are held in memory, since their hash is a part of the signature."""


class Cloud:
    """The account: moto's models under one lock, and the rules around them."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.lock = RLock()
        self.directory = Directory(config.account, config.admin())
        self.registry = Registry(config.upstream, config.registry_password())
        self.host = f"127.0.0.1:{config.registry_port}"
        self.state = State(config.keys)
        self.new_keys = NewKeys(config.folder / "new-keys.json")
        scans = Scans(config.folder / "scan-findings.json")
        ecr_control.install(ecr_control.Settings(self.registry, self.host, config.token_lifetime, scans))
        iam_control.install()
        s3_control.install()
        self.apps = {service: create_backend_app(cast("Any", service)) for service in sorted(SERVICES)}
        self.read_anew()
        for service in KEPT:
            if not self.state.path(service).exists():
                self.state.save(service)  # so that there is always a state to go back to

    def read_anew(self) -> None:
        """Take up what somebody put in place of the files that were written here (`python -m sandbox restore`)."""
        with self.lock:
            for service in KEPT:
                if self.state.changed(service) and self.state.load(service) and service == "ecr":
                    for repository in self.ecr.repositories.values():
                        repository.uri = f"{self.host}/{repository.name}"

    @property
    def ecr(self) -> ecr_control.EcrBackend:
        """ECR of the account's one region."""
        return ecr_control.backend(self.config.account, self.config.region)

    def refusal(self, caller: Principal, need: Need, context: Mapping[str, str | Sequence[str]]) -> str | None:
        """None where the caller may do it now, else AWS's sentence that says why not."""
        bounds = self.directory.bounds(caller)
        text, governed = resources.policy(need, self.directory)
        return authorise.refusal(
            authorise.Question(
                action=need.action,
                resource=need.resource,
                principal=caller.arn,
                identity=bounds.identity,
                boundary=bounds.boundary,
                session=bounds.session,
                resource_policy=text,
                governed=governed,
                context={
                    **self.directory.context(caller),
                    **resources.tag_context(need, self.directory),
                    **context,
                },
            )
        )

    def keep(self, service: str) -> None:
        """Write a service's state; where that fails, go back to the last one written, so that nothing is half there."""
        try:
            self.state.save(_kept(service))
        except BaseException:
            self.state.load(_kept(service))
            raise

    @contextmanager
    def changing(self, service: str) -> Iterator[None]:
        """Change a service's models: what is done in the block is kept as a whole, or not done."""
        with self.lock:
            try:
                yield
            except BaseException:
                self.state.load(_kept(service))
                raise
            self.keep(service)

    def sweep(self) -> None:
        """Delete in the registry what was deleted in ECR; what fails is tried again after the next change."""
        with self.lock:
            if not self.ecr.unwanted:
                return
            try:
                self.ecr.sweep()
            except RegistryError as error:
                LOG.warning("%s: %d deletions wait", error, len(self.ecr.unwanted))
            self.keep("ecr")

    def close(self) -> None:
        """Keep what was not worth a write of its own (when keys were last used)."""
        with self.lock:
            self.keep("iam")


def _kept(service: str) -> str:
    return "iam" if service == "sts" else service


class Api:
    """The WSGI application on the API port."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        sent = self.answer(environ)
        body = b"" if environ["REQUEST_METHOD"] == "HEAD" else sent.body
        headers = [(name, value) for name, value in sent.headers if name.lower() != "content-length"]
        length = next((v for n, v in sent.headers if n.lower() == "content-length"), None)
        headers.append(("Content-Length", length if length and not body else str(len(body))))
        start_response(f"{sent.status} {HTTPStatus(sent.status).phrase}", headers)
        return [body]

    def answer(self, environ: WSGIEnvironment) -> Answer:
        """Judge and carry out one request; whatever fails becomes an answer in the caller's protocol."""
        service = _named_service(environ)
        try:
            if not environ.get("HTTP_AUTHORIZATION") and service == "iam":
                body = _read_body(environ)
                if dict(parse_qsl(body.decode("latin-1"))).get("Action") == web_identity.OPERATION:
                    service = "sts"
                    return self._with_web_identity(environ, body)
            credential = signature.read(environ.get("HTTP_AUTHORIZATION"), service)
            service = credential.service
            return self._answer(environ, credential)
        except AwsError as error:
            LOG.info("%s: %s: %s", service, error.code, error.message)
            return answer(service, error)
        except iam.RequestError as error:
            return answer(service, AwsError("ValidationError", str(error)))
        except NotImplementedError:
            return answer(service, AwsError("NotImplemented", "The sandbox does not have this operation.", 501))
        except RegistryError as error:
            LOG.warning("%s", error)
            return answer(service, AwsError("ServerException", str(error), 500))
        except Exception as error:
            LOG.exception("%s: the request failed", service)
            return answer(service, AwsError("InternalFailure", f"The sandbox failed: {type(error).__name__}", 500))

    def _answer(self, environ: WSGIEnvironment, credential: signature.Credential) -> Answer:
        if credential.service not in SERVICES:
            raise AwsError("InvalidAction", f"The sandbox has {', '.join(sorted(SERVICES))}, not {credential.service}.")
        service = cast("Service", credential.service)
        if credential.region not in ecr_backends[self._cloud.config.account].regions:
            raise wrong_signature(service, "Credential should be scoped to a valid region.")
        body = _read_body(environ)
        cloud = self._cloud
        with cloud.lock:
            cloud.read_anew()
            caller = self._authenticate(environ, credential, body)
            request = _request(environ, body)
            call = understand(service, credential.region, request, cloud.directory, caller)
            self._judge(caller, call)
            if call.reads and call.operation != "GetAuthorizationToken":
                return self._carry_out(environ, body, call, caller)
            with cloud.changing(service):
                done = self._carry_out(environ, body, call, caller)
        if service == "ecr":
            cloud.sweep()
        return done

    def _with_web_identity(self, environ: WSGIEnvironment, body: bytes) -> Answer:
        """The one request that is not signed: the token in it says who asks."""
        cloud = self._cloud
        operation, params = parse("sts", _request(environ, body))
        call = Call(service="sts", region=cloud.config.region, operation=operation, params=params, needs=())
        identity = web_identity.admit(params, cloud.directory, cloud.config.issuers)  # not under the lock: it may wait
        with cloud.changing("sts"):
            return self._carry_out(environ, body, call, identity)

    def _authenticate(self, environ: WSGIEnvironment, credential: signature.Credential, body: bytes) -> Principal:
        key = self._cloud.directory.key(credential.key_id)
        if key is None or (key.made and self._cloud.new_keys.hides(credential.key_id, key.made)):
            raise unknown_key(credential.service)
        headers = _headers(environ)
        if key.session_token != headers.get("x-amz-security-token"):
            raise unknown_key(credential.service)
        if key.expires is not None and key.expires < datetime.now(UTC):
            raise expired_session(credential.service)
        signature.check(
            credential,
            key.secret,
            method=environ["REQUEST_METHOD"],
            url=f"http://{headers.get('host', '')}{environ['RAW_URI']}",
            headers=headers,
            body=body,
        )
        self._cloud.directory.record_use(key.principal, credential.service, credential.region)
        return key.principal

    def _judge(self, caller: Principal, call: Call) -> None:
        if (call.service, call.operation) == ("sts", "GetCallerIdentity"):
            return  # allowed to everyone who has a key, even where a policy denies it
        for need in call.needs:
            why = self._cloud.refusal(caller, need, call.context)
            if why is not None:
                raise denied(call.service, why)
        if call.service == "ecr" and call.region != self._cloud.config.region:
            raise AwsError(
                "InvalidParameterException",
                f"The sandbox has one ECR registry, in {self._cloud.config.region}, not in {call.region}.",
            )

    def _carry_out(
        self, environ: WSGIEnvironment, body: bytes, call: Call, caller: Principal | web_identity.Identity
    ) -> Answer:
        narrowed = _narrow(environ, body, call)
        narrowed[ecr_control.CALLER] = caller
        narrowed[iam_control.SIMULATOR] = partial(simulator.simulate, call.params, self._cloud.directory)
        chunks, status, headers = run_wsgi_app(self._cloud.apps[call.service], narrowed, buffered=True)
        number = int(status.split(" ", 1)[0])
        who = caller.arn if isinstance(caller, Principal) else caller.subject
        LOG.info("%s %s by %s: %d", call.service, call.operation, who, number)
        return Answer(number, tuple(headers.items()), b"".join(chunks))


def _named_service(environ: WSGIEnvironment) -> str:
    """The service of a request without a usable signature, for the shape of its refusal."""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return "kms" if target.startswith("Trent") else "ecr"
    form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    return "iam" if form else "s3"


def _read_body(environ: WSGIEnvironment) -> bytes:
    chunked = environ.get("wsgi.input_terminated")
    length = LARGEST + 1 if chunked else int(environ.get("CONTENT_LENGTH") or 0)
    if length > LARGEST and not chunked:
        raise AwsError("EntityTooLarge", f"The sandbox takes bodies of up to {LARGEST} bytes.", 400)
    body: bytes = environ["wsgi.input"].read(length)
    if len(body) > LARGEST:
        raise AwsError("EntityTooLarge", f"The sandbox takes bodies of up to {LARGEST} bytes.", 400)
    return body


def _headers(environ: WSGIEnvironment) -> dict[str, str]:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    return headers


def _request(environ: WSGIEnvironment, body: bytes) -> Request:
    return BackendRequest(_with_body(environ, body))


def _with_body(environ: WSGIEnvironment, body: bytes) -> dict[str, Any]:
    """The request as moto may see it: nothing in it that was not judged can choose an account, region or service."""
    copied = dict(environ)
    for name in ("HTTP_TRANSFER_ENCODING", "wsgi.input_terminated", "HTTP_X_MOTO_ACCOUNT_ID", "werkzeug.request"):
        copied.pop(name, None)
    copied["HTTP_USER_AGENT"] = "sandbox"
    copied["HTTP_HOST"] = "127.0.0.1"
    copied["CONTENT_LENGTH"] = str(len(body))
    copied["wsgi.input"] = io.BytesIO(body)
    return copied


def _narrow(environ: WSGIEnvironment, body: bytes, call: Call) -> dict[str, Any]:
    copied = _with_body(environ, body)
    copied["QUERY_STRING"] = known_query(call.service, call.operation, environ.get("QUERY_STRING", ""))
    path = environ["RAW_URI"].partition("?")[0]
    copied["RAW_URI"] = copied["REQUEST_URI"] = path + ("?" + copied["QUERY_STRING"] if copied["QUERY_STRING"] else "")
    return copied
