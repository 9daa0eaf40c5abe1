"""Azure DevOps: variables and who changed them, who may use what, pipelines, environments, checks, branch policies.

API: https://learn.microsoft.com/rest/api/azure/devops (distributedtask/variablegroups, approvalsandchecks/
pipeline-permissions and check-configurations, build/definitions and general-settings, environments,
policy/configurations).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from audit.clouds import Gone, found
from audit.drift.sheet import Clouds, Sheet
from audit.model import is_hidden
from audit.state import Resource, StackState

GROUPS_READ, BUILDS_READ, ENVIRONMENTS_READ, CODE_READ = (
    "Variable Groups (Read)",
    "Build (Read)",
    "Environment (Read & manage)",
    "Code (Read)",
)
AUTHORIZED_TYPES = {"azuredevops:index:VariableGroup": "variablegroup", "azuredevops:index:Environment": "environment"}
HOW_TO_SEE = (
    "Which variable it is cannot be told from a state whose secrets are sealed: "
    "`pulumi stack export --show-secrets | python -m audit drift -` compares each, and writes no secret."
)


def variable_group(sheet: Sheet, clouds: Clouds) -> None:
    """A variable group: its variables, when and by whom it was changed, and which pipelines may use it."""
    resource = sheet.resource
    project = str(resource.get("projectId"))
    path = f"{project}/_apis/distributedtask/variablegroups/{resource.id}"
    real = clouds.devops.get(path, GROUPS_READ)
    sheet.differs("name", real.get("name"))
    sheet.differs("description", real.get("description"), default="")
    _variables(sheet, clouds, real)
    with sheet.looking():
        permissions(sheet, clouds)


def _variables(sheet: Sheet, clouds: Clouds, real: Mapping[str, Any]) -> None:
    resource = sheet.resource
    recorded, now = resource.get("variables"), real.get("variables") or {}
    changed = _changed_since(sheet, clouds, real)
    if is_hidden(recorded):
        names = [f"{name}{' (secret)' if item.get('isSecret') else ''}" for name, item in sorted(now.items())]
        sheet.fact("variables", resource.inputs.get("variables"), recorded, names, "unknown" if changed else "same")
        if changed:
            sheet.find("drift-variables", f"{sheet.subject} {changed}.", HOW_TO_SEE, proved=False)
        return
    if not _compare_variables(sheet, recorded, now, changed) and changed:
        sheet.find(
            "drift-variables",
            f"{sheet.subject} {changed}; all that can be read is as recorded, so a secret may have another value.",
            proved=False,
        )


def _changed_since(sheet: Sheet, clouds: Clouds, real: Mapping[str, Any]) -> str:
    """Whether the group was changed after the stack recorded it, in words; "" if it provably was not."""
    recorded, now = moment(sheet.resource.modified), moment(real.get("modifiedOn"))
    by = (real.get("modifiedBy") or {}).get("displayName") or "someone"
    later = recorded is None or now is None or now > recorded + timedelta(seconds=clouds.clock_skew)
    words = f"{now:%Y-%m-%d %H:%M:%S} UTC by {by}" if now else "unknown"
    recorded_words = f"{recorded:%Y-%m-%d %H:%M:%S} UTC" if recorded else "unknown"
    sheet.fact("modifiedOn", None, recorded_words, words, "differs" if later else "same")
    if recorded is None or now is None:
        return "cannot be proved to be unchanged: the time of its last change is not known"
    return f"was changed on {words}, after the stack wrote it ({recorded_words})" if later else ""


def moment(text: Any) -> datetime | None:
    """A time as RFC 3339 text; None for anything else."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _compare_variables(sheet: Sheet, recorded: Any, now: Mapping[str, Any], changed: str) -> bool:
    """Compares the variables one by one; whether one differs. A value that the stack does not know is not shown."""
    declared = {str(item["name"]): item for item in sheet.resource.inputs.get("variables") or [] if "name" in item}
    known = {str(item["name"]): item for item in recorded or [] if isinstance(item, dict) and "name" in item}
    details = [f"The group {changed}; its secrets may have other values too."] if changed else []
    different = False
    for name in dict.fromkeys((*known, *now)):
        before, after = known.get(name), now.get(name)
        sides = _variable(before), _variable(after)
        shown = sides[1] if before and not before.get("isSecret") else after and _kind(after)
        same = sides[0] == sides[1]
        sheet.fact(f"variables[{name}]", _variable(declared.get(name)), sides[0], shown, "same" if same else "differs")
        if same:
            continue
        different = True
        what, rule = f"Variable '{name}' of {sheet.subject}", "drift-variables"
        if after is None:
            reason = "is not there any more"
        elif before is None:
            reason = f"was added by hand, {_kind(after)}"
        elif before.get("isSecret") and not after.get("isSecret"):
            rule, reason = "drift-secret-in-clear", "is not a secret any more"
        else:
            reason = "has another value than recorded"
        sheet.find(rule, f"{what} {reason}.", *details)
    return different


def _kind(item: Mapping[str, Any]) -> str:
    return "(secret)" if item.get("isSecret") else "(in clear)"


def _variable(item: Mapping[str, Any] | None) -> str | None:
    """A variable as it can be compared: a secret is only known to be there."""
    if item is None:
        return None
    return "(secret)" if item.get("isSecret") else str(item.get("value") or "")


# --- who may use a resource


def permissions(sheet: Sheet, clouds: Clouds) -> None:
    """Which pipelines may use a protected resource, against the authorisations that the stack records."""
    resource = sheet.resource
    kind = AUTHORIZED_TYPES[resource.kind]
    project = str(resource.get("projectId"))
    path = f"{project}/_apis/pipelines/pipelinePermissions/{kind}/{resource.id}"
    real = found(lambda: clouds.devops.get(path, "Build (Read & execute)", "7.1-preview.1")) or {}
    recorded, everyone = _authorized(clouds.state, resource, kind)
    opened = (real.get("allPipelines") or {}).get("authorized") is True
    sheet.fact("allPipelines", resource.inputs.get("allowAccess"), everyone, opened)
    if opened and not everyone:
        by = ((real["allPipelines"].get("authorizedBy") or {}).get("displayName")) or "someone"
        when = real["allPipelines"].get("authorizedOn") or "at an unknown time"
        sheet.find("drift-group-opened", f"{sheet.subject} is open to all pipelines of the project, by {by}, {when}.")
    elif everyone and not opened:
        sheet.find("drift-access-narrowed", f"{sheet.subject} is recorded as open to all pipelines and is not.")
    now = {str(item["id"]): item for item in real.get("pipelines") or [] if item.get("authorized")}
    sheet.fact("pipelines", None, sorted(recorded), sorted(now))
    for extra in sorted(set(now) - recorded):
        by = (now[extra].get("authorizedBy") or {}).get("displayName") or "someone"
        sheet.find(
            "drift-pipeline-authorized", f"Pipeline {extra} may use {sheet.subject}, authorised by {by}; "
            "the stack does not record it."
        )  # fmt: skip


def _authorized(state: StackState, resource: Resource, kind: str) -> tuple[set[str], bool]:
    """Pipelines that the stack authorises, and whether it opens the resource to all."""
    pipelines, everyone = set(), resource.get("allowAccess") is True
    for item in state.of("azuredevops:index:PipelineAuthorization"):
        if item.get("type") == kind and str(item.get("resourceId")) == resource.id:
            pipeline = item.get("pipelineId")
            if pipeline in (None, "", 0):
                everyone = True
            else:
                pipelines.add(_number(pipeline))
    for item in state.of("azuredevops:index:ResourceAuthorization"):
        if str(item.get("resourceId")) == resource.id and item.get("authorized") is True:
            pipeline = item.get("definitionId")
            if pipeline in (None, "", 0):
                everyone = True
            else:
                pipelines.add(_number(pipeline))
    return pipelines, everyone


def _number(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) else str(value)


def authorization(sheet: Sheet, clouds: Clouds) -> None:
    """A declared authorisation: that it still holds."""
    resource = sheet.resource
    project = str(resource.get("pipelineProjectId") or resource.get("projectId"))
    kind, target = str(resource.get("type")), str(resource.get("resourceId"))
    path = f"{resource.get('projectId') or project}/_apis/pipelines/pipelinePermissions/{kind}/{target}"
    real = found(lambda: clouds.devops.get(path, "Build (Read & execute)", "7.1-preview.1")) or {}
    pipeline = resource.get("pipelineId")
    entries = [entry for entry in real.get("pipelines") or [] if pipeline and str(entry["id"]) == _number(pipeline)]
    granted = (
        any(entry.get("authorized") for entry in entries)
        if pipeline
        else (real.get("allPipelines") or {}).get("authorized") is True
    )
    if not sheet.fact("authorized", None, True, granted):
        sheet.gone()


def environment(sheet: Sheet, clouds: Clouds) -> None:
    """An environment: that it is there, under its name, and which pipelines may deploy to it."""
    resource = sheet.resource
    path = f"{resource.get('projectId')}/_apis/distributedtask/environments/{resource.id}"
    real = clouds.devops.get(path, ENVIRONMENTS_READ, "7.1-preview.1")
    sheet.differs("name", real.get("name"))
    with sheet.looking():
        permissions(sheet, clouds)


def _ref(branch: Any) -> Any:
    """The one form of a branch: `main` and `refs/heads/main` are the same."""
    return f"refs/heads/{branch}" if isinstance(branch, str) and branch and not branch.startswith("refs/") else branch


def build_definition(sheet: Sheet, clouds: Clouds) -> None:
    """A pipeline: what it builds from which branch, and with which reach."""
    resource = sheet.resource
    path = f"{resource.get('projectId')}/_apis/build/definitions/{resource.id}"
    real = clouds.devops.get(path, BUILDS_READ)
    sheet.differs("name", real.get("name"))
    source = real.get("repository") or {}
    recorded = resource.get("repository") or {}
    for name, now in (
        ("branchName", _ref(source.get("defaultBranch"))),
        ("repoId", source.get("id")),
        ("ymlPath", (real.get("process") or {}).get("yamlFilename")),
    ):
        declared, before = (resource.inputs.get("repository") or {}).get(name), recorded.get(name)
        if name == "branchName":  # the provider records the branch's name, the service says its ref
            declared, before = _ref(declared), _ref(before)
        sheet.taken(f"repository.{name}", declared, before)
        if not sheet.fact(f"repository.{name}", declared, before, now):
            sheet.find("drift-guard-weakened", f"{sheet.subject}: {name} is {now}, recorded is {before}.")
    sheet.taken(
        "jobAuthorizationScope",
        resource.inputs.get("jobAuthorizationScope"),
        resource.outputs.get("jobAuthorizationScope"),
    )
    scope = str(real.get("jobAuthorizationScope") or "")
    before = str(resource.get("jobAuthorizationScope") or "projectCollection")
    same = {"1": "projectcollection", "2": "project"}.get(scope, scope).lower() == before.lower()
    sheet.fact("jobAuthorizationScope", resource.inputs.get("jobAuthorizationScope"), before, scope,
               "same" if same else "differs")  # fmt: skip
    if not same:
        sheet.find("drift-guard-weakened", f"{sheet.subject}: jobAuthorizationScope is {scope}, recorded is {before}.")
    with sheet.looking():
        _queue_time(sheet, clouds, str(resource.get("projectId")))


def _queue_time(sheet: Sheet, clouds: Clouds, project: str) -> None:
    """Whether the project limits what somebody can set for a run of the pipeline; nothing in a state records it.

    API: build/general-settings, enforceSettableVar.
    """
    settings = clouds.devops.get(f"{project}/_apis/build/generalsettings", BUILDS_READ, "7.1-preview.1")
    limited = settings.get("enforceSettableVar")
    if not sheet.fact("project: enforceSettableVar", None, True, limited):
        sheet.find(
            "drift-guard-weakened",
            f"{sheet.subject}: whoever queues a run may set any variable of it.",
            "Each is in the environment of every step. Switch on Project settings > Pipelines > Settings > Limit "
            "variables that can be set at queue time.",
        )


# --- what stands between a commit and production


def check(sheet: Sheet, clouds: Clouds) -> None:
    """An approval, an exclusive lock, a branch control or a required template: that it is there, and its settings."""
    resource = sheet.resource
    path = f"{resource.get('projectId')}/_apis/pipelines/checks/configurations/{resource.id}"
    try:
        real = clouds.devops.get(path, ENVIRONMENTS_READ, "7.1-preview.1", **{"$expand": "settings"})
    except Gone:
        _guard_gone(sheet)
        return
    target = real.get("resource") or {}
    sheet.differs("targetResourceId", target.get("id"), "drift-guard-weakened")
    if resource.kind != "azuredevops:index:CheckRequiredTemplate":  # which records none
        sheet.differs("timeout", real.get("timeout"), "drift-guard-weakened")
    if real.get("isDisabled"):
        sheet.find("drift-guard-weakened", f"{sheet.subject} is switched off.")
    if resource.kind == "azuredevops:index:CheckApproval":
        _approval(sheet, real.get("settings") or {})
    elif resource.kind == "azuredevops:index:CheckBranchControl":
        _branch_control(sheet, (real.get("settings") or {}).get("inputs") or {})
    elif resource.kind == "azuredevops:index:CheckRequiredTemplate":
        _required_templates(sheet, (real.get("settings") or {}).get("extendsChecks") or [])


def _guard_gone(sheet: Sheet) -> None:
    sheet.missing = True
    sheet.find("drift-guard-weakened", f"{sheet.subject} is recorded and is not there.")


def _approval(sheet: Sheet, settings: Mapping[str, Any]) -> None:
    resource = sheet.resource
    now = sorted(str(item.get("id")) for item in settings.get("approvers") or [])
    recorded = sorted(str(item) for item in resource.get("approvers") or [])
    if not sheet.fact("approvers", resource.inputs.get("approvers"), recorded, now):
        sheet.find("drift-guard-weakened", f"{sheet.subject}: approvers are not the recorded ones.")
    sheet.differs(
        "requesterCanApprove", not settings.get("requesterCannotBeApprover", False), "drift-guard-weakened", False
    )
    least = settings.get("minRequiredApprovers") or 0
    recorded_least = resource.get("minimumRequiredApprovers") or 0
    if not sheet.fact("minimumRequiredApprovers", None, int(recorded_least), int(least)):
        sheet.find("drift-guard-weakened", f"{sheet.subject}: {least} approvers are needed, not {recorded_least}.")


def _branch_control(sheet: Sheet, inputs: Mapping[str, Any]) -> None:
    """The inputs of the service's task evaluatebranchProtection, whose flags are words."""
    sheet.differs("allowedBranches", inputs.get("allowedBranches"), "drift-guard-weakened", "*")
    for name, its in (
        ("verifyBranchProtection", "ensureProtectionOfBranch"),
        ("ignoreUnknownProtectionStatus", "allowUnknownStatusBranch"),
    ):
        sheet.differs(name, str(inputs.get(its)).lower() == "true", "drift-guard-weakened", False)


def _required_templates(sheet: Sheet, real: Sequence[Mapping[str, Any]]) -> None:
    """Templates as `PATH of REPOSITORY at REF`; the service's word for Azure Repos is git, the plugin's azuregit."""

    def shown(templates: Sequence[Mapping[str, Any]]) -> list[str]:
        kinds = [str(one.get("repositoryType") or "azuregit").replace("azuregit", "git") for one in templates]
        rows = zip(kinds, templates, strict=True)
        return sorted(
            f"{one.get('templatePath')} of {one.get('repositoryName')} ({kind}) at {one.get('repositoryRef')}"
            for kind, one in rows
        )

    resource = sheet.resource
    declared = resource.inputs.get("requiredTemplates")
    recorded, now = shown(resource.get("requiredTemplates") or []), shown(real)
    if not sheet.fact("requiredTemplates", shown(declared) if declared else None, recorded, now):
        sheet.find("drift-guard-weakened", f"{sheet.subject}: required templates are not the recorded ones.")


def branch_policy(sheet: Sheet, clouds: Clouds) -> None:
    """A branch policy: that it is there, on and blocking, and its settings."""
    resource = sheet.resource
    path = f"{resource.get('projectId')}/_apis/policy/configurations/{resource.id}"
    real = found(lambda: clouds.devops.get(path, CODE_READ))
    if real is None or real.get("isDeleted"):
        _guard_gone(sheet)
        return
    for name, now in (("enabled", real.get("isEnabled")), ("blocking", real.get("isBlocking"))):
        sheet.differs(name, now, "drift-guard-weakened", True)
    recorded, settings = resource.get("settings") or {}, real.get("settings") or {}
    for name in ("buildDefinitionId", "validDuration", "queueOnSourceUpdateOnly", "manualQueueOnly"):
        if name in recorded and name in settings:
            declared = (resource.inputs.get("settings") or {}).get(name)
            if not sheet.fact(f"settings.{name}", declared, recorded[name], settings[name]):
                sheet.find(
                    "drift-guard-weakened",
                    f"{sheet.subject}: {name} is {settings[name]}, recorded is {recorded[name]}.",
                )
