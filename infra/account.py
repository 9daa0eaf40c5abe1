"""The AWS account, region and partition that the credentials lead to; nothing of this is ever typed as a setting."""

from dataclasses import dataclass

import pulumi_aws as aws

from infra.lookup import look_up


@dataclass(frozen=True, kw_only=True)
class Account:
    """Where the AWS resources live.

    They are asked for at once rather than as outputs, so that a preview shows every ARN built from them in clear: one
    unknown part would hide the whole text.
    """

    id: str
    """12 digits."""
    region: str
    """Such as `us-east-2`."""
    partition: str
    """`aws`, `aws-cn` or `aws-us-gov`."""

    @classmethod
    def look_up(cls) -> "Account":
        """Asks STS and the provider's configuration. Raises `LookUpError` where there are no valid credentials."""
        return look_up(
            "the AWS account",
            "Check the AWS credentials in the environment (`aws sts get-caller-identity`) and aws:region.",
            lambda: cls(
                id=aws.get_caller_identity().account_id,
                region=aws.get_region().region,
                partition=aws.get_partition().partition,
            ),
        )

    def user_arn(self, path: str, name: str) -> str:
        """ARN of the IAM user `name` below `path` (`/` or `/a/b/`) in this account."""
        return f"arn:{self.partition}:iam::{self.id}:user{path}{name}"

    def oidc_provider_arn(self, issuer: str) -> str:
        """ARN of this account's OpenID Connect provider of the issuer `https://...`."""
        return f"arn:{self.partition}:iam::{self.id}:oidc-provider/{issuer.removeprefix('https://')}"

    def repository_arn(self, name: str) -> str:
        """ARN of the ECR repository `name` in this account and region."""
        return f"arn:{self.partition}:ecr:{self.region}:{self.id}:repository/{name}"
