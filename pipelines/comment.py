"""Keep one comment a stack on a pull request: the first run writes it, every later one updates it.

The comment is found by a property of its thread and by its author, who is this run's own identity: so it is found again
whatever its text is, and written anew where somebody deleted it. Whoever may comment may set the same property; such a
thread is theirs, and is neither changed nor taken for the comment. With `--failed` it says that there is no preview of
this run, because the checks before it or the preview itself failed: what an earlier run wrote must not stand as if it
were current. A run that is cancelled, or whose packages cannot be installed, leaves the comment as it is; its heading
names the run it is of. Needs the pipeline's own token as SYSTEM_ACCESSTOKEN, and for its identity the right "Contribute
to pull requests" on the repository.

Source: https://learn.microsoft.com/rest/api/azure/devops/git/pull-request-threads (of a comment, only its author may
change the text); the identity of a token is the `authenticatedUser` of `_apis/connectionData`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from pipelines import agent, plan

PROPERTY = "app-one.plan"
VERSION = "7.1"
LIMIT = 150_000
"""Units of UTF-16 that Azure DevOps takes for one comment."""
SECONDS = 30.0


class PullRequest:
    """The threads of one pull request.

    url: `{collection}/{project}/_apis/git/repositories/{repository}/pullRequests/{number}`.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._collection = url.partition("/_apis/")[0].rpartition("/")[0]
        self._auth = ("", token)
        self._me = ""

    @classmethod
    def of_this_run(cls) -> PullRequest:
        """The pull request that started this run. Raises Stop (code 2) where none did."""
        remedy = "this step belongs to a pull request's run"
        base = agent.setting("SYSTEM_COLLECTIONURI", remedy).rstrip("/")
        project = agent.setting("SYSTEM_TEAMPROJECTID", remedy)
        repository = agent.setting("BUILD_REPOSITORY_ID", remedy)
        number = agent.setting("SYSTEM_PULLREQUEST_PULLREQUESTID", remedy)
        token = agent.setting("SYSTEM_ACCESSTOKEN", "map it: env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)")
        return cls(f"{base}/{project}/_apis/git/repositories/{repository}/pullRequests/{number}", token)

    def _ask(self, method: str, path: str, body: Any = None, *, gone: bool = False) -> Any:
        """The answer's JSON, None where it has none. gone: a 404 is fine too: somebody else has removed it already."""
        return self._answer(method, f"{self.url}/{path}", VERSION, body, gone=gone)

    def _answer(self, method: str, url: str, version: str, body: Any = None, *, gone: bool = False) -> Any:
        try:
            import requests
        except ModuleNotFoundError:
            raise agent.Stop("the packages are not there: run the step that installs them first", agent.USAGE) from None

        try:
            answer = requests.request(
                method,
                url,
                params={"api-version": version},
                json=body,
                auth=self._auth,
                timeout=SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise agent.Stop(f"Azure DevOps could not be reached for the comment: {type(error).__name__}") from None
        # A wrong token is answered with a sign-in page: 203, or a redirect to it.
        if answer.status_code in (203, 302, 401, 403):
            raise agent.Stop(
                f"Azure DevOps refused {method} of the pull request's threads ({answer.status_code}): give the build "
                'service "Contribute to pull requests" on the repository'
            )
        if gone and answer.status_code == 404:
            return None
        if not answer.ok:
            path = url.partition("/_apis/")[2]
            raise agent.Stop(f"Azure DevOps answered {answer.status_code} to {method} {path}: {answer.text[:500]}")
        return answer.json() if answer.content else None

    def _identity(self) -> str:
        """The id of who asks, by the service's own word."""
        if not self._me:
            said = self._answer("GET", f"{self._collection}/_apis/connectionData", f"{VERSION}-preview")
            self._me = str(said["authenticatedUser"]["id"])
        return self._me

    def ours(self, stack: str) -> list[dict[str, Any]]:
        """The stack's threads whose comment is there and this identity's, oldest first; more than one only after two
        runs at once.

        A thread with an answer stays when its first comment, which is ours, was deleted: the service says
        so of the comment, and of the thread only when no comment is left.
        """
        threads = cast("list[dict[str, Any]]", self._ask("GET", "threads")["value"])
        marked = [thread for thread in threads if _stack(thread) == stack and _is_there(thread)]
        mine = [thread for thread in marked if _author(thread) == self._identity().lower()]
        return sorted(mine, key=lambda thread: int(thread["id"]))

    def upsert(self, stack: str, text: str, *, status: str) -> int:
        """Write or update the stack's comment and give its thread's id.

        status: `active` (to be resolved by a person) or `closed`.
        """
        found = self.ours(stack)
        if not found:
            self._ask(
                "POST",
                "threads",
                {
                    "comments": [{"parentCommentId": 0, "content": text, "commentType": "text"}],
                    "status": status,
                    "properties": {PROPERTY: {"$type": "System.String", "$value": stack}},
                },
            )
            # Another run may have written at the same time: the oldest thread stays, whoever wrote it.
            found = self.ours(stack)
        first, *rest = found
        self._write(first, text, status)
        for thread in rest:
            self._ask("DELETE", f"threads/{thread['id']}/comments/{thread['comments'][0]['id']}", gone=True)
        return int(first["id"])

    def _write(self, thread: dict[str, Any], text: str, status: str) -> None:
        comment = thread["comments"][0]
        if comment.get("content") != text:
            self._ask("PATCH", f"threads/{thread['id']}/comments/{comment['id']}", {"content": text})
        if thread.get("status") != status:
            self._ask("PATCH", f"threads/{thread['id']}", {"status": status})


def _is_there(thread: dict[str, Any]) -> bool:
    return not thread.get("isDeleted") and bool(thread["comments"]) and not thread["comments"][0].get("isDeleted")


def _author(thread: dict[str, Any]) -> str:
    return str((thread["comments"][0].get("author") or {}).get("id")).lower()


def _stack(thread: dict[str, Any]) -> str | None:
    value = (thread.get("properties") or {}).get(PROPERTY)
    return cast("str | None", value.get("$value") if isinstance(value, dict) else value)


def text(stack: str, report: str, operator: str | None) -> str:
    """The comment: what an operator has to do, then the audit's report, within the service's limit."""
    quoted = "".join(f"> {line}\n" for line in operator.splitlines()) + "\n" if operator else ""
    head = f"{_heading(stack)}{quoted}"
    tail = "\n\n(cut: the whole report is in the run's artefact)"
    body = (head + report).encode("utf-16-le")
    if len(body) <= 2 * LIMIT:
        return head + report
    return body[: 2 * (LIMIT - len(tail))].decode("utf-16-le", errors="ignore") + tail


def failed(stack: str, what: str) -> str:
    """The comment of a run that has no preview to show; why is in its log, which masks secrets, and only there.

    what: what failed, `checks` or `preview`.
    """
    return (
        f"{_heading(stack)}**The {what} failed**, so nothing is known of what this change would do. What an "
        "earlier run wrote here is no longer current. The log of the run says why.\n"
    )


def _heading(stack: str) -> str:
    number = agent.optional("BUILD_BUILDNUMBER") or "this run"
    address = [agent.optional(name) for name in ("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECTID", "BUILD_BUILDID")]
    if all(address):
        base, project, build = map(str, address)
        number = f"[{number}]({base.rstrip('/')}/{project}/_build/results?buildId={build})"
    return f"## Preview of {stack} by {number}\n\n"


def main() -> None:
    """Entry point."""
    from pipelines.gate import message

    parser = agent.parser(__doc__ or "")
    parser.add_argument("--stack", required=True, help="stack that the report is of")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--report", type=Path, help="folder with report.md and report.json")
    what.add_argument(
        "--failed", nargs="?", const="preview", choices=("checks", "preview"), help="say that this failed, the preview"
    )
    parser.add_argument("--operators", default="the operators", help="who may change what the pipeline may not")
    options = parser.parse_args()
    if options.failed:
        words, open_ = failed(options.stack, options.failed), True
    else:
        found = plan.read(options.report / "report.json")
        operator = message(found, options.stack, options.operators) if found.beyond_rights else None
        report = (options.report / "report.md").read_text(encoding="utf-8")
        words, open_ = text(options.stack, report, operator), operator is not None
    thread = PullRequest.of_this_run().upsert(options.stack, words, status="active" if open_ else "closed")
    print(f"the comment of {options.stack} is thread {thread}")


if __name__ == "__main__":
    agent.run(main)
