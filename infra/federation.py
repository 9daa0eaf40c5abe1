"""The issuers of identity tokens that this AWS account trusts: Azure DevOps' own, and that of Microsoft Entra."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws


class Federation(pulumi.ComponentResource):
    """An IAM OpenID Connect provider for each issuer.

    An account has one provider an issuer: where another program declares it already, import it or have that one declare
    the roles too. AWS verifies these issuers by their certificate authorities, so no thumbprints are given.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html
    """

    def __init__(
        self,
        name: str,
        issuers: Sequence[str],
        audience: str,
        tags: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("app-one:infra:Federation", name, None, opts)
        for issuer in issuers:
            aws.iam.OpenIdConnectProvider(
                f"{name}-{_short(issuer)}",
                url=issuer,
                client_id_lists=[audience],
                tags=tags,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


def _short(issuer: str) -> str:
    """The issuer's host and path as a part of a resource's name."""
    return issuer.removeprefix("https://").replace("/", "-")
