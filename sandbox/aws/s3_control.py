"""S3 is moto's, but for what it judges by itself: the judge in front has read the bucket's policy already, whole."""

from __future__ import annotations

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket


def install() -> None:
    """Put this in moto's place; call it before the first request. moto reads a policy without its conditions."""
    FakeBucket.get_permission = _neutral  # type: ignore[method-assign, assignment]


def _neutral(*_: object) -> PermissionResult:
    return PermissionResult.NEUTRAL
