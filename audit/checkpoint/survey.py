"""Holds a checkpoint against what its program may contain. It evaluates nothing: no engine, no plugin, no cloud."""

from collections.abc import Mapping
from typing import Any

from audit.checkpoint import records
from audit.checkpoint.document import Checkpoint
from audit.checkpoint.expected import Expected
from audit.checkpoint.providers import secrets_provider
from audit.checkpoint.resources import Judge, judge_record, parsed, subject
from audit.report.catalogue import STATE
from audit.report.model import Report, Status, Table, TableRow

COLUMNS = ("Type", "Name", "Id")


def survey(checkpoint: Checkpoint, expected: Expected, part: str, secrets: str) -> Report:
    """The report; nothing in it is redacted yet. `secrets`: the secrets provider that is expected instead of the one
    in the stack's settings file; empty for that."""
    judge = Judge(expected, part)
    settings = expected.settings
    # ORGANIZATION/PROJECT/STACK, or the stack alone in a backend without projects.
    if checkpoint.stack and checkpoint.stack.split("/")[-2:] not in (
        [settings.project, settings.stack],
        [settings.stack],
    ):
        said = f"The checkpoint says that it is of the stack '{checkpoint.stack[:200]}'."
        judge.find("state-foreign-resource", checkpoint.where, said)
    for name in checkpoint.others:
        judge.find("state-form", checkpoint.where, f"The checkpoint has '{name[:60]}', which this tool does not know.")
    deployment = checkpoint.deployment
    resources: list[Any] = []
    if isinstance(deployment, dict):
        resources = _deployment(judge, checkpoint, deployment, secrets)
    elif deployment is not None:
        judge.find("state-form", checkpoint.where, "The checkpoint's deployment is in another form than an object.")
    counts = {"resources": len(resources)}
    notes = [f"Read from {checkpoint.where}."]
    if not resources:
        notes.append("The stack has no resources.")
    status: Status = "differs" if any(row.status != "same" for row in judge.rows) else "same"
    return Report(
        catalogue=STATE,
        sides=("Expected", "Recorded"),
        command="state",
        project=settings.project,
        stack=settings.stack,
        tables=[Table("What is recorded", COLUMNS, judge.rows, checkpoint.where, status=status)] if resources else [],
        findings=judge.findings,
        counts=counts,
        notes=notes,
        data={
            "part": part,
            "resources": [
                {"type": row.cells[0], "name": row.cells[1], "id": row.cells[2], "status": row.status}
                for row in judge.rows
            ],
        },
    )


def _deployment(judge: Judge, checkpoint: Checkpoint, deployment: Mapping[str, Any], secrets: str) -> list[Any]:
    where = checkpoint.where
    for name in deployment:
        if name not in records.DEPLOYMENT:
            judge.find("state-form", where, f"The deployment has '{name[:60]}', which this tool does not know.")
    features = [] if checkpoint.features is None else checkpoint.features
    if not records.is_texts(features) or set(features) - set(records.FEATURES):
        judge.find("state-form", where, "The checkpoint needs features of an engine that this tool does not know.")
    for name, what in (("snippets", "code of its own"), ("extensions", "extensions of plugins")):
        if deployment.get(name):
            judge.find("state-foreign-code", where, f"The checkpoint has {what} ({name}), which the program has not.")
    if deployment.get("metadata") not in (None, {}):
        judge.find("state-form", where, "The checkpoint's metadata says more than that all is well.")
    _manifest(judge, where, deployment.get("manifest"))
    resources, pending = (
        [] if (value := deployment.get(name)) is None else value for name in ("resources", "pending_operations")
    )
    if not isinstance(resources, list) or not isinstance(pending, list):
        judge.find("state-form", where, "The checkpoint's resources or operations are in another form than lists.")
        return []
    for rule, reason in secrets_provider(deployment.get("secrets_providers"), judge.expected.settings, secrets):
        if resources or rule != "state-secrets-provider" or deployment.get("secrets_providers") is not None:
            judge.find(rule, where, reason)
    for raw in resources:
        _row(judge, raw)
    for operation in pending:
        _pending(judge, where, operation)
    return resources


def _manifest(judge: Judge, where: str, manifest: Any) -> None:
    if manifest is None:
        return
    if not isinstance(manifest, dict) or set(manifest) - set(records.MANIFEST):
        judge.find("state-form", where, "The checkpoint's manifest is in another form than the engine writes.")
        return
    plugins = [] if manifest.get("plugins") is None else manifest["plugins"]
    for plugin in plugins if isinstance(plugins, list) else [None]:
        name = plugin.get("name") if isinstance(plugin, dict) else None
        known = judge.expected.plugins.get(name) if isinstance(name, str) else None
        if plugin is None or known is None or plugin.get("version") not in known.versions:
            judge.find(
                "state-foreign-code", where, "The checkpoint's manifest lists a plugin that the program has not."
            )


def _row(judge: Judge, raw: Any) -> None:
    before = len(judge.findings)
    record = parsed(judge, raw)
    if record is not None:
        same = judge.known.get(record.urn)
        if same is not None and not (record.raw.get("delete") or same.raw.get("delete")):
            judge.find("state-relation", record.urn, f"{subject(record)} is recorded twice.")
        judge_record(judge, record)
        if same is None or same.raw.get("delete"):
            judge.known[record.urn] = record
    new = judge.findings[before:]
    bad = any(finding.risk != "state-interrupted" for finding in new)
    if isinstance(raw, dict):
        shown = [str(raw.get(name) or "") for name in ("type", "urn", "id")]
        shown[1] = shown[1].rpartition("::")[2]
        judge.rows.append(TableRow([*shown], "differs" if bad else "same"))


def _pending(judge: Judge, where: str, operation: Any) -> None:
    """An operation that an interrupted update left: its resource has to be the program's as any other."""
    if not isinstance(operation, dict) or set(operation) - {"resource", "type"}:
        judge.find("state-form", where, "A pending operation is in another form than the engine writes.")
        return
    record = parsed(judge, operation.get("resource"))
    kind = operation.get("type")
    if kind not in ("creating", "updating", "deleting", "reading", "importing"):
        judge.find("state-form", where, "A pending operation is of a kind that this tool does not know.")
    if record is not None:
        record.pending = True
        judge_record(judge, record)
        judge.find("state-interrupted", record.urn, f"{subject(record)}: an update was interrupted while {kind} it.")
