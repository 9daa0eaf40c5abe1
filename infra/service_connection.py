"""An Azure DevOps service connection to AWS by identity tokens: it holds the name of a role, and no secret."""

import pulumi
import pulumi_azuredevops as azuredevops


class ServiceConnection(pulumi.ComponentResource):
    """The connection that a job names; who may use it is declared with the pipeline."""

    id: pulumi.Output[str]
    name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project_id: pulumi.Input[str],
        connection_name: str,
        role_arn: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("app-one:infra:ServiceConnection", name, None, opts)
        connection = azuredevops.ServiceEndpointAws(
            name,
            project_id=project_id,
            service_endpoint_name=connection_name,
            description="Access to the ECR repository by OpenID Connect; written by Pulumi",
            role_to_assume=role_arn,
            use_oidc=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.id = connection.id
        self.name = connection.service_endpoint_name
        self.register_outputs({"id": self.id, "name": self.name})
