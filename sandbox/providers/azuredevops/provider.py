"""The azuredevops provider: its types, functions and configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

from sandbox.providers.azuredevops import VERSION, azure_cli, functions, pipelines
from sandbox.providers.azuredevops.branch_reviewers import BranchPolicyMinReviewers
from sandbox.providers.azuredevops.build_definition import BuildDefinition
from sandbox.providers.azuredevops.client import Client
from sandbox.providers.azuredevops.service_endpoint import ServiceEndpointAws
from sandbox.providers.azuredevops.variable_group import VariableGroup
from sandbox.providers.base import Function, Provider, ProviderError
from sandbox.providers.schema import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.providers.protocol import Properties

_KNOWN = frozenset({"version", "orgServiceUrl", "personalAccessToken", "pluginDownloadUrl", "__internal"})


class AzureDevOpsProvider(Provider[Client]):
    """Takes the organisation's URL, and a personal access token or the sign-in of the Azure CLI; other ways to sign in
    are left to the real plugin."""

    name = "azuredevops"
    version = VERSION
    resources = (
        VariableGroup,
        BuildDefinition,
        pipelines.PipelineAuthorization,
        pipelines.Environment,
        pipelines.CheckApproval,
        pipelines.CheckExclusiveLock,
        pipelines.CheckBranchControl,
        pipelines.CheckRequiredTemplate,
        pipelines.BranchPolicyBuildValidation,
        BranchPolicyMinReviewers,
        ServiceEndpointAws,
    )
    functions: ClassVar[Mapping[str, Function]] = {
        "azuredevops:index/getProject:getProject": functions.get_project,
        "azuredevops:index/getGitRepository:getGitRepository": functions.get_git_repository,
        "azuredevops:index/getGroup:getGroup": functions.get_group,
        "azuredevops:index/getUsers:getUsers": functions.get_users,
        "azuredevops:index/getIdentityGroup:getIdentityGroup": functions.get_identity_group,
        "azuredevops:index/getIdentityUsers:getIdentityUsers": functions.get_identity_users,
        "azuredevops:index/getEnvironment:getEnvironment": functions.get_environment,
    }

    def check_configuration(self, configuration: Properties) -> list[Failure]:
        return [
            Failure(name, "the sandbox's stand-in for the azuredevops plugin does not know this setting")
            for name in sorted(set(configuration) - _KNOWN)
        ]

    def configure(self, configuration: Properties) -> Client:
        url = configuration.get("orgServiceUrl") or os.environ.get("AZDO_ORG_SERVICE_URL")
        token = configuration.get("personalAccessToken") or os.environ.get("AZDO_PERSONAL_ACCESS_TOKEN")
        if not url:
            raise ProviderError(
                "the url of the Azure DevOps is required: set AZDO_ORG_SERVICE_URL or azuredevops:orgServiceUrl"
            )
        client = Client(str(url), str(token)) if token else Client(str(url), azure_cli.token(), bearer=True)
        client.connect()
        return client
