"""ECR's lifecycle, pure: which images a policy expires now.

ECR looks within a day after an image expires; the sandbox does with each push, so that what a push can bring about is
seen at once.

Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html, evaluation rules: all rules are
evaluated over all images and applied by priority; an image that meets a rule's tagging requirements is expired by no
rule after it; of several patterns or prefixes all have to fit, each any of the image's tags; the newest are kept; an
image that an index names stays while the index is there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


@dataclass(frozen=True)
class Kept:
    """An image of a repository. children: the digests that an index names."""

    digest: str
    tags: tuple[str, ...]
    pushed: datetime
    children: tuple[str, ...] = ()


def expired(policy: str, images: Sequence[Kept], now: datetime) -> list[str]:
    """The digests of the images that the policy, as PutLifecyclePolicy took it, expires; images in the order pushed."""
    gone: list[str] = []
    left = {image.digest: image for image in images}
    for rule in sorted(json.loads(policy)["rules"], key=lambda rule: int(rule["rulePriority"])):
        selected = [image for image in images if _selects(rule["selection"], image.tags)]
        gone += [image.digest for image in _over(rule["selection"], selected, now) if image.digest in left]
        for image in selected:
            left.pop(image.digest, None)
    going = set(gone)
    named = {child for image in images if image.digest not in going for child in image.children}
    return [digest for digest in gone if digest not in named]


def _selects(selection: Mapping[str, Any], tags: tuple[str, ...]) -> bool:
    status = selection["tagStatus"]
    if status != "tagged":
        return status == "any" or not tags
    patterns = [*selection.get("tagPatternList", ()), *(f"{prefix}*" for prefix in selection.get("tagPrefixList", ()))]
    return bool(patterns) and all(any(fits(pattern, tag) for tag in tags) for pattern in patterns)


def fits(pattern: str, tag: str) -> bool:
    """Whether the whole tag is the pattern, in which `*` is any text."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), tag) is not None


def _over(selection: Mapping[str, Any], selected: Sequence[Kept], now: datetime) -> Sequence[Kept]:
    """Those of the selected that are too many or too old. Later is newer among those pushed at one time."""
    number = int(selection["countNumber"])
    if selection["countType"] == "imageCountMoreThan":
        newest = sorted(selected, key=lambda image: image.pushed)
        return newest[: max(len(newest) - number, 0)]
    return [image for image in selected if now - image.pushed > timedelta(days=min(number, _LONGEST))]


_LONGEST = 999_999_999
"""Days that a timedelta holds."""
