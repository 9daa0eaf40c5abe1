"""The private registry behind ECR, as the control plane uses it: manifests and layers by digest, tags never.

Tags live in ECR's model alone, so the two cannot disagree about them.
API: the OCI distribution specification, which docker-registry 2.8 serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping

USER = "sandbox"
TIMEOUT = 60.0
"""Seconds for one answer of a registry on this machine."""


class RegistryError(Exception):
    """The registry is not there, or refused; the message holds its answer."""


class Registry:
    """A distribution registry at a base URL, with Basic authentication."""

    def __init__(self, url: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.auth = (USER, password)
        # A proxy of the environment or a .netrc must not get between.
        self._session.trust_env = False

    def put_manifest(self, name: str, digest: str, content: bytes, media_type: str) -> None:
        """Store a manifest; its layers have to be there."""
        headers = {"Content-Type": media_type}
        self._ask("PUT", f"/v2/{name}/manifests/{digest}", (201,), data=content, headers=headers)

    def put_blob(self, name: str, digest: str, content: bytes) -> None:
        """Store a layer that is at hand as a whole."""
        started = self._ask("POST", f"/v2/{name}/blobs/uploads/", (202,))
        location = urljoin(f"{self.url}/", started.headers["Location"])
        separator = "&" if "?" in location else "?"
        self._ask("PUT", f"{location}{separator}digest={digest}", (201,), data=content)

    def blob_size(self, name: str, digest: str) -> int:
        """A layer's size in bytes."""
        return int(self._ask("HEAD", f"/v2/{name}/blobs/{digest}", (200,)).headers["Content-Length"])

    def delete(self, name: str, kind: str, digest: str) -> None:
        """Delete a manifest or a layer (kind "manifests" or "blobs"); it may be gone already."""
        self._ask("DELETE", f"/v2/{name}/{kind}/{digest}", (202, 404))

    def _ask(
        self,
        method: str,
        url: str,
        good: tuple[int, ...],
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        address = url if url.startswith("http") else self.url + url
        try:
            answer = self._session.request(method, address, data=data, headers=headers, timeout=TIMEOUT)
        except requests.RequestException as error:
            raise RegistryError(f"the registry at {self.url} does not answer: {type(error).__name__}") from error
        if answer.status_code not in good:
            raise RegistryError(
                f"the registry answered {answer.status_code} to {method} {address}: {answer.text[:500]}"
            )
        return answer
