"""Pull requests and the comment threads on them.

https://learn.microsoft.com/rest/api/azure/devops/git/pull-requests and .../pull-request-threads
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.azure_devops import clock, git, identities, locations, projects, protection, shapes, votes
from sandbox.azure_devops.errors import bad_argument
from sandbox.azure_devops.protocol import Reply, Router

if TYPE_CHECKING:
    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.store import Json

router = Router()

_STATUSES = {"active", "abandoned", "completed"}
_THREAD_STATUSES = {"unknown", "active", "fixed", "wontFix", "closed", "byDesign", "pending"}


@router.on(locations.PULL_REQUEST_BY_ID, "GET", "vso.code")
def by_id(call: Call) -> object:
    """Give a pull request by its id alone; or list a project's."""
    if "pullRequestId" in call.values:
        return _wire(call, _known(call))
    project = projects.of(call)
    repositories = call.draft.table("repositories")
    found = [
        one
        for one in call.draft.table("pullRequests").values()
        if repositories[one["repositoryId"]]["projectId"] == project["id"]
    ]
    return _listed(call, found)


@router.on(locations.PULL_REQUESTS, "GET", "vso.code")
def get(call: Call) -> object:
    """Give a pull request; or list a repository's (`searchCriteria.status`, default active, and `.sourceRefName`)."""
    repository = git.of(call)
    if "pullRequestId" in call.values:
        return _wire(call, _known(call))
    return _listed(
        call, [one for one in call.draft.table("pullRequests").values() if one["repositoryId"] == repository["id"]]
    )


@router.on(locations.PULL_REQUESTS, "POST", "vso.code_write", shape=shapes.PULL_REQUEST)
def create(call: Call) -> object:
    """Open a pull request: body `{"sourceRefName", "targetRefName", "title", "description", "isDraft"}`."""
    repository = git.of(call)
    body = call.object()
    refs = {}
    for field in ("sourceRefName", "targetRefName"):
        refs[field] = str(body.get(field) or "")
        if git.head(call.draft, repository, refs[field]) is None:
            raise git.refusal(
                400,
                "GitPullRequestSourceOrTargetNotFoundException",
                f"TF401398: The pull request cannot be activated because the branch {refs[field] or field} no longer "
                "exists, or the requested set of source/target branches is not valid.",
            )
    if not body.get("title"):
        raise bad_argument("The title of the pull request is missing.")
    for other in call.draft.table("pullRequests").values():
        same = {**refs, "repositoryId": repository["id"], "status": "active"}
        if all(other[field] == value for field, value in same.items()):
            raise git.refusal(
                409,
                "GitPullRequestExistsException",
                "TF401179: An active pull request for the source and target branch already exists.",
            )
    number = call.draft.next_id("pullRequest")
    request: Json = {
        "id": number,
        "repositoryId": repository["id"],
        **refs,
        "title": str(body["title"]),
        "description": str(body.get("description") or ""),
        "status": "active",
        "isDraft": bool(body.get("isDraft")),
        "createdBy": call.caller.identity_id,
        "creationDate": clock.now(),
        "closedDate": None,
        "forkSource": body.get("forkSource"),
        "lastThreadId": 0,
        "threads": {},
        "votes": {},
    }
    call.draft.table("pullRequests")[str(number)] = request
    return Reply(201, _wire(call, request))


@router.on(locations.PULL_REQUESTS, "PATCH", "vso.code_write", shape=shapes.PULL_REQUEST)
def update(call: Call) -> Json:
    """Change title, description or status; completing one moves the target branch to the source's head.

    While a required policy is not met it is refused, but for `{"completionOptions": {"bypassPolicy": true}}` by whom
    may bypass policies.
    """
    repository = git.of(call)
    request = _known(call)
    body = call.object()
    for field in ("title", "description"):
        if body.get(field) is not None:
            request[field] = str(body[field])
    status = body.get("status")
    if status is not None and status not in _STATUSES:
        raise bad_argument(f"The status '{status}' is not valid. Valid: {', '.join(sorted(_STATUSES))}.")
    if status == "completed":
        _complete(call, repository, request, body)
    if status is not None:
        request["status"] = status
        request["closedDate"] = None if status == "active" else clock.now()
    return _wire(call, request)


@router.on(locations.REVIEWERS, "GET", "vso.code")
def reviewers(call: Call) -> object:
    """List the reviewers with their votes, or give the one of the route."""
    found = _reviewers(call, _known(call))
    if "reviewerId" not in call.values:
        return found
    wanted = call.values["reviewerId"].lower()
    for one in found:
        if one["id"] == wanted:
            return one
    raise git.refusal(404, "GitPullRequestReviewerNotFoundException", f"TF401181: {wanted} is no reviewer.")


@router.on(locations.REVIEWERS, "PUT", "vso.code_write", shape=shapes.VOTE)
def vote(call: Call) -> Json:
    """Add a reviewer, or vote: `{"vote": 10, 5, 0, -5 or -10}`. Nobody votes for another."""
    repository, request = git.of(call), _known(call)
    wanted = call.values.get("reviewerId", "").lower()
    identities.reference(call.draft, wanted, call.organization_url)
    value = call.object().get("vote") or 0
    if value not in votes.VALUES:
        raise bad_argument(f"The vote {value} is not valid. Valid: {', '.join(map(str, votes.VALUES))}.")
    if request["status"] != "active":
        raise git.refusal(403, "GitPullRequestNotEditableException", "TF401181: The pull request cannot be edited.")
    if wanted == call.caller.identity_id:
        votes.cast(request, call.caller, value, git.head(call.draft, repository, request["sourceRefName"]))
    elif value:
        raise git.refusal(
            403, "GitNeedsPermissionException", "TF401027: Only the reviewer can vote: nobody votes for another."
        )
    else:
        request.setdefault("votes", {}).setdefault(wanted, {"vote": 0, "commit": None})
    return next(one for one in _reviewers(call, request) if one["id"] == wanted)


@router.on(locations.THREADS, "GET", "vso.code", "vso.threads_full")
def threads(call: Call) -> object:
    """Give a thread by its id, or list all of the pull request's."""
    request = _known(call)
    if "threadId" in call.values:
        return _thread(call, request, _known_thread(call, request))
    return [_thread(call, request, one) for one in request["threads"].values()]


@router.on(locations.THREADS, "POST", "vso.code_write", "vso.threads_full", shape=shapes.THREAD)
def create_thread(call: Call) -> Json:
    """Open a thread: body `{"comments": [{"content", "commentType", "parentCommentId"}], "status", "properties"}`."""
    request = _known(call)
    body = call.object()
    comments = body.get("comments") or []
    if not comments:
        raise bad_argument("A thread needs at least one comment.")
    request["lastThreadId"] += 1
    now = clock.now()
    thread: Json = {
        "id": request["lastThreadId"],
        "publishedDate": now,
        "lastUpdatedDate": now,
        "status": _status(body.get("status", "active")),
        "threadContext": body.get("threadContext"),
        "properties": body.get("properties") or {},
        "comments": [],
    }
    for comment in comments:
        _add_comment(call, thread, comment)
    request["threads"][str(thread["id"])] = thread
    return _thread(call, request, thread)


@router.on(locations.THREADS, "PATCH", "vso.code_write", "vso.threads_full", shape=shapes.THREAD)
def update_thread(call: Call) -> Json:
    """Change the status or the properties of a thread."""
    request = _known(call)
    thread = _known_thread(call, request)
    body = call.object()
    if body.get("status") is not None:
        thread["status"] = _status(body["status"])
    if isinstance(body.get("properties"), dict):
        thread["properties"] |= body["properties"]
    thread["lastUpdatedDate"] = clock.now()
    return _thread(call, request, thread)


@router.on(locations.COMMENTS, "GET", "vso.code", "vso.threads_full")
def comments(call: Call) -> object:
    """Give a comment by its id, or list the thread's."""
    request = _known(call)
    thread = _known_thread(call, request)
    if "commentId" in call.values:
        return _comment(call, request, thread, _known_comment(call, thread))
    return [_comment(call, request, thread, one) for one in thread["comments"]]


@router.on(locations.COMMENTS, "POST", "vso.code_write", "vso.threads_full", shape=shapes.COMMENT)
def create_comment(call: Call) -> Json:
    """Add a comment to a thread: body `{"content", "parentCommentId", "commentType"}`."""
    request = _known(call)
    thread = _known_thread(call, request)
    return _comment(call, request, thread, _add_comment(call, thread, call.object()))


@router.on(locations.COMMENTS, "PATCH", "vso.code_write", "vso.threads_full", shape=shapes.COMMENT)
def update_comment(call: Call) -> Json:
    """Change the text of a comment, which only its author may."""
    request = _known(call)
    thread = _known_thread(call, request)
    comment = _own_comment(call, thread)
    content = call.object().get("content")
    if content is not None:
        comment["content"] = str(content)
        comment["lastContentUpdatedDate"] = clock.now()
    comment["lastUpdatedDate"] = thread["lastUpdatedDate"] = clock.now()
    return _comment(call, request, thread, comment)


@router.on(locations.COMMENTS, "DELETE", "vso.code_write", "vso.threads_full")
def delete_comment(call: Call) -> object:
    """Delete a comment, which only its author may; it stays as deleted, without its text."""
    thread = _known_thread(call, _known(call))
    comment = _own_comment(call, thread)
    comment |= {"isDeleted": True, "content": None, "lastUpdatedDate": clock.now()}
    return Reply(200, None)


def _listed(call: Call, found: list[Json]) -> list[Json]:
    status = call.query.get("searchcriteria.status", "active")
    if status != "all":
        found = [one for one in found if one["status"] == status]
    for field in ("sourceRefName", "targetRefName"):
        if wanted := call.query.get(f"searchcriteria.{field.lower()}"):
            found = [one for one in found if one[field] == wanted]
    return [_wire(call, one) for one in found[::-1][: call.limit("$top", 101)]]


def _known(call: Call) -> Json:
    number = call.number("pullRequestId")
    request = call.draft.table("pullRequests").get(str(number))
    inside = "repositoryId" not in call.values or (request and git.of(call)["id"] == request["repositoryId"])
    if request is None or not inside:
        raise git.refusal(
            404,
            "GitPullRequestNotFoundException",
            f"TF401180: The requested pull request was not found. Pull request id: {number}.",
        )
    return request


def _known_thread(call: Call, request: Json) -> Json:
    thread: Json | None = request["threads"].get(str(call.number("threadId")))
    if thread is None:
        raise git.refusal(
            404, "CommentThreadNotFoundException", f"The comment thread {call.values['threadId']} does not exist."
        )
    return thread


def _known_comment(call: Call, thread: Json) -> Json:
    number = call.number("commentId")
    for comment in thread["comments"]:
        if comment["id"] == number:
            found: Json = comment
            return found
    raise git.refusal(404, "CommentNotFoundException", f"The comment {number} does not exist.")


def _complete(call: Call, repository: Json, request: Json, body: Json) -> None:
    tip = git.head(call.draft, repository, request["sourceRefName"])
    expected = (body.get("lastMergeSourceCommit") or {}).get("commitId")
    if expected not in (None, tip):
        raise git.refusal(
            409,
            "GitPullRequestStaleException",
            "TF401192: The pull request was changed since it was looked at: its source is at another commit.",
        )
    bypass = (body.get("completionOptions") or {}).get("bypassPolicy") and protection.may_push(
        call.draft, repository, request["targetRefName"], call.caller
    )
    if (reasons := votes.blocked(call.draft, repository, request, tip)) and not bypass:
        raise git.refusal(
            403,
            "GitPullRequestUpdateRejectedByPolicyException",
            f"The pull request cannot be completed: required policies are not met: {'; '.join(reasons)}.",
        )
    git.storage(call.draft, repository).move(request["targetRefName"], tip)


def _reviewers(call: Call, request: Json) -> list[Json]:
    return [
        {
            **identities.reference(call.draft, who, call.organization_url),
            "vote": row["vote"],
            "hasDeclined": False,
            "isFlagged": False,
            "reviewerUrl": f"{_url(call, request)}/reviewers/{who}",
        }
        for who, row in request.get("votes", {}).items()
    ]


def _own_comment(call: Call, thread: Json) -> Json:
    comment = _known_comment(call, thread)
    if comment["author"] != call.caller.identity_id:
        raise git.refusal(
            403, "CommentCannotBeUpdatedException", "A comment can be changed or deleted only by its author."
        )
    return comment


def _add_comment(call: Call, thread: Json, given: Json) -> Json:
    content = str(given.get("content") or "")
    if not content:
        raise bad_argument("The content of the comment is empty.")
    if len(content) > 150_000:
        raise bad_argument(f"The content of the comment has {len(content)} characters; at most 150000 are allowed.")
    now = clock.now()
    comment: Json = {
        "id": len(thread["comments"]) + 1,
        "parentCommentId": int(given.get("parentCommentId") or 0),
        "author": call.caller.identity_id,
        "content": content,
        "publishedDate": now,
        "lastUpdatedDate": now,
        "lastContentUpdatedDate": now,
        "commentType": "text",
        "isDeleted": False,
    }
    thread["comments"].append(comment)
    thread["lastUpdatedDate"] = now
    return comment


def _status(status: object) -> str:
    # The API takes the names and their numbers.
    numbers = ["unknown", "active", "fixed", "wontFix", "closed", "byDesign", "pending"]
    if isinstance(status, int) and 0 <= status < len(numbers):
        return numbers[status]
    if status not in _THREAD_STATUSES:
        raise bad_argument(f"The thread status '{status}' is not valid. Valid: {', '.join(numbers)}.")
    return str(status)


def _url(call: Call, request: Json) -> str:
    repository = call.draft.table("repositories")[request["repositoryId"]]
    return f"{git.wire(call, repository)['url']}/pullRequests/{request['id']}"


def _wire(call: Call, request: Json) -> Json:
    repository = call.draft.table("repositories")[request["repositoryId"]]
    answer: Json = {
        "repository": git.wire(call, repository),
        "pullRequestId": request["id"],
        "codeReviewId": request["id"],
        "status": request["status"],
        "createdBy": identities.reference(call.draft, request["createdBy"], call.organization_url),
        "creationDate": request["creationDate"],
        "closedDate": request["closedDate"],
        "title": request["title"],
        "description": request["description"],
        "sourceRefName": request["sourceRefName"],
        "targetRefName": request["targetRefName"],
        "mergeStatus": "succeeded",
        "isDraft": request["isDraft"],
        "reviewers": _reviewers(call, request),
        "url": _url(call, request),
        "supportsIterations": True,
        "forkSource": request.get("forkSource"),
    }
    for field, ref in (("lastMergeSourceCommit", "sourceRefName"), ("lastMergeTargetCommit", "targetRefName")):
        tip = git.head(call.draft, repository, request[ref])
        if tip is not None:
            answer[field] = {"commitId": tip}
    return {name: value for name, value in answer.items() if value is not None}


def _thread(call: Call, request: Json, thread: Json) -> Json:
    return {
        "id": thread["id"],
        "publishedDate": thread["publishedDate"],
        "lastUpdatedDate": thread["lastUpdatedDate"],
        "comments": [_comment(call, request, thread, one) for one in thread["comments"]],
        "status": thread["status"],
        "threadContext": thread["threadContext"],
        "properties": {name: _property(value) for name, value in thread["properties"].items()},
        "identities": None,
        "isDeleted": all(one["isDeleted"] for one in thread["comments"]),
        "_links": {"self": {"href": f"{_url(call, request)}/threads/{thread['id']}"}},
    }


def _property(value: object) -> object:
    # Properties go in plain or typed, and come back typed.
    if isinstance(value, dict):
        return value
    return {"$type": "System.Int32" if isinstance(value, int) else "System.String", "$value": value}


def _comment(call: Call, request: Json, thread: Json, comment: Json) -> Json:
    answer = {
        **comment,
        "author": identities.reference(call.draft, comment["author"], call.organization_url),
        "usersLiked": [],
        "_links": {
            "self": {"href": f"{_url(call, request)}/threads/{thread['id']}/comments/{comment['id']}"},
        },
    }
    if not comment["isDeleted"]:
        del answer["isDeleted"]
    return {name: value for name, value in answer.items() if value is not None}
