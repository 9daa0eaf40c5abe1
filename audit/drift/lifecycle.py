"""What an ECR lifecycle policy expires: its rules evaluated over the images of a repository.

Source: Amazon ECR User Guide, "Lifecycle policies", evaluation rules: an image that matches the tagging requirements
of a rule cannot be expired by a rule of lower priority (so a rule by an age that is never reached protects what it
selects, and an image that no rule selects never expires); a count ranges over all images that match, newest first; of
several patterns all must match. Only `expire` removes an image; any other action or count type is not judged.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class Image:
    """One image of describe-images: tags may be empty."""

    digest: str
    tags: tuple[str, ...]
    pushed: datetime


@dataclass(frozen=True, slots=True)
class Fate:
    """What the policy does to an image. `expires` is when (the past: the next evaluation removes it), None for not yet
    or never; `rank` and `keeps` where a count decides; `unknown` says why it cannot be told."""

    rule: int | None = None
    words: str = ""
    expires: datetime | None = None
    rank: int | None = None
    keeps: int | None = None
    unknown: str = ""


def fate(document: str | Mapping[str, Any] | None, images: Sequence[Image], digest: str, now: datetime) -> Fate:
    """What happens to the image of `digest`, which is one of `images`."""
    if document is None:
        return Fate()
    rules = _rules(document)
    if rules is None:
        return Fate(unknown="the lifecycle policy is not of a known form")
    image = next(item for item in images if item.digest == digest)
    for rule in rules:
        selection = rule["selection"]
        matches = _matches(image, selection)
        if matches is None:
            return Fate(rule["rulePriority"], unknown=f"rule {rule['rulePriority']} selects in an unknown way")
        if matches:
            return _by(rule, image, images, now)
    return Fate()


def _by(rule: Mapping[str, Any], image: Image, images: Sequence[Image], now: datetime) -> Fate:
    priority, selection = rule["rulePriority"], rule["selection"]
    words = f"rule {priority} ({_words(selection)})"
    kind, number = selection.get("countType"), selection.get("countNumber")
    action = (rule.get("action") or {}).get("type")
    if action != "expire":
        return Fate(priority, words, unknown=f"rule {priority} has the action {action!r}")
    if isinstance(number, bool) or not isinstance(number, int):
        return Fate(priority, words, unknown=f"rule {priority} has no count")
    if kind == "imageCountMoreThan":
        alike = sorted((item for item in images if _matches(item, selection)), key=lambda item: item.pushed)[::-1]
        rank = 1 + [item.digest for item in alike].index(image.digest)
        return Fate(priority, words, now if rank > number else None, rank, number)
    if kind == "sinceImagePushed" and selection.get("countUnit") == "days":
        return Fate(priority, words, _after(image.pushed, number))
    return Fate(priority, words, unknown=f"rule {priority} counts by {kind!r}, which this tool does not judge")


def _after(pushed: datetime, days: int) -> datetime | None:
    """That many days later; None where no calendar goes so far: never."""
    try:
        return pushed + timedelta(days=days)
    except OverflowError:
        return None


def _rules(document: str | Mapping[str, Any]) -> list[dict[str, Any]] | None:
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return None
    rules = document.get("rules") if isinstance(document, Mapping) else None
    if not isinstance(rules, list) or not all(
        isinstance(rule, dict) and isinstance(rule.get("rulePriority"), int) and isinstance(rule.get("selection"), dict)
        for rule in rules
    ):
        return None
    return sorted(rules, key=lambda rule: int(rule["rulePriority"]))


def _matches(image: Image, selection: Mapping[str, Any]) -> bool | None:
    """Whether the image meets the rule's tagging requirements; None for requirements of an unknown kind."""
    status = selection.get("tagStatus")
    if status == "any":
        return True
    if status == "untagged":
        return not image.tags
    if status != "tagged":
        return None
    patterns = selection.get("tagPatternList")
    prefixes = selection.get("tagPrefixList")
    if isinstance(patterns, list) and patterns:
        return all(any(_fits(str(pattern), tag) for tag in image.tags) for pattern in patterns)
    if isinstance(prefixes, list) and prefixes:
        return all(any(tag.startswith(str(prefix)) for tag in image.tags) for prefix in prefixes)
    return None


def _fits(pattern: str, tag: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), tag) is not None


def _words(selection: Mapping[str, Any]) -> str:
    patterns = selection.get("tagPatternList") or selection.get("tagPrefixList") or []
    tags = f" {', '.join(map(str, patterns))}" if isinstance(patterns, list) and patterns else ""
    unit = f" {selection['countUnit']}" if selection.get("countUnit") else ""
    return (
        f"{selection.get('tagStatus')} images{tags}, {selection.get('countType')} {selection.get('countNumber')}{unit}"
    )


def same(one: Any, other: Any) -> bool:
    """Whether two documents have the same rules, whatever their descriptions and the order they are written in."""
    left, right = _plain(one), _plain(other)
    return left is not None and left == right


def _plain(document: Any) -> list[dict[str, Any]] | None:
    rules = _rules(document) if document else []
    if rules is None:
        return None
    return [{key: value for key, value in rule.items() if key != "description"} for rule in rules]
