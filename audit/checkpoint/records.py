"""The fields of a checkpoint's records, and what each may hold; a field that is not here is not known.

Source: sdk/go/common/apitype/core.go of engine 3.274 (DeploymentV3, ResourceV3, OperationV2, ManifestV1).
"""

from collections.abc import Mapping
from typing import Any

TEXTS = "a list of texts"
FIELDS: dict[str, Any] = {
    "urn": str,
    "custom": bool,
    "delete": bool,
    "id": str,
    "type": str,
    "inputs": dict,
    "outputs": dict,
    "parent": str,
    "protect": bool,
    "taint": bool,
    "external": bool,
    "dependencies": TEXTS,
    "initErrors": TEXTS,
    "provider": str,
    "propertyDependencies": dict,
    "pendingReplacement": bool,
    "additionalSecretOutputs": TEXTS,
    "aliases": TEXTS,
    "customTimeouts": dict,
    "importID": str,
    "retainOnDelete": bool,
    "deletedWith": str,
    "replaceWith": TEXTS,
    "created": str,
    "modified": str,
    "sourcePosition": str,
    "stackTrace": list,
    "ignoreChanges": TEXTS,
    "hideDiff": list,
    "replaceOnChanges": TEXTS,
    "replacementTrigger": object,
    "refreshBeforeUpdate": bool,
    "viewOf": str,
    "resourceHooks": dict,
    "extensionRef": str,
    "snippetID": str,
}
CODE = {"resourceHooks": "runs a hook", "extensionRef": "extends a plugin", "snippetID": "is made by a snippet"}
"""Fields by which a record has something run."""
OPTIONS = {
    "aliases": "stands for other names too",
    "customTimeouts": "waits for another time",
    "external": "is only read",
    "hideDiff": "hides differences",
    "replaceOnChanges": "is replaced on a change",
    "replaceWith": "is replaced along with others",
    "replacementTrigger": "is replaced when something else changes",
    "retainOnDelete": "stays when it is deleted",
    "taint": "is to be replaced",
    "viewOf": "is a view of another record",
}
"""Fields that change what an update does, each with what it says; an entry of --expect can have them in `options`."""
INTERRUPTED = {
    "delete": "waits for its deletion",
    "pendingReplacement": "waits for its replacement",
    "initErrors": "was not finished",
}
"""What an interrupted update leaves behind."""
DEPLOYMENT = ("manifest", "secrets_providers", "resources", "pending_operations", "metadata", "snippets", "extensions")
MANIFEST = ("time", "magic", "version", "plugins")
FEATURES = ("refreshBeforeUpdate",)
"""Features that a checkpoint may need: the others are for fields that are a finding by themselves."""


def wrong_field(raw: Mapping[str, Any]) -> str:
    """What is wrong with the form of a record's fields, as a sentence's end; empty for nothing."""
    for name, value in raw.items():
        if name not in FIELDS:
            return f"has the field '{name[:60]}', which this tool does not know"
        kind = FIELDS[name]
        if value is None or kind is object:
            continue
        if kind is TEXTS:
            if not is_texts(value):
                return f"has '{name}' in another form than {TEXTS}"
        elif not isinstance(value, kind):
            return f"has '{name}' in another form than the engine writes"
    dependencies = raw.get("propertyDependencies") or {}
    if not all(value is None or is_texts(value) for value in dependencies.values()):
        return "has 'propertyDependencies' in another form than the engine writes"
    return next((f"has no {name}" for name in ("urn", "type") if not raw.get(name)), "")


def is_texts(value: Any) -> bool:
    """Whether it is a list of texts."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
