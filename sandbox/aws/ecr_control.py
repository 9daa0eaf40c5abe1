"""ECR's control plane: moto's, with what it gets wrong put right.

Each override names the fault of moto 5.2.5 that it mends; tests/unit/sandbox/aws/test_moto_faults.py holds the
faults, so that an upgrade of moto which mends or changes one is noticed.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

import moto.ecr.urls
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ecr.exceptions import (
    ImageAlreadyExistsException,
    InvalidParameterException,
    LimitExceededException,
    ScanNotFoundException,
)
from moto.ecr.models import ECRBackend, Image, Repository, ecr_backends
from moto.ecr.responses import ECRResponse

from sandbox.aws import ecr_lifecycle, ecr_rules, ecr_scans
from sandbox.aws.ecr_images import (
    EcrImage,
    ImageTagAlreadyExistsException,
    LayersNotFoundException,
    ReferencedImagesNotFoundException,
    UnsupportedImageTypeException,
    find,
    images_of,
    is_immutable,
)
from sandbox.aws.ecr_rules import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.aws.ecr_rules import Manifest
    from sandbox.aws.ecr_scans import Scans
    from sandbox.aws.principals import Principal
    from sandbox.aws.registry import Registry

CALLER = "sandbox.caller"
"""The WSGI environment's key under which the judged request carries its Principal."""
IMAGES_A_PAGE = 100
"""Images that DescribeImages gives at once where no number is asked for."""
FORGET = 86_400.0
"""Seconds for which an expired token is still told from an unknown one."""


@dataclass(frozen=True)
class Settings:
    """What the control plane has to know of its surroundings.

    host: HOST:PORT of the data plane, the first part of every repository's URI.
    token_lifetime: seconds for which an authorization token is good (AWS: 12 hours).
    """

    registry: Registry
    host: str
    token_lifetime: float
    scans: Scans


@dataclass(frozen=True)
class Token:
    """An issued authorization token; expires is seconds since the epoch."""

    principal: Principal
    expires: float


class EcrBackend(ECRBackend):
    """ECR of one account and region."""

    settings: ClassVar[Settings]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.tokens: dict[str, Token] = {}
        self.unwanted: set[tuple[str, str, str]] = set()
        """What is deleted here and not yet in the registry: (repository, "manifests" or "blobs", digest)."""

    @property
    def _url_module(self) -> Any:
        return moto.ecr.urls  # moto would look for one beside this module

    def repository(self, name: str) -> Repository:
        """The repository; raises RepositoryNotFoundException."""
        return self._get_repository(name)

    # Tokens (moto: one constant token that expired in 2015)

    def issue_token(self, principal: Principal) -> tuple[str, datetime]:
        """A new password for the user AWS, and when it expires. Only its hash is kept."""
        now = time.time()
        self.tokens = {key: token for key, token in self.tokens.items() if token.expires > now - FORGET}
        password = secrets.token_urlsafe(96)
        expires = now + self.settings.token_lifetime
        self.tokens[_hash(password)] = Token(principal, expires)
        return password, datetime.fromtimestamp(expires, UTC)

    def token(self, password: str) -> Token | None:
        """The token of a password, also an expired one; None where it was never issued."""
        return self.tokens.get(_hash(password))

    # Repositories

    def create_repository(self, *args: Any, **kwargs: Any) -> Repository:
        """As moto's, but its URI is where the data plane is."""
        made = super().create_repository(*args, **kwargs)
        made.uri = f"{self.settings.host}/{made.name}"
        return made

    def delete_repository(
        self, repository_name: str, registry_id: str | None = None, force: bool = False
    ) -> Repository:
        """As moto's, and what it held leaves the registry too."""
        gone = super().delete_repository(repository_name, registry_id, force)
        self.unwanted |= {(gone.name, "manifests", image.image_digest) for image in gone.images}
        self.unwanted |= {(gone.name, "blobs", digest) for digest in gone.layers}
        return gone

    def put_image_scanning_configuration(
        self, registry_id: str, repository_name: str, image_scan_config: dict[str, Any]
    ) -> dict[str, Any]:
        """An empty configuration is off: clients in Go leave out what is false (moto: the old one stays)."""
        chosen = {"scanOnPush": bool(image_scan_config.get("scanOnPush"))}
        return super().put_image_scanning_configuration(registry_id, repository_name, chosen)

    # Images

    def put_image(
        self,
        repository_name: str,
        image_manifest: str,
        image_tag: str | None = None,
        image_manifest_mediatype: str | None = None,
        digest: str | None = None,
    ) -> Any:
        """PutImage: into the registry, then into the model.

        moto answers 500 where the repository is missing, and deletes the image whose tag is moved.
        """
        repository = self.repository(repository_name)
        content = image_manifest.encode()
        try:
            manifest = ecr_rules.read_manifest(content, image_manifest_mediatype)
        except ManifestError as error:
            raise InvalidParameterException(
                f"Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{error}'"
            ) from error
        if digest is not None and digest != manifest.digest:
            raise ServiceException(
                "ImageDigestDoesNotMatchException", f"The manifest's digest is {manifest.digest}, not {digest}"
            )
        self.check(repository, manifest, image_tag)
        self.settings.registry.put_manifest(repository.name, manifest.digest, content, manifest.media_type)
        image = self.register(repository_name, content, manifest, image_tag)
        identifier = {"imageDigest": image.image_digest, **({"imageTag": image_tag} if image_tag else {})}
        return {**_described(image), "imageId": identifier}

    def check(self, repository: Repository, manifest: Manifest, tag: str | None) -> None:
        """Raise what ECR answers where the image cannot be registered so."""
        missing = [digest for digest in manifest.blobs if digest not in repository.layers]
        if missing:
            raise LayersNotFoundException(
                f"Layers with digests '{missing}' required for pushing image into repository with name "
                f"'{repository.name}' in the registry with id '{repository.registry_id}' do not exist"
            )
        absent = [digest for digest in manifest.children if find(repository, digest=digest) is None]
        if absent:
            raise ReferencedImagesNotFoundException(
                f"Images with digests '{absent}' required for pushing image into repository with name "
                f"'{repository.name}' in the registry with id '{repository.registry_id}' do not exist"
            )
        same = find(repository, digest=manifest.digest)
        if same is not None and (tag is None or tag in same.image_tags):
            raise ImageAlreadyExistsException(repository.name, repository.registry_id, manifest.digest, str(tag))
        if tag is not None and find(repository, tag=tag) is not None and is_immutable(repository, tag):
            raise ImageTagAlreadyExistsException(tag, repository.name)

    def register(self, repository_name: str, content: bytes, manifest: Manifest, tag: str | None) -> EcrImage:
        """Put a manifest that the registry holds into the model. A moved tag leaves its old image untagged."""
        repository = self.repository(repository_name)
        self.check(repository, manifest, tag)
        image = find(repository, digest=manifest.digest)
        holder = find(repository, tag=tag) if tag is not None else None
        if image is None:
            image = EcrImage(repository, content, manifest)
            repository.images.append(image)
            if cast("dict[str, bool]", repository.image_scanning_configuration).get("scanOnPush") and manifest.blobs:
                image.scanned_at = datetime.now(UTC)
        if holder is not None and tag is not None:
            holder.remove_tag(tag)
        if tag is not None:
            image.update_tag(tag)
        self.unwanted.discard((repository.name, "manifests", manifest.digest))
        self.expire(repository)
        return image

    def expire(self, repository: Repository) -> None:
        """Delete what the repository's lifecycle policy expires (moto: keeps the policy and never looks at it)."""
        if not repository.lifecycle_policy:
            return
        held = [
            ecr_lifecycle.Kept(
                image.image_digest,
                tuple(image.image_tags),
                datetime.fromtimestamp(image.image_pushed_at, UTC),
                image.children,
            )
            for image in images_of(repository)
        ]
        gone = set(ecr_lifecycle.expired(repository.lifecycle_policy, held, datetime.now(UTC)))
        repository.images[:] = [image for image in repository.images if image.image_digest not in gone]
        self.unwanted |= {(repository.name, "manifests", digest) for digest in gone}

    def describe_images(
        self,
        repository_name: str,
        registry_id: str | None = None,
        image_ids: list[dict[str, str]] | None = None,
    ) -> Sequence[Image]:
        """As moto's, in a steady order."""
        repository = self._get_repository(repository_name, registry_id)
        if not image_ids:
            return list(repository.images)
        found = [repository._get_image(i.get("imageTag"), i.get("imageDigest")) for i in image_ids]
        return list(dict.fromkeys(found))

    def batch_get_image(
        self,
        repository_name: str,
        registry_id: str | None = None,
        image_ids: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """An image for each identifier, under the tag that was asked for (moto: under the image's last tag)."""
        repository = self._get_repository(repository_name, registry_id)
        images, failures = [], []
        for identifier in image_ids or []:
            image = next((i for i in images_of(repository) if i.is_meant_by(identifier)), None)
            if image is None:
                failures.append(_failure(identifier, "ImageNotFound", "Requested image not found"))
            else:
                images.append({**_described(image), "imageId": {**identifier, "imageDigest": image.image_digest}})
        return {"images": images, "failures": failures}

    def batch_delete_image(
        self,
        repository_name: str,
        registry_id: str | None = None,
        image_ids: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:
        """Delete images by digest, or tags; the last tag takes its image with it.

        moto skips images while it deletes, and reports nothing of an untagged one.
        """
        repository = self._get_repository(repository_name, registry_id)
        deleted: list[dict[str, str]] = []
        failures: list[dict[str, Any]] = []
        for identifier in image_ids or []:
            try:
                deleted += self._delete(repository, identifier)
            except _CannotDelete as error:
                failures.append(_failure(identifier, error.code, error.reason))
        return {"imageIds": deleted, "failures": failures}

    def _delete(self, repository: Repository, identifier: dict[str, str]) -> list[dict[str, str]]:
        tag, digest = identifier.get("imageTag"), identifier.get("imageDigest")
        if not tag and not digest:
            raise _CannotDelete("MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null")
        if digest and not ecr_rules.DIGEST.fullmatch(digest):
            raise _CannotDelete(
                "InvalidImageDigest",
                "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
            )
        image = find(repository, tag=tag, digest=digest)
        if image is None:
            raise _CannotDelete("ImageNotFound", "Requested image not found")
        if tag and len(image.image_tags) > 1:
            image.remove_tag(tag)
            return [{"imageDigest": image.image_digest, "imageTag": tag}]
        parents = [parent.image_digest for parent in images_of(repository) if image.image_digest in parent.children]
        if parents:
            reason = f"Requested image referenced by manifest list: {parents}"
            raise _CannotDelete("ImageReferencedByManifestList", reason)
        repository.images.remove(image)
        self.unwanted.add((repository.name, "manifests", image.image_digest))
        return image.identifiers()

    # Layers

    def complete_layer_upload(
        self, repository_name: str, upload_id: str, layer_digests: list[str], registry_id: str | None = None
    ) -> dict[str, Any]:
        """As moto's, and the layer is in the registry afterwards."""
        upload = self._get_repository(repository_name, registry_id).uploads.get(upload_id)
        content = bytes(upload.layer_parts) if upload else b""
        if upload is not None:
            self.settings.registry.put_blob(repository_name, ecr_rules.digest(content), content)
        result = super().complete_layer_upload(repository_name, upload_id, layer_digests, registry_id)
        self.add_layer(repository_name, result["layerDigest"], len(content))
        return result

    def add_layer(self, repository_name: str, digest: str, size: int) -> None:
        """Note a layer that the registry holds; size in bytes."""
        self.repository(repository_name).layers[digest] = size
        self.unwanted.discard((repository_name, "blobs", digest))

    def sweep(self) -> None:
        """Delete in the registry what was deleted here. What fails is kept for the next time; raises RegistryError."""
        for repository_name, kind, digest in list(self.unwanted):
            self.settings.registry.delete(repository_name, kind, digest)
            self.unwanted.discard((repository_name, kind, digest))

    # Scans

    def start_image_scan(self, registry_id: str, repository_name: str, image_id: dict[str, str]) -> dict[str, Any]:
        """StartImageScan; an image can be scanned once in 24 hours, an index never."""
        image = self._image(registry_id, repository_name, image_id)
        if not image.blobs:
            raise UnsupportedImageTypeException(
                f"The image type '{image.image_manifest_media_type}' of the image with digest '{image.image_digest}' "
                "is not supported for scanning"
            )
        now = datetime.now(UTC)
        if image.scanned_at and now - image.scanned_at < ecr_scans.AGAIN:
            raise LimitExceededException
        image.scanned_at = now
        return {**_scan_head(image, image_id), "imageScanStatus": self.settings.scans.status(image)}

    def describe_image_scan_findings(
        self, registry_id: str, repository_name: str, image_id: dict[str, Any]
    ) -> dict[str, Any]:
        """DescribeImageScanFindings, from the file of findings."""
        image = self._image(registry_id, repository_name, image_id)
        if image.scanned_at is None:
            digest, tag = image_id.get("imageDigest", "null"), image_id.get("imageTag", "null")
            shown = f"{{imageDigest:'{digest}', imageTag:'{tag}'}}"
            raise ScanNotFoundException(shown, repository_name, image.registry_id)
        status = self.settings.scans.status(image)
        answer = {**_scan_head(image, image_id), "imageScanStatus": status}
        if status["status"] == "COMPLETE":
            answer["imageScanFindings"] = self.settings.scans.findings(image)
        return answer

    def _image(self, registry_id: str, repository_name: str, image_id: dict[str, Any]) -> EcrImage:
        repository = self._get_repository(repository_name, registry_id)
        image = repository._get_image(image_id.get("imageTag"), image_id.get("imageDigest"))
        assert isinstance(image, EcrImage)  # noqa: S101 (register makes no other)
        return image


@dataclass
class _CannotDelete(Exception):  # noqa: N818 (becomes an entry of `failures`, no error of the call)
    code: str
    reason: str


def _hash(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _start(token: str | None) -> int:
    """Where the page of a `nextToken` begins."""
    if token and not token.isdecimal():
        raise InvalidParameterException("Invalid parameter at 'nextToken' failed to satisfy constraint")
    return int(token or 0)


def _failure(identifier: dict[str, str], code: str, reason: str) -> dict[str, Any]:
    return {"imageId": identifier, "failureCode": code, "failureReason": reason}


def _described(image: EcrImage) -> dict[str, Any]:
    return {
        "registryId": image.registry_id,
        "repositoryName": image.repository_name,
        "imageManifest": image.image_manifest,
        "imageManifestMediaType": image.image_manifest_media_type,
    }


def _scan_head(image: EcrImage, identifier: dict[str, Any]) -> dict[str, Any]:
    return {
        "registryId": image.registry_id,
        "repositoryName": image.repository_name,
        "imageId": {**identifier, "imageDigest": image.image_digest},
    }


class EcrResponse(ECRResponse):
    """ECR's operations, from the parameters that were judged."""

    def __init__(self) -> None:
        super().__init__()
        # Without this moto reads parameters from wherever it finds them first, not those that were judged.
        self.automated_parameter_parsing = True

    @property
    def ecr_backend(self) -> EcrBackend:
        return backend(self.current_account, self.region)

    def get_authorization_token(self) -> ActionResult:
        caller: Principal = self.normalized_request.environ[CALLER]
        password, expires = self.ecr_backend.issue_token(caller)
        data = {
            "authorizationToken": b64encode(f"AWS:{password}".encode()).decode(),
            "expiresAt": expires,
            "proxyEndpoint": f"http://{EcrBackend.settings.host}",
        }
        return ActionResult({"authorizationData": [data for _ in self._get_param("registryIds") or [None]]})

    def describe_images(self) -> ActionResult:
        """With the filter and in pages (moto: ignored), and what scans found."""
        images = self.ecr_backend.describe_images(
            self._get_param("repositoryName"), self._get_param("registryId"), self._get_param("imageIds")
        )
        status = (self._get_param("filter") or {}).get("tagStatus", "ANY")
        details = list(self._details(images, status))
        start, size = _start(self._get_param("nextToken")), int(self._get_param("maxResults") or IMAGES_A_PAGE)
        more = {"nextToken": str(start + size)} if start + size < len(details) else {}
        return ActionResult({"imageDetails": details[start : start + size], **more})

    def _details(self, images: Sequence[Image], tag_status: str) -> Iterator[dict[str, Any]]:
        for image in images:
            if not isinstance(image, EcrImage) or tag_status == ("UNTAGGED" if image.image_tags else "TAGGED"):
                continue
            yield {
                "registryId": image.registry_id,
                "repositoryName": image.repository_name,
                "imageDigest": image.image_digest,
                **({"imageTags": list(image.image_tags)} if image.image_tags else {}),
                "imageSizeInBytes": image.size,
                "imagePushedAt": datetime.fromtimestamp(image.image_pushed_at, UTC),
                "imageManifestMediaType": image.image_manifest_media_type,
                "artifactMediaType": image.artifact_media_type,
                **EcrBackend.settings.scans.of_image(image),
            }


def backend(account: str, region: str) -> EcrBackend:
    """ECR of an account and region."""
    found = ecr_backends[account][region]
    assert isinstance(found, EcrBackend)  # noqa: S101 (install() was called before)
    return found


def install(settings: Settings) -> None:
    """Put this control plane in moto's place; call it before the first request."""
    EcrBackend.settings = settings
    ecr_backends.backend = EcrBackend
    for regions in ecr_backends.values():
        regions.backend = EcrBackend
    moto.ecr.urls.url_paths.update(dict.fromkeys(moto.ecr.urls.url_paths, EcrResponse.dispatch))
