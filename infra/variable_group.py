"""An Azure DevOps variable group: what the pipeline is told, and where there is a key, the key."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_azuredevops as azuredevops


@dataclass(frozen=True, kw_only=True)
class VariableGroupArgs:
    """What the group holds; names are checked by `infra.settings`."""

    project_id: pulumi.Input[str]
    """UUID of the Azure DevOps project; the service takes no name here."""
    group_name: str
    variables: Mapping[str, pulumi.Input[str]]
    """By name, in the order in which they are listed."""
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Kept as secrets by Azure DevOps and in the state."""
    allow_all_pipelines: bool = False
    """Open the group to every pipeline of the project."""


class VariableGroup(pulumi.ComponentResource):
    """A variable group.

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
                *(
                    azuredevops.VariableGroupVariableArgs(name=variable, value=value)
                    for variable, value in args.variables.items()
                ),
                *(
                    azuredevops.VariableGroupVariableArgs(
                        name=variable, secret_value=pulumi.Output.secret(value), is_secret=True
                    )
                    for variable, value in args.secrets.items()
                ),
            ],
            # The SDK marks none of a group's outputs as secret.
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["variables"] if args.secrets else None),
        )
        self.id = group.id
        self.name = group.name
        self.register_outputs({"id": self.id, "name": self.name})
