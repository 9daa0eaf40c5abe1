"""What the aws types work with: clients of the AWS APIs, account, region, default tags, and the plugin's errors."""

from __future__ import annotations

import json
import os
import threading
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from sandbox.providers.base import ProviderError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

    from sandbox.providers.protocol import Properties

# Settings of the real provider that change nothing against an emulated AWS; any other unknown one is refused.
HARMLESS = frozenset(
    {
        "version",
        "maxRetries",
        "retryMode",
        "s3UsePathStyle",
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
        "stsRegion",
        "useDualstackEndpoint",
        "useFipsEndpoint",
        "allowedAccountIds",
        "forbiddenAccountIds",
        "pluginDownloadUrl",
        "__internal",
    }
)
USED = frozenset({"region", "accessKey", "secretKey", "token", "profile", "endpoints", "defaultTags"})


def structured(value: Any) -> Any:
    """Parse a setting of the stack's configuration: objects and lists arrive as JSON text."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        return json.loads(value)
    return value


def configured_region(configuration: Properties) -> str | None:
    """Return the region of the configuration or the environment, in the plugin's order."""
    for value in (configuration.get("region"), os.environ.get("AWS_REGION"), os.environ.get("AWS_DEFAULT_REGION")):
        if value:
            return str(value)
    return None


@cache
def _loader(data_path: str | None) -> Any:
    import botocore.loaders

    return botocore.loaders.create_loader(data_path)


_AHEAD: list[Any] = []
"""Sessions of the library that are made, and have looked at no environment and no file yet."""


def read_ahead() -> None:
    """Import, read and make what every stack needs: for processes that are forked from this one."""
    import botocore.session

    trial = botocore.session.Session()
    trial.register_component("data_loader", _loader(None))
    for file in ("config_file", "credentials_file"):
        trial.set_config_variable(file, os.devnull)
    for service in ("ecr", "iam", "sts"):
        trial.create_client(service, "us-east-1", aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106
    for service in ("ecr", "iam"):
        _loader(None).load_service_model(service, "paginators-1")
    _AHEAD.append(botocore.session.Session())


class AwsSession:
    """Clients that are made when they are first used; one per service and region."""

    def __init__(self, configuration: Properties) -> None:
        region = configured_region(configuration)
        if region is None:
            raise ProviderError("Missing region configuration: set it with `pulumi config set aws:region us-east-2`")
        self.region = region
        self.default_tags: dict[str, str] = dict((structured(configuration.get("defaultTags")) or {}).get("tags") or {})
        self._configuration = configuration
        self._endpoints: dict[str, str] = {
            service: url for each in structured(configuration.get("endpoints")) or [] for service, url in each.items()
        }
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the client of a service; ``region`` is the resource's own, or None for the provider's."""
        key = (service, region or self.region)
        with self._lock:  # making a client is not safe from several threads
            if key not in self._clients:
                from botocore.config import Config

                self._clients[key] = self.botocore.create_client(
                    service,
                    region_name=key[1],
                    endpoint_url=self._endpoints.get(service),
                    aws_access_key_id=self._configuration.get("accessKey"),
                    aws_secret_access_key=self._configuration.get("secretKey"),
                    aws_session_token=self._configuration.get("token"),
                    config=Config(retries={"mode": "standard", "max_attempts": 3}),
                )
            return self._clients[key]

    @cached_property
    def botocore(self) -> Any:
        """The library's session; all of them read the services' models once."""
        import botocore.session

        profile = self._configuration.get("profile")
        session = _AHEAD.pop() if _AHEAD and not profile else botocore.session.Session(profile=profile)
        session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
        return session

    @cached_property
    def identity(self) -> dict[str, str]:
        """The caller, from STS. Raises ProviderError if the credentials are not valid."""
        with failing("STS", "retrieving caller identity from STS"):
            answer = self.client("sts").get_caller_identity()
        return {key: answer[key] for key in ("Account", "Arn", "UserId")}

    @property
    def account(self) -> str:
        """The account's number."""
        return self.identity["Account"]


class failing:  # noqa: N801 - used as a function: with failing("ECR", "creating ECR Repository (x)"):
    """Turn an error of the AWS API into the plugin's message, which begins with what was being done."""

    def __init__(self, service: str, doing: str, missing: tuple[str, ...] = ()) -> None:
        self._service = service
        self._doing = doing
        self._missing = missing
        self.absent = False
        """True if the API said that the thing does not exist, with one of the ``missing`` codes."""

    def __enter__(self) -> failing:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if error is None:
            return False
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, ClientError):
            if error.response["Error"].get("Code") in self._missing:
                self.absent = True
                return True
            raise ProviderError(f"{self._doing}: {describe(self._service, error)}") from error
        if isinstance(error, BotoCoreError):
            raise ProviderError(
                f"{self._doing}: https response error StatusCode: 0, RequestID: , request send failed, {error}"
            ) from error
        return False


def describe(service: str, error: ClientError) -> str:
    """Word an API error as the AWS SDK for Go does, which the real plugin shows."""
    response = error.response
    metadata = response.get("ResponseMetadata", {})
    code, message = response["Error"].get("Code", ""), response["Error"].get("Message", "")
    # Errors that the service's model knows have a class of their own; others are generic.
    named = f"api error {code}: {message}" if type(error).__name__ == "ClientError" else f"{code}: {message}"
    return (
        f"operation error {service}: {error.operation_name}, https response error "
        f"StatusCode: {metadata.get('HTTPStatusCode', 0)}, RequestID: {metadata.get('RequestId', '')}, {named}"
    )
