"""The REST API of Azure DevOps, called as the real plugin calls it.

Every route is looked up by its id in the service's own location list (`OPTIONS {organisation}/_apis`), at the URL that
the resource areas give for the service that has it. Source: Azure DevOps Services REST API 7.1 and its Go client.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from sandbox.providers.base import ProviderError

Json = dict[str, Any]


class ServiceError(ProviderError):
    """An answer of the service that is no success; ``status`` is 0 if there was none."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class AbsentError(ServiceError):
    """The service does not know what was asked for (404)."""


@dataclass(frozen=True)
class Route:
    """One operation's place in the API."""

    area: str
    """The resource area: which service of the organisation has it."""
    location: str
    """The id in the location list."""
    version: str
    """The API version that the real plugin asks for."""


_CORE = "79134c72-4a58-4b42-976c-04e7115f32bf"
_TASK = "a85b8835-c1a1-4aac-ae97-1c3d0ba72dbd"
_BUILD = "965220d5-5bb9-42cf-8d67-9b146df2a5a4"
_PERMISSIONS = "a81a0441-de52-4000-aa15-ff0e07bfbbaa"
_ENDPOINTS = "1814ab31-2f4f-4a9f-8761-f4d77dc5a5d7"
_CHECKS = "4a933897-0488-45af-bd82-6fd3ad33f46a"
_ORGANISATION = ""  # the organisation itself: an area that is in no list
_POLICY = "fb13a388-40dd-4a04-b530-013a739c72ef"
_GIT = "4e080c62-fa21-4fbc-8fef-2a10a2b38049"
_GRAPH = "bb1e7ec9-e901-4b68-999a-de7012b920f8"
_IDENTITY = "8a3d49b8-91f0-46ef-b33d-dda338c25db3"

PROJECT = Route(_CORE, "603fe2ac-9723-48b9-88ad-09305aa6c6e1", "7.1-preview.4")
PROCESS = Route(_CORE, "93878975-88c5-4e6a-8abb-7ddd77a8a7d8", "7.1-preview.1")
VARIABLE_GROUP = Route(_TASK, "ef5b7057-ffc3-4c77-bbad-c10b4a4abcc7", "7.1-preview.2")
PROJECT_VARIABLE_GROUP = Route(_TASK, "f5b09dd5-9d54-45a1-8b5a-1c8287d634cc", "7.1-preview.2")
ENVIRONMENT = Route(_TASK, "8572b1fc-2482-47fa-8f74-7e3ed53ee54b", "7.1-preview.1")
AUTHORIZED_RESOURCES = Route(_BUILD, "398c85bc-81aa-4822-947c-a194a05f0fef", "7.1-preview.1")
DEFINITION = Route(_BUILD, "dbeaf647-6167-421a-bda9-c9327b25e2e6", "7.1-preview.7")
PIPELINE_PERMISSIONS = Route(_PERMISSIONS, "b5b9a4a4-e6cd-4096-853c-ab7d8b0c4eb2", "7.1-preview.1")
PIPELINE_RUN = Route(_ORGANISATION, "7859261e-d2e9-4a68-b820-a5d84cc5bb3d", "7.1-preview.1")
SERVICE_ENDPOINT = Route(_ENDPOINTS, "14e48fdc-2c8b-41ce-a0c3-e26f6cc55bd0", "7.1-preview.4")
PROJECT_SERVICE_ENDPOINT = Route(_ENDPOINTS, "e85f1c62-adfc-4b74-b618-11a150fb195e", "7.1-preview.4")
CHECK = Route(_CHECKS, "86c8381e-5aee-4cde-8ae4-25c0c7f5eaea", "7.1-preview.1")
POLICY = Route(_POLICY, "dad91cbe-d183-45f8-9c6e-9c1164472121", "7.1-preview.1")
REPOSITORY = Route(_GIT, "225f7195-f9c7-4d14-ab28-a83f7ff77e1f", "7.1-preview.1")
GRAPH_USERS = Route(_GRAPH, "005e26ec-6b77-4e4f-a986-b3827bf241f5", "7.1-preview.1")
GRAPH_GROUPS = Route(_GRAPH, "ebbe6af8-0b91-4c13-8cf1-777c14858188", "7.1-preview.1")
GRAPH_DESCRIPTOR = Route(_GRAPH, "048aee0a-7072-4cde-ab73-7af77b1e0b4e", "7.1-preview.1")
GRAPH_STORAGE_KEY = Route(_GRAPH, "eb85f8cc-f0f6-4264-a5b1-ffe2e4d4801f", "7.1-preview.1")
IDENTITIES = Route(_IDENTITY, "28010c54-d0c0-4c89-a5b0-1c9e188b9fb7", "7.1-preview.1")
IDENTITY_GROUPS = Route(_IDENTITY, "5966283b-4196-4d57-9211-1b68f41ec1c2", "7.1-preview.1")
_RESOURCE_AREAS = "e81700f7-3be2-46de-8624-2eb35882fcaa"


class Client:
    """One organisation, as the holder of one token sees it."""

    def __init__(self, organisation_url: str, token: str, *, bearer: bool = False) -> None:
        """token: a personal access token, or with `bearer` one of Microsoft Entra."""
        self.url = organisation_url.rstrip("/").lower()
        basic = base64.b64encode(f"_:{token}".encode()).decode()
        self._authorization = f"Bearer {token}" if bearer else f"Basic {basic}"
        # A change is sent once: the service may have done it although the answer was lost.
        self._pool = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=10, read=60))
        self._locations: dict[str, dict[str, Json]] = {}
        self._areas: dict[str, str] | None = None
        self._lock = threading.Lock()

    def connect(self) -> None:
        """Ask what the organisation offers. Raises ProviderError with a remedy if it or the token is wrong."""
        try:
            self._service(_CORE)
        except ServiceError as error:
            raise ProviderError(
                f"connecting to Azure DevOps at {self.url}: {error}\nCheck the organisation's URL "
                "(AZDO_ORG_SERVICE_URL or azuredevops:orgServiceUrl) and that the personal access token "
                "(AZDO_PERSONAL_ACCESS_TOKEN or azuredevops:personalAccessToken) or the sign-in of `az login` is valid "
                "and not expired"
            ) from error

    def call(
        self,
        method: str,
        route: Route,
        body: object = None,
        *,
        query: dict[str, str] | None = None,
        **values: object,
    ) -> Any:
        """Call an operation; return its JSON, or the list of a collection. ``values`` fill the route.

        Raises AbsentError for 404, ServiceError for every other answer that is no success.
        """
        service = self._service(route.area)
        location = self._routes(service).get(route.location)
        if location is None:
            raise ServiceError(f"API resource location {route.location} is not registered on {service}.", 0)
        template = str(location["routeTemplate"]).replace("{*", "{")
        known = {"area": location["area"], "resource": location["resourceName"], **values}
        parts = [_filled(part, known) for part in template.split("/")]
        path = "/".join(part for part in parts if part is not None)
        # The real client sends its parameters in the order of their names.
        url = f"{service.rstrip('/')}/{path}" + (f"?{urlencode(sorted(query.items()))}" if query else "")
        return self._send(method, url, route.version, body)

    def _service(self, area: str) -> str:
        """Return the URL of the service that has an area; without areas (a server on premises) it is the only one."""
        with self._lock:
            if self._areas is None:
                route = self._routes(self.url, locked=True)[_RESOURCE_AREAS]
                found = self._send("GET", f"{self.url}/_apis/{route['resourceName']}", "7.1-preview.1")
                self._areas = {str(each["id"]).lower(): str(each["locationUrl"]) for each in found}
        if not self._areas or area == _ORGANISATION:
            return self.url
        if area not in self._areas:
            raise ServiceError(f"API resource area Id {area} is not registered on {self.url}.", 0)
        return self._areas[area].rstrip("/").lower()

    def _routes(self, service: str, *, locked: bool = False) -> dict[str, Json]:
        if service not in self._locations:
            found = self._send("OPTIONS", f"{service}/_apis", "")
            routes = {str(each["id"]).lower(): each for each in found}
            if locked:
                self._locations[service] = routes
            else:
                with self._lock:
                    self._locations[service] = routes
        return self._locations[service]

    def _send(self, method: str, url: str, version: str, body: object = None) -> Any:
        headers = {
            "Authorization": self._authorization,
            "Accept": "application/json" + (f";api-version={version}" if version else ""),
            # Without it the service answers a bad token with a redirect to its sign-in page.
            "X-TFS-FedAuthRedirect": "Suppress",
        }
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json;charset=utf-8"
        try:
            answer = self._pool.request(method, url, body=data, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise ServiceError(f"{method} {url}: {error}", 0) from error
        if not 200 <= answer.status < 300:
            raise _error(answer.status, answer.reason or "", answer.data)
        return _parsed(answer.data)


def _filled(part: str, values: dict[str, object]) -> str | None:
    """Fill one segment of a route; a parameter that is not given is left out with its segment."""
    if match := re.fullmatch(r"\{(\w+)\}", part):
        value = values.get(match[1])
        return None if value is None else quote(str(value), safe="")
    return re.sub(r"\{(\w+)\}", lambda found: str(values.get(found[1], found[0])), part)


def _parsed(data: bytes) -> Any:
    if not data:
        return None
    try:
        found = json.loads(data)
    except ValueError as error:
        # What the service sends with status 203 for a bad token is a page to sign in.
        page = data.lstrip()[:1] == b"<"
        cause = (
            "invalid character '<' looking for beginning of value: the answer is a page to sign in" if page else error
        )
        raise ServiceError(str(cause), 0) from error
    return found["value"] if isinstance(found, dict) and set(found) == {"count", "value"} else found


def _error(status: int, reason: str, data: bytes) -> ServiceError:
    try:
        message = json.loads(data).get("message")
    except (ValueError, AttributeError):
        message = None
    text = message or f"Request returned status: {status} {reason}".rstrip()
    return AbsentError(text, status) if status == 404 else ServiceError(text, status)
