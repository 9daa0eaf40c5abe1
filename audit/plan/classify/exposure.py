"""Risks of exposure: secrets in clear, and guards of a repository that are lowered."""

from collections.abc import Iterator, Mapping
from typing import Any

from audit.model import ENGINE_SECRET, REDACTED, Change, Finding, State, Step, is_hidden, is_unknown
from audit.plan.changes import differs, holds_hidden
from audit.plan.classify.loss import REPOSITORIES

STRENGTH = {None: 0, "": 0, "AES256": 1, "KMS": 2, "KMS_DSSE": 3, "aws:kms": 2, "aws:kms:dsse": 3}
ENCRYPTION = ("encryptionConfigurations", "encryptionConfiguration")


def judge(step: Step) -> Iterator[Finding]:
    """The findings of one step."""
    if step.new is None:
        return
    yield from _in_clear(step, step.new)
    if step.kind == "azuredevops:index:VariableGroup" and step.old is not None:
        yield from _variables(step, step.old.inputs.get("variables"), step.new.inputs.get("variables"))
    if step.kind in REPOSITORIES:
        yield from _tags(step, step.new)
        yield from _scan(step, step.new)
    elif step.kind == "aws:ecr:RegistryScanningConfiguration" and (step.changes or step.replaces):
        verb = "change" if step.old is not None else "are taken over by this stack"
        yield Finding(
            "exposure-scan-off", step.urn, f"The registry's scanning rules {verb} ('{step.name}').", proved=False
        )
    yield from _encryption(step, step.new)


def _in_clear(step: Step, new: State) -> Iterator[Finding]:
    if not step.redacted and not (step.old and (step.old.secret_outputs or any(map(_touches_secret, step.changes)))):
        return
    before = dict(_leaves("", step.old.inputs)) if step.old else {}
    after = dict(_leaves("", new.inputs))
    for path, value in after.items():
        old = before.get(path)
        if old == ENGINE_SECRET and not is_hidden(value) and not is_unknown(value):
            yield Finding(
                "exposure-secret-in-clear", step.urn, f"{path} of '{step.name}' was a secret and is none any more."
            )
        elif isinstance(value, str) and REDACTED in value:
            new_here = step.old is None or old != value
            reason = f"{path} of '{step.name}' holds a secret in clear"
            reason += "." if new_here else ", as it did before."
            yield Finding(
                "exposure-secret-in-clear",
                step.urn,
                reason,
                ["It is masked in this report; in the preview, and after an update in the state, it stands in clear."],
            )
    for path, value in after.items():
        of_group = step.kind == "azuredevops:index:VariableGroup"  # which has a rule of its own
        if not of_group and path.endswith(("isSecret", "secret")) and value is False and before.get(path) is True:
            yield Finding(
                "exposure-secret-in-clear",
                step.urn,
                f"{path.rpartition('.')[0] or path} of '{step.name}' stops being a secret.",
            )
    dropped = sorted(set(step.old.secret_outputs) - set(new.secret_outputs)) if step.old else []
    if dropped and new.secret_outputs is not None and step.old is not None and step.op != "refresh":
        yield Finding(
            "exposure-secret-in-clear", step.urn, f"Outputs of '{step.name}' stop being secret: {', '.join(dropped)}."
        )


def _touches_secret(change: Change) -> bool:
    return change.path.endswith(("isSecret", "secret")) or holds_hidden(change.old)


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Leaves by path. Entries of a list that have a name are addressed by it, so that a moved variable is compared
    with itself."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(f"{path}.{name}" if path else str(name), item)
        if not value:
            yield path, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            label = item.get("name", index) if isinstance(item, dict) else index
            yield from _leaves(f"{path}[{label}]", item)
    else:
        yield path, value


def _variables(step: Step, old: Any, new: Any) -> Iterator[Finding]:
    """Variables of a group that stop being secret. The engine masks the whole list where any value in it is secret:
    then only its detailed diff says what changes."""
    if isinstance(old, list) and isinstance(new, list):
        after = {str(item.get("name")): item for item in new if isinstance(item, dict)}
        for item in old:
            if not isinstance(item, dict) or not _is_secret(item):
                continue
            variable = after.get(str(item.get("name")))
            if variable is not None and not _is_secret(variable):
                yield Finding(
                    "exposure-secret-in-clear",
                    step.urn,
                    f"variables[{item.get('name')}] of '{step.name}' stops being a secret.",
                    proved=not is_unknown(variable.get("isSecret")),
                )
    elif is_hidden(old) and isinstance(new, list):
        yield Finding(
            "exposure-secret-in-clear",
            step.urn,
            f"The variables of '{step.name}' were masked and are not any more; that none of them stops being a "
            "secret cannot be proved.",
            proved=False,
        )
    else:
        places = [place for path in step.detailed_diff if (place := _unmasked(step.detailed_diff, path))]
        for place in dict.fromkeys(places):
            yield Finding(
                "exposure-secret-in-clear",
                step.urn,
                f"{place} of '{step.name}' changes whether it is a secret; the variables are masked, so that it stays "
                "one cannot be proved.",
                proved=False,
            )


def _is_secret(variable: dict[str, Any]) -> bool:
    return str(variable.get("isSecret")).lower() == "true" or variable.get("secretValue") not in (None, "")


def _unmasked(diff: Mapping[str, str], path: str) -> str:
    """The variable, where the engine's word for this path can mean that it stops being a secret; else nothing."""
    place, _, name = path.rpartition(".")
    if name == "secretValue" and diff[path].startswith("delete"):
        return place
    becomes = diff[path].startswith("add") or diff.get(f"{place}.secretValue", "").startswith("add")
    return place if name == "isSecret" and not becomes else ""


def _tags(step: Step, new: State) -> Iterator[Finding]:
    """Tags that can be moved: all, all but some, some, or none."""
    value = new.inputs.get("imageTagMutability")
    filters = new.inputs.get(FILTERS)
    if not all(map(_is_visible, (value, filters))):
        reason = f"Whether tags of '{step.name}' can be moved is not visible."
        yield Finding("exposure-mutable-tags", step.urn, reason, proved=False)
        return
    mode = value or "MUTABLE"
    excluded = _excluded(filters)
    old = (step.old.get("imageTagMutability") or "MUTABLE") if step.old else None
    before = _excluded(step.old.get(FILTERS)) if step.old else set()
    shown = [f"Excluded: {item}" for item in sorted(excluded)]
    if mode == "IMMUTABLE":
        return
    if mode == old == "IMMUTABLE_WITH_EXCLUSION" and excluded <= before:
        return
    if mode == old == "MUTABLE_WITH_EXCLUSION" and excluded >= before and before:
        return
    if mode == old == "MUTABLE" or (mode == "MUTABLE_WITH_EXCLUSION" and old == "MUTABLE"):
        return
    some = {"IMMUTABLE_WITH_EXCLUSION": "Some tags", "MUTABLE_WITH_EXCLUSION": "All tags but the excluded"}
    was = f" (they were {old} before)" if old and old != mode else ""
    reason = f"{some.get(str(mode), 'Tags')} of '{step.name}' can be moved{was}."
    yield Finding("exposure-mutable-tags", step.urn, reason, shown)


FILTERS = "imageTagMutabilityExclusionFilters"


def _is_visible(value: Any) -> bool:
    return not (is_unknown(value) or is_hidden(value))


def _excluded(filters: Any) -> set[str]:
    items = filters if isinstance(filters, list) else []
    names = ("filter", "imageTagMutabilityExclusionFilterValue")
    return {
        str(next((item[name] for name in names if name in item), item) if isinstance(item, dict) else item)
        for item in items
    }


def _scan(step: Step, new: State) -> Iterator[Finding]:
    on = _scan_on_push(new.inputs)
    was = _scan_on_push(step.old.inputs) if step.old else None
    if on is None:
        yield Finding(
            "exposure-scan-off",
            step.urn,
            f"Whether images of '{step.name}' are scanned on push is not visible.",
            proved=False,
        )
    elif on is False and (step.old is None or was is not False):
        yield Finding("exposure-scan-off", step.urn, f"Images of '{step.name}' are not scanned on push.")


def _scan_on_push(inputs: dict[str, Any]) -> bool | None:
    """None where it is unknown; off where nothing is declared, as the service does."""
    configuration = inputs.get("imageScanningConfiguration")
    if isinstance(configuration, list):
        configuration = configuration[0] if configuration else None
    if configuration is None:
        return False
    value = configuration.get("scanOnPush") if isinstance(configuration, dict) else configuration
    return value if isinstance(value, bool) else None if value is not None else False


def _encryption(step: Step, new: State) -> Iterator[Finding]:
    """Weaker than before: none, or the service's key in place of an own one."""
    if step.old is None:
        return
    for name in ENCRYPTION:
        before, after = step.old.get(name), new.inputs.get(name)
        if (before is None and name not in new.inputs) or not differs(step, name):
            continue
        if is_unknown(after) or holds_hidden(after):
            yield Finding(
                "exposure-encryption-weaker", step.urn, f"Encryption of '{step.name}' is not visible.", proved=False
            )
            continue
        old_type, old_key = _encryption_of(before)
        new_type, new_key = _encryption_of(after)
        if step.kind in REPOSITORIES:  # the service's default where nothing is declared
            old_type, new_type = old_type or "AES256", new_type or "AES256"
        if STRENGTH.get(new_type, -1) < STRENGTH.get(old_type, max(STRENGTH.values())):
            yield Finding(
                "exposure-encryption-weaker",
                step.urn,
                f"Encryption of '{step.name}' goes from {old_type} to {new_type or 'none'}.",
            )
        elif old_key and not new_key and new_type == old_type:
            yield Finding(
                "exposure-encryption-weaker",
                step.urn,
                f"Encryption of '{step.name}' leaves its own key for the service's.",
            )
        elif old_key and old_key != new_key:
            reason = f"Encryption of '{step.name}' goes from key {old_key} to {new_key}: who may use that one can read."
            yield Finding("exposure-encryption-weaker", step.urn, reason)
    encrypted = step.old.get("encrypted"), new.inputs.get("encrypted")
    if encrypted[0] is True and encrypted[1] is not True:
        yield Finding(
            "exposure-encryption-weaker",
            step.urn,
            f"'{step.name}' is no longer encrypted.",
            proved=not is_unknown(encrypted[1]),
        )


def _encryption_of(value: Any) -> tuple[str | None, str | None]:
    item = value[0] if isinstance(value, list) and value else value
    if not isinstance(item, dict):
        return None, None
    kind, key = item.get("encryptionType"), item.get("kmsKey")
    return kind if kind is None or isinstance(kind, str) else "(unreadable)", str(key) if key else None
