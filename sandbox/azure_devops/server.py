"""The HTTP server: caller, route, api-version, then the handler; a change is on disk before it is answered."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.azure_devops import (
    agent,
    approvals,
    builds,
    checks,
    clock,
    definitions,
    discovery,
    entra,
    environments,
    git,
    git_transport,
    identities,
    jobs,
    oidc,
    permissions,
    policies,
    pools,
    project_creation,
    projects,
    protection,
    pull_requests,
    queue_time,
    roles,
    service_endpoints,
    shapes,
    timeline,
    tokens,
    variable_groups,
)
from sandbox.azure_devops.errors import ServiceError, bad_argument
from sandbox.azure_devops.protocol import Call, Reply, Route, check_version, collection, requested_version
from sandbox.azure_devops.tokens import NotSignedIn, TokenExpired, check_scopes

if TYPE_CHECKING:
    from sandbox.azure_devops.scopes import Caller
    from sandbox.azure_devops.store import Draft, Json, Store
    from sandbox.azure_devops.tokens import Authenticator

PATIENCE = 30.0
"""Seconds that a request waits for a change."""
_LOG = logging.getLogger("azure-devops")

_AREAS = (
    discovery,
    projects,
    project_creation,
    identities,
    tokens,
    entra,
    pools,
    variable_groups,
    permissions,
    definitions,
    builds,
    environments,
    checks,
    policies,
    git,
    pull_requests,
    queue_time,
    service_endpoints,
    oidc,
    agent,
    approvals,
    timeline,
    jobs,
)
ROUTES: list[Route] = [route for area in _AREAS for route in area.router.routes]

# What a browser would be shown; a client that expects JSON stumbles over it, as it does at the service.
_SIGN_IN = (
    "<!DOCTYPE html><html lang='en-US'><head><title>Azure DevOps Services | Sign In</title></head>"
    "<body>Sign in to Azure DevOps Services. This address answers a program only with a valid personal access "
    "token.</body></html>"
)
_EXPIRED = (
    "<!DOCTYPE html><html><head><title>Access Denied: The Personal Access Token used has expired.</title></head>"
    "<body>Access Denied: The Personal Access Token used has expired.</body></html>"
)


def seed(store: Store, organization: str, project: str) -> None:
    """Make the organisation and its first project, when they are not there yet."""
    with store.change() as draft:
        if not draft.table("identities"):
            draft.state["organization"] = organization
            draft.state["instanceId"] = clock.guid()
            identities.seed(draft, organization)
        if not any(one["name"].lower() == project.lower() for one in draft.table("projects").values()):
            project_creation.add(draft, project)


def application(
    store: Store, authenticator: Authenticator, organization: str, page_size: int | None = None
) -> web.Application:
    """Return the service of one organisation, at `/ORGANIZATION`. page_size: entries of a page of a list at most."""
    service = _Service(store, authenticator, organization, page_size)
    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", service.answer)
    return app


class _Service:
    def __init__(self, store: Store, authenticator: Authenticator, organization: str, page_size: int | None) -> None:
        self._page_size = page_size
        self._store = store
        self._authenticator = authenticator
        self._organization = organization
        self._changed = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        """Answer any request; one that waits for a change is asked again after each, for PATIENCE seconds at most."""
        body = await request.read()
        path = [part for part in request.path.split("/") if part]
        if path[2:3] == ["_git"] and path[0].lower() == self._organization.lower():
            return await self._git(request, body, path)
        clock_ = asyncio.get_running_loop().time
        until = clock_() + PATIENCE
        response, wait = self._respond(request, body)
        while wait and clock_() < until:
            changed = self._changed
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), until - clock_())
            response, wait = self._respond(request, body)
        response.headers["X-TFS-Session"] = request.headers.get("X-TFS-Session") or clock.guid()
        response.headers["ActivityId"] = clock.guid()
        # Neither query nor headers nor bodies: they may hold what is secret.
        _LOG.info("%s %s %d", request.method, request.path, response.status)
        return response

    async def _git(self, request: web.Request, body: bytes, path: list[str]) -> web.Response:
        """Answer a git client: `ORGANIZATION/PROJECT/_git/REPOSITORY/...`."""
        self._store.read_anew()
        draft = self._store.read()
        tail = "/".join(path[4:])
        try:
            caller = self._authenticator.caller(request.headers, draft)
        except (NotSignedIn, TokenExpired):
            realm = f'Basic realm="{request.url.origin()}/"'
            return web.Response(status=401, text="TF400813: Sign in.", headers={"WWW-Authenticate": realm})
        scope = git_transport.scope(request, tail)
        repository = git.by_name(draft, path[1], path[3]) if len(path) > 3 else None
        if scope is None or repository is None:
            return web.Response(status=404, text="TF401019: The Git repository does not exist.")
        if not caller.may([scope]):
            return web.Response(status=403, text=f"TF401027: You need the scope {scope} to perform this action.")
        bare = git.storage(draft, repository)
        before, pushed = bare.refs(), git_transport.pushed_refs(tail, body)
        permitted = [ref for ref in pushed if protection.may_push(draft, repository, ref, caller)]
        try:
            response = await git_transport.answer(request, bare.folder, tail, body, caller.identity_id, permitted)
        finally:
            if pushed:
                bare.refs_changed()
        after = bare.refs()
        with self._store.change() as changed:
            for ref in pushed:
                if ref in after and after[ref] != before.get(ref):
                    git.pushed(changed, repository, ref, after[ref], caller)
        _LOG.info("%s %s %d", request.method, request.path, response.status)
        return response

    def _respond(self, request: web.Request, body: bytes) -> tuple[web.Response, bool]:
        # From here on nothing waits, so that one request never sees another's half-made change.
        path = [part for part in request.path.split("/") if part]
        if path[:1] == ["_signin"]:
            return web.Response(text=_SIGN_IN, content_type="text/html"), False
        if path[:1] == ["_issuers"] and request.method == "GET":
            found = oidc.published(self._store.read(), "/".join(path[1:]))
            return (web.Response(status=404) if found is None else web.json_response(found)), False
        if not path or path[0].lower() != self._organization.lower():
            return web.Response(status=404), False
        organization_url = f"{request.url.origin()}/{path[0]}"
        try:
            self._store.read_anew()
            caller = self._authenticator.caller(request.headers, self._store.read())
            reply = self._dispatch(request, body, path[1:], caller, organization_url)
        except NotSignedIn as refusal:
            return _sign_in(request, organization_url, missing=refusal.missing), False
        except TokenExpired:
            return web.Response(status=401, text=_EXPIRED, content_type="text/html"), False
        except ServiceError as error:
            reply = Reply(error.status, error.envelope())
        except Exception:  # noqa: BLE001 - the last boundary: an answer is owed, and the traceback is logged
            # The service's own words for what it did not foresee; the traceback goes to the log, which holds no body.
            _LOG.exception("%s %s", request.method, request.path)
            failure = ServiceError(
                500,
                "TeamFoundationServerException",
                f"TF400898: An Internal Error Occurred. Activity Id: {clock.guid()}.",
            )
            reply = Reply(failure.status, failure.envelope())
        return _response(reply), reply.wait

    def _dispatch(
        self, request: web.Request, body: bytes, path: list[str], caller: Caller, organization_url: str
    ) -> Reply:
        query = {name.lower(): value for name, value in request.query.items()}
        if request.method == "OPTIONS":
            return Reply(200, _discovery(path))
        matches = [(route, values) for route in ROUTES if (values := route.location.match(path)) is not None]
        if not matches:
            raise ServiceError(
                404,
                "HttpException",
                f"The controller for path '{request.path}' was not found or does not implement IController.",
                namespace="System.Web",
                event_id=0,
            )
        for route, values in matches:
            if route.method == request.method:
                check_version(
                    route.location, request.method, requested_version(query, request.headers.get("Accept", ""))
                )
                check_scopes(caller, route.scopes)
                roles.check(self._store.read(), caller, route)
                parsed = _json(body)
                if route.shape is not None:
                    shapes.check(route.shape, parsed)

                def call(draft: Draft, values: dict[str, str] = values, parsed: Any = parsed) -> Call:
                    return Call(request.method, values, query, parsed, caller, draft, organization_url, self._page_size)

                if request.method == "GET":
                    return _reply(route.handler(call(self._store.read())))
                before = self._store.read().state
                with self._store.change() as draft:
                    reply = _reply(route.handler(call(draft)))
                if self._store.read().state is not before:
                    self._changed.set()
                    self._changed = asyncio.Event()
                return reply
        raise ServiceError(
            405,
            "HttpRequestException",
            f"The requested resource does not support http method '{request.method}'.",
            namespace="System.Web.Http",
            event_id=0,
        )


def _discovery(path: list[str]) -> Json:
    if len(path) not in {1, 2} or path[0].lower() != "_apis":
        raise bad_argument("OPTIONS is answered at _apis and at _apis/AREA.")
    found = {route.location.id: route.location for route in ROUTES if route.location.id}
    area = path[1].lower() if len(path) == 2 else None
    return collection([location.wire() for location in found.values() if area in {None, location.area.lower()}])


def _json(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        raise bad_argument(f"The request's body is not JSON: {error}.") from None


def _reply(result: object) -> Reply:
    if isinstance(result, Reply):
        return result
    return Reply(200, collection(result) if isinstance(result, list) else result)


def _response(reply: Reply) -> web.Response:
    if reply.status == 204:
        return web.Response(status=204, headers=dict(reply.headers))
    if isinstance(reply.body, bytes):
        return web.Response(status=reply.status, body=reply.body, headers=dict(reply.headers))
    return web.Response(
        status=reply.status,
        body=json.dumps(reply.body).encode(),
        headers={"Content-Type": "application/json; charset=utf-8", **reply.headers},
    )


def _sign_in(request: web.Request, organization_url: str, *, missing: bool) -> web.Response:
    """Answer an unknown caller: 203 and the sign-in page for a wrong token; without any, 302 to it, or 401 to a
    program.

    A program says so with `X-TFS-FedAuthRedirect: Suppress`, as Microsoft's clients do.
    """
    if not missing:
        return web.Response(status=203, text=_SIGN_IN, content_type="text/html")
    if request.headers.get("X-TFS-FedAuthRedirect", "").lower() == "suppress":
        response = web.Response(status=401)
        response.headers.add("WWW-Authenticate", "Bearer")
        response.headers.add("WWW-Authenticate", f'Basic realm="{organization_url}/"')
        response.headers.add("WWW-Authenticate", "TFS-Federated")
        return response
    return web.Response(status=302, headers={"Location": f"{request.url.origin()}/_signin?realm={request.host}"})
