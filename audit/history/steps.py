"""What an update did: the state before and after it, resource by resource, judged as a plan is."""

from collections.abc import Iterator, Mapping
from typing import Any

from audit.model import (
    ENGINE_SECRET,
    NO_SECRETS,
    SECRET_ENVELOPE,
    SECRET_SIGNATURE,
    Finding,
    Plan,
    State,
    Step,
    without,
)
from audit.plan.classify import judge
from audit.plan.preview import KEPT
from audit.secrets.redact import Redactor
from audit.state import raw_resources, secrets_in

Resources = dict[str, dict[str, Any]]
"""Raw resources of a deployment, by URN."""

OPTIONS = ("protect", "retainOnDelete")


def resources_of(deployment: Mapping[str, Any], name: str) -> Resources:
    """The resources of a deployment that are something in a cloud, or the provider of such: no components, none that
    waits for its deletion. `name` is how errors call its file. Raises AuditError."""
    return {
        item["urn"]: item
        for item in raw_resources(deployment, name)
        if item.get("custom") is True and item.get("delete") is not True
    }


def plan(before: Resources, after: Resources, redactor: Redactor) -> tuple[Plan, list[Finding]]:
    """The steps from one state to the next and their findings, redacted."""
    steps = [*_steps(before, after)]
    result = Plan(source="digest", steps=steps)
    if not steps:
        return result, []
    for step in steps:
        for side in (before.get(step.urn), after.get(step.urn)):
            if side is not None:
                redactor.known.update(secrets_in(side))
        for state in (step.old, step.new):
            if state is not None:
                plain = NO_SECRETS.get(step.kind, ())
                redactor.visit([without(state.inputs, plain), without(state.outputs, plain)])
    changed = {step.urn for step in steps}
    for urn, raw in after.items():
        if urn not in changed and str(raw.get("type", "")).endswith(KEPT):
            result.unchanged.append(Step("same", urn, str(raw["type"]), _state(raw), _state(raw)))
    redactor.plan(result)
    return result, judge(result)


def _steps(before: Resources, after: Resources) -> Iterator[Step]:
    for urn, new in after.items():
        old = before.get(urn)
        if old is None:
            yield Step("import" if new.get("importID") else "create", urn, str(new.get("type")), None, _state(new))
            continue
        if old is new or old == new:
            continue
        replaced = old.get("id") != new.get("id")
        differing = _differing(old, new)
        if replaced or differing or _options_differ(old, new):
            op = "replace" if replaced else "update"
            yield Step(
                op, urn, str(new.get("type")), _state(old), _state(new), differing, differing if replaced else []
            )
    for urn, old in before.items():
        if urn not in after:
            yield Step("delete", urn, str(old.get("type")), _state(old), None)


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Names of the properties that differ. A secret that was only sealed anew (the engine does it when it
    writes a state) is no difference, unless the engine says that it changed the resource."""
    untouched = bool(old.get("modified")) and old.get("modified") == new.get("modified")
    names: dict[str, None] = {}
    for side in ("inputs", "outputs"):
        left, right = old.get(side) or {}, new.get(side) or {}
        for name in dict.fromkeys((*left, *right)):
            if name.startswith("__") or left.get(name) == right.get(name):
                continue
            if (untouched or side == "outputs") and _masked(left.get(name)) == _masked(right.get(name)):
                continue
            names[name] = None
    return list(names)


def _options_differ(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return any(bool(old.get(option)) != bool(new.get(option)) for option in OPTIONS)


def _masked(value: Any) -> Any:
    """The value with the engine's mask in place of every sealed secret. (A sealed text must not become one of the
    texts that the redactor looks for: there are new ones in every state.)"""
    if isinstance(value, dict):
        if value.get(SECRET_ENVELOPE) == SECRET_SIGNATURE:
            return ENGINE_SECRET
        return {name: _masked(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return value


def _state(raw: Mapping[str, Any]) -> State:
    return State(
        id=str(raw.get("id") or ""),
        custom=raw.get("custom") is True,
        inputs=_masked(raw.get("inputs") or {}),
        outputs=_masked(raw.get("outputs") or {}),
        protect=raw.get("protect") is True,
        retain_on_delete=raw.get("retainOnDelete") is True,
        parent=str(raw.get("parent") or ""),
        provider=str(raw.get("provider") or ""),
        source=str(raw.get("sourcePosition") or ""),
        dependencies=list(raw.get("dependencies") or ()),
        property_dependencies=dict(raw.get("propertyDependencies") or {}),
        secret_outputs=list(raw.get("additionalSecretOutputs") or ()),
    )
