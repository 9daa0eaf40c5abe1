"""The aws provider: its types, functions and configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sandbox.providers.aws import VERSION, ecr, functions, iam
from sandbox.providers.aws.session import HARMLESS, USED, AwsSession, configured_region
from sandbox.providers.base import Function, Provider, ProviderError
from sandbox.providers.schema import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.providers.protocol import Properties


class AwsProvider(Provider[AwsSession]):
    """Takes aws:region, access keys, endpoints and defaultTags, or the AWS SDKs' environment variables."""

    name = "aws"
    version = VERSION
    resources = (
        ecr.Repository,
        ecr.LifecyclePolicy,
        ecr.RepositoryPolicy,
        iam.Policy,
        iam.Group,
        iam.GroupPolicyAttachment,
        iam.User,
        iam.UserGroupMembership,
        iam.GroupMembership,
        iam.AccessKey,
        iam.UserPolicyAttachment,
        iam.Role,
        iam.RolePolicyAttachment,
        iam.OpenIdConnectProvider,
    )
    functions: ClassVar[Mapping[str, Function]] = {
        "aws:index/getCallerIdentity:getCallerIdentity": functions.get_caller_identity,
        "aws:index/getRegion:getRegion": functions.get_region,
        "aws:index/getPartition:getPartition": functions.get_partition,
        "aws:ecr/getAuthorizationToken:getAuthorizationToken": functions.get_authorization_token,
        "aws:ecr/getRepository:getRepository": functions.get_repository,
        "aws:ecr/getImage:getImage": functions.get_image,
        "aws:iam/getAccessKeys:getAccessKeys": functions.get_access_keys,
        "aws:iam/getUser:getUser": functions.get_user,
        "aws:iam/getUsers:getUsers": functions.get_users,
        "aws:iam/getPolicyDocument:getPolicyDocument": functions.get_policy_document,
    }

    def __init__(self, engine_address: str) -> None:
        super().__init__(engine_address)
        self._checked: tuple[Properties, AwsSession | None] = {}, None
        """A configuration, and what asked who its caller is: the engine configures with what it has checked."""

    def check_configuration(self, configuration: Properties) -> list[Failure]:
        failures = [
            Failure(name, "the sandbox's stand-in for the aws plugin does not know this setting: use the real plugin")
            for name in sorted(set(configuration) - USED - HARMLESS)
        ]
        if configured_region(configuration) is None:
            failures.append(
                Failure(
                    "", "Missing region configuration\nSet it, for example: `pulumi config set aws:region us-east-2`"
                )
            )
        if not failures and str(configuration.get("skipCredentialsValidation", "")).lower() != "true":
            # As the real plugin: bad credentials are told before any resource is touched.
            session = AwsSession(configuration)
            try:
                session.identity  # noqa: B018 - asks STS
            except ProviderError as error:
                failures.append(
                    Failure(
                        "",
                        f"Invalid credentials configured.\n{error}\n"
                        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile, of a key that is active",
                    )
                )
            else:
                self._checked = configuration, session
        return failures

    def configure(self, configuration: Properties) -> AwsSession:
        checked, session = self._checked
        return session if session and checked == configuration else AwsSession(configuration)
