"""Pull requests and their comments in the Azure DevOps service."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.azure_devops.service import Json, Service, definition_body, push

REPOSITORY = "app-one/_apis/git/repositories/app-one"


@pytest.fixture
def pull_request(service: Service, request: pytest.FixtureRequest) -> Json:
    """A pull request from a branch of the test's own."""
    branch = f"refs/heads/{request.node.name}"
    push(service, {"/change.txt": request.node.name}, branch)
    body = {"sourceRefName": branch, "targetRefName": "refs/heads/main", "title": "a change", "description": "why"}
    created: Json = service.post(f"{REPOSITORY}/pullrequests", body)
    return created


def threads_of(pull_request: Json) -> str:
    return f"{REPOSITORY}/pullRequests/{pull_request['pullRequestId']}/threads"


def upsert(service: Service, pull_request: Json, marker: str, text: str, token: str | None = None) -> None:
    """Leave one comment with a marker, as the pipeline does: find it, then change it or make it."""
    token = token or service.token
    for thread in service.get(threads_of(pull_request), token=token)["value"]:
        for comment in thread["comments"]:
            if marker in comment.get("content", ""):
                path = f"{threads_of(pull_request)}/{thread['id']}/comments/{comment['id']}"
                service.patch(path, {"content": f"{marker}\n{text}"}, token=token)
                return
    comment = {"parentCommentId": 0, "content": f"{marker}\n{text}", "commentType": 1}
    service.post(threads_of(pull_request), {"comments": [comment], "status": 4}, token=token)


def test_a_pull_request_is_found_by_its_id_and_in_the_list(service: Service, pull_request: Json) -> None:
    number = pull_request["pullRequestId"]
    assert (pull_request["status"], pull_request["title"]) == ("active", "a change")
    assert pull_request["lastMergeSourceCommit"]["commitId"] != pull_request["lastMergeTargetCommit"]["commitId"]
    for path in (f"{REPOSITORY}/pullRequests/{number}", f"_apis/git/pullrequests/{number}"):
        assert service.get(path) == pull_request
    query = f"searchCriteria.sourceRefName={pull_request['sourceRefName']}"
    assert [one["pullRequestId"] for one in service.get(f"{REPOSITORY}/pullrequests?{query}")["value"]] == [number]
    status, key, message = service.refused("GET", f"{REPOSITORY}/pullRequests/4711")
    assert (status, key) == (404, "GitPullRequestNotFoundException")
    assert message == "TF401180: The requested pull request was not found. Pull request id: 4711."


def test_a_second_pull_request_on_the_same_branches_and_one_without_a_branch_are_refused(
    service: Service, pull_request: Json
) -> None:
    body = {field: pull_request[field] for field in ("sourceRefName", "targetRefName", "title")}
    assert service.refused("POST", f"{REPOSITORY}/pullrequests", body)[0] == 409
    body["sourceRefName"] = "refs/heads/nowhere"
    status, _, message = service.refused("POST", f"{REPOSITORY}/pullrequests", body)
    assert status == 400
    assert message.startswith("TF401398:")


def test_ten_runs_leave_one_comment(service: Service, pull_request: Json) -> None:
    for run in range(10):
        upsert(service, pull_request, "<!-- plan:dev -->", f"run {run}")
    (thread,) = service.get(threads_of(pull_request))["value"]
    (comment,) = thread["comments"]
    assert comment["content"] == "<!-- plan:dev -->\nrun 9"
    assert comment["lastContentUpdatedDate"] >= comment["publishedDate"]
    assert (thread["status"], comment["author"]["displayName"]) == ("closed", "Operator")


def test_the_token_of_a_run_may_comment_but_not_push(service: Service, pull_request: Json) -> None:
    push(service, {"/azure-pipelines.yml": "steps: []\n"})
    pipeline = service.post("app-one/_apis/build/definitions", definition_body(service, "commenting"))
    build = service.post("app-one/_apis/build/builds", {"definition": {"id": pipeline["id"]}})
    token = service.post(f"app-one/_apis/sandbox/agent/jobs/{build['id']}")["accessToken"]
    upsert(service, pull_request, "<!-- plan -->", "one", token)
    upsert(service, pull_request, "<!-- plan -->", "two", token)
    (thread,) = service.get(threads_of(pull_request))["value"]
    assert thread["comments"][0]["author"]["displayName"] == "app-one Build Service (app-one)"
    assert service.ask("POST", f"{REPOSITORY}/pushes", {}, token=token).status_code == 401
    # Somebody else's comment is not theirs to change.
    path = f"{threads_of(pull_request)}/{thread['id']}/comments/1"
    assert service.refused("PATCH", path, {"content": "x"})[0] == 403


def test_a_thread_has_replies_a_status_and_properties(service: Service, pull_request: Json) -> None:
    body = {"comments": [{"content": "first"}], "properties": {"app-one.stack": "dev"}}
    thread = service.post(threads_of(pull_request), body)
    path = f"{threads_of(pull_request)}/{thread['id']}"
    assert thread["properties"] == {"app-one.stack": {"$type": "System.String", "$value": "dev"}}
    reply = service.post(f"{path}/comments", {"content": "second", "parentCommentId": 1})
    assert (reply["id"], reply["parentCommentId"]) == (2, 1)
    assert service.patch(path, {"status": "fixed"})["status"] == "fixed"
    assert [one["id"] for one in service.get(f"{path}/comments")["value"]] == [1, 2]
    assert service.ask("DELETE", f"{path}/comments/2").status_code == 200
    gone = service.get(f"{path}/comments/2")
    assert gone["isDeleted"] is True
    assert "content" not in gone
    assert service.get(path)["isDeleted"] is False


def test_empty_comments_and_unknown_threads_are_refused(service: Service, pull_request: Json) -> None:
    threads = threads_of(pull_request)
    assert service.refused("POST", threads, {"comments": []})[0] == 400
    assert service.refused("POST", threads, {"comments": [{"content": ""}]})[0] == 400
    assert service.refused("POST", threads, {"comments": [{"content": "x" * 150_001}]})[0] == 400
    assert service.refused("POST", threads, {"comments": [{"content": "x"}], "status": "odd"})[0] == 400
    assert service.refused("GET", f"{threads}/4711")[0] == 404
    assert service.get(threads)["count"] == 0


def test_a_completed_pull_request_moves_main_and_leaves_the_list_of_active_ones(
    service: Service, pull_request: Json
) -> None:
    path = f"{REPOSITORY}/pullrequests/{pull_request['pullRequestId']}"
    done = service.patch(path, {"status": "completed"})
    assert (done["status"], "closedDate" in done) == ("completed", True)
    (ref,) = service.get(f"{REPOSITORY}/refs?filter=heads/main")["value"]
    assert ref["objectId"] == pull_request["lastMergeSourceCommit"]["commitId"]
    active = service.get(f"{REPOSITORY}/pullrequests")["value"]
    assert pull_request["pullRequestId"] not in {one["pullRequestId"] for one in active}
