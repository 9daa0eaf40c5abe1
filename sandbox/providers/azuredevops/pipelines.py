"""Types around a pipeline: its definition, what it may use, its environment, checks and branch policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.providers.azuredevops.client import (
    CHECK,
    ENVIRONMENT,
    PIPELINE_PERMISSIONS,
    POLICY,
    AbsentError,
    Json,
    ServiceError,
)
from sandbox.providers.azuredevops.projects import PROJECT_FIELD, ProjectResource
from sandbox.providers.base import ProviderError
from sandbox.providers.schema import (
    Fields,
    at_least,
    between,
    block,
    flag,
    items,
    not_blank,
    number,
    one_of,
    text,
    uuid,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.providers.protocol import Properties


class PipelineAuthorization(ProjectResource):
    """azuredevops.PipelineAuthorization: one pipeline, or all, may use a protected resource."""

    token = "azuredevops:index/pipelineAuthorization:PipelineAuthorization"  # noqa: S105 - a type token
    timeouts: ClassVar[Mapping[str, int]] = {"create": 2, "read": 1, "update": 2, "delete": 2}
    fields: ClassVar[Fields] = {
        "pipelineId": number(replace=True, rule=at_least(1)),
        "pipelineProjectId": text(replace=True),
        "projectId": text(required=True, replace=True),
        "resourceId": text(required=True, replace=True, rule=not_blank),
        "type": text(
            required=True,
            replace=True,
            rule=one_of("endpoint", "queue", "variablegroup", "environment", "repository"),
        ),
    }

    def _call(self, method: str, known: Properties, body: Json | None = None) -> Any:
        resource = known["resourceId"]
        if known["type"] == "repository":
            resource = f"{known['projectId']}.{resource}"
        return self.session.call(
            method,
            PIPELINE_PERMISSIONS,
            body,
            project=known.get("pipelineProjectId") or known["projectId"],
            resourceType=known["type"],
            resourceId=resource,
        )

    def _set(self, known: Properties, *, authorized: bool) -> None:
        if known.get("pipelineId"):
            self._call("PATCH", known, {"pipelines": [{"authorized": authorized, "id": known["pipelineId"]}]})
        else:
            self._call("PATCH", known, {"allPipelines": {"authorized": authorized}})

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        try:
            self._set(inputs, authorized=True)
        except ServiceError as error:
            raise ProviderError(f"creating authorized resource: {error}") from error
        own = f"{inputs['projectId']}/{inputs['type']}/{inputs['resourceId']}"
        if inputs.get("pipelineProjectId"):
            own += f";pipeline_project_id={inputs['pipelineProjectId']}"
        if inputs.get("pipelineId"):
            own += f";pipeline_id={inputs['pipelineId']}"
        return own, {}

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        del resource_id
        found = self._call("GET", known)
        pipelines = found.get("pipelines") or []
        if found.get("allPipelines") is None and not pipelines:
            return None
        resource = str(found["resource"]["id"])
        if found["resource"]["type"] == "repository" and resource.count(".") == 1:
            resource = resource.split(".")[1]
        outputs = {**known, "type": found["resource"]["type"], "resourceId": resource}
        if pipelines and known.get("pipelineId") not in [each["id"] for each in pipelines]:
            outputs["pipelineId"] = None
        return outputs

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        """Authorise once more, to finish a partly made one; every difference replaces."""
        del resource_id, state
        self._set(inputs, authorized=True)

    def delete(self, resource_id: str, state: Properties) -> None:
        del resource_id
        try:
            self._set(state, authorized=False)
        except ServiceError as error:
            raise ProviderError(f"deleting authorized resource: {error}") from error

    def import_id(self, resource_id: str) -> tuple[str, Properties]:
        base, *options = resource_id.split(";")
        parts = base.split("/")
        if len(parts) != 3:
            raise ProviderError(f"invalid id, expect base part to be `<project_id>/<type>/<resource_id>`, got={base}")
        known: Properties = dict(zip(("projectId", "type", "resourceId"), parts, strict=True))
        for option in options:
            key, _, value = option.partition("=")
            if key == "pipeline_project_id":
                known["pipelineProjectId"] = value
            elif key == "pipeline_id" and value.isdecimal():
                known["pipelineId"] = int(value)
            else:
                raise ProviderError(f"invalid id, unknown optional key {key}")
        return resource_id, known


class Environment(ProjectResource):
    """azuredevops.Environment: what a deployment job names; approvals and locks hang on it."""

    token = "azuredevops:index/environment:Environment"  # noqa: S105 - a type token
    timeouts: ClassVar[Mapping[str, int]] = {"create": 10, "read": 5, "update": 10, "delete": 10}
    fields: ClassVar[Fields] = {
        "description": text(default=""),
        "name": text(autoname=128, rule=not_blank),
        **PROJECT_FIELD,
    }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        try:
            made = self.session.call("POST", ENVIRONMENT, _described(inputs), project=inputs["projectId"])
        except ServiceError as error:
            raise ProviderError(f"Creating environment in Azure DevOps: {error}") from error
        return str(made["id"]), {}

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        try:
            found = self.session.call(
                "GET", ENVIRONMENT, project=known["projectId"], environmentId=resource_id, query={"expands": "none"}
            )
        except AbsentError:
            return None
        except ServiceError as error:
            raise ProviderError(f"Error reading the environment resource: {error}") from error
        return {
            "description": found.get("description") or "",
            "name": found["name"],
            "projectId": found["project"]["id"],
        }

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        try:
            self.session.call(
                "PATCH", ENVIRONMENT, _described(inputs), project=state["projectId"], environmentId=resource_id
            )
        except ServiceError as error:
            raise ProviderError(f"Error updating environment in Azure DevOps: {error}") from error

    def delete(self, resource_id: str, state: Properties) -> None:
        try:
            self.session.call("DELETE", ENVIRONMENT, project=state["projectId"], environmentId=resource_id)
        except ServiceError as error:
            raise ProviderError(f"Error deleting environment: {error}") from error


def _described(inputs: Properties) -> Json:
    return {"name": inputs["name"], "description": inputs.get("description") or ""}


_CHECKED: Fields = {
    **PROJECT_FIELD,
    "targetResourceId": text(required=True, replace=True, rule=not_blank),
    "targetResourceType": text(
        required=True,
        replace=True,
        rule=one_of("endpoint", "environment", "queue", "repository", "securefile", "variablegroup"),
    ),
    "timeout": number(default=43200, rule=between(1, 43200)),
    "version": number(output=True),
}


class _Check(ProjectResource):
    """A check on a protected resource; each update makes the service count its version up."""

    kind: ClassVar[Json]
    timeouts: ClassVar[Mapping[str, int]] = {"create": 2, "read": 1, "update": 2, "delete": 2}

    def settings(self, inputs: Properties) -> Json:
        """Return the request's settings."""
        del inputs
        return {}

    def outputs(self, settings: Json) -> Properties:
        """Turn the service's settings into outputs."""
        del settings
        return {}

    def _body(self, inputs: Properties, version: int) -> Json:
        return {
            "type": self.kind,
            "settings": self.settings(inputs),
            "resource": {"id": inputs["targetResourceId"], "type": inputs["targetResourceType"]},
            **({"timeout": inputs["timeout"]} if "timeout" in self.fields else {}),
            "version": version,
        }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        project = inputs["projectId"]
        try:
            made = self.session.call("POST", CHECK, self._body(inputs, 0), project=project)
        except ServiceError as error:
            raise ProviderError(f"failed creating check, project ID: {project}. Error: {error}") from error
        return str(made["id"]), {}

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        project = known["projectId"]
        try:
            found = self.session.call("GET", CHECK, project=project, id=resource_id, query={"$expand": "settings"})
        except AbsentError:
            return None
        except ServiceError as error:
            if "does not exist." in str(error):
                return None
            raise
        return {
            "projectId": project,
            "targetResourceId": str(found["resource"]["id"]),
            "targetResourceType": found["resource"]["type"],
            **({"timeout": found.get("timeout", 43200)} if "timeout" in self.fields else {}),
            "version": found.get("version", 1),
            **self.outputs(found.get("settings") or {}),
        }

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        body = {**self._body(inputs, state.get("version", 0)), "id": int(resource_id)}
        self.session.call("PATCH", CHECK, body, project=inputs["projectId"], id=resource_id)

    def delete(self, resource_id: str, state: Properties) -> None:
        self.session.call("DELETE", CHECK, project=state["projectId"], id=resource_id)

    def import_id(self, resource_id: str) -> tuple[str, Properties]:
        """Unlike the project's other types, a check is imported by its project's id alone."""
        parts = resource_id.split("/")
        if len(parts) != 2:
            raise ProviderError(f'unexpected ID format ("{resource_id}"), expected: <projectId>/<checkId>')
        project, own = parts
        if uuid(project):
            raise ProviderError(f"project ID must be a UUID, got: {project}")
        if not own.isdecimal():
            raise ProviderError(f"check ID must be an integer, got: {own}")
        return own, {"projectId": project}


class CheckApproval(_Check):
    """azuredevops.CheckApproval: who has to agree before a run uses the resource."""

    token = "azuredevops:index/checkApproval:CheckApproval"  # noqa: S105 - a type token
    kind: ClassVar[Json] = {"id": "8c6f20a7-a545-4486-9777-f762fafe0d4d", "name": "Approval"}
    fields: ClassVar[Fields] = {
        "approvers": items(required=True, rule=uuid),
        "instructions": text(),
        "minimumRequiredApprovers": number(),
        "requesterCanApprove": flag(default=False),
        **_CHECKED,
    }

    def settings(self, inputs: Properties) -> Json:
        return {
            "instructions": inputs.get("instructions") or "",
            "minRequiredApprovers": inputs.get("minimumRequiredApprovers") or 0,
            "requesterCannotBeApprover": not inputs.get("requesterCanApprove"),
            "approvers": [{"id": each} for each in inputs["approvers"]],
        }

    def outputs(self, settings: Json) -> Properties:
        return {
            "approvers": [each["id"] for each in settings.get("approvers") or []],
            "instructions": settings.get("instructions") or "",
            "minimumRequiredApprovers": settings.get("minRequiredApprovers") or 0,
            "requesterCanApprove": not settings.get("requesterCannotBeApprover", False),
        }


class CheckExclusiveLock(_Check):
    """azuredevops.CheckExclusiveLock: one run at a time."""

    token = "azuredevops:index/checkExclusiveLock:CheckExclusiveLock"  # noqa: S105 - a type token
    kind: ClassVar[Json] = {"id": "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563"}
    fields: ClassVar[Fields] = _CHECKED


_AZURE_REPOS = "azuregit"
"""The plugin's word for the service's `git`."""
_BRANCH_CONTROL: Json = {
    "id": "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b",
    "name": "evaluatebranchProtection",
    "version": "0.0.1",
}


class CheckBranchControl(_Check):
    """azuredevops.CheckBranchControl: which branches a run may come from."""

    token = "azuredevops:index/checkBranchControl:CheckBranchControl"  # noqa: S105 - a type token
    kind: ClassVar[Json] = {"id": "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7", "name": "Task Check"}
    fields: ClassVar[Fields] = {
        **_CHECKED,
        "allowedBranches": text(default="*"),
        "displayName": text(default="Managed by Terraform", rule=not_blank),
        "ignoreUnknownProtectionStatus": flag(default=False),
        "timeout": number(default=1440, rule=at_least(1)),
        "verifyBranchProtection": flag(default=False),
    }

    def settings(self, inputs: Properties) -> Json:
        asked = {
            "allowedBranches": inputs["allowedBranches"],
            "ensureProtectionOfBranch": _word(inputs.get("verifyBranchProtection")),
        }
        if inputs.get("verifyBranchProtection"):
            asked["allowUnknownStatusBranch"] = _word(inputs.get("ignoreUnknownProtectionStatus"))
        return {"inputs": asked, "definitionRef": _BRANCH_CONTROL, "displayName": inputs["displayName"]}

    def outputs(self, settings: Json) -> Properties:
        asked = settings["inputs"]
        return {
            "allowedBranches": asked["allowedBranches"],
            "displayName": settings["displayName"],
            "ignoreUnknownProtectionStatus": asked.get("allowUnknownStatusBranch") == "true",
            "verifyBranchProtection": asked["ensureProtectionOfBranch"] == "true",
        }


class CheckRequiredTemplate(_Check):
    """azuredevops.CheckRequiredTemplate: what a run's YAML has to extend; it has no timeout of its own."""

    token = "azuredevops:index/checkRequiredTemplate:CheckRequiredTemplate"  # noqa: S105 - a type token
    kind: ClassVar[Json] = {"id": "4020E66E-B0F3-47E1-BC88-48F3CC59B5F3", "name": "ExtendsCheck"}
    fields: ClassVar[Fields] = {
        **{name: field for name, field in _CHECKED.items() if name != "timeout"},
        "requiredTemplates": items(
            {
                "repositoryName": text(required=True, rule=not_blank),
                "repositoryRef": text(required=True, rule=not_blank),
                "repositoryType": text(
                    default=_AZURE_REPOS, rule=one_of(_AZURE_REPOS, "github", "githubenterprise", "bitbucket")
                ),
                "templatePath": text(required=True, rule=not_blank),
            },
            required=True,
            underlying="required_template",
        ),
    }

    def settings(self, inputs: Properties) -> Json:
        return {
            "extendsChecks": [
                {**one, "repositoryType": "git" if one["repositoryType"] == _AZURE_REPOS else one["repositoryType"]}
                for one in inputs["requiredTemplates"]
            ]
        }

    def outputs(self, settings: Json) -> Properties:
        return {
            "requiredTemplates": [
                {**one, "repositoryType": _AZURE_REPOS if one["repositoryType"] == "git" else one["repositoryType"]}
                for one in settings["extendsChecks"]
            ]
        }


def _word(value: Any) -> str:
    return "true" if value else "false"


def _lower(value: Any) -> Any:
    return str(value).lower()


class BranchPolicyBuildValidation(ProjectResource):
    """azuredevops.BranchPolicyBuildValidation: a pull request needs a build that succeeded."""

    token = "azuredevops:index/branchPolicyBuildValidation:BranchPolicyBuildValidation"  # noqa: S105 - a type token
    timeouts: ClassVar[Mapping[str, int]] = {"create": 5, "read": 2, "update": 5, "delete": 5}
    kind = "0609b952-1397-4640-95ec-e00a01b2c241"
    fields: ClassVar[Fields] = {
        "blocking": flag(default=True),
        "enabled": flag(default=True),
        "projectId": text(required=True, replace=True, rule=not_blank),
        "settings": block(
            {
                "buildDefinitionId": number(required=True),
                "displayName": text(required=True, rule=not_blank),
                "filenamePatterns": items(rule=not_blank),
                "manualQueueOnly": flag(default=False),
                "queueOnSourceUpdateOnly": flag(default=True),
                "scopes": items(
                    {
                        "matchType": text(default="Exact", canonical=_lower),
                        "repositoryId": text(rule=not_blank),
                        "repositoryRef": text(rule=not_blank),
                    },
                    required=True,
                    underlying="scope",
                ),
                "validDuration": number(default=720, rule=at_least(0)),
            },
            required=True,
        ),
    }

    def _body(self, inputs: Properties) -> Json:
        settings = inputs["settings"]
        scopes = []
        for each in settings["scopes"]:
            match = each.get("matchType") or "Exact"
            scope = {
                "repositoryId": each.get("repositoryId") or None,
                "refName": each.get("repositoryRef") or None,
                "matchKind": match,
            }
            if match.lower() == "defaultbranch" and (scope["repositoryId"] or scope["refName"]):
                raise ProviderError(
                    "neither 'repository_id' nor 'repository_ref' can be set when 'match_type=DefaultBranch'"
                )
            scopes.append(scope)
        return {
            "isEnabled": inputs.get("enabled", True),
            "isBlocking": inputs.get("blocking", True),
            "type": {"id": self.kind},
            "settings": {"scope": scopes, **self.to_service(settings)},
        }

    def to_service(self, settings: Properties) -> Json:
        """The policy's own settings, as the service names them."""
        return {
            "buildDefinitionId": settings["buildDefinitionId"],
            "displayName": settings["displayName"],
            "manualQueueOnly": settings.get("manualQueueOnly", False),
            "queueOnSourceUpdateOnly": settings.get("queueOnSourceUpdateOnly", True),
            "validDuration": settings.get("validDuration", 720),
            "filenamePatterns": settings.get("filenamePatterns") or [],
        }

    def from_service(self, settings: Json) -> Properties:
        """The policy's own settings, as the plugin names them."""
        return {
            "buildDefinitionId": settings["buildDefinitionId"],
            "displayName": settings["displayName"],
            "filenamePatterns": settings.get("filenamePatterns") or [],
            "manualQueueOnly": settings["manualQueueOnly"],
            "queueOnSourceUpdateOnly": settings["queueOnSourceUpdateOnly"],
            "validDuration": int(settings["validDuration"]),
        }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        body = self._body(inputs)
        try:
            made = self.session.call("POST", POLICY, body, project=inputs["projectId"])
        except ServiceError as error:
            raise ProviderError(f"creating policy in Azure DevOps: {error}") from error
        return str(made["id"]), {}

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        project = known["projectId"]
        try:
            found = self.session.call("GET", POLICY, project=project, configurationId=resource_id)
        except AbsentError:
            return None
        except ServiceError as error:
            raise ProviderError(
                f"looking up build policy configuration with ID ({resource_id}) and project ID ({project}): {error}"
            ) from error
        if found.get("isDeleted"):
            return None
        settings = found["settings"]
        return {
            "blocking": found.get("isBlocking", True),
            "enabled": found.get("isEnabled", True),
            "projectId": project,
            "settings": {
                **self.from_service(settings),
                "scopes": [
                    {
                        "matchType": each.get("matchKind") or "",
                        "repositoryId": each.get("repositoryId") or "",
                        "repositoryRef": each.get("refName") or "",
                    }
                    for each in settings["scope"]
                ],
            },
        }

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        del state
        body = {**self._body(inputs), "id": int(resource_id)}
        try:
            self.session.call("PUT", POLICY, body, project=inputs["projectId"], configurationId=resource_id)
        except ServiceError as error:
            raise ProviderError(f"updating policy in Azure DevOps: {error}") from error

    def delete(self, resource_id: str, state: Properties) -> None:
        try:
            self.session.call("DELETE", POLICY, project=state["projectId"], configurationId=resource_id)
        except ServiceError as error:
            raise ProviderError(f"deleting policy in Azure DevOps: {error}") from error
