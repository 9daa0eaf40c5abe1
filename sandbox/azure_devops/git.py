"""Git repositories: refs, pushes, commits and items, as far as programs and pipelines ask for them by REST.

https://learn.microsoft.com/rest/api/azure/devops/git. The content lies in bare repositories (`git_storage`), to which
git's own clients talk too (`git_transport`).
"""

from __future__ import annotations

import base64
import binascii
import shutil
from typing import TYPE_CHECKING, Any

from sandbox.azure_devops import clock, identities, locations, permissions, projects, protection, shapes, votes
from sandbox.azure_devops.errors import ServiceError, bad_argument
from sandbox.azure_devops.git_storage import ZERO, Bare, Commit
from sandbox.azure_devops.protocol import NO_CONTENT, Reply, Router

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.azure_devops.protocol import Call
    from sandbox.azure_devops.scopes import Caller
    from sandbox.azure_devops.store import Draft, Json

router = Router()

_NAMESPACE = "Microsoft.TeamFoundation.Git.Server"


def refusal(status: int, type_key: str, message: str) -> ServiceError:
    """Return an error of the git area."""
    return ServiceError(status, type_key, message, namespace=_NAMESPACE)


def add(draft: Draft, project: Json, name: str, *, initialize: bool) -> Json:
    """Create a repository; initialised, it has a main branch with a README."""
    repository: Json = {
        "id": clock.guid(),
        "projectId": project["id"],
        "name": name,
        "defaultBranch": None,
        "isDisabled": False,
    }
    draft.table("repositories")[repository["id"]] = repository
    bare = storage(draft, repository)
    bare.create()
    if initialize:
        readme = {"/README.md": f"# {name}\n".encode()}
        bare.move("refs/heads/main", commit(draft, repository, [], readme, "Added README.md", identities.OPERATOR))
        repository["defaultBranch"] = "refs/heads/main"
    return repository


def storage(draft: Draft, repository: Json) -> Bare:
    """Return the repository on disk."""
    return Bare(draft.folder / "git" / f"{repository['id']}.git")


def commit(
    draft: Draft, repository: Json, parents: list[str], changes: Mapping[str, bytes | None], comment: str, author: str
) -> str:
    """Record a commit and return its id. changes: content by path, None for a file that goes; author: an identity."""
    who = draft.table("identities")[author]
    return storage(draft, repository).commit(parents, changes, comment, who["displayName"], who["principalName"])


def by_name(draft: Draft, project: str, name: str) -> Json | None:
    """Return a repository by the names that git's clients use; None where there is none."""
    for one in draft.table("repositories").values():
        owner = draft.table("projects")[one["projectId"]]
        here = project.lower() in (owner["id"], owner["name"].lower()) and name.lower() in (
            one["id"],
            one["name"].lower(),
        )
        if here and not one["isDisabled"]:
            return one
    return None


def find(call: Call, project: Json | None, name_or_id: str) -> Json:
    """Return a repository by its id, or by its name within the project; raise the service's 404."""
    wanted = name_or_id.lower()
    for repository in call.draft.table("repositories").values():
        inside = project is None or repository["projectId"] == project["id"]
        if inside and (wanted == repository["id"] or (project is not None and wanted == repository["name"].lower())):
            return repository
    raise refusal(
        404,
        "GitRepositoryNotFoundException",
        f"TF401019: The Git repository with name or identifier {name_or_id} does not exist or you do not have "
        "permissions for the operation you are attempting.",
    )


def of(call: Call) -> Json:
    """Return the repository that the route names."""
    project = projects.of(call) if "project" in call.values else None
    repository = find(call, project, call.values["repositoryId"])
    if repository["isDisabled"]:
        raise refusal(
            404,
            "GitRepositoryNotFoundException",
            f"TF401019: The Git repository with name or identifier {call.values['repositoryId']} does not exist or "
            "you do not have permissions for the operation you are attempting.",
        )
    return repository


def pushed(draft: Draft, repository: Json, branch: str, commit: str, caller: Caller) -> None:
    """Take note of a push: of who made it, and of the votes that it takes back."""
    protection.note_push(draft, repository, branch, commit, caller)
    votes.reset(draft, repository, branch, commit)


def head(draft: Draft, repository: Json, branch: str) -> str | None:
    """Return the commit of a branch, given as `refs/heads/X` or `X`."""
    refs = storage(draft, repository).refs()
    return refs.get(branch if branch.startswith("refs/") else f"refs/heads/{branch}")


def resolve(draft: Draft, repository: Json, version: str) -> str | None:
    """Return the commit of a branch or of a commit's id."""
    return version if storage(draft, repository).has(version) else head(draft, repository, version)


def wire(call: Call, repository: Json) -> Json:
    """Return a repository as the API shows it."""
    project = call.draft.table("projects")[repository["projectId"]]
    host = call.organization_url.partition("://")[2].partition("/")[0]
    answer: Json = {
        "id": repository["id"],
        "name": repository["name"],
        "url": f"{call.organization_url}/{project['id']}/_apis/git/repositories/{repository['id']}",
        "project": projects.reference(call, project),
        "defaultBranch": repository["defaultBranch"],
        "size": 728 if repository["defaultBranch"] else 0,
        "remoteUrl": f"{call.organization_url}/{project['name']}/_git/{repository['name']}",
        "sshUrl": f"git@ssh.{host}:v3/{call.draft.state['organization']}/{project['name']}/{repository['name']}",
        "webUrl": f"{call.organization_url}/{project['name']}/_git/{repository['name']}",
        "isDisabled": repository["isDisabled"],
        "isInMaintenance": False,
        "isFork": False,
    }
    return {name: value for name, value in answer.items() if value is not None}


@router.on(locations.REPOSITORIES, "GET", "vso.code")
def get(call: Call) -> object:
    """Give a repository by id, or by name under the project; or list them (disabled ones with `includeHidden`)."""
    if "repositoryId" in call.values:
        return wire(call, of(call))
    hidden = call.query.get("includehidden", "").lower() == "true"
    project = projects.of(call) if "project" in call.values else None
    return [
        wire(call, repository)
        for repository in call.draft.table("repositories").values()
        if (project is None or repository["projectId"] == project["id"]) and (hidden or not repository["isDisabled"])
    ]


@router.on(locations.REPOSITORIES, "POST", "vso.code_manage", shape=shapes.REPOSITORY)
def create(call: Call) -> object:
    """Create an empty repository: body `{"name", "project": {"id"}}`."""
    body = call.object()
    wanted = (body.get("project") or {}).get("id") or call.values.get("project")
    if not wanted:
        raise bad_argument("The project of the repository is missing: give project.id.")
    project = projects.find(call.draft, str(wanted))
    name = _name(call, project, body.get("name"))
    return Reply(201, wire(call, add(call.draft, project, name, initialize=False)))


@router.on(locations.REPOSITORIES, "PATCH", "vso.code_manage", shape=shapes.REPOSITORY)
def update(call: Call) -> Json:
    """Rename a repository, set its default branch, disable or enable it."""
    project = projects.of(call) if "project" in call.values else None
    repository = find(call, project, call.values["repositoryId"])
    body = call.object()
    if body.get("name") and body["name"] != repository["name"]:
        owner = call.draft.table("projects")[repository["projectId"]]
        repository["name"] = _name(call, owner, body["name"], but=repository["id"])
    if body.get("defaultBranch"):
        if head(call.draft, repository, body["defaultBranch"]) is None:
            raise refusal(
                400,
                "GitBranchNotFoundException",
                f"VS403403: Cannot find any branches for the {repository['name']} repository named "
                f"{body['defaultBranch']}.",
            )
        repository["defaultBranch"] = body["defaultBranch"]
    if body.get("isDisabled") is not None:
        repository["isDisabled"] = bool(body["isDisabled"])
    return wire(call, repository)


@router.on(locations.REPOSITORIES, "DELETE", "vso.code_manage")
def delete(call: Call) -> Reply:
    """Delete a repository with its pull requests."""
    repository = of(call)
    del call.draft.table("repositories")[repository["id"]]
    shutil.rmtree(storage(call.draft, repository).folder)
    requests = call.draft.table("pullRequests")
    for number in [number for number, one in requests.items() if one["repositoryId"] == repository["id"]]:
        del requests[number]
    resource_id = f"{repository['projectId']}.{repository['id']}"
    permissions.forget(call.draft, repository["projectId"], "repository", resource_id)
    return NO_CONTENT


@router.on(locations.REFS, "GET", "vso.code")
def refs(call: Call) -> list[Json]:
    """List refs (`filter`, below refs/; `filterContains`)."""
    repository = of(call)
    prefix = "refs/" + (call.values.get("filter") or call.query.get("filter") or "")
    part = call.query.get("filtercontains", "")
    return [
        {
            "name": name,
            "objectId": commit_id,
            "creator": identities.reference(call.draft, identities.OPERATOR, call.organization_url),
            "url": f"{wire(call, repository)['url']}/refs?filter={name.removeprefix('refs/')}",
        }
        for name, commit_id in storage(call.draft, repository).refs().items()
        if name.startswith(prefix) and part in name
    ]


@router.on(locations.REFS, "POST", "vso.code_write", shape=shapes.REF_UPDATES)
def update_refs(call: Call) -> list[Json]:
    """Create, move or delete refs: body `[{"name", "oldObjectId", "newObjectId"}]`; each is answered on its own."""
    repository = of(call)
    if not isinstance(call.body, list):
        raise bad_argument("A JSON array of ref updates is expected.")
    return [_move(call, repository, one) for one in call.body]


@router.on(locations.PUSHES, "POST", "vso.code_write", shape=shapes.PUSH)
def push(call: Call) -> object:
    """Push commits: body `{"refUpdates": [{"name", "oldObjectId"}], "commits": [{"comment", "changes": [...]}]}`.

    A change is `{"changeType": "add"|"edit"|"delete", "item": {"path"}, "newContent": {"content", "contentType"}}`,
    content as `rawtext` or `base64encoded`.
    """
    repository = of(call)
    body = call.object()
    updates, commits = body.get("refUpdates") or [], body.get("commits") or []
    if len(updates) != 1 or not commits:
        raise bad_argument("A push needs exactly one refUpdate and at least one commit.")
    name, old = updates[0].get("name", ""), updates[0].get("oldObjectId") or ZERO
    bare = storage(call.draft, repository)
    if bare.refs().get(name, ZERO) != old:
        raise refusal(
            409,
            "GitReferenceStaleException",
            f"TF401028: The reference '{name}' has already been updated by another client, so you cannot update it. "
            "Please try again.",
        )
    tip = None if old == ZERO else old
    if not protection.may_push(call.draft, repository, name, call.caller):
        raise refusal(403, "GitRefUpdateRejectedByPolicyException", protection.REFUSED)
    made = []
    for one in commits:
        changes = _changes(bare, tip, one.get("changes") or [])
        comment = str(one.get("comment") or "")
        tip = commit(call.draft, repository, [tip] if tip else [], changes, comment, call.caller.identity_id)
        made.append(tip)
    bare.move(name, tip)
    pushed(call.draft, repository, name, str(tip), call.caller)
    repository["defaultBranch"] = repository["defaultBranch"] or name
    number = call.draft.next_id("push")
    return Reply(
        201,
        {
            "pushId": number,
            "date": clock.now(),
            "pushedBy": identities.reference(call.draft, call.caller.identity_id, call.organization_url),
            "refUpdates": [{"repositoryId": repository["id"], "name": name, "oldObjectId": old, "newObjectId": tip}],
            "commits": [_commit(call, repository, one) for one in made],
            "repository": wire(call, repository),
        },
    )


@router.on(locations.COMMITS, "GET", "vso.code")
def commits(call: Call) -> object:
    """Give a commit by its id, or list those of a branch (`searchCriteria.itemVersion.version`), newest first."""
    repository = of(call)
    if "commitId" in call.values:
        if not storage(call.draft, repository).has(call.values["commitId"]):
            raise refusal(
                404, "GitCommitDoesNotExistException", f"TF401175: The commit {call.values['commitId']} does not exist."
            )
        return _commit(call, repository, call.values["commitId"])
    branch = call.query.get("searchcriteria.itemversion.version") or repository["defaultBranch"] or ""
    tip = head(call.draft, repository, branch)
    limit = call.limit("searchcriteria.$top", call.limit("$top", 100))
    found = storage(call.draft, repository).log(tip, limit) if tip else []
    return [_shown(call, repository, one) for one in found]


@router.on(locations.BRANCH_STATISTICS, "GET", "vso.code")
def branches(call: Call) -> object:
    """Give a branch (`name`), or list them."""
    repository = of(call)
    refs_ = storage(call.draft, repository).refs()
    known = {ref.removeprefix("refs/heads/"): tip for ref, tip in refs_.items() if ref.startswith("refs/heads/")}
    stats = {
        name: {
            "commit": _commit(call, repository, tip),
            "name": name,
            "aheadCount": 0,
            "behindCount": 0,
            "isBaseVersion": f"refs/heads/{name}" == repository["defaultBranch"],
        }
        for name, tip in known.items()
    }
    if "name" not in call.query:
        return list(stats.values())
    if call.query["name"] not in stats:
        raise refusal(
            404,
            "GitUnresolvableToCommitException",
            f"TF401175: The version descriptor <Branch: {call.query['name']}> could not be resolved to a version in "
            f"the repository {repository['name']}",
        )
    return stats[call.query["name"]]


@router.on(locations.ITEMS, "GET", "vso.code")
def item(call: Call) -> Json:
    """Describe a file (`path`, `versionDescriptor.version`), with its text when `includeContent=true`."""
    repository = of(call)
    path = "/" + (call.values.get("path") or call.query.get("path") or "").lstrip("/")
    version = (
        call.query.get("versiondescriptor.version") or call.query.get("version") or repository["defaultBranch"] or ""
    )
    tip = resolve(call.draft, repository, version)
    if tip is None:
        raise refusal(
            404,
            "GitUnresolvableToCommitException",
            f"TF401175: The version descriptor <Branch: {version}> could not be resolved to a version in the "
            f"repository {repository['name']}",
        )
    blob_id = storage(call.draft, repository).blob(tip, path)
    if blob_id is None:
        raise refusal(
            404,
            "GitItemNotFoundException",
            f"TF401174: The item '{path}' could not be found in the repository '{repository['name']}' at the version "
            f"specified by '<Branch: {version}>' (resolved to commit '{tip}')",
        )
    answer: Json = {
        "objectId": blob_id,
        "gitObjectType": "blob",
        "commitId": tip,
        "path": path,
        "url": f"{wire(call, repository)['url']}/items{path}",
    }
    if call.query.get("includecontent", "").lower() == "true":
        answer["content"] = storage(call.draft, repository).content(blob_id).decode(errors="replace")
    return answer


def _name(call: Call, project: Json, name: Any, *, but: str = "") -> str:
    text = str(name or "").strip()
    if not text or any(char in text for char in '\\/:*?"<>|#$}{,+=[]') or text.startswith("_"):
        raise refusal(400, "InvalidGitRepositoryNameException", f"TF401024: The repository name '{text}' is not valid.")
    for other in call.draft.table("repositories").values():
        if other["projectId"] == project["id"] and other["name"].lower() == text.lower() and other["id"] != but:
            raise refusal(
                409,
                "GitRepositoryNameAlreadyExistsException",
                f"TF400948: A Git repository with the name {text} already exists.",
            )
    return text


def _move(call: Call, repository: Json, one: Json) -> Json:
    name = str(one.get("name") or "")
    old, new = one.get("oldObjectId") or ZERO, one.get("newObjectId") or ZERO
    status = "succeeded"
    bare = storage(call.draft, repository)
    if not protection.may_push(call.draft, repository, name, call.caller):
        status = "rejectedByPolicy"
    elif bare.refs().get(name, ZERO) != old:
        status = "staleOldObjectId"
    elif new != ZERO and not bare.has(new):
        status = "unresolvableToCommit"
    elif not name.startswith("refs/") or not bare.valid(name):
        status = "invalidRefName"
    else:
        bare.move(name, None if new == ZERO else new)
        pushed(call.draft, repository, name, new, call.caller)
    return {
        "repositoryId": repository["id"],
        "name": name,
        "oldObjectId": old,
        "newObjectId": new,
        "updateStatus": status,
        "success": status == "succeeded",
    }


def _changes(bare: Bare, tip: str | None, given: list[Json]) -> dict[str, bytes | None]:
    """Return what a commit changes: content by path, None for a file that goes."""
    found: dict[str, bytes | None] = {}
    for change in given:
        path = "/" + str((change.get("item") or {}).get("path") or "").lstrip("/")
        there = found[path] is not None if path in found else bool(tip and bare.blob(tip, path))
        found[path] = _content(change, path, there=there)
    return found


def _content(change: Json, path: str, *, there: bool) -> bytes | None:
    kind = str(change.get("changeType") or "").lower()
    if kind not in {"add", "edit", "delete"}:
        raise bad_argument(f"The change type '{kind}' of {path} is not supported here. Supported: add, edit, delete.")
    if kind == "add" and there:
        raise refusal(
            409, "GitItemExistsException", f"TF402443: The path '{path}' specified in the add operation already exists."
        )
    if kind != "add" and not there:
        raise refusal(
            404,
            "GitItemNotFoundException",
            f"TF402444: The path '{path}' specified in the {kind} operation does not exist.",
        )
    if kind == "delete":
        return None
    given = change.get("newContent") or {}
    text = str(given.get("content") or "")
    try:
        encoded = str(given.get("contentType") or "rawtext").lower() == "base64encoded"
        return base64.b64decode(text, validate=True) if encoded else text.encode()
    except binascii.Error:
        raise bad_argument(f"The content of {path} is not base64.") from None


def _commit(call: Call, repository: Json, commit_id: str) -> Json:
    return _shown(call, repository, storage(call.draft, repository).log(commit_id, 1)[0])


def _shown(call: Call, repository: Json, known: Commit) -> Json:
    person = {"name": known.author, "email": known.email, "date": known.date}
    return {
        "commitId": known.id,
        "author": person,
        "committer": person,
        "comment": known.comment,
        "parents": list(known.parents),
        "url": f"{wire(call, repository)['url']}/commits/{known.id}",
    }
