"""The sandbox's registry as a person uses it: log in, push, pull; what it refuses is a text, not an exception."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.parse
from typing import TYPE_CHECKING, Any

import docker.errors
import requests

from sandbox import summary
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from tests.workstation import Sandbox


def authorization_token(sandbox: Sandbox, key: dict[str, str] | None = None) -> str:
    """A new token for the registry as ECR gives it, of the operator or of a key; remembered as a secret.

    key: an access key as environment variables.
    """
    credentials = {name.lower(): value for name, value in (key or {}).items()}
    answer = sandbox.client("ecr", **credentials).get_authorization_token()
    token = str(answer["authorizationData"][0]["authorizationToken"])
    sandbox.made[f"registry token {len(sandbox.made)}"] = base64.b64decode(token).decode().partition(":")[2]
    return token


def login(sandbox: Sandbox, key: dict[str, str] | None = None) -> dict[str, str]:
    """What `docker login` sends, for the operator or for a key."""
    token = base64.b64decode(authorization_token(sandbox, key)).decode()
    return dict(zip(("username", "password"), token.split(":", 1), strict=True))


def push(engine: Any, image: str, user: dict[str, str]) -> str:
    """Push; the error that the registry answered, or an empty text."""
    answers = engine.images.push(image, auth_config=user)
    return " ".join(event["error"] for event in map(json.loads, answers.splitlines()) if "error" in event)


def push_small(endpoint: str, name: str, tag: str, user: dict[str, str], content: bytes) -> str:
    """Push an image of one small layer by the registry's own protocol, as an engine does; its digest.

    Raises requests.HTTPError where a step is refused. https://github.com/opencontainers/distribution-spec, Push.
    """
    session = requests.Session()
    session.auth = (user["username"], user["password"])

    def sent(method: str, url: str, **arguments: Any) -> requests.Response:
        answer = session.request(method, url, timeout=300, **arguments)
        answer.raise_for_status()
        return answer

    def blob(data: bytes) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        place = sent("POST", f"{endpoint}/v2/{name}/blobs/uploads/").headers["Location"]
        place = urllib.parse.urljoin(endpoint, place)
        sent("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", data=data)
        return {"digest": digest, "size": len(data)}

    kind = "application/vnd.docker"
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.distribution.manifest.v2+json",
        "config": {"mediaType": f"{kind}.container.image.v1+json", **blob(json.dumps(config).encode())},
        "layers": [{"mediaType": f"{kind}.image.rootfs.diff.tar.gzip", **blob(content)}],
    }
    put = {"data": json.dumps(manifest).encode(), "headers": {"Content-Type": manifest["mediaType"]}}
    return str(sent("PUT", f"{endpoint}/v2/{name}/manifests/{tag}", **put).headers["Docker-Content-Digest"])


def pull(engine: Any, image: str, user: dict[str, str]) -> str:
    """Pull; the error that the registry answered, or an empty text."""
    try:
        summary.pull(engine, image, user)
    except (SandboxError, docker.errors.APIError) as error:
        return str(error)
    return ""


def layer_status(sandbox: Sandbox, image: str, user: dict[str, str]) -> int:
    """The HTTP status with which the registry answers who asks for a layer of an image, the part of a pull that counts.

    An engine that has the layers already never asks for them. image: HOST/NAME:TAG.
    """
    host, _, name = image.partition("/")
    name, _, tag = name.partition(":")
    images = sandbox.client("ecr").batch_get_image(repositoryName=name, imageIds=[{"imageTag": tag}])["images"]
    digest = json.loads(images[0]["imageManifest"])["layers"][0]["digest"]
    answer = requests.get(
        f"http://{host}/v2/{name}/blobs/{digest}", auth=(user["username"], user["password"]), timeout=300, stream=True
    )
    with answer:
        return answer.status_code
