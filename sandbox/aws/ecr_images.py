"""ECR's images as its model holds them, and the errors that moto has no classes for."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from moto.core.exceptions import ServiceException
from moto.ecr.models import Image, Repository, RepoTagMutability

from sandbox.aws import ecr_rules

if TYPE_CHECKING:
    from datetime import datetime

    from sandbox.aws.ecr_rules import Manifest


class ImageTagAlreadyExistsException(ServiceException):
    """The tag stands on another image and may not be moved."""

    code = "ImageTagAlreadyExistsException"

    def __init__(self, tag: str, repository: str) -> None:
        super().__init__(
            f"The image tag '{tag}' already exists in the '{repository}' repository "
            "and cannot be overwritten because the repository is immutable."
        )


class LayersNotFoundException(ServiceException):
    """The manifest names a layer that the repository does not hold."""

    code = "LayersNotFoundException"


class ReferencedImagesNotFoundException(ServiceException):
    """The index names an image that the repository does not hold."""

    code = "ReferencedImagesNotFoundException"


class UnsupportedImageTypeException(ServiceException):
    """The image is of a type that basic scanning does not look into."""

    code = "UnsupportedImageTypeException"


class ServerException(ServiceException):
    """Something behind the service is broken; the message says what."""

    code = "ServerException"


class EcrImage(Image):
    """An image by its real digest and size (moto invents the one where it is missing, and takes the configuration's
    size for the other)."""

    def __init__(self, repository: Repository, content: bytes, manifest: Manifest) -> None:
        super().__init__(
            repository.account_id,
            None,  # type: ignore[arg-type] # moto knows images without a tag, its annotation does not
            content.decode(),
            repository.name,
            manifest.media_type,
            manifest.digest,
            repository.registry_id,
        )
        self.artifact_media_type = manifest.artifact_media_type
        self.blobs = manifest.blobs
        self.children = manifest.children
        sizes = [image.size for image in images_of(repository) if image.image_digest in manifest.children]
        self.size: int = manifest.size if manifest.size is not None else max(sizes, default=0)
        self.scanned_at: datetime | None = None

    def get_image_size_in_bytes(self) -> int:
        return self.size

    def identifiers(self) -> list[dict[str, str]]:
        """One {imageDigest, imageTag} a tag; an untagged image has one without."""
        tags: list[dict[str, str]] = [{"imageTag": tag} for tag in self.image_tags]
        return [{"imageDigest": self.image_digest, **tag} for tag in tags or [{}]]

    def is_meant_by(self, identifier: dict[str, str]) -> bool:
        """Whether a caller's {imageDigest, imageTag}, either or both, names this image."""
        tag, digest = identifier.get("imageTag"), identifier.get("imageDigest")
        return (tag is None or tag in self.image_tags) and (digest is None or digest == self.image_digest)


def find(repository: Repository, *, tag: str | None = None, digest: str | None = None) -> EcrImage | None:
    """The repository's image with this tag, or this digest, or both."""
    identifier = {key: value for key, value in (("imageTag", tag), ("imageDigest", digest)) if value}
    return next((image for image in images_of(repository) if image.is_meant_by(identifier)), None)


def images_of(repository: Repository) -> list[EcrImage]:
    """The repository's images; register() makes no others than EcrImages."""
    return cast("list[EcrImage]", repository.images)


def is_immutable(repository: Repository, tag: str) -> bool:
    """Whether the tag may not be moved (moto takes the filters for regular expressions)."""
    filters = cast("list[dict[str, str]]", repository.image_tag_mutability_exclusion_filters or [])
    return ecr_rules.is_immutable(RepoTagMutability(repository.image_tag_mutability).value, filters, tag)
