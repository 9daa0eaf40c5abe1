"""Follows a rotated credential: this key is replaced, therefore these variables, therefore these pipelines.

No value is visible in a preview, so the chain is followed by dependencies. Two forms are known: one resource that is
replaced, and numbered resources (`access-key-1`, `access-key-2`, ...) of which a new one is created before an old
one is deleted.
"""

import re
from collections.abc import Iterator
from typing import Any

from audit.classify.access import CREDENTIALS, Known
from audit.model import Finding, Plan, Step, is_hidden, is_unknown

NUMBERED = re.compile(r"(.*?)-?(\d+)")
AUTHORIZATIONS = ("azuredevops:index:PipelineAuthorization", "azuredevops:index:ResourceAuthorization")


def judge(plan: Plan, known: Known) -> Iterator[Finding]:
    """One finding for each credential that is rotated by this plan."""
    credentials = [step for step in plan.steps if step.kind in CREDENTIALS]
    for step in credentials:
        if step.replaces:
            yield _rotated(plan, known, step, [step], f"{_subject(step)} is replaced by a new one")
        elif step.creates:
            older = [other for other in _siblings(step, credentials) if other.deletes]
            if older:
                names = ", ".join(f"'{other.name}'" for other in older)
                yield _rotated(
                    plan, known, step, [step, *older], f"{_subject(step)} takes the place of {names}, which is deleted"
                )
            elif _consumers(plan, [step], known, updates_only=True):
                yield _rotated(
                    plan,
                    known,
                    step,
                    [step],
                    f"{_subject(step)} comes into use in place of another, which stays for now",
                )


def _subject(step: Step) -> str:
    return f"{step.kind.rsplit(':', 1)[-1]} '{step.name}'"


def _siblings(step: Step, credentials: list[Step]) -> list[Step]:
    """Credentials of the same type, parent and stem of name, with another number."""
    match = NUMBERED.fullmatch(step.name)
    if match is None:
        return []
    stem = step.urn.removesuffix(step.name) + match.group(1)
    found = []
    for other in credentials:
        other_match = NUMBERED.fullmatch(other.name)
        if other is not step and other_match and other.urn.removesuffix(other.name) + other_match.group(1) == stem:
            found.append(other)
    return found


def _rotated(plan: Plan, known: Known, step: Step, keys: list[Step], reason: str) -> Finding:
    finding = Finding("rotation", step.urn, f"{reason}.")
    for key in keys:
        finding.follows.append({"what": "credential", "urn": key.urn, "name": key.name})
    consumers = _consumers(plan, keys, known, updates_only=False)
    for consumer in consumers:
        if consumer.kind == "azuredevops:index:VariableGroup":
            for name in _variables(consumer):
                finding.follows.append({"what": "variable", "urn": consumer.urn, "name": name})
            finding.follows.extend(_pipelines(consumer, known))
        else:
            finding.follows.append({"what": "resource", "urn": consumer.urn, "name": consumer.name})
    if not consumers:
        finding.details.append("The preview shows nothing that takes its value from this credential.")
        finding.proved = False
    if any(item["what"] == "pipeline-unknown" for item in finding.follows):
        finding.proved = False
    finding.details.extend(_sentence(item) for item in finding.follows)
    return finding


def _sentence(item: dict[str, str]) -> str:
    text = {
        "credential": "Credential {name} changes.",
        "variable": "Therefore variable {name} changes.",
        "resource": "Therefore {name} changes.",
        "pipeline": "Therefore {name} gets the new value.",
        "pipeline-unknown": "Which pipelines use it is not part of this preview ({name}).",
    }[item["what"]]
    return text.format(name=item["name"])


def _consumers(plan: Plan, keys: list[Step], known: Known, *, updates_only: bool) -> list[Step]:
    """Steps that change and depend on one of the keys; from an event log, which has no dependencies, variable groups
    that change."""
    urns = {key.urn for key in keys}
    found = []
    for step in plan.steps:
        if step.urn in urns or step.component or step.new is None or (updates_only and step.op != "update"):
            continue
        if urns & set(_dependencies(step)):
            found.append(step)
    if not found and plan.source == "events":
        found = [
            step
            for step in plan.steps
            if step.kind == "azuredevops:index:VariableGroup"
            and step.new is not None
            and (step.op == "update" or not updates_only)
        ]
    del known
    return found


def _dependencies(step: Step) -> Iterator[str]:
    for state in (step.new, step.old):
        if state is not None:
            yield from state.dependencies
            for urns in state.property_dependencies.values():
                yield from urns


def _variables(step: Step) -> list[str]:
    """Names of the variables that can have changed: masked, unknown or different. The whole list where it is masked."""
    new = step.new.inputs.get("variables") if step.new else None
    old = step.old.inputs.get("variables") if step.old else None
    after, before = _named(new), _named(old)
    if not after:
        return list(before) or [f"(variables of '{step.name}')"]
    changed = [name for name, value in after.items() if _may_differ(value, before.get(name))]
    return changed or [f"(variables of '{step.name}')"]


def _named(value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, list):
        return {}
    return {str(item.get("name")): item for item in value if isinstance(item, dict)}


def _may_differ(new: dict[str, Any], old: dict[str, Any] | None) -> bool:
    values = [item for key, item in new.items() if key in ("value", "secretValue")]
    return new != old or any(is_hidden(item) or is_unknown(item) for item in values)


def _pipelines(group: Step, known: Known) -> list[dict[str, str]]:
    """The pipelines that may use a variable group, as far as the preview shows them."""
    state = group.new or group.old
    if state is not None and state.inputs.get("allowAccess") is True:
        return [{"what": "pipeline", "urn": group.urn, "name": "every pipeline of the project"}]
    found = []
    for step in known.values():
        if step.kind not in AUTHORIZATIONS or step.deletes:
            continue
        side = step.new or step.old
        if side is None or not _authorizes(side, group):
            continue
        pipeline = side.inputs.get("pipelineId") or side.inputs.get("definitionId")
        name = f"pipeline {_pipeline_name(step, pipeline, known)}" if pipeline else "every pipeline of the project"
        found.append({"what": "pipeline", "urn": step.urn, "name": name})
    if not found:
        hint = "use `pulumi preview --json --show-sames` to see authorisations that do not change"
        found.append({"what": "pipeline-unknown", "urn": group.urn, "name": hint})
    return found


def _authorizes(side: Any, group: Step) -> bool:
    if group.urn in side.property_dependencies.get("resourceId", ()):
        return True
    resource = side.inputs.get("resourceId")
    ids = {state.id for state in (group.old, group.new) if state is not None and state.id}
    return isinstance(resource, str) and resource in ids


def _pipeline_name(step: Step, pipeline: Any, known: Known) -> str:
    side = step.new or step.old
    urns = side.property_dependencies.get("pipelineId", ()) if side is not None else ()
    names = [known[urn].name for urn in urns if urn in known] or [urn.rsplit("::", 1)[-1] for urn in urns]
    if names:
        return f"'{names[0]}'"
    return "(known after apply)" if is_unknown(pipeline) else str(pipeline)
