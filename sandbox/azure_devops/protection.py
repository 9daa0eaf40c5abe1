"""Branches that policies protect: which policies apply to a branch, who may push there all the same, who pushed last.

https://learn.microsoft.com/azure/devops/repos/git/branch-policies: a branch with a required policy is changed by pull
requests alone. "Bypass policies when pushing" lets an identity push; nobody at the service has it at first, here the
operator has, whose checkout the sandbox itself pushes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.azure_devops.identities import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.azure_devops.scopes import Caller
    from sandbox.azure_devops.store import Draft, Json

REFUSED = "TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch."


def policies_on(draft: Draft, repository: Json, branch: str) -> Iterator[Json]:
    """Give the enabled policies that apply to a branch (refs/heads/...) of a repository."""
    for policy in draft.table("policies").values():
        live = policy["isEnabled"] and not policy["isDeleted"] and policy["projectId"] == repository["projectId"]
        if live and any(_applies(scope, repository, branch) for scope in policy["settings"]["scope"]):
            yield policy


def protects(draft: Draft, repository_id: str, branch: str) -> bool:
    """Tell whether an enabled policy applies to a branch (refs/heads/...) of a repository."""
    return any(policies_on(draft, draft.table("repositories")[repository_id], branch))


def may_push(draft: Draft, repository: Json, branch: str, caller: Caller) -> bool:
    """Tell whether a caller may change a branch without a pull request: optional policies keep nobody from it."""
    required = any(policy["isBlocking"] for policy in policies_on(draft, repository, branch))
    return not required or caller.identity_id == OPERATOR


def note_push(draft: Draft, repository: Json, branch: str, commit: str, caller: Caller) -> None:
    """Remember who brought a branch to a commit."""
    draft.table("pushers")[f"{repository['id']}/{branch}"] = {"commit": commit, "by": caller.identity_id}


def last_pusher(draft: Draft, repository: Json, branch: str) -> str | None:
    """Return the identity that pushed to a branch last; None where nobody is known."""
    known = draft.table("pushers").get(f"{repository['id']}/{branch}")
    return str(known["by"]) if known else None


def _applies(scope: Json, repository: Json, branch: str) -> bool:
    if scope.get("repositoryId") not in (None, "", repository["id"]):
        return False
    kind, name = str(scope["matchKind"]).lower(), str(scope.get("refName") or "")
    if kind == "defaultbranch":
        return branch == str(repository.get("defaultBranch"))
    return branch == name if kind == "exact" else branch == name or branch.startswith(f"{name.rstrip('/')}/")
