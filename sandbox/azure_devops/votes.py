"""The votes on a pull request, and whether the branch's required policies let it be completed.

https://learn.microsoft.com/azure/devops/repos/git/branch-policies and
https://learn.microsoft.com/rest/api/azure/devops/git/pull-request-reviewers. Two kinds of policy are evaluated here:
the minimum number of reviewers and the build. Any other kind that is required blocks, since nobody here can meet it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sandbox.azure_devops import protection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.azure_devops.scopes import Caller
    from sandbox.azure_devops.store import Draft, Json

BUILD, REVIEWERS = "0609b952-1397-4640-95ec-e00a01b2c241", "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd"
APPROVED, APPROVED_WITH_SUGGESTIONS, WAITING, REJECTED = 10, 5, -5, -10
VALUES = (APPROVED, APPROVED_WITH_SUGGESTIONS, 0, WAITING, REJECTED)
PASSED, PENDING, RUNNING, FAILED = "approved", "queued", "running", "rejected"


class Evaluation(NamedTuple):
    """How a policy stands on a pull request, and why; build: the one that its validation looks at."""

    policy: Json
    status: str
    why: str
    build: Json | None = None


def cast(request: Json, caller: Caller, value: int, tip: str | None) -> None:
    """Note the caller's own vote. tip: the commit that the source branch is at now, as everywhere here."""
    request.setdefault("votes", {})[caller.identity_id] = {"vote": value, "commit": tip}


def reset(draft: Draft, repository: Json, branch: str, tip: str) -> None:
    """Take back, after a push to a pull request's source, the votes that its policies reset."""
    for request in draft.table("pullRequests").values():
        here = (request["repositoryId"], request["sourceRefName"], request["status"])
        if here != (repository["id"], branch, "active"):
            continue
        policies = protection.policies_on(draft, repository, request["targetRefName"])
        rules = [one["settings"] for one in policies if one["type"] == REVIEWERS]
        everything = any(rule.get("resetRejectionsOnSourcePush") for rule in rules)
        approvals = everything or any(rule.get("resetOnSourcePush") for rule in rules)
        for vote in request.get("votes", {}).values():
            if vote["commit"] != tip and (everything or (approvals and vote["vote"] > 0)):
                vote["vote"] = 0


def evaluations(draft: Draft, repository: Json, request: Json, tip: str | None) -> Iterator[Evaluation]:
    """Give each policy that applies to a pull request, with how it stands."""
    for policy in protection.policies_on(draft, repository, request["targetRefName"]):
        if policy["type"] == REVIEWERS:
            yield Evaluation(policy, *_reviewed(draft, repository, request, policy["settings"], tip))
        elif policy["type"] == BUILD:
            yield Evaluation(policy, *_built(draft, request, policy["settings"], tip))
        else:
            yield Evaluation(policy, PENDING, "this service does not evaluate policies of this type")


def blocked(draft: Draft, repository: Json, request: Json, tip: str | None) -> list[str]:
    """Return why a pull request cannot be completed; an empty list if it can."""
    rows = evaluations(draft, repository, request, tip)
    return [one.why for one in rows if one.policy["isBlocking"] and one.status != PASSED]


def _reviewed(draft: Draft, repository: Json, request: Json, rule: Json, tip: str | None) -> tuple[str, str]:
    votes = {who: row for who, row in request.get("votes", {}).items() if row["vote"]}
    against = [who for who, row in votes.items() if row["vote"] < 0]
    if against and not rule.get("allowDownvotes"):
        return FAILED, "a reviewer waits for the author or rejects"
    last = protection.last_pusher(draft, repository, request["sourceRefName"])
    counted = {who: row for who, row in votes.items() if row["vote"] > 0}
    if not rule.get("creatorVoteCounts"):
        counted.pop(request["createdBy"], None)
    if rule.get("blockLastPusherVote") and last is not None:
        counted.pop(last, None)
    wanted = int(rule.get("minimumApproverCount") or 0)
    if len(counted) < wanted:
        return PENDING, f"{len(counted)} of at least {wanted} reviewers approved"
    if rule.get("requireVoteOnLastIteration") and all(row["commit"] != tip for row in counted.values()):
        return PENDING, "nobody approved the last iteration"
    return PASSED, ""


def _built(draft: Draft, request: Json, rule: Json, tip: str | None) -> tuple[str, str, Json | None]:
    wanted = (int(rule["buildDefinitionId"]), request["id"], tip)
    name = rule.get("displayName") or "Build"
    for one in reversed(draft.table("builds").values()):
        if (one["definitionId"], one["pullRequestId"], one["sourceVersion"]) == wanted:
            if one["status"] != "completed":
                return PENDING if one["status"] == "notStarted" else RUNNING, f"{name} runs", one
            ended = PASSED if one["result"] in ("succeeded", "partiallySucceeded") else FAILED
            return ended, f"{name} {one['result']}", one
    return PENDING, f"{name} has not run on the source's last commit", None
