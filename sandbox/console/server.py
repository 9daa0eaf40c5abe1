"""The console's HTTP: a session is begun by the one-time token of an address; everything else is refused.

A page of another site, and another user of the machine, can reach a port of the loopback, so each request is held
against: the Host header (a name that was rebound to 127.0.0.1), the session's cookie (SameSite=Strict), and for what
changes something a token in the form and the Origin header. Nothing but the console's own style is loaded, and no
script runs (Content-Security-Policy).
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from sandbox.console import invitation
from sandbox.console.model import Page, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import jinja2

    from sandbox.console.pages import Pages

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HERE = Path(__file__).parent
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
STYLE = "/style.css"
_ANSWERS = {"approve": "approved", "reject": "rejected"}


PLACES = {
    "/runs": "Runs",
    "/pull-requests": "Pull requests",
    "/library": "Library",
    "/environments": "Environments",
    "/connections": "Service connections",
    "/images": "Images",
}
"""What stands at the top of every page."""
STRANGER = "Open the newest address that `make up` or `python -m sandbox console` printed; it is good once."


@dataclass
class Console:
    """The console at http://127.0.0.1:PORT. keys: the key store, in which invitations lie."""

    pages: Pages
    port: int
    keys: Path
    _session: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _form: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def host(self) -> str:
        """The only Host that is answered."""
        return f"127.0.0.1:{self.port}"

    @property
    def cookie(self) -> str:
        """Cookies of a host are shared by its ports: each console has a name of its own."""
        return f"console-{self.port}"

    @cached_property
    def _template(self) -> jinja2.Template:
        """The one template, in which every value is escaped; loaded with the first page."""
        import jinja2

        return jinja2.Environment(autoescape=True, loader=jinja2.FileSystemLoader(_HERE)).get_template("page.html")

    def application(self) -> web.Application:
        """Return the pages as an application."""
        app = web.Application(middlewares=[self._guard], client_max_size=4096)
        app.router.add_get("/", self._first, allow_head=False)
        app.router.add_get(STYLE, self._style, allow_head=False)
        for path, page in (
            ("/runs", self.pages.runs),
            ("/pull-requests", self.pages.pull_requests),
            ("/library", self.pages.library),
            ("/environments", self.pages.environments),
            ("/connections", self.pages.connections),
            ("/images", self.pages.images),
        ):
            app.router.add_get(path, self._shows(page), allow_head=False)
        app.router.add_get(r"/runs/{run:\d{1,9}}", self._run, allow_head=False)
        app.router.add_get(r"/runs/{run:\d{1,9}}/logs/{log:\d{1,9}}", self._log, allow_head=False)
        app.router.add_post(r"/runs/{run:\d{1,9}}/approvals/{approval:[0-9a-f-]{36}}", self._answer)
        app.router.add_get(r"/pull-requests/{number:\d{1,9}}", self._pull_request, allow_head=False)
        image = r"/images/{repository:[a-z0-9._/-]{1,256}}@{digest:sha256:[0-9a-f]{64}}"
        app.router.add_get(image, self._image, allow_head=False)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await self._admitted(request, handler)
        except web.HTTPException as refusal:
            response = self._failure(request, refusal.status, refusal.reason)
            if "Allow" in refusal.headers:
                response.headers["Allow"] = refusal.headers["Allow"]
        except UnansweredError as error:
            response = self._failure(request, 502, str(error))
        response.headers.update(HEADERS)
        return response

    async def _admitted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer whoever may ask; an address with a token leads to its page without one, so that no page has it."""
        if request.headers.get("Host") != self.host:
            return web.Response(status=421, text=f"This is {self.host} alone.\n")
        if request.path == STYLE:
            return await handler(request)
        known = _same(request.cookies.get(self.cookie, ""), self._session)
        token = request.query.get("token", "") if request.method == "GET" else ""
        # Tried in any case: an address is good once, also for whom it tells nothing new.
        if invited := bool(token) and invitation.take(self.keys, token):
            known = True
        if not known:
            return self._failure(request, 403, STRANGER)
        if not token:
            return await handler(request)
        there = request.match_info.http_exception is None
        response = web.Response(status=303, headers={"Location": request.path if there else "/runs"})
        if invited:
            response.set_cookie(self.cookie, self._session, httponly=True, samesite="Strict", path="/")
        return response

    async def _first(self, _: web.Request) -> web.Response:
        return web.Response(status=303, headers={"Location": "/runs"})

    async def _style(self, _: web.Request) -> web.Response:
        return web.Response(text=(_HERE / "style.css").read_text(encoding="utf-8"), content_type="text/css")

    def _shows(self, page: Callable[[], Page]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def show(request: web.Request) -> web.Response:
            return self._html(request, await asyncio.to_thread(page))

        return show

    async def _run(self, request: web.Request) -> web.Response:
        number = int(request.match_info["run"])
        return self._html(request, await asyncio.to_thread(self.pages.run, number))

    async def _log(self, request: web.Request) -> web.Response:
        run, log = int(request.match_info["run"]), int(request.match_info["log"])
        return self._html(request, await asyncio.to_thread(self.pages.log, run, log))

    async def _pull_request(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        return self._html(request, await asyncio.to_thread(self.pages.pull_request, number))

    async def _image(self, request: web.Request) -> web.Response:
        repository, digest = request.match_info["repository"], request.match_info["digest"]
        page = await asyncio.to_thread(self.pages.image, repository, digest)
        return (
            self._failure(request, 404, f"There is no image {repository}@{digest}.")
            if page is None
            else self._html(request, page)
        )

    async def _answer(self, request: web.Request) -> web.Response:
        form = await request.post()
        if request.headers.get("Origin", f"http://{self.host}") != f"http://{self.host}":
            return self._failure(request, 403, "This form is not of the console.")
        if not _same(str(form.get("form", "")), self._form):
            return self._failure(request, 403, "This form is not of this session: load the run's page again.")
        status = _ANSWERS.get(str(form.get("answer", "")))
        if status is None:
            return self._failure(request, 400, "An answer is approve or reject.")
        await asyncio.to_thread(self.pages.answer, request.match_info["approval"], status)
        return web.Response(status=303, headers={"Location": f"/runs/{request.match_info['run']}"})

    def _failure(self, request: web.Request, status: int, what: str) -> web.Response:
        return self._html(request, Page(what), status=status)

    def _html(self, request: web.Request, page: Page, *, status: int = 200) -> web.Response:
        here, run = f"/{request.path.split('/')[1]}", request.match_info.get("run")
        body = self._template.render(page=page, run=run, form=self._form, places=PLACES, here=here)
        return web.Response(text=body, status=status, content_type="text/html")


def _same(given: str, kept: str) -> bool:
    return hmac.compare_digest(given.encode(), kept.encode())
