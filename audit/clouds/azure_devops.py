"""Azure DevOps by its REST API: AZDO_ORG_SERVICE_URL and AZDO_PERSONAL_ACCESS_TOKEN, as Pulumi has them."""

import os
from typing import Any
from urllib.parse import quote, urlsplit

from audit.clouds import Gone, Refused
from audit.errors import AuditError

TIMEOUT = (5, 30)
"""Seconds to connect and to read."""
CONTINUATION = "x-ms-continuationtoken"
"""The header in which the service says that a list goes on; the next page is asked for with `continuationToken`."""


class AzureDevOps:
    """A reader of one organisation."""

    def __init__(self) -> None:
        """Raises AuditError where the environment does not name organisation and token."""
        self._url = os.environ.get("AZDO_ORG_SERVICE_URL", "").rstrip("/")
        token = os.environ.get("AZDO_PERSONAL_ACCESS_TOKEN", "")
        missing = [
            name
            for name, value in (("AZDO_ORG_SERVICE_URL", self._url), ("AZDO_PERSONAL_ACCESS_TOKEN", token))
            if not value
        ]
        if missing:
            raise AuditError(f"Azure DevOps is part of this look-up: set {' and '.join(missing)}")
        parts = urlsplit(self._url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise AuditError(
                "AZDO_ORG_SERVICE_URL must be an address of an organisation, such as https://dev.azure.com/contoso"
            )
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise AuditError("AZDO_ORG_SERVICE_URL must begin with https: the token would travel in clear")
        try:
            import requests
        except ImportError:
            raise AuditError("requests is missing: install the requirements of this project") from None
        self._session = requests.Session()
        self._session.auth = ("", token)

    def get(self, path: str, permission: str, version: str = "7.1", **query: str) -> Any:
        """The JSON answer of a GET below the organisation. `permission` is the scope of a personal access token that
        the call needs. Raises Gone where the thing asked for is not there (404 or null), Refused, AuditError."""
        return self._get(path, permission, version, query)[0]

    def _get(self, path: str, permission: str, version: str, query: dict[str, str]) -> tuple[Any, str]:
        """The answer, and where the list in it goes on ("" where it does not)."""
        import requests

        url = f"{self._url}/{quote(path, safe='/_-.,')}"
        try:
            answer = self._session.get(
                url, params={**query, "api-version": version}, timeout=TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            raise AuditError(
                f"Azure DevOps cannot be reached at {self._url} ({type(error).__name__}); check AZDO_ORG_SERVICE_URL"
            ) from None
        if answer.status_code in (401, 203, 302):
            raise AuditError(
                "Azure DevOps refuses AZDO_PERSONAL_ACCESS_TOKEN (it may have expired): set one that is valid"
            )
        if answer.status_code == 404:
            raise Gone(path)
        if not answer.ok:
            needed = f"{permission} of the token" if answer.status_code == 403 else ""
            raise Refused(needed, path, f"HTTP {answer.status_code}")
        try:
            content = answer.json()
        except ValueError:
            raise AuditError(
                f"Azure DevOps answers {path} with something that is not JSON: is the URL right?"
            ) from None
        if content is None:
            raise Gone(path)
        return content, answer.headers.get(CONTINUATION, "")

    def values(self, path: str, permission: str, version: str = "7.1", **query: str) -> list[Any]:
        """All entries of a list, to its last page. Raises as `get` does, and Refused where the list does not end."""
        entries: list[Any] = []
        seen: set[str] = set()
        while True:
            answer, token = self._get(path, permission, version, query)
            entries += answer.get("value") or []
            if not token:
                return entries
            if token in seen:
                raise Refused("", path, "its pages do not end")
            seen.add(token)
            query = {**query, "continuationToken": token}
