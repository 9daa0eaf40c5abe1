"""AWS by botocore: endpoints, region and credentials come from the environment or the profile, as in every AWS tool.

What boto3 adds to botocore is not needed here, and its import takes a tenth of a short command's time.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from audit.clouds import Gone, NotOffered, Refused
from audit.errors import AuditError

NOT_SIGNED_IN = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
NEW_KEY = frozenset({"InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"})
"""Of these, what is answered to a key that IAM has just made and not yet told everywhere."""
DELAYS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each further try with a new key; nobody is told when it is known."""
MISSING = frozenset(
    {
        "ImageNotFoundException",
        "LifecyclePolicyNotFoundException",
        "NoSuchEntity",
        "NoSuchKey",
        "NoSuchBucket",
        "RepositoryNotFoundException",
        "RepositoryPolicyNotFoundException",
        "404",
    }
)
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "AuthorizationError", "403",
                    "UnauthorizedOperation"})  # fmt: skip
NOT_OFFERED = frozenset({"InvalidAction", "NotImplemented", "UnknownOperationException", "UnsupportedOperation"})
ACTIONS = {"s3:ListObjectsV2": "s3:ListBucket"}


class Aws:
    """A reader of one account. Clients are made when they are first needed, one for each service and region."""

    def __init__(
        self, endpoint: str | None = None, profile: str | None = None, key: Mapping[str, str] | None = None
    ) -> None:
        """`endpoint`: URL of the service, for a look-up that names its own (a bucket's), else the environment's;
        `profile`: of the shared configuration; `key`: an access key as IAM or STS gives it, instead of the
        environment's. Raises AuditError."""
        try:
            import botocore.session
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError

            from audit.clouds.models import loader
        except ImportError:
            raise AuditError("boto3 is missing: install the requirements of this project") from None
        self._session = botocore.session.Session(profile=profile)
        # botocore reads AWS_DEFAULT_REGION alone; the Pulumi provider and the other SDKs read AWS_REGION.
        if region := os.environ.get("AWS_REGION"):
            self._session.set_config_variable("region", region)
        if key:
            self._session.set_credentials(key["AccessKeyId"], key["SecretAccessKey"], key.get("SessionToken"))
        try:
            self._session.register_component("data_loader", loader(self._session.get_config_variable("data_path")))
        except BotoCoreError as error:
            raise AuditError(f"AWS: {error}") from None
        self._config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 4})
        self._endpoint = endpoint
        self._clients: dict[tuple[str, str | None], Any] = {}
        self._seen: dict[Any, Any] = {}

    def client(self, service: str, region: str | None = None) -> Any:
        """The client. Raises AuditError where no region is known."""
        from botocore.exceptions import BotoCoreError

        key = (service, region)
        if key not in self._clients:
            try:
                self._clients[key] = self._session.create_client(
                    service,
                    region_name=region or self.region(),
                    endpoint_url=self._endpoint,
                    config=self._config,
                )
            except (BotoCoreError, ValueError) as error:
                raise AuditError(f"AWS: {error}; set AWS_REGION and the credentials of the account") from None
        return self._clients[key]

    def call(self, service: str, operation: str, region: str | None = None, **parameters: Any) -> dict[str, Any]:
        """One operation by its API name (`GetPolicy`). Asked once: a second look is answered from the first, so that
        one report shows one moment.

        Raises Gone where the thing asked for is not there, Refused where the caller lacks the permission or AWS
        answers with another error, NotOffered where the endpoint does not know the operation, AuditError where AWS
        cannot be reached or the credentials are no good.
        """
        return self._once(self._call, service, operation, region, parameters)  # type: ignore[no-any-return]

    def _call(self, service: str, operation: str, region: str | None, parameters: dict[str, Any]) -> dict[str, Any]:
        client = self.client(service, region)
        with _answered(service, operation, parameters):
            answer: dict[str, Any] = getattr(client, _snake(operation))(**parameters)
        return answer

    def pages(self, service: str, operation: str, key: str, region: str | None = None, **parameters: Any) -> list[Any]:
        """All entries of a list operation. Asked once, as by `call`, and raises as it does."""

        def ask(*_arguments: Any) -> list[Any]:
            return self._pages(service, operation, key, region, parameters)

        return self._once(ask, f"{service}.{key}", operation, region, parameters)  # type: ignore[no-any-return]

    def _once(self, ask: Any, service: str, operation: str, region: str | None, parameters: dict[str, Any]) -> Any:
        key = (service, operation, region, json.dumps(parameters, sort_keys=True))
        if key not in self._seen:
            try:
                self._seen[key] = ask(service, operation, region, parameters)
            except (Gone, Refused, NotOffered) as refusal:
                self._seen[key] = refusal
        if isinstance(self._seen[key], Exception):
            raise self._seen[key]
        return self._seen[key]

    def _pages(
        self, service: str, operation: str, key: str, region: str | None, parameters: dict[str, Any]
    ) -> list[Any]:
        client = self.client(service, region)
        entries: list[Any] = []
        if client.can_paginate(_snake(operation)):
            with _answered(service, operation, parameters):
                for page in client.get_paginator(_snake(operation)).paginate(**parameters):
                    entries += page.get(key) or []
            return entries
        while True:  # the SDK knows no pages of it, the service may
            answer = self._call(service, operation, region, parameters)
            entries += answer.get(key) or []
            more = {name: answer[name] for name in ("Marker", "nextToken", "NextToken") if answer.get(name)}
            if not more or answer.get("IsTruncated") is False:
                return entries
            parameters = {**parameters, **more}

    def wait_until_known(self) -> None:
        """Returns when AWS knows the access key that this reader asks with, which was made a moment ago: IAM is
        eventually consistent. Raises AuditError where it is not known after DELAYS."""
        from botocore.exceptions import ClientError

        sts = self.client("sts")
        for delay in DELAYS:
            try:
                sts.get_caller_identity()
            except ClientError as error:
                if error.response["Error"]["Code"] not in NEW_KEY:
                    break
                print(f"audit: AWS does not know the new access key yet, asked again in {delay:g} s", file=sys.stderr)
                time.sleep(delay)
            else:
                return
        with _answered("sts", "GetCallerIdentity", {}):
            sts.get_caller_identity()

    def account(self) -> str:
        """Number of the account that the credentials belong to. Raises AuditError."""
        return str(self.call("sts", "GetCallerIdentity", region=self.region()).get("Account") or "")

    def region(self) -> str:
        """The region of the environment; STS is asked there."""
        return str(self._session.get_config_variable("region") or "us-east-1")


@contextmanager
def _answered(service: str, operation: str, parameters: dict[str, Any]) -> Iterator[None]:
    """What the SDK raises, in this room's words: Gone, Refused, NotOffered or AuditError."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _said(error.response, service, operation, parameters) from None
    except BotoCoreError as error:
        raise AuditError(
            f"AWS {service} cannot be reached: {error}; check AWS_ENDPOINT_URL, the network and the credentials"
        ) from None


def _said(response: Any, service: str, operation: str, parameters: dict[str, Any]) -> Exception:
    code = str(response.get("Error", {}).get("Code", "")).rpartition("#")[2]
    what = f"{operation} of {_target(parameters)}"
    if code in MISSING:
        return Gone(what)
    if code in NOT_SIGNED_IN:
        return AuditError(f"AWS refuses the credentials ({code}): sign in again, or set others")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in NOT_OFFERED or status == 501:
        return NotOffered(what)
    action = ACTIONS.get(f"{service}:{operation}", f"{service}:{operation}")
    return Refused(action if code in DENIED or status == 403 else "", what, f"{code or status}")


def _target(parameters: dict[str, Any]) -> str:
    """What was asked for, for a message."""
    return ", ".join(str(value) for value in parameters.values() if isinstance(value, str)) or "the account"


_WORDS: dict[str, str] = {}


def _snake(operation: str) -> str:
    """botocore's method of an operation."""
    if operation not in _WORDS:
        from botocore import xform_name

        _WORDS[operation] = xform_name(operation)
    return _WORDS[operation]
