"""Looks at everything that a state records, and judges it."""

from audit.clouds import Gone, NotOffered, Refused
from audit.clouds.aws import Aws
from audit.drift import devops, ecr, iam_access
from audit.drift.sheet import Check, Clouds, Sheet
from audit.errors import AuditError
from audit.report.catalogue import RULES
from audit.report.model import Report
from audit.state import StackState

CHECKS: dict[str, Check] = {
    "aws:ecr:Repository": ecr.repository,
    "aws:ecr:RepositoryPolicy": ecr.repository_policy,
    "aws:ecr:LifecyclePolicy": ecr.lifecycle_policy,
    "docker:index:Image": ecr.image,
    "docker-build:index:Image": ecr.image,
    "aws:iam:Policy": iam_access.policy,
    "aws:iam:User": iam_access.user,
    "aws:iam:Group": iam_access.group,
    "aws:iam:Role": iam_access.role,
    "aws:iam:AccessKey": iam_access.access_key,
    "aws:iam:UserGroupMembership": iam_access.membership,
    "aws:iam:GroupMembership": iam_access.group_membership,
    **dict.fromkeys(iam_access.ATTACHMENTS, iam_access.attachment),
    **dict.fromkeys(iam_access.INLINE, iam_access.inline_policy),
    "azuredevops:index:VariableGroup": devops.variable_group,
    "azuredevops:index:PipelineAuthorization": devops.authorization,
    "azuredevops:index:Environment": devops.environment,
    "azuredevops:index:BuildDefinition": devops.build_definition,
    "azuredevops:index:CheckApproval": devops.check,
    "azuredevops:index:CheckExclusiveLock": devops.check,
    "azuredevops:index:CheckBranchControl": devops.check,
    "azuredevops:index:CheckRequiredTemplate": devops.check,
    "azuredevops:index:BranchPolicyBuildValidation": devops.branch_policy,
}


def look(clouds: Clouds) -> list[Sheet]:
    """A sheet for each resource that the stack manages. Raises AuditError where a cloud cannot be asked at all."""
    _same_account(clouds.state, clouds.aws)
    sheets = []
    for resource in clouds.state.resources:
        if not resource.custom or resource.external or resource.pending_delete or resource.type.startswith("pulumi:"):
            continue
        sheet = Sheet(resource)
        check = CHECKS.get(resource.kind)
        if check is None:
            sheet.compared = False
        else:
            _checked(check, sheet, clouds)
        sheets.append(sheet)
    return sheets


def _checked(check: Check, sheet: Sheet, clouds: Clouds) -> None:
    """Runs a check, which raises Gone where the resource itself is not there. A record or an answer of another form
    than the service documents (a whole list masked as a secret, say) is a finding and stops neither the other checks
    nor the report."""
    try:
        check(sheet, clouds)
    except Gone:
        sheet.gone()
    except (Refused, NotOffered) as refusal:
        sheet.refused(refusal)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        sheet.find(
            "look-up-refused",
            f"{sheet.subject}: its record or the service's answer has a form that this tool does not know "
            f"({type(error).__name__}); that it is as recorded cannot be proved.",
            proved=False,
        )


def _same_account(state: StackState, aws: Aws) -> None:
    """Whether the credentials belong to the account of the state: in another one nothing would be there."""
    accounts = {
        parts[4]
        for resource in state.resources
        if resource.type.startswith("aws:") and resource.custom
        for parts in [str(resource.get("arn") or "").split(":")]
        if len(parts) > 5 and parts[4].isdigit()
    }
    if not accounts and not any(item.type.startswith(("aws:", "docker")) for item in state.resources):
        return
    own = aws.account()
    if accounts and own not in accounts:
        raise AuditError(
            f"the credentials are of account {own}, the state is of {', '.join(sorted(accounts))}: "
            "use credentials of the stack's account"
        )


def survey(clouds: Clouds) -> Report:
    """The survey of drift; nothing in it is redacted yet."""
    sheets = look(clouds)
    order = {"missing": 0, "differs": 1, "unknown": 2, "same": 3, "not compared": 4}
    sheets.sort(key=lambda sheet: (order[sheet.status], sheet.resource.kind, sheet.resource.urn))
    counts: dict[str, int] = {"resources": len(sheets)}
    for sheet in sheets:
        counts[sheet.status] = counts.get(sheet.status, 0) + 1
    notes = list(dict.fromkeys(note for sheet in sheets for note in sheet.notes))
    left_out = sorted({sheet.resource.kind for sheet in sheets if not sheet.compared})
    if left_out:
        notes.append(f"Not compared, since there is no rule for the type: {', '.join(left_out)}.")
    if clouds.state.pending_operations:
        notes.append(
            f"The state has {clouds.state.pending_operations} pending operation(s): an update was interrupted."
        )
    return Report(
        catalogue=RULES,
        sides=("Recorded", "Real"),
        command="drift",
        project=clouds.state.project,
        stack=clouds.state.stack,
        tables=[sheet.table() for sheet in sheets],
        findings=[finding for sheet in sheets for finding in sheet.findings],
        counts=counts,
        notes=notes,
        data={"resources": [_data(sheet) for sheet in sheets]},
    )


def _data(sheet: Sheet) -> dict[str, object]:
    return {
        "urn": sheet.resource.urn,
        "type": sheet.resource.type,
        "status": sheet.status,
        "properties": [
            {"property": name, "declared": declared, "recorded": recorded, "real": real, "status": row.status}
            for row in sheet.rows
            for name, declared, recorded, real in [row.cells]
        ],
    }
