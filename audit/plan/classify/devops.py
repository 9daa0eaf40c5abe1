"""Risks of access in Azure DevOps: what pipelines and people may use, and the guards before it."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from audit.model import Finding, Step, is_hidden, is_unknown
from audit.plan.changes import differs, first_part
from audit.plan.classify.words import (
    both,
    empty,
    finding,
    is_false,
    is_true,
    number,
    property_details,
    show,
    subject,
    visible,
)


def _variable_group(step: Step) -> Iterator[Finding]:
    if step.new is None:
        return
    old, new = both(step, "allowAccess")
    if is_true(new) and not is_true(old):
        yield finding(step, "group-opened", f"{subject(step)} is opened to all pipelines of the project (allowAccess)")
    elif is_true(new) and step.replaces:
        yield finding(
            step, "group-opened", f"{subject(step)} is made anew, open to all pipelines of the project (allowAccess)"
        )
    elif is_unknown(new) or is_hidden(new):
        yield finding(
            step,
            "group-opened",
            f"{subject(step)}: whether it is opened to all pipelines is not visible",
            proved=False,
        )


def _authorization(step: Step) -> Iterator[Finding]:
    """PipelineAuthorization: without a pipeline it opens the resource to every pipeline of the project."""
    if step.new is None:
        yield finding(step, "access-narrowed", f"{subject(step)} is withdrawn")
        return
    inputs = step.new.inputs
    what = f"{show(inputs.get('type'))} {show(inputs.get('resourceId'))}"
    pipeline = inputs.get("pipelineId")
    if step.old is not None and not step.replaces and not step.changes:
        return
    if pipeline in (None, "", 0):
        yield finding(
            step,
            "group-opened",
            f"{subject(step)} opens {what} to all pipelines of the project (it names no pipelineId)",
        )
    else:
        yield finding(step, "pipeline-authorized", f"{subject(step)} lets pipeline {show(pipeline)} use {what}",
                       proved=not is_unknown(pipeline))  # fmt: skip


def _resource_authorization(step: Step) -> Iterator[Finding]:
    if step.new is None or step.new.inputs.get("authorized") is False:
        yield finding(step, "access-narrowed", f"{subject(step)} is withdrawn")
        return
    everyone = empty(step.new.inputs.get("definitionId"))
    risk = "group-opened" if everyone else "pipeline-authorized"
    to = "all pipelines of the project" if everyone else f"pipeline {show(step.new.inputs.get('definitionId'))}"
    yield finding(step, risk, f"{subject(step)} lets {to} use {show(step.new.inputs.get('resourceId'))}")


def _permissions(step: Step) -> Iterator[Finding]:
    """Permissions of one principal for one thing. Where either changes, the old pair loses all of them, also what was
    denied, and the new one gains all."""
    old, new = both(step, "permissions")
    old_principal, new_principal = both(step, "principal")
    if not visible(old, new, new_principal):
        yield finding(step, "access-unknown", f"{subject(step)}: permissions are not visible", proved=False)
        return
    if step.old and step.new and any(differs(step, name) for name in _pair(step)):
        yield from _levelled(step, old_principal, old, None, " where they were")
        yield from _levelled(step, new_principal, None, new)
    else:
        yield from _levelled(step, new_principal if step.new else old_principal, old, new)


def _pair(step: Step) -> set[str]:
    """The properties that say whose permissions they are and for what."""
    names = {name for side in (step.old, step.new) if side is not None for name in side.inputs}
    return {name for name in names if name not in ("permissions", "replace") and not name.startswith("__")}


def _levelled(step: Step, principal: Any, old: Any, new: Any, where: str = "") -> Iterator[Finding]:
    before, after = _levels(old), _levels(new)
    unseen = [name for name in dict.fromkeys((*before, *after)) if not visible(before.get(name), after.get(name))]
    gained = [name for name in dict.fromkeys((*before, *after)) if _level(after.get(name)) > _level(before.get(name))]
    lost = [name for name in dict.fromkeys((*before, *after)) if _level(after.get(name)) < _level(before.get(name))]
    who = f"{subject(step)}: {show(principal)}"
    if unseen:
        reason = f"{subject(step)}: the level of {', '.join(unseen)} is not visible"
        yield finding(step, "access-unknown", reason, proved=False)
    elif gained:
        yield finding(step, "access-broadened", f"{who} gains {', '.join(gained)}{where}")
    elif lost:
        yield finding(step, "access-narrowed", f"{who} loses {', '.join(lost)}{where}")


def _levels(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _level(value: Any) -> int:
    return {"allow": 1, "deny": -1}.get(str(value).lower(), 0)


def _guard(step: Step) -> Iterator[Finding]:
    """Checks and branch policies: anything but creating a strict one, or changing only its texts, may weaken it."""
    if step.new is None:
        yield finding(step, "guard-weakened", f"{subject(step)} is removed")
        return
    if step.old is None:
        loose = list(dict.fromkeys(_loose("", step.new.inputs)))
        if loose:
            yield finding(step, "guard-weakened", f"{subject(step)} is declared with {' and '.join(loose)}")
        return
    weaker = [change for change in step.changes if first_part(change.path) not in ("instructions", "displayName")]
    if weaker or step.replaces:
        yield finding(step, "guard-weakened", f"{subject(step)} is changed", *property_details(step), proved=False)


def _loose(name: str, value: Any) -> Iterator[str]:
    """Switches and numbers of a guard with which it does not hold what its type promises, at any depth."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _loose(key, item)
    elif isinstance(value, list) and value and isinstance(value[0], (dict, list)):
        for item in value:
            yield from _loose(name, item)
    elif name in STRICT_OFF and (is_true(value) or not visible(value)):
        yield f"{name} on" if visible(value) else f"{name} not visible"
    elif name in STRICT_ON and (is_false(value) or not visible(value)):
        yield f"{name} off" if visible(value) else f"{name} not visible"
    elif (name == "reviewerCount" and number(value) == 0) or (name == "approvers" and value == []):
        yield f"nobody in {name}"
    elif name == "allowedBranches" and "*" in str(value).split(","):
        yield "every branch allowed"


def _connection(step: Step) -> Iterator[Finding]:
    """A service connection: a credential that pipelines use. What it may do lies with whom it logs in as, and its
    secrets go where it points."""
    if step.new is None:
        return
    if step.creates:
        name = step.new.inputs.get("serviceEndpointName")
        whose = f" of {show(name)}" if name else ""
        yield finding(step, "credential-created", f"{subject(step)} is a new credential{whose}")
        return
    others = [
        change for change in step.changes if first_part(change.path) not in ("description", "serviceEndpointName")
    ]
    if others:
        names = ", ".join(dict.fromkeys(first_part(change.path) for change in others[:10]))
        reason = f"{subject(step)}: {names} changes, and with it whom pipelines act as or where its secrets go"
        yield finding(step, "access-unknown", reason, *property_details(step), proved=False)


STRICT_ON = frozenset({"enabled", "blocking", "verifyBranchProtection", "lastPusherCannotApprove"})
"""Switches of guards that hold only while they are on."""
STRICT_OFF = frozenset(
    {
        "requesterCanApprove",
        "ignoreUnknownProtectionStatus",
        "submitterCanVote",
        "allowCompletionWithRejectsOrWaits",
        "manualQueueOnly",
    }
)
"""Switches of guards that hold only while they are off."""
CHECKS = re.compile(r"(?:Check|BranchPolicy|RepositoryPolicy)\w+")

Rule = Callable[[Step], Iterator[Finding]]
RULES: dict[str, Rule] = {
    "VariableGroup": _variable_group,
    "PipelineAuthorization": _authorization,
    "ResourceAuthorization": _resource_authorization,
}


def judge(step: Step) -> Iterator[Finding]:
    """The findings of one step of a type of Azure DevOps."""
    name = step.kind.rpartition(":")[2]
    if name in RULES:
        yield from RULES[name](step)
    elif name.endswith("Permissions"):
        yield from _permissions(step)
    elif CHECKS.fullmatch(name):
        yield from _guard(step)
    elif name.lower().startswith("serviceendpoint"):
        yield from _connection(step)
