"""Runs the families over a plan: every step that changes something gets at least one finding."""

from audit.changes import changes_of
from audit.classify import access, exposure, loss, rotation
from audit.classify.known import Known
from audit.model import Finding, Plan, Step
from audit.risks import RANK

VERBS = {
    "create": "is created",
    "update": "is updated",
    "delete": "is deleted",
    "replace": "is replaced",
    "import": "is imported",
}


def judge(plan: Plan) -> list[Finding]:
    """All findings, worst first and then by URN; sets the changes of every step. The plan must be redacted already."""
    for step in plan.steps:
        step.changes = changes_of(step)
    known = Known(plan)
    findings: list[Finding] = list(_about_the_preview(plan))
    for step in plan.steps:
        if step.old is None and step.new is None:
            findings.append(
                Finding("access-unknown", step.urn, f"The preview shows no state for this {step.op}.", proved=False)
            )
            continue
        found = [] if step.component else [*access.judge(step, known), *loss.judge(step, known), *exposure.judge(step)]
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
    return sorted(findings, key=lambda finding: (RANK[finding.risk], finding.urn, finding.reason))


def _plain(step: Step) -> Finding:
    names = list(dict.fromkeys(change.path for change in step.changes))
    what = f": {', '.join(names[:6])}{' and more' if len(names) > 6 else ''}" if names and step.op == "update" else ""
    return Finding(
        "change", step.urn, f"{step.kind.rsplit(':', 1)[-1]} '{step.name}' {VERBS.get(step.op, step.op)}{what}."
    )


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
