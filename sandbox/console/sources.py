"""Where the console's pages are from: the services' own answers to the operator, and the states of the stacks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from sandbox.console.model import UnansweredError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Read = Callable[[str], bytes]

_HISTORY = ".pulumi/history/"
_ENTRY, _CHECKPOINT = ".history.json", ".checkpoint.json"


@dataclass(frozen=True)
class AzureDevOps:
    """A project of an organisation. url: the organisation's. token: the operator's."""

    url: str
    token: str = field(repr=False)
    project: str

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The answer to a request below the project, or below the organisation for a path that begins with `/`.

        Raises UnansweredError, also where the service refuses.
        """
        import requests

        from sandbox.agent.channel import ChannelError, Organization  # with the language behind it: not before a page

        try:
            below = path[1:] if path.startswith("/") else f"{self.project}/{path}"
            return Organization(self.url, self.token).ask(method, below, body)
        except ChannelError as error:
            raise UnansweredError(f"Azure DevOps refuses: {error}") from None
        except requests.RequestException as error:
            raise UnansweredError(f"Azure DevOps does not answer ({error}): `make up` starts it") from None


@dataclass(frozen=True)
class Release:
    """An image that a stack's last successful update released. image: REPOSITORY@DIGEST, without the registry's host.

    ended: when that update ended, in seconds since 1970.
    """

    stack: str
    image: str
    ended: int


@dataclass(frozen=True)
class Aws:
    """An account. states: the folder of the stacks whose backend is a folder of this machine; others lie in buckets."""

    url: str
    region: str
    key: Mapping[str, str] = field(repr=False)
    states: Path

    _clients: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    _making: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)

    def _client(self, service: str) -> Any:
        """One client a service: making one is slow, and no two threads may at once."""
        with self._making:
            if service not in self._clients:
                import boto3

                session: Any = boto3.session.Session()
                self._clients[service] = session.client(
                    service,
                    endpoint_url=self.url,
                    region_name=self.region,
                    aws_access_key_id=self.key["AccessKeyId"],
                    aws_secret_access_key=self.key["SecretAccessKey"],
                )
            return self._clients[service]

    def _call(self, service: str, operation: str, **given: object) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        client = self._client(service)
        try:
            if client.can_paginate(operation):
                return dict(client.get_paginator(operation).paginate(**given).build_full_result())
            return dict(getattr(client, operation)(**given))
        except (BotoCoreError, ClientError) as error:
            raise UnansweredError(f"AWS does not answer as it should: {error}; `make status` says what runs") from None

    def images(self) -> list[dict[str, Any]]:
        """Every image of every repository, as ECR's DescribeImages gives them."""
        names = [one["repositoryName"] for one in self._call("ecr", "describe_repositories")["repositories"]]
        return [
            one for name in names for one in self._call("ecr", "describe_images", repositoryName=name)["imageDetails"]
        ]

    def findings(self, repository: str, digest: str) -> dict[str, Any]:
        """What the image's scan found, as ECR's DescribeImageScanFindings gives it."""
        image = {"imageDigest": digest}
        return self._call("ecr", "describe_image_scan_findings", repositoryName=repository, imageId=image)

    def releases(self) -> list[Release]:
        """What each stack has released: its last successful update, of those whose outputs name an image."""
        found = []
        for entries, read in (self._of_folder(), *self._of_buckets()):
            stacks: dict[str, list[str]] = {}
            for entry in sorted(entries, reverse=True):  # STACK-NANOSECONDS.history.json: the newest first
                stacks.setdefault(entry.split("/")[-2], []).append(entry)
            found += [one for stack, its in stacks.items() if (one := _release(stack, its, read))]
        return sorted(found, key=lambda one: one.ended, reverse=True)

    def _of_folder(self) -> tuple[list[str], Read]:
        entries = [str(path.relative_to(self.states)) for path in self.states.glob(f"{_HISTORY}*/*/*{_ENTRY}")]
        return entries, lambda name: (self.states / name).read_bytes()

    def _of_buckets(self) -> Iterator[tuple[list[str], Read]]:
        for bucket in (one["Name"] for one in self._call("s3", "list_buckets")["Buckets"]):

            def read(key: str, bucket: str = bucket) -> bytes:
                return bytes(self._call("s3", "get_object", Bucket=bucket, Key=key)["Body"].read())

            there = self._call("s3", "list_objects_v2", Bucket=bucket, Prefix=_HISTORY).get("Contents", ())
            yield [one["Key"] for one in there if one["Key"].endswith(_ENTRY)], read


def _release(stack: str, entries: list[str], read: Read) -> Release | None:
    """What the first entry of an update that succeeded says; entries: the newest first."""
    for entry in entries:
        told = json.loads(read(entry))
        if told["result"] == "succeeded":
            image = _image(json.loads(read(entry.removesuffix(_ENTRY) + _CHECKPOINT)))
            return Release(stack, image, int(told["endTime"])) if image else None
    return None


def _image(checkpoint: Mapping[str, Any]) -> str:
    """The output `image_by_digest` of a stack, REGISTRY/REPOSITORY@DIGEST, without the registry; empty without it."""
    latest = checkpoint["checkpoint"]["latest"] or {}
    for one in latest.get("resources") or ():
        if one["type"] == "pulumi:pulumi:Stack":
            return str((one.get("outputs") or {}).get("image_by_digest") or "").partition("/")[2]
    return ""
