"""ECR's data plane: the OCI distribution protocol, each operation judged as the principal that fetched the token.

A reverse proxy before the private registry. Blobs stream through it and are never held; tags are ECR's, so manifests
go to the registry by digest only. https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import asyncio
import binascii
import logging
import re
import time
from base64 import b64decode
from typing import TYPE_CHECKING, TypeVar

import aiohttp
import requests
from aiohttp import web
from moto.core.exceptions import ServiceException
from moto.ecr.exceptions import ImageAlreadyExistsException, RepositoryNotFoundException
from moto.ecr.models import ECR_REPOSITORY_NAME_PATTERN
from yarl import URL

from sandbox.aws import ecr_rules
from sandbox.aws.actions import arn
from sandbox.aws.ecr_images import (
    ImageTagAlreadyExistsException,
    LayersNotFoundException,
    ReferencedImagesNotFoundException,
    find,
    images_of,
    is_immutable,
)
from sandbox.aws.ecr_rules import Manifest, ManifestError
from sandbox.aws.registry import USER, RegistryError
from sandbox.aws.resources import Need

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sandbox.aws.app import Cloud
    from sandbox.aws.principals import Principal

LOG = logging.getLogger("sandbox.aws.ecr")
T = TypeVar("T")
PATH = re.compile(
    rf"/v2/(?P<name>{ECR_REPOSITORY_NAME_PATTERN})/"
    r"(?:(?P<tags>tags/list)|manifests/(?P<reference>[^/]+)|blobs/(?P<upload>uploads/?[^/]*)|blobs/(?P<digest>[^/]+))"
)
LARGEST_MANIFEST = 4 * 1024 * 1024
"""Bytes; the limit of the registry behind it."""
CHUNK = 64 * 1024
HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade",
}  # fmt: skip
REGISTRY_DOWN = "the sandbox's registry does not answer: start it with `python -m sandbox up`"
PULL_LAYER = ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer")
"""What a caller needs on another repository to mount a layer from there."""


class Refused(Exception):  # noqa: N818 (an answer, not a fault)
    """An error of the distribution protocol."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def answer(self) -> web.Response:
        """As the specification's JSON."""
        return web.json_response({"errors": [{"code": self.code, "message": self.message}]}, status=self.status)


class Front:
    """The application on the data plane's port."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._auth = aiohttp.encode_basic_auth(USER, cloud.config.registry_password())
        self._upstream: aiohttp.ClientSession | None = None

    def application(self) -> web.Application:
        """An aiohttp application that takes every path."""
        application = web.Application(client_max_size=LARGEST_MANIFEST)
        application.cleanup_ctx.append(self._session)
        application.router.add_route("*", "/{path:.*}", self._handle)
        return application

    async def _session(self, _: web.Application) -> AsyncIterator[None]:
        # What comes from the registry goes on as it is; no proxy of the environment may get between.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=300)
        async with aiohttp.ClientSession(auto_decompress=False, timeout=timeout, trust_env=False) as session:
            self._upstream = session
            yield

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._route(request)
        except Refused as refused:
            LOG.info("%s %s: %d %s: %s", request.method, request.path, refused.status, refused.code, refused.message)
            return refused.answer()
        except RegistryError as error:
            LOG.warning("%s", error)
            return _failed(error).answer()

    async def _route(self, request: web.Request) -> web.StreamResponse:
        caller = await self._authenticate(request)
        if caller is None:
            realm = f'Basic realm="http://{self._cloud.host}/",service="ecr.amazonaws.com"'
            return web.Response(status=401, text="Not Authorized\n", headers={"WWW-Authenticate": realm})
        if request.path in {"/v2", "/v2/"}:
            return web.Response(headers={"Docker-Distribution-API-Version": "registry/2.0"})
        found = PATH.fullmatch(request.path)
        if found is None:
            raise Refused(404, "UNSUPPORTED", f"The sandbox's ECR has no {request.path}")
        name = found["name"]
        if found["tags"]:
            return await self._list_tags(request, caller, name)
        if found["reference"]:
            return await self._manifest(request, caller, name, found["reference"])
        if found["upload"]:
            return await self._upload(request, caller, name)
        return await self._blob(request, caller, name, found["digest"])

    # Who asks, and may they?

    async def _authenticate(self, request: web.Request) -> Principal | None:
        """The principal of the token; None where there is no `Basic AWS:...`."""
        kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            user, _, password = b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Refused(400, "UNAUTHORIZED", "The Authorization header is no Basic user and password.") from None
        if user != "AWS":
            return None
        await self._locked(self._cloud.read_anew)
        token = await self._locked(lambda: self._cloud.ecr.token(password))
        if token is None:
            raise Refused(400, "UNAUTHORIZED", "The password is no token that GetAuthorizationToken gave here.")
        if token.expires < time.time():
            raise Refused(403, "DENIED", "Your authorization token has expired. Reauthenticate and try again.")
        return token.principal

    def _may(self, caller: Principal, name: str, *actions: str) -> str | None:
        """None where the caller may do all of it to the repository, else why not."""
        cloud = self._cloud
        resource = arn("ecr", "repository", cloud.config.region, cloud.config.account, name)
        context = {"aws:RequestedRegion": cloud.config.region}
        refusals = (cloud.refusal(caller, Need(action, resource), context) for action in actions)
        return next((why for why in refusals if why), None)

    async def _admit(self, caller: Principal, name: str, *actions: str) -> None:
        """Raise unless the caller may, and the repository is there (who may not is not told that it is not)."""

        def admit() -> None:
            why = self._may(caller, name, *actions)
            if why is not None:
                raise Refused(403, "DENIED", why)
            try:
                self._cloud.ecr.repository(name)
            except RepositoryNotFoundException as error:
                raise Refused(404, "NAME_UNKNOWN", error.message) from error

        await self._locked(admit)

    async def _locked(self, function: Callable[[], T]) -> T:
        """Run under the account's lock, in a thread: others may hold it while they wait for the registry."""

        def run() -> T:
            with self._cloud.lock:
                return function()

        return await asyncio.to_thread(run)

    # Tags and manifests

    async def _list_tags(self, request: web.Request, caller: Principal, name: str) -> web.Response:
        if request.method not in {"GET", "HEAD"}:
            raise _unsupported(request)
        await self._admit(caller, name, "ecr:ListImages")
        tags = await self._locked(
            lambda: sorted(t for image in images_of(self._cloud.ecr.repository(name)) for t in image.image_tags)
        )
        after = request.query.get("last")
        tags = [tag for tag in tags if after is None or tag > after]
        count = request.query.get("n")
        if count is None or not count.isdigit() or len(tags) <= int(count):
            return web.json_response({"name": name, "tags": tags})
        shown = tags[: int(count)]
        link = f'</v2/{name}/tags/list?n={count}&last={shown[-1] if shown else ""}>; rel="next"'
        return web.json_response({"name": name, "tags": shown}, headers={"Link": link})

    async def _manifest(self, request: web.Request, caller: Principal, name: str, reference: str) -> web.StreamResponse:
        if request.method == "PUT":
            return await self._put_manifest(request, caller, name, reference)
        if request.method == "DELETE":
            return await self._delete_manifest(caller, name, reference)
        if request.method not in {"GET", "HEAD"}:
            raise _unsupported(request)
        # ECR asks for this right for HEAD too; the classic `docker push` sends none, so it pushes without it.
        await self._admit(caller, name, "ecr:BatchGetImage")
        meaning = _meaning(reference)
        image = await self._locked(lambda: find(self._cloud.ecr.repository(name), **meaning))
        if image is None:
            raise Refused(404, "MANIFEST_UNKNOWN", "Requested image not found")
        path = URL(f"/v2/{name}/manifests/{image.image_digest}")
        return await self._proxy(request, path, {"Accept": str(image.image_manifest_media_type)})

    async def _put_manifest(self, request: web.Request, caller: Principal, name: str, reference: str) -> web.Response:
        await self._admit(caller, name, "ecr:PutImage")
        content = await request.read()
        meaning = _meaning(reference)
        try:
            manifest = ecr_rules.read_manifest(content, request.content_type)
        except ManifestError as error:
            # Docker 20.10 tries a refused push again with an old kind of manifest, and shows this answer only.
            await self._locked(lambda: self._check_free(name, meaning.get("tag")))
            raise Refused(400, "MANIFEST_INVALID", str(error)) from error
        if meaning.get("digest", manifest.digest) != manifest.digest:
            raise Refused(400, "DIGEST_INVALID", f"The manifest's digest is {manifest.digest}, not {reference}")
        await asyncio.to_thread(self._register, name, content, manifest, meaning.get("tag"))
        headers = {"Location": f"/v2/{name}/manifests/{manifest.digest}", "Docker-Content-Digest": manifest.digest}
        return web.Response(status=201, headers=headers)

    def _check_free(self, name: str, tag: str | None) -> None:
        """Raise Refused where the tag stands on an image and may not be moved."""
        repository = self._cloud.ecr.repository(name)
        if tag is not None and find(repository, tag=tag) and is_immutable(repository, tag):
            raise _refused(ImageTagAlreadyExistsException(tag, name))

    def _register(self, name: str, content: bytes, manifest: Manifest, tag: str | None) -> None:
        """Into the registry, then into ECR; where ECR refuses or fails, out of the registry again."""
        cloud = self._cloud
        with cloud.lock:
            repository = cloud.ecr.repository(name)
            try:
                cloud.ecr.check(repository, manifest, tag)
            except ImageAlreadyExistsException:
                self._check_free(name, tag)
                return  # the same again is a push that succeeds, where the tag could be moved
            except ServiceException as error:
                raise _refused(error) from error
            new = find(repository, digest=manifest.digest) is None
            cloud.registry.put_manifest(name, manifest.digest, content, manifest.media_type)
            try:
                with cloud.changing("ecr"):
                    cloud.ecr.register(name, content, manifest, tag)
            except BaseException:
                if new:
                    cloud.registry.delete(name, "manifests", manifest.digest)
                raise
            cloud.sweep()

    async def _delete_manifest(self, caller: Principal, name: str, reference: str) -> web.Response:
        await self._admit(caller, name, "ecr:BatchDeleteImage")
        meaning = _meaning(reference)
        identifier = {f"image{key.capitalize()}": value for key, value in meaning.items()}

        def delete() -> None:
            with self._cloud.changing("ecr"):
                result = self._cloud.ecr.batch_delete_image(name, image_ids=[identifier])
            for failure in result["failures"]:
                code = "MANIFEST_UNKNOWN" if failure["failureCode"] == "ImageNotFound" else "DENIED"
                raise Refused(404 if code == "MANIFEST_UNKNOWN" else 403, code, failure["failureReason"])
            self._cloud.sweep()

        await asyncio.to_thread(delete)
        return web.Response(status=202)

    # Blobs

    async def _blob(self, request: web.Request, caller: Principal, name: str, digest: str) -> web.StreamResponse:
        needed = {"GET": "ecr:GetDownloadUrlForLayer", "HEAD": "ecr:BatchCheckLayerAvailability"}.get(request.method)
        if needed is None:
            raise _unsupported(request)
        await self._admit(caller, name, needed)
        known = await self._locked(lambda: digest in self._cloud.ecr.repository(name).layers)
        if not known:
            raise Refused(404, "BLOB_UNKNOWN", f"The layer {digest} is not in the repository '{name}'")
        return await self._proxy(request, request.rel_url)

    async def _upload(self, request: web.Request, caller: Principal, name: str) -> web.StreamResponse:
        url = request.rel_url
        whole = request.query.get("digest")
        actions = {
            "POST": ["ecr:InitiateLayerUpload"],
            "PATCH": ["ecr:UploadLayerPart"],
            "PUT": ["ecr:CompleteLayerUpload"],
            "GET": ["ecr:UploadLayerPart"],
            "DELETE": ["ecr:UploadLayerPart"],
        }.get(request.method)
        if actions is None:
            raise _unsupported(request)
        if request.method == "POST" and whole:
            actions.append("ecr:CompleteLayerUpload")
        await self._admit(caller, name, *actions)
        source = request.query.get("from")
        wanted = request.query.get("mount", "")
        if source and not await self._locked(lambda: self._may_mount(caller, source, wanted)):
            # The specification's answer to a mount that does not happen: an ordinary upload begins.
            url = url.without_query_params("mount", "from")
        return await self._proxy(request, url, done=name)

    def _may_mount(self, caller: Principal, source: str, digest: str) -> bool:
        if self._may(caller, source, *PULL_LAYER) is not None:
            return False
        repository = self._cloud.ecr.repositories.get(source)
        return repository is not None and digest in repository.layers

    def _add_layer(self, name: str, digest: str) -> None:
        size = self._cloud.registry.blob_size(name, digest)
        with self._cloud.changing("ecr"):
            self._cloud.ecr.add_layer(name, digest, size)

    # The way to the registry and back

    async def _proxy(
        self, request: web.Request, path: URL, extra: dict[str, str] | None = None, *, done: str | None = None
    ) -> web.StreamResponse:
        """Pass a request on and its answer back, both as streams. done: the repository of an upload, whose layer is
        noted before the caller hears that it is there."""
        assert self._upstream is not None  # noqa: S101 (cleanup_ctx made it before the first request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        headers |= {"Authorization": self._auth, **(extra or {})}
        headers.pop("Expect", None)
        url = URL(self._cloud.registry.url).join(path)
        body = request.content if request.can_read_body else None
        try:
            answer = await self._upstream.request(
                request.method, url, headers=headers, data=body, allow_redirects=False
            )
        except aiohttp.ClientConnectionError as error:
            raise RegistryError(f"the registry at {self._cloud.registry.url} does not answer") from error
        async with answer:
            digest = answer.headers.get("Docker-Content-Digest")
            if done is not None and answer.status == 201 and digest:
                await asyncio.to_thread(self._add_layer, done, digest)
            return await _pass_back(request, answer)


async def _pass_back(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status)
    for name, value in answer.headers.items():
        if name.lower() not in HOP_BY_HOP:
            response.headers.add(name, value)
    await response.prepare(request)
    async for chunk in answer.content.iter_chunked(CHUNK):
        await response.write(chunk)
    await response.write_eof()
    return response


def _meaning(reference: str) -> dict[str, str]:
    """Whether a reference is a digest or a tag. Raises Refused for what is neither."""
    if ecr_rules.DIGEST.fullmatch(reference):
        return {"digest": reference}
    if ecr_rules.TAG.fullmatch(reference):
        return {"tag": reference}
    raise Refused(400, "TAG_INVALID", f"{reference!r} is neither a tag nor a digest")


def _refused(error: ServiceException) -> Refused:
    """The control plane's refusal of an image, as the data plane says it."""
    if isinstance(error, LayersNotFoundException):
        return Refused(400, "MANIFEST_BLOB_UNKNOWN", error.message)
    if isinstance(error, ReferencedImagesNotFoundException):
        return Refused(400, "MANIFEST_UNKNOWN", error.message)
    return Refused(400, "TAG_INVALID", error.message)


def _failed(error: RegistryError) -> Refused:
    """What the client is told when the registry behind failed.

    A registry that cannot be reached stays so until somebody starts it. Docker tries a 503 again for almost a minute
    and then shows the status only; DENIED it shows at once, with the message.
    """
    if isinstance(error.__cause__, (aiohttp.ClientConnectionError, requests.ConnectionError, requests.Timeout)):
        return Refused(403, "DENIED", REGISTRY_DOWN)
    return Refused(503, "UNAVAILABLE", str(error))


def _unsupported(request: web.Request) -> Refused:
    return Refused(405, "UNSUPPORTED", f"ECR has no {request.method} {request.path}")
