"""Callers and the scopes of their tokens.

https://learn.microsoft.com/azure/devops/integrate/get-started/authentication/oauth#scopes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.azure_devops.errors import build

if TYPE_CHECKING:
    from collections.abc import Iterable

FULL_ACCESS = "app_token"
_INCLUDES = {
    "vso.agentpools_manage": {"vso.agentpools"},
    "vso.build_execute": {"vso.build"},
    "vso.code_write": {"vso.code"},
    "vso.code_manage": {"vso.code_write"},
    "vso.code_full": {"vso.code_manage", "vso.threads_full"},
    "vso.graph_manage": {"vso.graph"},
    "vso.identity_manage": {"vso.identity"},
    "vso.pipelineresources_manage": {"vso.pipelineresources_use"},
    "vso.project_write": {"vso.project"},
    "vso.serviceendpoint_manage": {"vso.serviceendpoint_query"},
    "vso.serviceendpoint_query": {"vso.serviceendpoint"},
    "vso.project_manage": {"vso.project_write"},
    "vso.variablegroups_write": {"vso.variablegroups_read"},
    "vso.variablegroups_manage": {"vso.variablegroups_write"},
}
KNOWN = {FULL_ACCESS, "vso.environment_manage", "vso.threads_full", *_INCLUDES, *set().union(*_INCLUDES.values())}

# What the job access token of a pipeline run (System.AccessToken) may do here. At the service its identity, the build
# service, also needs "Contribute to pull requests" on the repository to comment; permissions of identities are not
# kept here, but for what that identity never has of itself: see `refuse_run`.
RUN_SCOPES = frozenset(
    {"vso.build_execute", "vso.code", "vso.threads_full", "vso.project", "vso.variablegroups_read", "vso.agentpools"}
)


@dataclass(frozen=True)
class Caller:
    """An authenticated caller: its identity, the scopes of its token, and the run whose token it is, if it is one."""

    identity_id: str
    scopes: frozenset[str]
    build_id: int | None = None

    def may(self, scopes: Iterable[str]) -> bool:
        """Tell whether one of the scopes is granted; none asked: everybody may."""
        asked = tuple(scopes)
        return not asked or FULL_ACCESS in self.scopes or any(scope in _reach(self.scopes) for scope in asked)


def refuse_run(caller: Caller, permission: str, what: str) -> None:
    """Refuse the token of a run what its scope would reach and the build service's identity has no permission to.

    permission: as the service names it; what: of which thing.
    https://learn.microsoft.com/azure/devops/pipelines/process/access-tokens (permissions of the job access token) and
    .../organizations/security/permissions (Build: the build service views, queues and updates runs, and edits none).
    """
    if caller.build_id is not None:
        raise build(
            403,
            "AccessDeniedException",
            f"TF215106: Access denied. {caller.identity_id} needs {permission} permissions for {what} to perform the "
            "action.",
        )


def _reach(scopes: Iterable[str]) -> set[str]:
    reached = set(scopes)
    while more := set().union(*(_INCLUDES.get(scope, set()) for scope in reached)) - reached:
        reached |= more
    return reached
