"""Runs the families over a plan: every step that changes something gets at least one finding."""

from collections.abc import Iterator
from dataclasses import replace

from audit.model import Finding, Plan, Step
from audit.plan.changes import as_recorded, changes_of
from audit.plan.classify import access, exposure, loss, moving, rotation, unreviewed
from audit.plan.classify.known import Known
from audit.plan.classify.reviewed import ruled
from audit.plan.classify.words import subject
from audit.report.catalogue import CLASSES

VERBS = {
    "create": "is created",
    "update": "is updated",
    "delete": "is deleted",
    "replace": "is replaced",
    "import": "is imported",
}

GUARDS = frozenset({"guard-weakened", "loss-protection-removed", "exposure-encryption-weaker", "exposure-scan-off"})
"""Classes of a type's deletion or replacement that hold whatever its properties are."""


def judge(plan: Plan) -> list[Finding]:
    """All findings, worst first and then by URN; sets the changes of every step. The plan must be redacted already."""
    for step in plan.steps:
        step.old = as_recorded(step)
        step.changes = changes_of(step)
    known = Known(plan)
    findings: list[Finding] = list(_about_the_preview(plan))
    for step in plan.steps:
        if step.old is None and step.new is None:
            findings.append(
                Finding("access-unknown", step.urn, f"The preview shows no state for this {step.op}.", proved=False)
            )
            continue
        found = [] if step.component else _judged(step, known)
        if step.partial:  # what is not there is not nothing: no finding is a proof
            reason = f"The preview does not show the whole state of '{step.name}' before and after this {step.op}."
            found = [item for item in found if item.risk != "access-narrowed"]
            for item in found:
                item.proved = False
            found.append(Finding("preview-incomplete", step.urn, reason, proved=False))
        found = found or [_plain(step)]
        for finding in found:
            finding.step = step
        findings.extend(found)
    findings.extend(rotation.judge(plan, known))
    return sorted(findings, key=lambda finding: (CLASSES.rank[finding.risk], finding.urn, finding.reason))


def _judged(step: Step, known: Known) -> list[Finding]:
    """The findings of every family for one step."""
    who = [*access.judge(step, known), *moving.judge(step, known), *unreviewed.judge(step, known)]
    if known.stays(step):
        who = list(_stays(step, known, who))
    found = [*who, *loss.judge(step, known), *exposure.judge(step)]
    entry = ruled(step.kind)
    if entry is not None and (step.deletes or step.replaces) and not known.stays(step):
        risk = entry.delete if step.deletes else entry.replace
        if risk in GUARDS and risk not in {item.risk for item in found}:
            found.append(Finding(risk, step.urn, f"{subject(step)} goes, and with it what it guards."))
    return found


def _stays(step: Step, known: Known, found: list[Finding]) -> Iterator[Finding]:
    """What deleting means where retainOnDelete keeps the thing: it goes on as it is and no plan shows it any more, so
    nothing becomes less, and what replaces it comes besides it."""
    entry = ruled(step.kind)
    grants = bool(found) or entry is None or entry.loss == "loss-credential"
    if grants:
        reason = (
            f"{subject(step)} is only forgotten (retainOnDelete): what it allows stays, and no plan shows it any more"
        )
        yield Finding("access-unknown", step.urn, f"{reason}.", proved=False)
    if step.new is not None:
        new = replace(step, op="create", old=None)
        new.changes = changes_of(new)
        yield from (*access.judge(new, known), *moving.judge(new, known), *unreviewed.judge(new, known))
    else:
        yield from (item for item in found if item.risk == "unreviewed")


def _plain(step: Step) -> Finding:
    what = ""
    if step.op == "update" and step.changes:
        names = list(dict.fromkeys([change.path for change in step.changes]))
        what = f": {', '.join(names[:6])}{' and more' if len(names) > 6 else ''}"
    return Finding("change", step.urn, f"{subject(step)} {VERBS.get(step.op, step.op)}{what}.")


def _about_the_preview(plan: Plan) -> list[Finding]:
    findings = []
    if plan.failed:
        errors = [item.message.strip() for item in plan.diagnostics if item.severity == "error"]
        findings.append(
            Finding("preview-incomplete", "", "The preview ended with an error.", errors[:20], proved=False)
        )
    if plan.missing:
        reason = f"The engine counts {plan.missing:,} more changes than the preview shows steps for."
        findings.append(Finding("preview-incomplete", "", reason, proved=False))
    if plan.maybe_corrupt:
        findings.append(
            Finding(
                "preview-incomplete", "", "The engine says that a resource may be in an invalid state.", proved=False
            )
        )
    findings.extend(
        Finding(
            "policy-violation",
            violation.urn,
            f"Policy {violation.policy} of {violation.pack} ({violation.level or 'no level'}) is violated.",
            [violation.message.strip()] if violation.message.strip() else [],
        )
        for violation in plan.violations
    )
    return findings
