"""azuredevops.VariableGroup: variables and secrets of a project's library, and whether all pipelines may use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.providers.azuredevops.client import (
    AUTHORIZED_RESOURCES,
    PROJECT_VARIABLE_GROUP,
    VARIABLE_GROUP,
    AbsentError,
    Json,
    ServiceError,
)
from sandbox.providers.azuredevops.projects import PROJECT_FIELD, ProjectResource
from sandbox.providers.base import PartlyMadeError, ProviderError
from sandbox.providers.schema import Fields, block, flag, given, not_blank, number, text, unordered, uuid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.providers.protocol import Properties


class VariableGroup(ProjectResource):
    """Secrets are sent again with every change, since the service never gives them back."""

    token = "azuredevops:index/variableGroup:VariableGroup"  # noqa: S105 - a type token
    timeouts: ClassVar[Mapping[str, int]] = {"create": 10, "read": 5, "update": 10, "delete": 10}
    fields: ClassVar[Fields] = {
        "allowAccess": flag(default=False),
        "description": text(default=""),
        "keyVault": block(
            {
                "name": text(required=True, rule=not_blank),
                "serviceEndpointId": text(required=True, rule=uuid),
                "searchDepth": number(default=20),
            }
        ),
        "name": text(autoname=255, rule=not_blank),
        "variables": unordered(
            {
                "name": text(required=True),
                "value": text(default=""),
                "secretValue": text(default="", secret=True),
                "isSecret": flag(default=False),
                "contentType": given(),
                "enabled": flag(output=True),
                "expires": given(),
            },
            required=True,
            underlying="variable",
        ),
        **PROJECT_FIELD,
    }

    def validate(self, inputs: Properties) -> list[str]:
        if inputs.get("keyVault"):
            return ["the sandbox's stand-in for the azuredevops plugin knows no key vault: leave key_vault out"]
        return []

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        body = _body(inputs)
        try:
            made = self.session.call("POST", VARIABLE_GROUP, body)
        except ServiceError as error:
            raise ProviderError(f"creating variable group in Azure DevOps: {error}") from error
        group = str(made["id"])
        try:
            self._authorize(inputs["projectId"], group, inputs["name"], allowed=bool(inputs.get("allowAccess")))
        except ServiceError as error:
            reason = f"Creating definitionResourceReference Azure DevOps object: {error}"
            raise PartlyMadeError(reason, group, {}) from error
        return group, {}

    def _authorize(self, project: str, group: str, name: str, *, allowed: bool) -> None:
        resource = {"authorized": allowed, "id": group, "name": name, "type": "variablegroup"}
        self.session.call("PATCH", AUTHORIZED_RESOURCES, [resource], project=project)

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        project = known["projectId"]
        try:
            found = self.session.call("GET", PROJECT_VARIABLE_GROUP, project=project, groupId=resource_id)
        except AbsentError:
            return None
        except ServiceError as error:
            raise ProviderError(
                f"Looking up variable group given ID (*{resource_id}) and project ID ({project}): {error}"
            ) from error
        if not found or found.get("id") is None:
            return None
        query = {"type": "variablegroup", "id": resource_id}
        authorized = self.session.call("GET", AUTHORIZED_RESOURCES, project=project, query=query)
        held = {each["name"]: each for each in known.get("variables") or []}
        return {
            "allowAccess": any(str(each["id"]) == resource_id and each["authorized"] for each in authorized or []),
            "description": found.get("description") or "",
            "name": found["name"],
            "projectId": project,
            "variables": [_variable(name, each, held) for name, each in sorted(found["variables"].items())],
        }

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        del state
        body = _body(inputs)
        try:
            self.session.call("PUT", VARIABLE_GROUP, body, groupId=resource_id)
        except ServiceError as error:
            raise ProviderError(f"Updating variable group in Azure DevOps: {error}") from error
        try:
            self._authorize(inputs["projectId"], resource_id, inputs["name"], allowed=bool(inputs.get("allowAccess")))
        except ServiceError as error:
            raise ProviderError(f"Updating definitionResourceReference Azure DevOps object: {error}") from error

    def delete(self, resource_id: str, state: Properties) -> None:
        project = state["projectId"]
        try:
            self._authorize(project, resource_id, "", allowed=False)
        except ServiceError as error:
            raise ProviderError(
                f"Deleting the allow access definitionResource for variable group ID ({resource_id}) and project ID "
                f"({project}): {error}"
            ) from error
        self.session.call("DELETE", VARIABLE_GROUP, groupId=resource_id, query={"projectIds": project})


def _body(inputs: Properties) -> Json:
    """Make the request; a variable has a value, or a secret value and the mark."""
    variables = {}
    for each in inputs["variables"]:
        marked = "isSecret" in each
        if ("value" in each and ("secretValue" in each or marked)) or ("secretValue" in each) != marked:
            raise ProviderError(
                f"Expanding variable group resource data: `{each['name']}` variable can have either only `value` "
                "attribute or both `is_secret` and `secret_value` attributes"
            )
        secret = bool(each.get("isSecret"))
        variables[each["name"]] = {
            "value": each.get("secretValue" if secret else "value", ""),
            "isSecret": secret,
        }
    name, description = inputs["name"], inputs.get("description") or ""
    return {
        "name": name,
        "description": description,
        "variables": variables,
        "variableGroupProjectReferences": [
            {"name": name, "description": description, "projectReference": {"id": inputs["projectId"]}}
        ],
    }


def _variable(name: str, found: Json, held: dict[str, Any]) -> Properties:
    """Turn the service's variable into outputs; of a secret the state holds what the service hides."""
    secret = bool(found.get("isSecret"))
    before = held.get(name, {}) if secret else {}
    return {
        "name": name,
        "value": before.get("value", "") if secret else found.get("value") or "",
        "secretValue": before.get("secretValue", "") if secret else "",
        "isSecret": secret,
        "contentType": "",
        "enabled": False,
        "expires": "",
    }
