"""azuredevops.ServiceEndpointAws: a service connection to AWS, by an access key, a role, or OIDC."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sandbox.providers.azuredevops.client import (
    PROJECT_SERVICE_ENDPOINT,
    SERVICE_ENDPOINT,
    AbsentError,
    Json,
    ServiceError,
)
from sandbox.providers.azuredevops.projects import PROJECT_FIELD, ProjectResource
from sandbox.providers.base import ProviderError
from sandbox.providers.schema import Fields, flag, mapping, not_blank, snake, text

if TYPE_CHECKING:
    from sandbox.providers.protocol import Properties

_PARAMETERS = {
    "username": "accessKeyId",
    "password": "secretAccessKey",
    "sessionToken": "sessionToken",
    "assumeRoleArn": "roleToAssume",
    "roleSessionName": "roleSessionName",
    "externalId": "externalId",
}
"""The service's names of the parameters, and the plugin's."""
_HIDDEN = frozenset({"password", "sessionToken"})
"""What the service never gives back."""


class ServiceEndpointAws(ProjectResource):
    """Secrets are sent again with every change, since the service never gives them back."""

    token = "azuredevops:index/serviceEndpointAws:ServiceEndpointAws"  # noqa: S105 - a type token
    fields: ClassVar[Fields] = {
        "accessKeyId": text(),
        "authorization": mapping(output=True),
        "description": text(default="Managed by Terraform"),
        "externalId": text(),
        "roleSessionName": text(),
        "roleToAssume": text(),
        "secretAccessKey": text(secret=True),
        "serviceEndpointName": text(required=True, rule=not_blank),
        "sessionToken": text(secret=True),
        "useOidc": flag(default=False),
        **PROJECT_FIELD,
    }

    def validate(self, inputs: Properties) -> list[str]:
        """The two halves of a key come together."""
        given = [name for name in ("accessKeyId", "secretAccessKey") if inputs.get(name)]
        if len(given) != 1:
            return []
        both = "`access_key_id,secret_access_key`"
        return [f'Missing required argument. "{snake(given[0])}": all of {both} must be specified']

    def _body(self, inputs: Properties) -> Json:
        name, description = inputs["serviceEndpointName"], inputs.get("description", "")
        parameters = {theirs: inputs.get(ours) or "" for theirs, ours in _PARAMETERS.items()}
        reference = {
            "name": name,
            "description": description,
            "projectReference": {"id": inputs["projectId"]},
        }
        return {
            "name": name,
            "type": "aws",
            "url": "https://aws.amazon.com/",
            "description": description,
            "owner": "library",
            "authorization": {
                "scheme": "UsernamePassword",
                "parameters": {**parameters, "useOIDC": str(bool(inputs.get("useOidc"))).lower()},
            },
            "serviceEndpointProjectReferences": [reference],
        }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        try:
            made = self.session.call("POST", SERVICE_ENDPOINT, self._body(inputs))
        except ServiceError as error:
            raise ProviderError(f"Error creating service endpoint in Azure DevOps: {error}") from error
        return str(made["id"]), {}

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        project = known["projectId"]
        try:
            found = self.session.call("GET", PROJECT_SERVICE_ENDPOINT, project=project, endpointId=resource_id)
        except AbsentError:
            return None
        except ServiceError as error:
            raise ProviderError(
                f"looking up service endpoint given ID ({resource_id}) and project ID ({project}): {error}"
            ) from error
        if found is None:  # unknown, or hidden from who asks: since 1.16 the plugin does not take it for deleted
            raise ProviderError(f"unexpected nil service endpoint, ID: ({resource_id}), project ID: ({project})")
        given = found["authorization"]["parameters"]
        outputs: Properties = {
            "authorization": {"scheme": found["authorization"]["scheme"]},
            "description": found["description"],
            "projectId": project,
            "serviceEndpointName": found["name"],
            "useOidc": given.get("useOIDC") == "true",
        }
        for theirs, ours in _PARAMETERS.items():
            outputs[ours] = known.get(ours) if theirs in _HIDDEN else given.get(theirs) or None
        return outputs

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        del state
        body = {**self._body(inputs), "id": resource_id}
        try:
            self.session.call("PUT", SERVICE_ENDPOINT, body, endpointId=resource_id)
        except ServiceError as error:
            raise ProviderError(f"Updating service endpoint in Azure DevOps: {error}") from error

    def delete(self, resource_id: str, state: Properties) -> None:
        try:
            self.session.call(
                "DELETE", SERVICE_ENDPOINT, endpointId=resource_id, query={"projectIds": state["projectId"]}
            )
        except ServiceError as error:
            raise ProviderError(f"Delete service endpoint error {error}") from error
