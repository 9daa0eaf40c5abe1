"""The AWS service as a process, images, and the steps of a push, for the tests of this folder."""

from __future__ import annotations

import json
import os
import signal
import socket
from base64 import b64decode
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import boto3
import requests
from botocore.config import Config

from sandbox.aws.ecr_rules import digest
from tests.service_forks import Fork

CHECKOUT = Path(__file__).resolve().parents[4]
ACCOUNT = "123456789012"
REGION = "us-east-2"
ADMIN = {"AccessKeyId": "AKIAADMINADMINADMIN2", "SecretAccessKey": "an-admin-secret-of-the-tests"}
SESSION = boto3.Session()
"""One for all clients: it reads the service models once."""
REGISTRY_PASSWORD = "a-registry-password-of-the-tests"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]


@dataclass
class Service:
    """One `python -m sandbox.aws`, which can be killed and started again on the same folder and ports."""

    folder: Path
    keys: Path
    upstream: str
    port: int
    ecr_port: int
    options: list[str] = field(default_factory=list)
    process: Fork | None = None
    _clients: dict[tuple[str, ...], Any] = field(default_factory=dict, repr=False)

    def arguments(self) -> list[str]:
        """Of its command, but for the descriptor that hears "ready"."""
        return [
            "--folder", str(self.folder), "--keys", str(self.keys), "--port", str(self.port),
            "--registry-port", str(self.ecr_port), "--upstream", self.upstream,
            "--account", ACCOUNT, "--region", REGION, *self.options,
        ]  # fmt: skip

    def start(self) -> None:
        """Start it, and return once it serves."""
        self._clients.clear()  # their connections are to the one before
        self.process = Fork("sandbox.aws", self.arguments(), CHECKOUT, os.environ, self.folder / "log")
        assert self.process.stdout.readline() == "ready\n", self.log()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it with a signal; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait()
        self.process = None
        return code

    def log(self) -> str:
        """Everything that it printed."""
        return (self.folder / "log").read_text()

    def client(self, service: str, key: dict[str, str] = ADMIN, region: str = REGION) -> Any:
        """A boto3 client with an access key as IAM gives it; the same for the same: to make one takes its time."""
        which = (service, region, *key.values())
        if which not in self._clients:
            self._clients[which] = SESSION.client(  # type: ignore[call-overload]
                service,
                region,
                endpoint_url=f"http://127.0.0.1:{self.port}",
                aws_access_key_id=key["AccessKeyId"],
                aws_secret_access_key=key["SecretAccessKey"],
                aws_session_token=key.get("SessionToken"),
                config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
            )
        return self._clients[which]

    def token(self, key: dict[str, str] = ADMIN) -> tuple[str, str]:
        """User and password for the data plane."""
        data = self.client("ecr", key).get_authorization_token()["authorizationData"][0]
        user, _, password = b64decode(data["authorizationToken"]).decode().partition(":")
        return user, password

    @property
    def ecr_url(self) -> str:
        """The data plane's base URL."""
        return f"http://127.0.0.1:{self.ecr_port}"

    def user(self, name: str, *statements: dict[str, Any]) -> dict[str, str]:
        """A new user with one inline policy; its access key."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
            iam.put_user_policy(UserName=name, PolicyName="given", PolicyDocument=document)
        key: dict[str, str] = iam.create_access_key(UserName=name)["AccessKey"]
        return key


def allow(actions: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """An Allow statement."""
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def repository_arn(name: str) -> str:
    """A repository's ARN in the tests' account."""
    return f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"


def make_service(folder: Path, upstream: str, *options: str) -> Service:
    """A service with a key store of its own, not started yet."""
    keys = folder / "keys"
    keys.mkdir(mode=0o700, parents=True)
    (keys / "aws-admin.json").write_text(json.dumps(ADMIN))
    (keys / "registry-password").write_text(REGISTRY_PASSWORD)
    (folder / "aws").mkdir()
    port, ecr_port = free_ports(2)
    return Service(folder / "aws", keys, upstream, port, ecr_port, list(options))


@dataclass
class Image:
    """A tiny image: its layers' and configuration's content, and its manifest."""

    blobs: list[bytes]
    manifest: bytes
    media_type: str = "application/vnd.docker.distribution.manifest.v2+json"

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return digest(self.manifest)

    @property
    def size(self) -> int:
        """Bytes of configuration and layers."""
        return sum(map(len, self.blobs))


def make_image(text: str) -> Image:
    """An image whose content, and so whose digest, depends on a text."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"text": text}}}).encode()
    layer = f"a layer of {text}".encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(config),
            "digest": digest(config),
        },
        "layers": [
            {
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "size": len(layer),
                "digest": digest(layer),
            }
        ],
    }
    return Image([layer, config], json.dumps(manifest, indent=3).encode())


def push_blob(url: str, auth: tuple[str, str], name: str, content: bytes) -> requests.Response:
    """Push one blob as `docker push` does: POST, PATCH, PUT; the first answer that is no success, or the last."""
    answer = requests.post(f"{url}/v2/{name}/blobs/uploads/", auth=auth, timeout=300)
    if answer.status_code != 202:
        return answer
    answer = requests.patch(urljoin(url, answer.headers["Location"]), data=content, auth=auth, timeout=300)
    if answer.status_code != 202:
        return answer
    location = urljoin(url, answer.headers["Location"])
    return requests.put(f"{location}&digest={digest(content)}", auth=auth, timeout=300)


def push(url: str, auth: tuple[str, str], name: str, image: Image, reference: str) -> requests.Response:
    """Push an image as the classic `docker push` does; the first answer that is no success, or the last."""
    for blob in image.blobs:
        answer = push_blob(url, auth, name, blob)
        if answer.status_code != 201:
            return answer
    return put_manifest(url, auth, name, image, reference)


def put_manifest(url: str, auth: tuple[str, str], name: str, image: Image, reference: str) -> requests.Response:
    """The last step of a push."""
    headers = {"Content-Type": image.media_type}
    return requests.put(
        f"{url}/v2/{name}/manifests/{reference}", data=image.manifest, headers=headers, auth=auth, timeout=300
    )
