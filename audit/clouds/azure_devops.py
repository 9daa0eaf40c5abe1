"""Azure DevOps by its REST API: AZDO_ORG_SERVICE_URL, and who asks, as Pulumi's provider has both.

Who asks: AZDO_PERSONAL_ACCESS_TOKEN, a personal access token or a token of Microsoft Entra; where it is not set, who is
signed in to the Azure CLI (`az login`; ARM_USE_CLI=false leaves that out).
https://learn.microsoft.com/azure/devops/integrate/get-started/authentication/entra
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

from audit.clouds import Gone, Refused
from audit.errors import AuditError

TIMEOUT = (5, 30)
"""Seconds to connect and to read."""
CONTINUATION = "x-ms-continuationtoken"
"""The header in which the service says that a list goes on; the next page is asked for with `continuationToken`."""


RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
"""Azure DevOps, as Microsoft Entra calls it."""
ENTRA = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
"""A token of Microsoft Entra, which is a JSON web token; a personal access token is none."""
SIGN_IN = (
    "sign in with `az login`, or set AZDO_PERSONAL_ACCESS_TOKEN to a token of Microsoft Entra or to a personal access "
    "token of this organisation"
)
GLOBAL_ENDS = (
    "Azure DevOps was asked with a personal access token. Those for all organisations (global ones) stop working on "
    "2026-12-01: use a token of Microsoft Entra (`az login`), or one of this organisation alone."
)


class AzureDevOps:
    """A reader of one organisation. `personal`: asked with a personal access token."""

    def __init__(self) -> None:
        """Raises AuditError where the environment does not say which organisation, or who asks."""
        self._url = os.environ.get("AZDO_ORG_SERVICE_URL", "").rstrip("/")
        if not self._url:
            raise AuditError("Azure DevOps is part of this look-up: set AZDO_ORG_SERVICE_URL")
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
        token = os.environ.get("AZDO_PERSONAL_ACCESS_TOKEN", "") or _of_the_azure_cli()
        self.personal = ENTRA.fullmatch(token) is None
        self._session = requests.Session()
        # A function, since a plain header gives way to ~/.netrc.
        self._session.auth = ("", token) if self.personal else _bearer(token)

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
                "Azure DevOps refuses the token (AZDO_PERSONAL_ACCESS_TOKEN, or that of the Azure CLI; it may have "
                f"expired): {SIGN_IN}"
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


def _bearer(token: str) -> Callable[[Any], Any]:
    def sign(request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def _of_the_azure_cli() -> str:
    """The token of who is signed in there. Raises AuditError where nobody is."""
    allowed = os.environ.get("ARM_USE_CLI", "true").lower() != "false"
    program = shutil.which("az") if allowed else None
    if program is None:
        raise AuditError(f"Azure DevOps is part of this look-up: {SIGN_IN}")
    command = [program, "account", "get-access-token", "--output", "json", "--resource", RESOURCE]
    try:
        done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
        token = json.loads(done.stdout)["accessToken"] if done.returncode == 0 else None
    except (OSError, ValueError, KeyError, TypeError):
        token = None
    if not isinstance(token, str) or ENTRA.fullmatch(token) is None:
        raise AuditError(f"the Azure CLI gives no token for Azure DevOps: {SIGN_IN}")
    return token
