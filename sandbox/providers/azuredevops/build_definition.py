"""azuredevops.BuildDefinition: the pipeline on a YAML file of a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.providers.azuredevops.client import DEFINITION, PIPELINE_RUN, AbsentError, Json, ServiceError
from sandbox.providers.azuredevops.projects import ProjectResource
from sandbox.providers.base import ProviderError
from sandbox.providers.protocol import UNKNOWN
from sandbox.providers.schema import (
    Fields,
    at_least,
    between,
    block,
    flag,
    given,
    items,
    not_blank,
    number,
    one_of,
    text,
    unordered,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.providers.protocol import Properties

_HEADS = "refs/heads/"
_YAML = 2  # settingsSourceType: triggers come from the YAML file


def _branch(value: Any) -> Any:
    return str(value).removeprefix(_HEADS)


_FILTER: Fields = {"excludes": unordered(underlying="exclude"), "includes": unordered(underlying="include")}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_UTC = "(UTC) Coordinated Universal Time"
_SCOPES = one_of("project", "projectCollection")


class BuildDefinition(ProjectResource):
    """Pipelines of YAML files. Designer jobs (a repository of type Git) are left to the real plugin."""

    token = "azuredevops:index/buildDefinition:BuildDefinition"  # noqa: S105 - a type token
    timeouts: ClassVar[Mapping[str, int]] = {"create": 30, "read": 5, "update": 30, "delete": 30}
    fields: ClassVar[Fields] = {
        "agentPoolName": text(default="Azure Pipelines"),
        "agentSpecification": text(rule=not_blank),
        "buildCompletionTriggers": items(
            {
                "branchFilters": unordered(_FILTER, required=True, underlying="branch_filter"),
                "buildDefinitionId": number(required=True, rule=at_least(1)),
            },
            underlying="build_completion_trigger",
        ),
        "ciTrigger": block(
            {
                "override": block(
                    {
                        "batch": flag(default=True),
                        "branchFilters": unordered(_FILTER, required=True, underlying="branch_filter"),
                        "maxConcurrentBuildsPerBranch": number(default=1),
                        "pathFilters": unordered(_FILTER, underlying="path_filter"),
                        "pollingInterval": number(),
                        "pollingJobId": given(),
                    }
                ),
                "useYaml": flag(default=False),
            }
        ),
        "features": items({"skipFirstRun": flag(default=True)}),
        "jobAuthorizationScope": text(default="projectCollection", rule=_SCOPES),
        "jobs": items(
            {
                "allowScriptsAuthAccessOption": flag(),
                "condition": text(required=True),
                "dependencies": items({"scope": text(required=True)}),
                "jobAuthorizationScope": text(default="projectCollection", rule=_SCOPES),
                "jobCancelTimeoutInMinutes": number(),
                "jobTimeoutInMinutes": number(),
                "name": text(required=True),
                "refName": text(required=True),
                "target": block(
                    {
                        "demands": items(),
                        "executionOptions": block(
                            {
                                "continueOnError": flag(),
                                "maxConcurrency": number(computed=True),
                                "multipliers": text(),
                                "type": text(required=True),
                            },
                            required=True,
                        ),
                        "type": text(required=True),
                    },
                    required=True,
                ),
            }
        ),
        "name": text(autoname=260, rule=not_blank),
        "path": text(default="\\"),
        "projectId": text(required=True, replace=True),
        "pullRequestTrigger": block(
            {
                "commentRequired": text(rule=one_of("All", "NonTeamMembers")),
                "forks": block({"enabled": flag(required=True), "shareSecrets": flag(required=True)}, required=True),
                "initialBranch": text(default="Managed by Terraform"),
                "override": block(
                    {
                        "autoCancel": flag(default=True),
                        "branchFilters": unordered(_FILTER, required=True, underlying="branch_filter"),
                        "pathFilters": unordered(_FILTER, underlying="path_filter"),
                    }
                ),
                "useYaml": flag(default=False),
            }
        ),
        "queueStatus": text(default="enabled", rule=one_of("enabled", "paused", "disabled")),
        "repository": block(
            {
                "branchName": text(default="master", canonical=_branch, recorded=_branch),
                "githubEnterpriseUrl": text(default=""),
                "repoId": text(required=True),
                "repoType": text(
                    required=True, rule=one_of("GitHub", "TfsGit", "Bitbucket", "GitHubEnterprise", "Git")
                ),
                "reportBuildStatus": flag(default=True),
                "serviceConnectionId": text(default=""),
                "url": text(computed=True),
                "ymlPath": text(),
            },
            required=True,
        ),
        "revision": number(output=True),
        "schedules": items(
            {
                "branchFilters": unordered(_FILTER, required=True, underlying="branch_filter"),
                "daysToBuilds": items(required=True, rule=one_of(*_DAYS), underlying="days_to_build"),
                "scheduleJobId": given(),
                "scheduleOnlyWithChanges": flag(default=True),
                "startHours": number(default=0, rule=between(0, 23)),
                "startMinutes": number(default=0, rule=between(0, 59)),
                "timeZone": text(default=_UTC),
            }
        ),
        "variableGroups": unordered(rule=at_least(1)),
        "variables": unordered(
            {
                "allowOverride": flag(default=True),
                "isSecret": flag(default=False),
                "name": text(required=True, rule=not_blank),
                "secretValue": text(default="", secret=True),
                "value": text(default=""),
            },
            underlying="variable",
        ),
    }

    def validate(self, inputs: Properties) -> list[str]:
        wrong = []
        for trigger in ("ciTrigger", "pullRequestTrigger"):
            chosen = inputs.get(trigger) or {}
            if isinstance(chosen, dict) and chosen.get("useYaml") and chosen.get("override"):
                wrong.append(f"Conflicting configuration arguments: {trigger}: useYaml conflicts with override")
        repository = inputs.get("repository")
        if inputs.get("jobs") or (isinstance(repository, dict) and repository.get("repoType") == "Git"):
            wrong.append("the sandbox's stand-in for the azuredevops plugin knows YAML pipelines only: no jobs, no Git")
        zones = [each.get("timeZone") for each in inputs.get("schedules") or [] if isinstance(each, dict)]
        if any(zone not in (None, UNKNOWN, _UTC) for zone in zones):
            wrong.append(f"the sandbox's stand-in for the azuredevops plugin knows one time zone: {_UTC}")
        return wrong

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        project = inputs["projectId"]
        try:
            made = self.session.call("POST", DEFINITION, self._body(inputs), project=project)
        except ServiceError as error:
            raise ProviderError(f" Creating Build Definition: {error}") from error
        features = inputs.get("features") or [{}]
        if not features[0].get("skipFirstRun", True):
            self._first_run(project, made["id"], inputs["repository"])
        return str(made["id"]), {}

    def _first_run(self, project: str, definition: int, repository: Properties) -> None:
        branch = _HEADS + _branch(repository.get("branchName", "master"))
        body = {"resources": {"repositories": {"self": {"refName": branch}}}}
        try:
            self.session.call("POST", PIPELINE_RUN, body, project=project, pipelineId=definition)
        except ServiceError as error:
            # As the real plugin: the definition stands, only its first run does not.
            message = f"First run of build definition failed, nothing to trigger: {error}"
            self.engine.log(message, self.urn, "WARNING")

    def read(self, resource_id: str, known: Properties) -> Properties | None:
        project = known["projectId"]
        try:
            found = self.session.call("GET", DEFINITION, project=project, definitionId=resource_id)
        except AbsentError:
            return None
        held = {each["name"]: each for each in known.get("variables") or []}
        pool = ((found.get("queue") or {}).get("pool") or {}).get("name")
        return {
            "name": found["name"],
            "path": found["path"],
            "projectId": project,
            "repository": _repository(found),
            "variableGroups": [each["id"] for each in found.get("variableGroups") or []],
            "variables": [_variable(name, each, held) for name, each in sorted((found.get("variables") or {}).items())],
            "jobAuthorizationScope": found.get("jobAuthorizationScope") or "projectCollection",
            "revision": found.get("revision", 0),
            "queueStatus": found["queueStatus"],
            **({"agentPoolName": pool} if pool else {}),
            **_triggers(found.get("triggers") or []),
        }

    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        body = {**self._body(inputs), "id": int(resource_id), "revision": state.get("revision", 0)}
        self.session.call("PUT", DEFINITION, body, project=inputs["projectId"], definitionId=resource_id)

    def delete(self, resource_id: str, state: Properties) -> None:
        self.session.call("DELETE", DEFINITION, project=state["projectId"], definitionId=resource_id)

    def _body(self, inputs: Properties) -> Json:
        repository = inputs["repository"]
        kind, connection = repository["repoType"], repository.get("serviceConnectionId") or ""
        if kind == "Bitbucket" and not connection:
            raise ProviderError("bitbucket repositories need a referenced service connection ID")
        if kind == "GitHubEnterprise" and not connection:
            raise ProviderError("GitHub Enterprise repositories need a referenced service connection ID")
        url, api = _urls(repository)
        return {
            "name": inputs["name"],
            "path": inputs["path"],
            "revision": 0,
            "repository": {
                "url": url,
                "id": repository["repoId"],
                "name": repository["repoId"],
                "defaultBranch": repository.get("branchName", "master"),
                "type": kind,
                "properties": {
                    "connectedServiceId": connection,
                    "apiUrl": api,
                    "reportBuildStatus": str(repository.get("reportBuildStatus", True)).lower(),
                },
            },
            "process": {"yamlFilename": repository.get("ymlPath") or "", "type": 2},
            "queue": {"name": inputs["agentPoolName"], "pool": {"name": inputs["agentPoolName"]}},
            "queueStatus": inputs["queueStatus"],
            # No jobAuthorizationScope: the real plugin has an input for it, but never sends it.
            "type": "build",
            "quality": "definition",
            "variableGroups": [{"id": each} for each in inputs.get("variableGroups") or []],
            "variables": _variables(inputs.get("variables") or []),
            "triggers": self._requested_triggers(inputs),
        }

    def _requested_triggers(self, inputs: Properties) -> list[Json]:
        triggers: list[Json] = []
        if chosen := inputs.get("ciTrigger"):
            triggers.append(_ci(chosen))
        if chosen := inputs.get("pullRequestTrigger"):
            triggers.append(_pull_request(chosen))
        completions = inputs.get("buildCompletionTriggers") or []
        triggers.extend(self._completion(inputs["projectId"], each) for each in completions)
        if schedules := inputs.get("schedules"):
            triggers.append({"triggerType": "schedule", "schedules": [_schedule(each) for each in schedules]})
        return triggers

    def _completion(self, project: str, chosen: Properties) -> Json:
        other = self.session.call("GET", DEFINITION, project=project, definitionId=chosen["buildDefinitionId"])
        return {
            "triggerType": "buildCompletion",
            "requiresSuccessfulBuild": True,
            "branchFilters": _patterns(chosen.get("branchFilters")),
            "definition": other,
        }


def _urls(repository: Properties) -> tuple[str, str]:
    """Return a repository's clone and API URLs; Azure Repos needs neither."""
    name, kind = repository["repoId"], repository["repoType"]
    if kind == "GitHub":
        return f"https://github.com/{name}.git", f"https://api.github.com/repos/{name}"
    if kind == "Bitbucket":
        return f"https://bitbucket.org/{name}.git", f"https://api.bitbucket.org/2.0/repositories/{name}"
    if kind == "GitHubEnterprise":
        server = repository.get("githubEnterpriseUrl", "")
        return f"{server}/{name}.git", f"{server}/api/v3/repos/{name}"
    return "", ""


def _variables(variables: list[Properties]) -> Json | None:
    made: Json = {}
    for each in variables:
        if each["name"] in made:
            raise ProviderError(f"Expanding varibles: Unexpectedly found duplicate variable with name {each['name']}")
        secret = bool(each.get("isSecret"))
        made[each["name"]] = {
            "allowOverride": each.get("allowOverride", True),
            "isSecret": secret,
            "value": each.get("secretValue" if secret else "value", ""),
        }
    return made or None


def _variable(name: str, found: Json, held: dict[str, Any]) -> Properties:
    secret = bool(found.get("isSecret"))
    if secret and name in held:
        return {"allowOverride": True, "value": "", **held[name]}
    return {
        "name": name,
        "value": found.get("value") or "",
        "secretValue": "",
        "isSecret": secret,
        "allowOverride": bool(found.get("allowOverride")),
    }


def _repository(found: Json) -> Properties:
    repository, process = found["repository"], found.get("process") or {}
    properties = repository.get("properties") or {}
    url = repository.get("url") or ""
    enterprise = repository["type"] == "GitHubEnterprise"
    return {
        "branchName": _branch(repository.get("defaultBranch") or ""),
        "githubEnterpriseUrl": "/".join(url.split("/")[:3]) if enterprise else "",
        "repoId": repository["id"],
        "repoType": repository["type"],
        "reportBuildStatus": str(properties.get("reportBuildStatus", "true")).lower() == "true",
        "serviceConnectionId": properties.get("connectedServiceId") or "",
        "url": url,
        "ymlPath": process.get("yamlFilename") or "",
    }


def _patterns(filters: list[Properties] | None) -> list[str]:
    """Turn include and exclude into the service's +main, -release/*."""
    chosen = (filters or [{}])[0]
    included = [f"+{each}" for each in chosen.get("includes") or []]
    return included + [f"-{each}" for each in chosen.get("excludes") or []]


def _filters(patterns: list[str] | None) -> list[Properties]:
    marked = patterns or []
    if not marked:
        return []
    return [
        {
            "includes": [each[1:] for each in marked if each.startswith("+")],
            "excludes": [each[1:] for each in marked if each.startswith("-")],
        }
    ]


def _ci(chosen: Properties) -> Json:
    own = chosen.get("override") or {}
    if chosen.get("useYaml") or not own:
        return {
            "triggerType": "continuousIntegration",
            "batchChanges": False,
            "branchFilters": [],
            "pathFilters": [],
            "maxConcurrentBuildsPerBranch": 1,
            **({"settingsSourceType": _YAML} if chosen.get("useYaml") else {}),
        }
    return {
        "triggerType": "continuousIntegration",
        "batchChanges": own.get("batch", True),
        "branchFilters": _patterns(own.get("branchFilters")),
        "pathFilters": _patterns(own.get("pathFilters")),
        "maxConcurrentBuildsPerBranch": own.get("maxConcurrentBuildsPerBranch", 1),
        "pollingInterval": own.get("pollingInterval", 0),
    }


def _pull_request(chosen: Properties) -> Json:
    comment, own, forks = chosen.get("commentRequired") or "", chosen.get("override") or {}, chosen["forks"]
    trigger: Json = {
        "triggerType": "pullRequest",
        "forks": {"enabled": forks["enabled"], "allowSecrets": forks["shareSecrets"]},
        "isCommentRequiredForPullRequest": bool(comment),
        "requireCommentsForNonTeamMembersOnly": comment == "NonTeamMembers",
    }
    if chosen.get("useYaml"):
        initial = chosen.get("initialBranch", "")
        return {**trigger, "branchFilters": [f"+{initial}"], "pathFilters": [], "settingsSourceType": _YAML}
    return {
        **trigger,
        "branchFilters": _patterns(own.get("branchFilters")),
        "pathFilters": _patterns(own.get("pathFilters")),
        "autoCancel": own.get("autoCancel", True),
    }


def _schedule(chosen: Properties) -> Json:
    return {
        "branchFilters": _patterns(chosen.get("branchFilters")),
        "scheduleOnlyWithChanges": chosen.get("scheduleOnlyWithChanges", True),
        "startHours": chosen.get("startHours", 0),
        "startMinutes": chosen.get("startMinutes", 0),
        "timeZoneId": "UTC",
        "scheduleJobId": None,
        "daysToBuild": sum(1 << _DAYS.index(day) for day in chosen["daysToBuilds"]),
    }


def _triggers(found: list[Json]) -> Properties:
    """Turn the service's triggers into outputs."""
    outputs: Properties = {}
    for each in found:
        kind, from_yaml = str(each.get("triggerType")).lower(), each.get("settingsSourceType") == _YAML
        if kind == "continuousintegration":
            outputs["ciTrigger"] = _found_ci(each, from_yaml=from_yaml)
        elif kind == "pullrequest":
            outputs["pullRequestTrigger"] = _found_pull_request(each, from_yaml=from_yaml)
        elif kind == "schedule":
            outputs["schedules"] = [_found_schedule(schedule) for schedule in each["schedules"]]
        elif kind == "buildcompletion":
            outputs.setdefault("buildCompletionTriggers", []).append(
                {"branchFilters": _filters(each["branchFilters"]), "buildDefinitionId": int(each["definition"]["id"])}
            )
    return outputs


def _found_ci(each: Json, *, from_yaml: bool) -> Properties:
    if from_yaml:
        return {"useYaml": True}
    return {
        "useYaml": False,
        "override": {
            "batch": each.get("batchChanges"),
            "branchFilters": _filters(each.get("branchFilters")),
            "maxConcurrentBuildsPerBranch": each.get("maxConcurrentBuildsPerBranch"),
            "pathFilters": _filters(each.get("pathFilters")),
            "pollingInterval": each.get("pollingInterval"),
            "pollingJobId": each.get("pollingJobId") or "",
        },
    }


def _found_pull_request(each: Json, *, from_yaml: bool) -> Properties:
    patterns = each.get("branchFilters") or []
    required = bool(each.get("isCommentRequiredForPullRequest"))
    others_only = bool(each.get("requireCommentsForNonTeamMembersOnly"))
    forks = each.get("forks") or {}
    outputs: Properties = {
        "useYaml": from_yaml,
        "initialBranch": patterns[0].removeprefix("+") if patterns else "",
        "commentRequired": ("NonTeamMembers" if others_only else "All") if required else "",
        "forks": {"enabled": bool(forks.get("enabled")), "shareSecrets": bool(forks.get("allowSecrets"))},
    }
    if not from_yaml:
        outputs["override"] = {
            "autoCancel": each.get("autoCancel"),
            "branchFilters": _filters(patterns),
            "pathFilters": _filters(each.get("pathFilters")),
        }
    return outputs


def _found_schedule(each: Json) -> Properties:
    mask = each["daysToBuild"]
    days = [day for index, day in enumerate(_DAYS) if isinstance(mask, int) and mask & (1 << index)]
    return {
        "branchFilters": _filters(each.get("branchFilters")),
        "daysToBuilds": days,
        "scheduleJobId": each.get("scheduleJobId") or "",
        "scheduleOnlyWithChanges": each.get("scheduleOnlyWithChanges"),
        "startHours": each.get("startHours"),
        "startMinutes": each.get("startMinutes"),
        "timeZone": _UTC,
    }
