"""Pages of pull requests: the policies of each with how they stand, its votes and its comments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.console.model import Cell, Page, Table, row, state, when

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.console.model import Ask

BUILD, REVIEWERS = "0609b952-1397-4640-95ec-e00a01b2c241", "fa4e907d-c16b-4a4c-9dfa-4906e5d171dd"
REQUIRED_REVIEWERS = "fd2167ab-b0be-447a-8ec8-39368250530e"
COMMENTS, STATUS = "c6a1889d-b943-4856-b76f-9e46bb6b0df2", "cbdc66da-9728-4af8-aada-9a5a32e4a226"
"""Types of policies; the ids are those of every organisation."""
_VOTES = {
    10: Cell("approved", tone="good"),
    5: Cell("approved with suggestions", tone="good"),
    0: Cell("no vote"),
    -5: Cell("waits for the author", tone="waits"),
    -10: Cell("rejected", tone="bad"),
}


def every(ask: Ask, repository: str) -> Page:
    """All pull requests of a repository, the newest first."""
    rows = [
        row(
            Cell(f"{one['pullRequestId']}: {one['title']}", f"/pull-requests/{one['pullRequestId']}"),
            state(one["status"]),
            f"{_branch(one['sourceRefName'])} into {_branch(one['targetRefName'])}",
            one["createdBy"]["displayName"],
            when(one["creationDate"]),
        )
        for one in ask("GET", f"{_path(repository)}?searchCriteria.status=all")["value"]
    ]
    nothing = "No pull request: `make pipeline` opens one."
    columns = ("Pull request", "Status", "Branches", "By", "Opened")
    return Page("Pull requests", [Table("All pull requests", columns, rows, nothing)])


def one(ask: Ask, repository: str, number: int) -> Page:
    """One pull request."""
    request = ask("GET", f"{_path(repository)}/{number}")
    policies = Table(
        "Policies",
        ("Policy", "Status", "Run", "What it asks"),
        list(_policies(ask, request["repository"]["project"]["id"], number)),
        "No policy applies to the target branch.",
    )
    votes = Table(
        "Reviewers",
        ("Who", "Vote"),
        [row(who["displayName"], _VOTES.get(who["vote"], Cell(str(who["vote"])))) for who in request["reviewers"]],
        "Nobody has voted.",
    )
    comments = Table(
        "Comments",
        ("Who", "When", "Thread", "Comment"),
        [
            row(said["author"]["displayName"], when(said["publishedDate"]), thread.get("status"), said["content"])
            for thread in ask("GET", f"{_path(repository)}/{number}/threads")["value"]
            for said in thread["comments"]
            if not said.get("isDeleted")
        ],
        "No comment.",
    )
    facts = (
        ("Status", state(request["status"])),
        ("Branches", Cell(f"{_branch(request['sourceRefName'])} into {_branch(request['targetRefName'])}")),
        ("Opened", Cell(f"{when(request['creationDate'])} by {request['createdBy']['displayName']}")),
        ("Commit", Cell((request.get("lastMergeSourceCommit") or {}).get("commitId", ""), code=True)),
    )
    back = Cell("Pull requests", "/pull-requests")
    return Page(f"{number}: {request['title']}", [policies, votes, comments], back=back, facts=facts)


def _policies(ask: Ask, project: str, number: int) -> Iterator[list[Cell]]:
    artifact = f"vstfs:///CodeReview/CodeReviewId/{project}/{number}"
    for found in ask("GET", f"_apis/policy/evaluations?artifactId={artifact}")["value"]:
        policy, context = found["configuration"], found.get("context") or {}
        sentences = _KINDS.get(str(policy["type"]["id"]).lower(), _nothing)
        run = context.get("buildId")
        what = "\n".join(sentences(ask, policy["settings"], context))
        kind = f"{policy['type']['displayName']}, {'required' if policy['isBlocking'] else 'optional'}"
        yield row(kind, state(found["status"]), Cell(f"run {run}", f"/runs/{run}") if run else "", what)


def _reviewers(_: Ask, settings: Mapping[str, Any], __: object) -> Iterator[str]:
    yield f"At least {settings.get('minimumApproverCount')} approve."
    if not settings.get("creatorVoteCounts"):
        yield "The author's own vote does not count."
    if settings.get("blockLastPusherVote"):
        yield "Nor does that of who pushed last."
    if settings.get("resetOnSourcePush") or settings.get("resetRejectionsOnSourcePush"):
        yield "A push takes approvals back."


def _build(_: Ask, settings: Mapping[str, Any], context: Mapping[str, Any]) -> Iterator[str]:
    name = context.get("buildDefinitionName") or f"pipeline {settings['buildDefinitionId']}"
    yield f"{settings.get('displayName') or 'Build'} (pipeline {name})"


def _required(ask: Ask, settings: Mapping[str, Any], _: object) -> Iterator[str]:
    wanted = [str(one) for one in settings.get("requiredReviewerIds") or ()]
    found = ask("GET", f"/_apis/identities?identityIds={','.join(wanted)}")["value"] if wanted else []
    names = {str(who["id"]): who["providerDisplayName"] for who in found if who}
    yield f"Reviewers: {', '.join(names.get(one, one) for one in wanted)}."
    if paths := settings.get("filenamePatterns"):
        yield f"For changes of {', '.join(paths)}."


def _comments(*_: object) -> Iterator[str]:
    yield "Every comment thread is resolved."


def _status(_: Ask, settings: Mapping[str, Any], __: object) -> Iterator[str]:
    yield f"The status {settings.get('statusGenre')}/{settings.get('statusName')} has succeeded."


def _nothing(*_: object) -> Iterator[str]:
    yield ""


_KINDS: Mapping[str, Callable[[Ask, Mapping[str, Any], Mapping[str, Any]], Iterator[str]]] = {
    REVIEWERS: _reviewers,
    BUILD: _build,
    REQUIRED_REVIEWERS: _required,
    COMMENTS: _comments,
    STATUS: _status,
}


def _path(repository: str) -> str:
    return f"_apis/git/repositories/{repository}/pullrequests"


def _branch(ref: str) -> str:
    return ref.removeprefix("refs/heads/")
