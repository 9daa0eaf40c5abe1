"""How the service speaks: locations, routes, api-versions, and what a handler is given and gives back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from sandbox.azure_devops.errors import ServiceError, bad_argument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sandbox.azure_devops.scopes import Caller
    from sandbox.azure_devops.store import Draft, Json

MAX_VERSION = "7.2"
_VERSION = re.compile(r"(\d+(?:\.\d)?)(-preview(?:\.(\d+))?)?")
_NAMESPACE = "Microsoft.VisualStudio.Services.WebApi"


@dataclass(frozen=True)
class Location:
    """One resource of the API, as `OPTIONS {org}/_apis` lists it.

    id: the GUID by which clients find it; empty: not listed (not a resource of the public API's discovery).
    template: its route; `{area}` and `{resource}` stand for the fields, `{*x}` takes the rest, trailing parameters
    are optional.
    released: the newest api-version without `-preview`; "0.0" for a resource that has only been a preview.
    version: the resource version, the N of `7.1-preview.N`.
    project_optional: whether the route is also served without its leading `{project}`.
    """

    id: str
    area: str
    resource: str
    template: str
    released: str = "7.1"
    version: int = 1
    project_optional: bool = False

    def wire(self) -> Json:
        """Return it as discovery shows it."""
        return {
            "id": self.id,
            "area": self.area,
            "resourceName": self.resource,
            "routeTemplate": self.template,
            "resourceVersion": self.version,
            "minVersion": "1.0",
            "maxVersion": MAX_VERSION,
            "releasedVersion": self.released,
        }

    def match(self, path: Sequence[str]) -> dict[str, str] | None:
        """Return the route's values when the segments below the organisation are this resource's, else None."""
        template = self.template.replace("{area}", self.area).replace("{resource}", self.resource).split("/")
        if template[0] == "{project}" and self.project_optional and path and path[0].lower() == "_apis":
            template = template[1:]
        values: dict[str, str] = {}
        for position, part in enumerate(template):
            if part.startswith("{*"):
                if position < len(path):
                    values[part[2:-1]] = "/".join(path[position:])
                return values
            if part.startswith("{"):
                if position < len(path):
                    values[part[1:-1]] = path[position]
                elif any(not rest.startswith("{") for rest in template[position:]):
                    return None
            elif position >= len(path) or path[position].lower() != part.lower():
                return None
        return values if len(path) <= len(template) else None


@dataclass(frozen=True)
class Reply:
    """An answer that is not simply `200` with an object or a list. wait: ask again when the state has changed."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: bool = False


NO_CONTENT = Reply(204)
CONTINUATION = "x-ms-continuationtoken"
"""The header in which the service says that a list goes on, and from where."""


def collection(items: list[Any]) -> Json:
    """Return a list as the service answers it."""
    return {"count": len(items), "value": items}


@dataclass
class Call:
    """One request as a handler sees it.

    values: the route's parameters; query: the query's, by lower-case name; body: the parsed JSON (None without one).
    organization_url: `http://HOST/ORGANIZATION`, for links in answers. page_size: entries of a page of a list at most,
    whatever is asked for (None: as many as the operation gives).
    """

    method: str
    values: dict[str, str]
    query: dict[str, str]
    body: Any
    caller: Caller
    draft: Draft
    organization_url: str
    page_size: int | None = None

    def number(self, name: str) -> int:
        """Return a route parameter that has to be a number, or refuse as the service does."""
        try:
            return int(self.values[name])
        except (KeyError, ValueError):
            raise bad_argument(
                f"The value '{self.values.get(name, '')}' is not valid for {name}: a whole number is expected."
            ) from None

    def limit(self, name: str, default: int) -> int:
        """Return a query parameter that has to be a number from 0, such as `$top`."""
        text = self.query.get(name, str(default))
        if not text.isdecimal():
            raise bad_argument(f"The value '{text}' is not valid for {name}: a whole number from 0 is expected.")
        return int(text)

    def page(self, found: Sequence[Any], default: int, wire: Callable[[Any], Any], skip: int = 0) -> Reply:
        """Return one page of a list, and where it goes on. A page holds `$top` entries (default: the operation's), or
        fewer where the service gives fewer. skip: entries to leave out at the start."""
        start = self.limit("continuationtoken", skip)
        size = min(self.limit("$top", default), self.page_size or default)
        end = start + size
        more = {CONTINUATION: str(end)} if size and end < len(found) else {}
        return Reply(200, collection([wire(one) for one in found[start:end]]), more)

    def object(self) -> Json:
        """Return the body, which has to be a JSON object."""
        if not isinstance(self.body, dict):
            raise ServiceError(
                400,
                "ArgumentNullException",
                "Value cannot be null.\r\nParameter name: the request's body, a JSON object, is missing",
                namespace="System",
                event_id=0,
            )
        return cast("Json", self.body)


@dataclass(frozen=True)
class Route:
    """A method of a location, the token scopes of which a caller needs one (none: any), and the shape of its body."""

    location: Location
    method: str
    scopes: tuple[str, ...]
    handler: Callable[[Call], object]
    shape: Json | None = None


class Router:
    """Collects the routes of one area."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def on(
        self, location: Location, method: str, *scopes: str, shape: Json | None = None
    ) -> Callable[[Callable[[Call], object]], Callable[[Call], object]]:
        """Register the decorated handler."""

        def register(handler: Callable[[Call], object]) -> Callable[[Call], object]:
            self.routes.append(Route(location, method, scopes, handler, shape))
            return handler

        return register


def requested_version(query: Mapping[str, str], accept: str) -> str | None:
    """Return the api-version of a request: the query's, else the Accept header's, else None."""
    if "api-version" in query:
        return query["api-version"]
    found = re.search(r"api-version=([^;,\s]+)", accept)
    return found[1] if found else None


def check_version(location: Location, method: str, version: str | None) -> None:
    """Refuse a missing, malformed, too new or not yet released api-version with the service's errors (400)."""
    if version is None:
        if method in {"GET", "HEAD"}:
            return
        raise ServiceError(
            400,
            "VssVersionNotSpecifiedException",
            f'No api-version was supplied for the "{method}" request. The version must be supplied either as part of '
            "the "
            'Accept header (e.g. "application/json; api-version=1.0") or as a query parameter (e.g. '
            '"?api-version=1.0").',
            namespace=_NAMESPACE,
        )
    parsed = _VERSION.fullmatch(version)
    if parsed is None:
        raise ServiceError(
            400,
            "VssInvalidApiResourceVersionException",
            f'The api-version "{version}" is not valid. Example: "7.1", "7.1-preview" or "7.1-preview.2".',
            namespace=_NAMESPACE,
        )
    asked = _order(parsed[1])
    if asked > _order(MAX_VERSION):
        raise ServiceError(
            400,
            "VssVersionOutOfRangeException",
            f"The requested REST API version of {parsed[1]} is out of range for this server. "
            f"The latest REST API version this server supports is {MAX_VERSION}.",
            namespace=_NAMESPACE,
        )
    if parsed[2] is None and asked > _order(location.released):
        raise ServiceError(
            400,
            "VssInvalidPreviewVersionException",
            f'The requested version "{version}" of the resource is under preview. The -preview flag must be supplied '
            "in "
            f'the api-version for such requests. For example: "{version}-preview"',
            namespace=_NAMESPACE,
        )


def _order(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor or 0)
