"""Follows a rotated credential: this key is replaced, therefore these variables, therefore these pipelines.

No value is visible in a preview, so the chain is followed by dependencies. Two forms are known: one resource that is
replaced, and numbered resources (`access-key-1`, `access-key-2`, ...) of which a new one is created before an old
one is deleted.
"""

import re
from collections.abc import Iterator
from typing import Any

from audit.model import Finding, Plan, Step, is_hidden, is_unknown
from audit.plan.classify.access import CREDENTIALS
from audit.plan.classify.known import Known

_PLACE = re.compile(r"variables\[\d+\]")


def judge(plan: Plan, known: Known) -> Iterator[Finding]:
    """One finding for each credential that is rotated by this plan."""
    credentials = [step for step in plan.steps if step.kind in CREDENTIALS]
    if not credentials:
        return
    consumers = _Consumers(plan)
    families: dict[str, list[Step]] = {}
    for step in credentials:
        families.setdefault(_stem(step), []).append(step)
    for step in credentials:
        if step.replaces:
            yield _rotated(known, consumers, step, [step], f"{_subject(step)} is replaced by a new one")
        elif step.creates:
            older = [other for other in families[_stem(step)] if other.deletes]
            if older:
                names = ", ".join(f"'{other.name}'" for other in older)
                reason = f"{_subject(step)} takes the place of {names}, which is deleted"
                yield _rotated(known, consumers, step, [step, *older], reason)
            elif any(consumer.op == "update" for consumer in consumers.of([step])):
                reason = f"{_subject(step)} comes into use in place of another, which stays for now"
                yield _rotated(known, consumers, step, [step], reason)


def _subject(step: Step) -> str:
    return f"{step.kind.rsplit(':', 1)[-1]} '{step.name}'"


def _stem(step: Step) -> str:
    """The URN without the number at its end: the same for `access-key-1` and `access-key-2`."""
    return re.sub(r"-?\d+$", "", step.urn)


class _Consumers:
    """Steps that change and take something from a credential, found by dependency. An event log has no dependencies:
    there, any variable group that is updated can be one."""

    def __init__(self, plan: Plan) -> None:
        self.by_dependency: dict[str, dict[str, Step]] = {}
        self.fallback: list[Step] = []
        for step in plan.steps:
            if step.component or step.new is None:
                continue
            for urn in _dependencies(step):
                self.by_dependency.setdefault(urn, {})[step.urn] = step
            if plan.source == "events" and step.kind == "azuredevops:index:VariableGroup" and step.op == "update":
                self.fallback.append(step)

    def of(self, keys: list[Step]) -> list[Step]:
        """The consumers of any of the keys, in the order of the plan."""
        own = {key.urn for key in keys}
        found = {
            urn: step for key in keys for urn, step in self.by_dependency.get(key.urn, {}).items() if urn not in own
        }
        return list(found.values()) or self.fallback


def _rotated(known: Known, consumers: _Consumers, step: Step, keys: list[Step], reason: str) -> Finding:
    finding = Finding("rotation", step.urn, f"{reason}.")
    for key in keys:
        finding.follows.append({"what": "credential", "urn": key.urn, "name": key.name})
        verb = "is deleted" if key.deletes else "is replaced" if key.replaces else "is new"
        finding.details.append(f"Credential {key.name} {verb}.")
    found = consumers.of(keys)
    for consumer in found:
        if consumer.kind == "azuredevops:index:VariableGroup":
            for name in _variables(consumer):
                finding.follows.append({"what": "variable", "urn": consumer.urn, "name": name})
            finding.follows.extend(_pipelines(consumer, known))
        else:
            finding.follows.append({"what": "resource", "urn": consumer.urn, "name": consumer.name})
    if not found:
        finding.details.append("The preview shows nothing that takes its value from this credential.")
        finding.proved = False
    if any(item["what"] == "pipeline-unknown" for item in finding.follows):
        finding.proved = False
    finding.details.extend(_sentence(item) for item in finding.follows if item["what"] != "credential")
    return finding


def _sentence(item: dict[str, str]) -> str:
    text = {
        "variable": "Therefore variable {name} changes.",
        "resource": "Therefore {name} changes.",
        "pipeline": "Therefore {name} gets the new value.",
        "pipeline-unknown": "Which pipelines use it is not part of this preview ({name}).",
    }[item["what"]]
    return text.format(name=item["name"])


def _dependencies(step: Step) -> Iterator[str]:
    for state in (step.new, step.old):
        if state is not None:
            yield from state.dependencies
            for urns in state.property_dependencies.values():
                yield from urns


def _variables(step: Step) -> list[str]:
    """Names of the variables that can have changed: masked, unknown or different; places where the list is masked."""
    new = step.new.inputs.get("variables") if step.new else None
    old = step.old.inputs.get("variables") if step.old else None
    after, before = _named(new), _named(old)
    if not after:
        places = [match.group() for path in step.detailed_diff if (match := _PLACE.match(path))]
        return list(before) or list(dict.fromkeys(places)) or [f"(variables of '{step.name}')"]
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
    for step in known.authorizations(group):
        side = step.new or step.old
        if side is None:
            continue
        pipeline = side.inputs.get("pipelineId") or side.inputs.get("definitionId")
        name = f"pipeline {_pipeline_name(step, pipeline)}" if pipeline else "every pipeline of the project"
        found.append({"what": "pipeline", "urn": step.urn, "name": name})
    if not found:
        hint = "use `pulumi preview --json --show-sames` to see authorisations that do not change"
        if known.shows_unchanged:
            hint = "the stack declares no authorisation: see the group's pipeline permissions in the project"
        found.append({"what": "pipeline-unknown", "urn": group.urn, "name": hint})
    return found


def _pipeline_name(step: Step, pipeline: Any) -> str:
    side = step.new or step.old
    urns = side.property_dependencies.get("pipelineId", ()) if side is not None else ()
    if urns:
        return f"'{urns[0].rsplit('::', 1)[-1]}'"
    return "(known after apply)" if is_unknown(pipeline) else str(pipeline)
