"""Branch policies: what a pull request into a branch has to pass, among them a build by a pipeline.

https://learn.microsoft.com/rest/api/azure/devops/policy. What they refuse is elsewhere: pushes to the branch
(`protection`) and the completion of a pull request (`votes`).
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from sandbox.azure_devops import clock, definitions, git, identities, locations, projects, shapes, votes
from sandbox.azure_devops.errors import ServiceError, bad_argument
from sandbox.azure_devops.protocol import NO_CONTENT, Reply, Router

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Json

router = Router()

# The same ids in every organisation.
TYPES = {
    votes.REVIEWERS: "Minimum number of reviewers",
    votes.BUILD: "Build",
    "fd2167ab-b0be-447a-8ec8-39368250530e": "Required reviewers",
    "40e92b44-2fe1-4dd6-b3d8-74a9c21d0c6e": "Work item linking",
    "c6a1889d-b943-4856-b76f-9e46bb6b0df2": "Comment requirements",
    "fa4e907d-c16b-4a4c-9dfa-4916e5d171ab": "Require a merge strategy",
    "cbdc66da-9728-4af8-aada-9a5a32e4a226": "Status",
}
_EVALUATIONS = uuid.UUID("7f0e3f5c-8a34-4d5f-9f57-3f3a6d1f2c11")
"""The namespace of evaluations' ids, made up here: the same policy on the same pull request is the same evaluation."""
_MATCHES = {"exact", "prefix", "defaultbranch"}


@router.on(locations.POLICY_TYPES, "GET", "vso.code")
def types(call: Call) -> object:
    """List the policy types, or give one by its id."""
    projects.of(call)
    if "typeId" not in call.values:
        return [_type(call, type_id) for type_id in TYPES]
    wanted = call.values["typeId"].lower()
    if wanted not in TYPES:
        raise _refusal(404, "PolicyTypeNotFoundException", f"TF402193: The policy type {wanted} does not exist.")
    return _type(call, wanted)


@router.on(locations.POLICY_CONFIGURATIONS, "GET", "vso.code")
def get(call: Call) -> object:
    """Give a policy by its id (a deleted one too, as such), or list the project's (`policyType`, `scope`, `$top`)."""
    project = projects.of(call)
    if "configurationId" in call.values:
        return _wire(call, _known(call, project))
    found = [
        one
        for one in call.draft.table("policies").values()
        if one["projectId"] == project["id"] and not one["isDeleted"]
    ]
    if wanted := call.query.get("policytype", "").lower():
        found = [one for one in found if one["type"] == wanted]
    return call.page(found, 1000, lambda one: _wire(call, one))


@router.on(locations.POLICY_EVALUATIONS, "GET", "vso.code")
def evaluations(call: Call) -> list[Json]:
    """Tell how the policies on a pull request stand: `artifactId=vstfs:///CodeReview/CodeReviewId/{project}/{number}`.

    https://learn.microsoft.com/rest/api/azure/devops/policy/evaluations/list
    """
    project = projects.of(call)
    artifact = call.query.get("artifactid", "")
    request = call.draft.table("pullRequests").get(artifact.rpartition("/")[2])
    repository = call.draft.table("repositories").get((request or {}).get("repositoryId", ""))
    if request is None or repository is None or repository["projectId"] != project["id"]:
        raise bad_argument(f"There is no pull request {artifact!r} in this project.")
    tip = git.head(call.draft, repository, request["sourceRefName"])
    return [
        _evaluation(call, artifact, request, one) for one in votes.evaluations(call.draft, repository, request, tip)
    ]


@router.on(locations.POLICY_CONFIGURATIONS, "POST", "vso.code_write", shape=shapes.POLICY)
def create(call: Call) -> Json:
    """Create a policy: body `{"isEnabled", "isBlocking", "type": {"id"}, "settings": {"scope": [...], ...}}`."""
    project = projects.of(call)
    number = call.draft.next_id("policy")
    policy: Json = {
        "id": number,
        "projectId": project["id"],
        "revision": 0,
        "isDeleted": False,
        "createdBy": call.caller.identity_id,
        "createdDate": clock.now(),
    }
    _fill(call, project, policy, call.object())
    call.draft.table("policies")[str(number)] = policy
    return _wire(call, policy)


@router.on(locations.POLICY_CONFIGURATIONS, "PUT", "vso.code_write", shape=shapes.POLICY)
def update(call: Call) -> Json:
    """Replace a policy."""
    project = projects.of(call)
    policy = _known(call, project)
    _fill(call, project, policy, call.object())
    return _wire(call, policy)


@router.on(locations.POLICY_CONFIGURATIONS, "DELETE", "vso.code_write")
def delete(call: Call) -> Reply:
    """Delete a policy; it is still found by its id, as deleted."""
    _known(call, projects.of(call))["isDeleted"] = True
    return NO_CONTENT


def _fill(call: Call, project: Json, policy: Json, body: Json) -> None:
    type_id = str((body.get("type") or {}).get("id") or "").lower()
    if type_id not in TYPES:
        raise _refusal(404, "PolicyTypeNotFoundException", f"TF402193: The policy type {type_id} does not exist.")
    settings = body.get("settings")
    if not isinstance(settings, dict) or not isinstance(settings.get("scope"), list) or not settings["scope"]:
        raise bad_argument("The settings of the policy have no scope.")
    for scope in settings["scope"]:
        _check_scope(call, project, scope)
    if type_id == votes.BUILD:
        definitions.find(call.draft, project, settings.get("buildDefinitionId"))
        duration = settings.get("validDuration", 0)
        if not isinstance(duration, int | float) or duration < 0:
            raise bad_argument(f"validDuration {duration} is not valid: minutes, 0 for ever.")
    policy["type"] = type_id
    policy["isEnabled"] = bool(body.get("isEnabled"))
    policy["isBlocking"] = bool(body.get("isBlocking"))
    policy["settings"] = settings
    policy["revision"] += 1


def _check_scope(call: Call, project: Json, scope: Any) -> None:
    kind = str(scope.get("matchKind") or "").lower()
    if kind not in _MATCHES:
        raise bad_argument(
            f"The matchKind '{scope.get('matchKind')}' is not valid. Valid: Exact, Prefix, DefaultBranch."
        )
    if scope.get("repositoryId"):
        git.find(call, project, scope["repositoryId"])
    if kind != "defaultbranch" and not str(scope.get("refName") or "").startswith("refs/"):
        raise bad_argument(f"The refName '{scope.get('refName')}' is not valid. Example: refs/heads/main.")


def _known(call: Call, project: Json) -> Json:
    number = call.number("configurationId")
    policy = call.draft.table("policies").get(str(number))
    if policy is None or policy["projectId"] != project["id"]:
        raise _refusal(
            404, "PolicyConfigurationNotFoundException", f"TF402194: The policy configuration {number} does not exist."
        )
    return policy


def _type(call: Call, type_id: str) -> Json:
    project = projects.of(call)
    return {
        "id": type_id,
        "displayName": TYPES[type_id],
        "description": TYPES[type_id],
        "url": f"{call.organization_url}/{project['id']}/_apis/policy/types/{type_id}",
    }


def _wire(call: Call, policy: Json) -> Json:
    url = f"{call.organization_url}/{policy['projectId']}/_apis/policy/configurations/{policy['id']}"
    return {
        "createdBy": identities.reference(call.draft, policy["createdBy"], call.organization_url),
        "createdDate": policy["createdDate"],
        "isEnabled": policy["isEnabled"],
        "isBlocking": policy["isBlocking"],
        "isDeleted": policy["isDeleted"],
        "isEnterpriseManaged": False,
        "settings": policy["settings"],
        "_links": {"self": {"href": url}},
        "revision": policy["revision"],
        "id": policy["id"],
        "url": url,
        "type": _type(call, policy["type"]),
    }


def _evaluation(call: Call, artifact: str, request: Json, one: votes.Evaluation) -> Json:
    """Return a PolicyEvaluationRecord; of a build validation with its build, always one of the last commit."""
    answer: Json = {
        "configuration": _wire(call, one.policy),
        "artifactId": artifact,
        "evaluationId": str(uuid.uuid5(_EVALUATIONS, f"{one.policy['id']}/{request['id']}")),
        "startedDate": request["creationDate"],
        "status": one.status,
    }
    if one.policy["type"] == votes.BUILD:
        number = int(one.policy["settings"]["buildDefinitionId"])
        known = call.draft.table("definitions").get(str(number)) or {"name": ""}
        context: Json = {"buildDefinitionId": number, "buildDefinitionName": known["name"], "isExpired": False}
        if one.build is not None:
            context |= {
                "buildId": one.build["id"],
                "buildIsNotCurrent": False,
                "buildStartedUtc": one.build["startTime"],
            }
            answer |= {"completedDate": one.build["finishTime"]} if one.build["finishTime"] else {}
        answer["context"] = context
    return answer


def _refusal(status: int, type_key: str, message: str) -> ServiceError:
    return ServiceError(status, type_key, message, namespace="Microsoft.TeamFoundation.Policy.WebApi")
