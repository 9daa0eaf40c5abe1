"""The Azure DevOps variable group that hands the access key to the pipeline."""

from dataclasses import dataclass

import pulumi
import pulumi_azuredevops as azuredevops


@dataclass(frozen=True, kw_only=True)
class VariableGroupArgs:
    """What the group holds; names are checked by `infra.settings`."""

    project_id: pulumi.Input[str]
    """UUID of the Azure DevOps project; the service takes no name here."""
    group_name: str
    account_variable: str
    account_id: str
    """Number of the AWS account."""
    access_key_variable: str
    access_key_id: pulumi.Input[str]
    secret_key_variable: str
    secret_access_key: pulumi.Input[str]
    """Kept as a secret by Azure DevOps and in the state."""
    allow_all_pipelines: bool
    """Open the group to every pipeline of the project."""


class VariableGroup(pulumi.ComponentResource):
    """A variable group with the account's number, the access key's id and, as a secret, its secret.

    It cannot carry tags: Azure DevOps has none for variable groups.
    """

    id: pulumi.Output[str]
    name: pulumi.Output[str]

    def __init__(self, name: str, args: VariableGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("app-one:infra:VariableGroup", name, None, opts)
        group = azuredevops.VariableGroup(
            name,
            project_id=args.project_id,
            name=args.group_name,
            description="Access to the ECR repository; written by Pulumi, changes by hand are overwritten",
            allow_access=args.allow_all_pipelines,
            # `is_secret` is left out where it would be false: the provider passes it in a preview and fails in the
            # update that follows.
            variables=[
                azuredevops.VariableGroupVariableArgs(name=args.account_variable, value=args.account_id),
                azuredevops.VariableGroupVariableArgs(name=args.access_key_variable, value=args.access_key_id),
                azuredevops.VariableGroupVariableArgs(
                    name=args.secret_key_variable,
                    secret_value=pulumi.Output.secret(args.secret_access_key),
                    is_secret=True,
                ),
            ],
            # The SDK marks none of a group's outputs as secret.
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["variables"]),
        )
        self.id = group.id
        self.name = group.name
        self.register_outputs({"id": self.id, "name": self.name})
