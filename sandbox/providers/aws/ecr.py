"""Types of Amazon ECR: repository, lifecycle policy, repository policy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.providers.aws.tagged import REGION, TAGS, AwsResource, as_list, as_map, tag_changes
from sandbox.providers.base import ProviderError
from sandbox.providers.schema import (
    Fields,
    block,
    compact_json,
    flag,
    given,
    items,
    json_document,
    one_of,
    same_json,
    same_policy,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.providers.protocol import Properties

_MISSING = ("RepositoryNotFoundException",)


class Repository(AwsResource):
    """aws.ecr.Repository."""

    token = "aws:ecr/repository:Repository"  # noqa: S105 - a type token
    timeouts: ClassVar[Mapping[str, int]] = {"delete": 20}
    service = "ECR"
    fields: ClassVar[Fields] = {
        "encryptionConfigurations": items(
            {
                "encryptionType": text(default="AES256", rule=one_of("AES256", "KMS", "KMS_DSSE"), replace=True),
                "kmsKey": text(computed=True, replace=True),
            },
            computed=True,
            replace=True,
            underlying="encryption_configuration",
        ),
        "forceDelete": flag(),
        "imageScanningConfiguration": block({"scanOnPush": flag(required=True)}, computed=True),
        "imageTagMutability": text(
            default="MUTABLE",
            rule=one_of("MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"),
        ),
        "imageTagMutabilityExclusionFilters": items(
            {"filter": text(required=True), "filterType": text(required=True, rule=one_of("WILDCARD"))},
            underlying="image_tag_mutability_exclusion_filter",
        ),
        "name": text(autoname=256, replace=True),
        "arn": given(),
        "registryId": given(),
        "repositoryUrl": given(),
        **REGION,
        **TAGS,
    }

    def validate(self, inputs: Properties) -> list[str]:
        filters = inputs.get("imageTagMutabilityExclusionFilters")
        if filters and "EXCLUSION" not in str(inputs.get("imageTagMutability")):
            return [
                (
                    "image_tag_mutability_exclusion_filter can only be used when image_tag_mutability is set to "
                    "IMMUTABLE_WITH_EXCLUSION or MUTABLE_WITH_EXCLUSION"
                )
            ]
        return []

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        name = inputs["name"]
        request: dict[str, Any] = {
            "repositoryName": name,
            "imageTagMutability": inputs["imageTagMutability"],
            "tags": as_list(inputs.get("tagsAll")),
        }
        if inputs.get("imageTagMutabilityExclusionFilters"):
            request["imageTagMutabilityExclusionFilters"] = inputs["imageTagMutabilityExclusionFilters"]
        if inputs.get("imageScanningConfiguration"):
            request["imageScanningConfiguration"] = inputs["imageScanningConfiguration"]
        for each in inputs.get("encryptionConfigurations") or []:
            request["encryptionConfiguration"] = {"encryptionType": each.get("encryptionType", "AES256")}
            if each.get("kmsKey"):
                request["encryptionConfiguration"]["kmsKey"] = each["kmsKey"]
        with self.failing(f"creating ECR Repository ({name})"):
            self.api(inputs).create_repository(**request)
        return name, {}

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        api = self.api(known)
        with self.failing(f"reading ECR Repository ({resource_id})", _MISSING) as call:
            found = api.describe_repositories(repositoryNames=[resource_id])["repositories"][0]
            tags = as_map(api.list_tags_for_resource(resourceArn=found["repositoryArn"]).get("tags", []))
        if call.absent:
            return None
        return {
            **repository_outputs(found),
            **self.tags(tags, known),
            "region": found["repositoryArn"].split(":")[3],
        }

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        """Each of its settings has a call of its own, which is made only where the setting changes."""
        api = self.api(state)
        mutability, filters = "imageTagMutability", "imageTagMutabilityExclusionFilters"
        if any((state.get(name) or None) != (inputs.get(name) or None) for name in (mutability, filters)):
            with self.failing(f"updating ECR Repository ({resource_id}): setting image tag mutability"):
                asked = {name: inputs[name] for name in (mutability, filters) if inputs.get(name)}
                api.put_image_tag_mutability(repositoryName=resource_id, **asked)
        scanning = inputs.get("imageScanningConfiguration")
        if scanning and scanning != state.get("imageScanningConfiguration"):
            with self.failing(f"updating ECR Repository ({resource_id}): setting image scanning configuration"):
                # As a client in Go: what is false is left out.
                on_push = {"scanOnPush": True} if scanning["scanOnPush"] else {}
                api.put_image_scanning_configuration(repositoryName=resource_id, imageScanningConfiguration=on_push)
        removed, added = tag_changes(state, inputs)
        with self.failing(f"updating tags for ECR Repository ({resource_id})"):
            if removed:
                api.untag_resource(resourceArn=state["arn"], tagKeys=removed)
            if added:
                api.tag_resource(resourceArn=state["arn"], tags=added)

    def delete(self, resource_id: str, state: Properties) -> None:
        api = self.api(state)
        try:
            with self.failing(f"deleting ECR Repository ({resource_id})", _MISSING):
                api.delete_repository(repositoryName=resource_id, force=bool(state.get("forceDelete")))
        except ProviderError as error:
            if "RepositoryNotEmptyException" in str(error):
                # The remedy stands in the message, as in the plugin's.
                cause = str(error).split(": ", 1)[1]
                raise ProviderError(
                    f"ECR Repository ({resource_id}) not empty, consider using force_delete: {cause}"
                ) from error
            raise


def repository_outputs(found: dict[str, Any]) -> Properties:
    """Turn the API's repository into outputs."""
    encryption = found.get("encryptionConfiguration") or {"encryptionType": "AES256"}
    return {
        "arn": found["repositoryArn"],
        "name": found["repositoryName"],
        "registryId": found["registryId"],
        "repositoryUrl": found["repositoryUri"],
        "imageTagMutability": found["imageTagMutability"],
        "imageTagMutabilityExclusionFilters": [
            {"filter": each["filter"], "filterType": each["filterType"]}
            for each in found.get("imageTagMutabilityExclusionFilters", [])
        ],
        "imageScanningConfiguration": {
            "scanOnPush": bool(found.get("imageScanningConfiguration", {}).get("scanOnPush", False))
        },
        "encryptionConfigurations": [
            {"encryptionType": encryption["encryptionType"], "kmsKey": encryption.get("kmsKey", "")}
        ],
    }


_PATTERNS = ("tagPatternList", "tagPrefixList")


def same_lifecycle(value: Any) -> Any:
    """Lifecycle policies that differ in the order of their rules, or of a rule's tags, are equal."""
    document = same_json(value)
    if not isinstance(document, dict) or not all(isinstance(each, dict) for each in document.get("rules") or []):
        return document
    rules = [_same_rule(each) for each in document.get("rules") or []]
    return json.dumps(sorted(rules, key=lambda each: each.get("rulePriority") or 0), sort_keys=True)


def _same_rule(rule: dict[str, Any]) -> dict[str, Any]:
    selection = dict(rule.get("selection") or {})
    for name in _PATTERNS:
        if tags := sorted(selection.pop(name, None) or []):
            selection[name] = tags
    return {**rule, "selection": selection}


class LifecyclePolicy(AwsResource):
    """aws.ecr.LifecyclePolicy: a change of the policy replaces it, and the old one goes first."""

    token = "aws:ecr/lifecyclePolicy:LifecyclePolicy"  # noqa: S105 - a type token
    service = "ECR"
    delete_before_replace = True
    fields: ClassVar[Fields] = {
        "policy": text(
            required=True, replace=True, rule=json_document, canonical=same_lifecycle, recorded=compact_json
        ),
        "repository": text(required=True, replace=True),
        "registryId": given(),
        **REGION,
    }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        name = inputs["repository"]
        with self.failing(f"creating ECR Lifecycle Policy ({name})"):
            self.api(inputs).put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=inputs["policy"])
        return name, {}

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        missing = (*_MISSING, "LifecyclePolicyNotFoundException")
        api = self.api(known)
        with self.failing(f"reading ECR Lifecycle Policy ({resource_id})", missing) as call:
            found = api.get_lifecycle_policy(repositoryName=resource_id)
        if call.absent:
            return None
        return {
            "policy": found["lifecyclePolicyText"],
            "registryId": found["registryId"],
            "repository": found["repositoryName"],
            "region": known.get("region", self.session.region),
        }

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        """Finish a partly made one; every difference replaces."""
        with self.failing(f"updating ECR Lifecycle Policy ({resource_id})"):
            self.api(state).put_lifecycle_policy(
                repositoryName=inputs["repository"], lifecyclePolicyText=inputs["policy"]
            )

    def delete(self, resource_id: str, state: Properties) -> None:
        missing = (*_MISSING, "LifecyclePolicyNotFoundException")
        with self.failing(f"deleting ECR Lifecycle Policy ({resource_id})", missing):
            self.api(state).delete_lifecycle_policy(repositoryName=resource_id)


class RepositoryPolicy(AwsResource):
    """aws.ecr.RepositoryPolicy."""

    token = "aws:ecr/repositoryPolicy:RepositoryPolicy"  # noqa: S105 - a type token
    service = "ECR"
    fields: ClassVar[Fields] = {
        "policy": text(required=True, rule=json_document, canonical=same_policy, recorded=compact_json),
        "repository": text(required=True, replace=True),
        "registryId": given(),
        **REGION,
    }

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        self._put(inputs, "creating")
        return inputs["repository"], {}

    def _put(self, inputs: Properties, doing: str) -> None:
        name = inputs["repository"]
        with self.failing(f"{doing} ECR Repository Policy ({name})"):
            self.api(inputs).set_repository_policy(repositoryName=name, policyText=inputs["policy"])

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        missing = (*_MISSING, "RepositoryPolicyNotFoundException")
        api = self.api(known)
        with self.failing(f"reading ECR Repository Policy ({resource_id})", missing) as call:
            found = api.get_repository_policy(repositoryName=resource_id)
        if call.absent:
            return None
        return {
            "policy": found["policyText"],
            "registryId": found["registryId"],
            "repository": found["repositoryName"],
            "region": known.get("region", self.session.region),
        }

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        del resource_id, state
        self._put(inputs, "updating")

    def delete(self, resource_id: str, state: Properties) -> None:
        missing = (*_MISSING, "RepositoryPolicyNotFoundException")
        with self.failing(f"deleting ECR Repository Policy ({resource_id})", missing):
            self.api(state).delete_repository_policy(repositoryName=resource_id)
