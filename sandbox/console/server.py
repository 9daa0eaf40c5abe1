"""The console's HTTP: one session, begun by the one-time token of its address; everything else is refused.

A page of another site can reach a port of the loopback, so each request is held against: the Host header (a name that
was rebound to 127.0.0.1), the session's cookie (SameSite=Strict), and for what changes something a token in the form
and the Origin header. Nothing but the console's own style is loaded, and no script runs (Content-Security-Policy).
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from aiohttp import web

from sandbox.agent.channel import ChannelError
from sandbox.console.pages import Page, Table, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sandbox.console.pages import Pages

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
_ANSWERS = {"approve": "approved", "reject": "rejected"}


@dataclass
class Console:
    """The console at http://127.0.0.1:PORT. invitation: the one-time token, empty once it was used."""

    pages: Pages
    port: int
    invitation: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _session: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _form: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def __post_init__(self) -> None:
        """Load the one template; every value in it is escaped."""
        loader = jinja2.FileSystemLoader(_HERE)
        self._template = jinja2.Environment(autoescape=True, loader=loader).get_template("page.html")

    @property
    def host(self) -> str:
        """The only Host that is answered."""
        return f"127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """What a person opens, once."""
        return f"http://{self.host}/?token={self.invitation}"

    @property
    def cookie(self) -> str:
        """Cookies of a host are shared by its ports: each console has a name of its own."""
        return f"console-{self.port}"

    def application(self) -> web.Application:
        """Return the pages as an application."""
        app = web.Application(middlewares=[self._guard], client_max_size=4096)
        app.router.add_get("/", self._begin, allow_head=False)
        app.router.add_get("/style.css", self._style, allow_head=False)
        for path, page in (
            ("/runs", self.pages.runs),
            ("/pull-requests", self.pages.pull_requests),
            ("/library", self.pages.library),
            ("/environments", self.pages.environments),
            ("/images", self.pages.images),
        ):
            app.router.add_get(path, self._shows(page), allow_head=False)
        app.router.add_get(r"/runs/{run:\d{1,9}}", self._run, allow_head=False)
        app.router.add_get(r"/runs/{run:\d{1,9}}/logs/{log:\d{1,9}}", self._log, allow_head=False)
        app.router.add_post(r"/runs/{run:\d{1,9}}/approvals/{approval:[0-9a-f-]{36}}", self._answer)
        return app

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            if request.headers.get("Host") != self.host:
                response: web.StreamResponse = web.Response(status=421, text=f"This is {self.host} alone.\n")
            elif request.path not in ("/", "/style.css") and not self._signed_in(request):
                response = self._stranger()
            else:
                response = await handler(request)
        except web.HTTPException as refusal:
            response = self._failure(refusal.status, refusal.reason)
            if "Allow" in refusal.headers:
                response.headers["Allow"] = refusal.headers["Allow"]
        except ChannelError as error:
            response = self._failure(502, f"Azure DevOps refuses: {error}")
        except UnansweredError as error:
            response = self._failure(502, str(error))
        response.headers.update(HEADERS)
        return response

    def _signed_in(self, request: web.Request) -> bool:
        return _same(request.cookies.get(self.cookie, ""), self._session)

    def _stranger(self) -> web.Response:
        return self._failure(403, "Open the address that `python -m sandbox console` printed; it is good for one use.")

    async def _begin(self, request: web.Request) -> web.Response:
        if self.invitation and _same(request.query.get("token", ""), self.invitation):
            self.invitation = ""
            response = web.Response(status=303, headers={"Location": "/runs"})
            response.set_cookie(self.cookie, self._session, httponly=True, samesite="Strict", path="/")
            return response
        if self._signed_in(request):
            return web.Response(status=303, headers={"Location": "/runs"})
        return self._stranger()

    async def _style(self, _: web.Request) -> web.Response:
        return web.Response(text=(_HERE / "style.css").read_text(encoding="utf-8"), content_type="text/css")

    def _shows(self, page: Callable[[], Page]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def show(_: web.Request) -> web.Response:
            return self._html(await asyncio.to_thread(page))

        return show

    async def _run(self, request: web.Request) -> web.Response:
        number = int(request.match_info["run"])
        return self._html(await asyncio.to_thread(self.pages.run, number), run=number)

    async def _log(self, request: web.Request) -> web.Response:
        run, log = int(request.match_info["run"]), int(request.match_info["log"])
        return self._html(await asyncio.to_thread(self.pages.log, run, log), run=run)

    async def _answer(self, request: web.Request) -> web.Response:
        form = await request.post()
        if request.headers.get("Origin", f"http://{self.host}") != f"http://{self.host}":
            return self._failure(403, "This form is not of the console.")
        if not _same(str(form.get("form", "")), self._form):
            return self._failure(403, "This form is not of this session: load the run's page again.")
        status = _ANSWERS.get(str(form.get("answer", "")))
        if status is None:
            return self._failure(400, "An answer is approve or reject.")
        await asyncio.to_thread(self.pages.answer, request.match_info["approval"], status)
        return web.Response(status=303, headers={"Location": f"/runs/{request.match_info['run']}"})

    def _failure(self, status: int, what: str) -> web.Response:
        return self._html(Page(f"{status}", [Table(what, (), (), "")]), status=status)

    def _html(self, page: Page, *, run: int | None = None, status: int = 200) -> web.Response:
        body = self._template.render(page=page, run=run, form=self._form)
        return web.Response(text=body, status=status, content_type="text/html")


def _same(given: str, kept: str) -> bool:
    return hmac.compare_digest(given.encode(), kept.encode())
