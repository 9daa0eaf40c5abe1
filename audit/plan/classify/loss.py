"""Risks of loss: what would be gone, or could go more easily, after this plan."""

import json
from collections.abc import Iterator
from typing import Any

from audit.model import Finding, Step, is_hidden, is_unknown
from audit.plan.changes import differs
from audit.plan.classify.known import Known
from audit.plan.classify.reviewed import ruled
from audit.plan.classify.words import is_true

REPOSITORIES = frozenset({"aws:ecr:Repository", "aws:ecrpublic:Repository", "aws-native:ecr:Repository"})
FORCE = frozenset({"forceDelete", "forceDestroy", "forceDetachPolicies", "emptyOnDelete"})
PROTECTION = ("deletionProtection", "deletionProtectionEnabled", "preventDestroy")


def judge(step: Step, known: Known) -> Iterator[Finding]:
    """The findings of one step."""
    yield from _gone(step)
    yield from _guards(step)
    if step.kind == "aws:ecr:LifecyclePolicy":
        yield from _lifecycle(step, known)
    elif step.kind == "aws-native:ecr:Repository":
        yield from _own_lifecycle(step)


def _gone(step: Step) -> Iterator[Finding]:
    if not (step.deletes or step.replaces) or step.old is None:
        return
    verb = "replaced: deleted and made anew" if step.replaces else "deleted"
    forced = f"Forced by: {', '.join(step.replace_reasons)}." if step.replace_reasons else ""
    kept = (
        "It is kept in the cloud (retainOnDelete) and only forgotten by the stack." if step.old.retain_on_delete else ""
    )
    details = [text for text in (forced, kept) if text]
    subject = f"{step.kind.rsplit(':', 1)[-1]} '{step.name}'"
    if step.kind in REPOSITORIES:
        risk = "loss-repository-replaced" if step.replaces else "loss-repository-deleted"
        if not any(is_true(step.old.inputs.get(name)) for name in FORCE):
            details.append(
                "forceDelete is off: the service refuses while the repository holds images, and the update fails there."
            )
        else:
            details.append("forceDelete is on: all images are deleted with it.")
        yield Finding(risk, step.urn, f"{subject} would be {verb}.", details)
        return
    entry = ruled(step.kind)
    risk = "loss-resource" if entry is None else entry.loss
    if risk:
        yield Finding(risk, step.urn, f"{subject} would be {verb}.", details)


def _guards(step: Step) -> Iterator[Finding]:
    subject = f"{step.kind.rsplit(':', 1)[-1]} '{step.name}'"
    if step.new is not None:
        for name in sorted(step.new.inputs.keys() & FORCE):
            old = step.old.get(name) if step.old else None
            new = step.new.inputs[name]
            if (is_true(new) and not is_true(old)) or is_unknown(new) or is_hidden(new):
                yield Finding("loss-force-delete", step.urn, f"{subject}: {name} is on.", proved=is_true(new))
    if step.old is None:
        return
    lost = [
        name
        for name in PROTECTION
        if is_true(step.old.get(name)) and not (step.new is not None and is_true(step.new.inputs.get(name)))
    ]
    if step.old.protect and (step.new is None or not step.new.protect):
        lost.append("protect")
    if step.old.retain_on_delete and step.new is not None and not step.new.retain_on_delete:
        lost.append("retainOnDelete")
    if lost:
        gone = " and it would be deleted" if step.new is None else ""
        yield Finding("loss-protection-removed", step.urn, f"{subject}: {', '.join(lost)} is lifted{gone}.")


def _lifecycle(step: Step, known: Known) -> Iterator[Finding]:
    if step.new is None:
        return
    old = step.old.get("policy") if step.old else None
    new = step.new.inputs.get("policy")
    moved = step.old is not None and differs(step, "repository")
    if not differs(step, "policy") and not step.replaces and not moved:
        return
    urns = step.new.property_dependencies.get("repository", ())
    if (step.old is None or moved) and known.new_repository(step.new.inputs.get("repository"), urns):
        return
    if moved:
        old = None  # what the other repository had before is not this document
    yield from _expiring(step, f"LifecyclePolicy '{step.name}'", old, new)


def _expiring(step: Step, subject: str, old: Any, new: Any) -> Iterator[Finding]:
    reasons = expires_more(old, new)
    if reasons is None:
        yield Finding(
            "loss-lifecycle-expires-more",
            step.urn,
            f"{subject}: that no more images expire than before cannot be proved.",
            ["A document is not visible or is not of the known form."],
            proved=False,
        )
    elif reasons:
        yield Finding(
            "loss-lifecycle-expires-more", step.urn, f"{subject} can expire images that were kept before.", reasons
        )


def _own_lifecycle(step: Step) -> Iterator[Finding]:
    """A lifecycle policy that is a property of its repository; a new repository holds no images."""
    if step.new is None or step.old is None or step.replaces or not differs(step, "lifecyclePolicy"):
        return
    sides = (step.old.get("lifecyclePolicy"), step.new.inputs.get("lifecyclePolicy"))
    old, new = (side.get("lifecyclePolicyText") if isinstance(side, dict) else side for side in sides)
    yield from _expiring(step, f"Repository '{step.name}'", old, new)


def expires_more(old: Any, new: Any) -> list[str] | None:
    """Why the new lifecycle document can expire more than the old one; [] if it provably cannot, None if it is not
    readable.

    Proof: the same rules in the same order of priority, each keeping at least as much, with rules only dropped from
    the end. (A rule protects what it selects from rules of lower priority, so a rule dropped before others can make
    these expire more.) Source: Amazon ECR User Guide, "Lifecycle policy parameters".
    """
    before, after = _rules(old), _rules(new)
    if before is None or after is None:
        return None
    reasons = []
    for place, (selection, limit) in enumerate(after):
        if place >= len(before):
            reasons.append(f"Rule {place + 1} is new: {_words(selection, limit)}.")
        elif before[place][0] != selection:
            other = (
                "does something else" if before[place][0]["action"] != selection["action"] else "selects other images"
            )
            reasons.append(f"Rule {place + 1} {other}: {_words(*before[place])} becomes {_words(selection, limit)}.")
        elif limit < before[place][1]:
            reasons.append(
                f"Rule {place + 1} keeps less: {before[place][1]} becomes {limit} ({_words(selection, limit)})."
            )
    return reasons


def _rules(document: Any) -> list[tuple[dict[str, Any], int]] | None:
    if document is None or document == "":
        return []
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except (ValueError, RecursionError):
            return None
    rules = document.get("rules") if isinstance(document, dict) else None
    if not isinstance(rules, list) or not all(_is_rule(rule) for rule in rules):
        return None
    ordered = sorted(rules, key=lambda rule: rule["rulePriority"])
    found = []
    for rule in ordered:
        selection = {**rule["selection"], "action": rule.get("action") or {"type": "expire"}}
        limit = selection.pop("countNumber")
        found.append((selection, limit))
    return found


def _is_rule(rule: Any) -> bool:
    if not isinstance(rule, dict) or not isinstance(rule.get("selection"), dict):
        return False
    return _is_count(rule.get("rulePriority")) and _is_count(rule["selection"].get("countNumber"))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _words(selection: dict[str, Any], limit: int) -> str:
    patterns = selection.get("tagPatternList") or selection.get("tagPrefixList") or []
    tags = f" {', '.join(map(str, patterns))}" if isinstance(patterns, list) and patterns else ""
    unit = f" {selection['countUnit']}" if selection.get("countUnit") else ""
    action = selection["action"].get("type", "?") if isinstance(selection["action"], dict) else "?"
    verb = "" if action == "expire" else f"{action} "
    return f"{verb}{selection.get('tagStatus', 'any')} images{tags}, {selection.get('countType', '?')} {limit}{unit}"
