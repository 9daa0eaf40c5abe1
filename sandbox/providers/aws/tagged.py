"""What aws types share: the region input, default tags, and tags of a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.providers.aws.session import AwsSession, failing
from sandbox.providers.base import Declared, Naming
from sandbox.providers.protocol import UNKNOWN, has_unknown
from sandbox.providers.schema import Failure, Fields, compact_json, mapping, text

if TYPE_CHECKING:
    from sandbox.providers.protocol import Properties

TAGS: Fields = {"tags": mapping(), "tagsAll": mapping(output=True, derived=True)}
REGION: Fields = {"region": text(computed=True, replace=True)}


class AwsResource(Declared[AwsSession]):
    """A type of the aws plugin; regional or tagged if its fields say so."""

    service: ClassVar[str]
    """The service as its errors name it, such as ECR."""

    def failing(self, doing: str, missing: tuple[str, ...] = ()) -> failing:
        """Turn errors of this type's service into the plugin's messages."""
        return failing(self.service, doing, missing)

    def check(self, inputs: Properties, old: Properties, naming: Naming) -> tuple[Properties, list[Failure]]:
        """As the real plugin, write region and all tags among the inputs; default tags are in tagsAll alone."""
        checked, failures = super().check(inputs, old, naming)
        if failures:
            return checked, failures
        if "region" in self.fields and checked.get("region") is None:
            checked["region"] = self.session.region
        if "tagsAll" in self.fields:
            own = checked.get("tags") or {}
            checked["tagsAll"] = UNKNOWN if has_unknown(own) else {**self.session.default_tags, **own}
        return checked, failures

    def complete(self, inputs: Properties) -> Properties:
        """Documents are sent as they are recorded."""
        documents = {name for name, each in self.fields.items() if each.recorded is compact_json}
        return {name: compact_json(value) if name in documents else value for name, value in inputs.items()}

    def tags(self, found: dict[str, str], known: Properties) -> Properties:
        """Outputs for the tags of the service: a default tag is none of the resource's, unless its program says so."""
        own = known.get("tags") or {}
        defaults = self.session.default_tags
        of_program = {key: value for key, value in found.items() if key in own or defaults.get(key) != value}
        return {"tags": of_program, "tagsAll": found}

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
    old, new = state.get("tagsAll") or {}, inputs.get("tagsAll") or {}
    removed = sorted(set(old) - set(new))
    return removed, as_list({key: value for key, value in new.items() if old.get(key) != value})
