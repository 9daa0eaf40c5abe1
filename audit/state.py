"""Reads the state of a stack: a `pulumi stack export`, a checkpoint of a file or s3 backend, or a bare deployment.

Sources: sdk/go/common/apitype/core.go (UntypedDeployment, DeploymentV3, ResourceV3, SecretV1) and
sdk/go/common/apitype/history.go (CheckpointV3). A secret is masked as the engine does it, unless the export was made
with --show-secrets: then its value is known to the audit, so that it can be compared, and to the redactor, so that it
is never written.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.errors import AuditError
from audit.model import ENGINE_SECRET, SECRET_ENVELOPE, SECRET_SIGNATURE, kind_of

MAX_BYTES = 1 << 30
NEEDED = "`pulumi stack export --file FILE`, or the backend's own file of the stack, is needed"


@dataclass(slots=True)
class Resource:
    """One resource of the state. `modified` is when the engine last changed its record, as RFC 3339, or empty."""

    urn: str
    type: str
    id: str = ""
    custom: bool = True
    external: bool = False
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    created: str = ""
    modified: str = ""
    pending_delete: bool = False

    @property
    def kind(self) -> str:
        """The type without its file part: `aws:iam:User`."""
        return kind_of(self.type)

    @property
    def name(self) -> str:
        """The logical name: the last part of the URN."""
        return self.urn.split("::", 3)[-1]

    def get(self, name: str) -> Any:
        """The property as recorded, else as declared, else None."""
        return self.outputs[name] if name in self.outputs else self.inputs.get(name)


@dataclass(slots=True)
class StackState:
    """All resources that a stack records."""

    stack: str
    project: str
    resources: list[Resource]
    pending_operations: int = 0
    interrupted: list[Resource] = field(default_factory=list)
    """What an update was making when it was interrupted; whether it was made is not recorded."""
    time: str = ""

    def of(self, *kinds: str) -> Iterator[Resource]:
        """The resources of these kinds that the stack manages: no components, no read ones, none that waits for its
        deletion."""
        for resource in self.resources:
            if resource.kind in kinds and resource.custom and not resource.external and not resource.pending_delete:
                yield resource


def load(path: str, max_bytes: int | None = None) -> tuple[StackState, Any]:
    """The state in the file at `path` (`-`: standard input), and the raw document for the redactor to learn from.

    Raises AuditError for what cannot be read, is truncated, or is no state.
    """
    name, limit = ("standard input", MAX_BYTES) if path == "-" else (path, MAX_BYTES)
    limit = max_bytes or limit
    try:
        if path == "-":
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with Path(path).open("rb") as stream:
                data = stream.read(limit + 1)
    except OSError as error:
        raise AuditError(f"{name}: cannot be read: {error.strerror or type(error).__name__}") from None
    if len(data) > limit:
        raise AuditError(f"{name}: is larger than {limit:,} bytes (--max-bytes)")
    document = parse(data, name)
    return read(document, name), document


def parse(data: bytes, name: str) -> dict[str, Any]:
    """The JSON object in the bytes. Raises AuditError, with nothing of the text in it: that may hold a secret."""
    if not data.strip():
        raise AuditError(f"{name}: is empty; {NEEDED}")
    try:
        document = json.loads(data)
    except json.JSONDecodeError as error:
        raise AuditError(
            f"{name}: is truncated or no JSON ({error.msg} in line {error.lineno}); make it again"
        ) from None
    except (ValueError, RecursionError):
        raise AuditError(f"{name}: is no JSON that a state could be; make it again") from None
    if not isinstance(document, dict):
        raise AuditError(f"{name}: is no state of a stack; {NEEDED}")
    return document


def deployment_of(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The deployment in an export or a checkpoint; an empty one for a stack without resources. Raises AuditError."""
    version = document.get("version")
    if version is not None and version not in (3, 4):
        raise AuditError(f"{name}: is a state of version {version!r}; this tool reads 3 and 4: use a newer one")
    if isinstance(document.get("checkpoint"), dict):
        latest = document["checkpoint"].get("latest")
        return latest if isinstance(latest, dict) else {}
    if "deployment" in document:
        deployment = document["deployment"]
        return deployment if isinstance(deployment, dict) else {}
    if "manifest" in document and "resources" in document:
        return document
    if "latest" in document:
        latest = document["latest"]
        return latest if isinstance(latest, dict) else {}
    if "steps" in document or "changeSummary" in document:
        raise AuditError(f"{name}: is a preview, not a state; {NEEDED}")
    raise AuditError(f"{name}: is no state of a stack; {NEEDED}")


def read(document: Mapping[str, Any], name: str) -> StackState:
    """The state in a decoded document. Raises AuditError."""
    deployment = deployment_of(document, name)
    raw = raw_resources(deployment, name)
    resources = [_resource(item) for item in raw]
    stack, project = stack_of(resources[0].urn) if resources else ("", "")
    manifest = deployment.get("manifest")
    return StackState(
        stack=stack,
        project=project,
        resources=resources,
        pending_operations=len(deployment.get("pending_operations") or []),
        interrupted=[_resource(item) for item in _creating(deployment, name)],
        time=str(manifest.get("time") or "") if isinstance(manifest, dict) else "",
    )


def _creating(deployment: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The resources of the pending operations that were creating one. Raises AuditError."""
    pending = deployment.get("pending_operations") or []
    if not isinstance(pending, list) or not all(isinstance(item, dict) for item in pending):
        raise AuditError(f"{name}: its pending operations are of a wrong form, so it is no state of a stack")
    found = [item.get("resource") for item in pending if item.get("type") == "creating"]
    return raw_resources({"resources": found}, name)


PARTS: dict[str, type | tuple[type, ...]] = {
    "inputs": dict,
    "outputs": dict,
    "propertyDependencies": dict,
    "dependencies": list,
    "additionalSecretOutputs": list,
}


def raw_resources(deployment: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The resources of a deployment as they are written. Raises AuditError for what is no resource."""
    raw = deployment.get("resources") or []
    if not isinstance(raw, list) or not all(
        isinstance(item, dict) and isinstance(item.get("urn"), str) and isinstance(item.get("type"), str)
        for item in raw
    ):
        raise AuditError(f"{name}: has a resource without URN or type, so it is no state of a stack; make it again")
    for item in raw:
        for part, kind in PARTS.items():
            if item.get(part) is not None and not isinstance(item[part], kind):
                raise AuditError(f"{name}: a resource's {part} are of a wrong form, so it is no state of a stack")
    return raw


def stack_of(urn: str) -> tuple[str, str]:
    """Stack and project of a URN (`urn:pulumi:STACK::PROJECT::...`)."""
    parts = urn.split("::")
    return (parts[0].removeprefix("urn:pulumi:"), parts[1]) if len(parts) >= 4 else ("", "")


def _resource(item: Mapping[str, Any]) -> Resource:
    return Resource(
        urn=item["urn"],
        type=item["type"],
        id=item["id"] if isinstance(item.get("id"), str) else "",
        custom=item.get("custom") is True,
        external=item.get("external") is True,
        inputs=_unsealed(item.get("inputs") or {}),
        outputs=_unsealed(item.get("outputs") or {}),
        dependencies=tuple(urn for urn in item.get("dependencies") or () if isinstance(urn, str)),
        created=str(item.get("created") or ""),
        modified=str(item.get("modified") or ""),
        pending_delete=item.get("delete") is True,
    )


def _unsealed(value: Any) -> Any:
    """The value with every secret envelope as its plain value where the export shows it, else as the engine's mask."""
    if isinstance(value, dict):
        if value.get(SECRET_ENVELOPE) == SECRET_SIGNATURE:
            return _secret(value)
        return {name: _unsealed(item) for name, item in value.items() if not str(name).startswith("__")}
    if isinstance(value, list):
        return [_unsealed(item) for item in value]
    return value


def _secret(envelope: Mapping[str, Any]) -> Any:
    plaintext = envelope.get("plaintext")
    if not isinstance(plaintext, str):
        return ENGINE_SECRET
    try:
        return _unsealed(json.loads(plaintext))
    except ValueError:
        return plaintext


def secrets_in(value: Any) -> Iterator[str]:
    """Every text that stands in a secret envelope in clear, for the redactor: a list of variables as its values, so
    that names and other plain texts are not taken for secrets where the list says which of them are."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, dict):
            if item.get(SECRET_ENVELOPE) != SECRET_SIGNATURE:
                todo.extend(item.values())
                continue
            inner = _secret(item)
            if isinstance(inner, str) and inner != ENGINE_SECRET:
                yield inner
            elif isinstance(inner, (dict, list)):
                yield from _marked(inner)


def _marked(value: Any) -> Iterator[str]:
    """Texts of a decoded secret: all of them, but of variables (name with value) only the secret values."""
    if isinstance(value, list):
        for item in value:
            yield from _marked(item)
    elif isinstance(value, dict):
        if "name" in value and ("value" in value or "secretValue" in value):
            texts = [value.get("secretValue"), value.get("value") if value.get("isSecret") is True else None]
            yield from (text for text in texts if isinstance(text, str) and text)
            return
        for item in value.values():
            yield from _marked(item)
    elif isinstance(value, str) and value:
        yield value
