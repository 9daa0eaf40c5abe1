"""What an identity may do, whatever its token's scopes: administrators, contributors, and the runs of pipelines.

As a project has it when docs/azure-devops.md was followed: the operator is a project administrator, every other person
a contributor without *Edit build pipeline*; the build service, which runs are, may what it may by default, and has no
role in the library, on a service connection or an environment. A request that no row names and that changes something
is an administrator's.
https://learn.microsoft.com/azure/devops/organizations/security/permissions and
https://learn.microsoft.com/azure/devops/pipelines/policies/permissions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.azure_devops import locations as at
from sandbox.azure_devops.errors import ServiceError
from sandbox.azure_devops.identities import OPERATOR

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Location, Route
    from sandbox.azure_devops.scopes import Caller
    from sandbox.azure_devops.store import Draft

ADMINISTRATOR, CONTRIBUTOR, RUN = "administrator", "contributor", "run"
_ADMINISTRATORS = frozenset({ADMINISTRATOR})
_PEOPLE = frozenset({ADMINISTRATOR, CONTRIBUTOR})
_EVERYBODY = frozenset({ADMINISTRATOR, CONTRIBUTOR, RUN})
# Permission, in the service's words, and who has it.
_CODE = ("Contribute", _PEOPLE)
_REVIEW = ("Contribute to pull requests", _EVERYBODY)
_QUEUE = ("Queue builds", _PEOPLE)
_INFORMATION = ("Update build information", _EVERYBODY)
_JOB = ("the token of a run", frozenset({ADMINISTRATOR, RUN}))
_APPROVE = ("Approver", _PEOPLE)
_LIBRARY = ("Reader of the library", _PEOPLE)
_CONNECTIONS = ("Reader of service connections", _PEOPLE)

RULES: dict[tuple[Location, str], tuple[str, frozenset[str]]] = {
    (at.REFS, "POST"): _CODE,
    (at.PUSHES, "POST"): _CODE,
    (at.PULL_REQUESTS, "POST"): _CODE,
    (at.PULL_REQUESTS, "PATCH"): _CODE,
    (at.REVIEWERS, "PUT"): _CODE,
    (at.THREADS, "POST"): _REVIEW,
    (at.THREADS, "PATCH"): _REVIEW,
    (at.COMMENTS, "POST"): _REVIEW,
    (at.COMMENTS, "PATCH"): _REVIEW,
    (at.COMMENTS, "DELETE"): _REVIEW,
    (at.BUILDS, "POST"): _QUEUE,
    (at.RUNS, "POST"): _QUEUE,
    (at.STAGES, "PATCH"): _QUEUE,
    (at.BUILDS, "PATCH"): _INFORMATION,
    (at.APPROVALS, "PATCH"): _APPROVE,
    (at.DEFINITIONS, "POST"): ("Create build pipeline", _ADMINISTRATORS),
    (at.DEFINITIONS, "PUT"): ("Edit build pipeline", _ADMINISTRATORS),
    (at.DEFINITIONS, "DELETE"): ("Delete build pipeline", _ADMINISTRATORS),
    (at.PROJECT_VARIABLE_GROUPS, "GET"): _LIBRARY,
    (at.PROJECT_SERVICE_ENDPOINTS, "GET"): _CONNECTIONS,
    # Of a job alone: each looks at whose job it is.
    (at.OIDC_TOKEN, "POST"): _JOB,
    (at.AGENT_REQUESTS, "PATCH"): _JOB,
    (at.AGENT_STEPS, "POST"): _JOB,
    (at.AGENT_ATTACHMENTS, "POST"): _JOB,
    (at.AGENT_ARTIFACTS, "POST"): _JOB,
    (at.AGENT_SERVICE_ENDPOINTS, "POST"): _JOB,
}


def of(caller: Caller) -> str:
    """Return the role of a caller."""
    if caller.build_id is not None:
        return RUN
    return ADMINISTRATOR if caller.identity_id == OPERATOR else CONTRIBUTOR


def check(draft: Draft, caller: Caller, route: Route) -> None:
    """Refuse a caller whose role lacks the permission, as the service does: 403, TF215106."""
    default = ("Administer", _EVERYBODY if route.method == "GET" else _ADMINISTRATORS)
    permission, roles = RULES.get((route.location, route.method), default)
    if of(caller) not in roles:
        who = draft.table("identities")[caller.identity_id]["displayName"]
        raise ServiceError(
            403,
            "AccessDeniedException",
            f"TF215106: Access denied. {who} needs {permission} permissions to perform the action. For more "
            "information, contact the Azure DevOps Server administrator.",
        )
