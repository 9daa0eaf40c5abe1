"""Callers and the scopes of their tokens.

https://learn.microsoft.com/azure/devops/integrate/get-started/authentication/oauth#scopes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
# service, also needs "Contribute to pull requests" on the repository to comment. What it may not do in spite of its
# scopes: `roles`.
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


def _reach(scopes: Iterable[str]) -> set[str]:
    reached = set(scopes)
    while more := set().union(*(_INCLUDES.get(scope, set()) for scope in reached)) - reached:
        reached |= more
    return reached
