"""What aws types share: the region input, default tags, and tags of a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.providers.aws.session import AwsSession, failing
from sandbox.providers.base import Declared, Naming
from sandbox.providers.schema import Failure, Fields, mapping, text

if TYPE_CHECKING:
    from sandbox.providers.protocol import Properties

TAGS: Fields = {"tags": mapping(), "tagsAll": mapping(output=True)}
REGION: Fields = {"region": text(computed=True, replace=True)}


class AwsResource(Declared[AwsSession]):
    """A type of the aws plugin; regional or tagged if its fields say so."""

    service: ClassVar[str]
    """The service as its errors name it, such as ECR."""

    def failing(self, doing: str, missing: tuple[str, ...] = ()) -> failing:
        """Turn errors of this type's service into the plugin's messages."""
        return failing(self.service, doing, missing)

    def check(self, inputs: Properties, old: Properties, naming: Naming) -> tuple[Properties, list[Failure]]:
        defaults = self.session.default_tags
        if "tags" in self.fields and defaults and isinstance(inputs.get("tags", {}), dict):
            inputs = {**inputs, "tags": {**defaults, **inputs.get("tags", {})}}
        return super().check(inputs, old, naming)

    def complete(self, inputs: Properties) -> Properties:
        if "region" in self.fields and inputs.get("region") is None:
            return {**inputs, "region": self.session.region}
        return inputs

    def derive(self, inputs: Properties) -> Properties:
        return {"tagsAll": inputs.get("tags", {})} if "tagsAll" in self.fields else {}

    def api(self, known: Properties | None = None) -> Any:
        """Return the client for this resource: of its own region, where it has one."""
        return self.session.client(self.service.lower(), (known or {}).get("region"))


def as_list(tags: dict[str, str] | None) -> list[dict[str, str]]:
    """Turn tags into the APIs' list."""
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def as_map(tags: list[dict[str, str]]) -> dict[str, str]:
    """Turn the APIs' list of tags into a map."""
    return {each["Key"]: each["Value"] for each in tags}


def tag_changes(state: Properties, inputs: Properties) -> tuple[list[str], list[dict[str, str]]]:
    """Say which keys of tags to remove and which tags to set."""
    old, new = state.get("tags") or {}, inputs.get("tags") or {}
    removed = sorted(set(old) - set(new))
    return removed, as_list({key: value for key, value in new.items() if old.get(key) != value})
