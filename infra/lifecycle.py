"""What ECR's lifecycle policy expires: never what is released, and nothing else by surprise.

Whoever may push chooses the tags. So an image that a count keeps is one that enough pushes remove, and its immutable
tag is then free for another image: what is deployed must be selected by no count at all.

Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html (an image that meets a rule's
tagging requirements is expired by no rule after it; one that no rule selects is never expired; of several patterns in
one rule all have to fit) and .../lifecycle_policy_parameters.html.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

PATTERN = r"(?=[^*]*(?:\*[^*]*){0,4}$)[0-9A-Za-z._*-]{1,128}"
"""A pattern of tags; `*` stands for any text, at most four times."""

MOST = 20
"""Patterns or rules in a setting; ECR takes 50 rules in all."""

NEVER = 36_500
"""Days: a hundred years. ECR has no action that keeps an image; a rule that expires none yet keeps it from others."""


def is_patterns(value: Sequence[str]) -> bool:
    """Patterns of tags, each once."""
    return 0 < len(value) <= MOST and len(set(value)) == len(value) and all(map(_is_pattern, value))


def is_rules(value: Sequence[Mapping[str, Any]]) -> bool:
    """Rules of one's own: {tags, keep} or {tags, days}, each pattern once."""
    tags = [rule.get("tags") for rule in value]
    return (
        len(value) <= MOST
        and all(isinstance(pattern, str) and _is_pattern(pattern) for pattern in tags)
        and len(set(tags)) == len(tags)
        and all(set(rule) in ({"tags", "keep"}, {"tags", "days"}) for rule in value)
        and all(_is_count(rule.get("keep", rule.get("days"))) for rule in value)
    )


def _is_pattern(pattern: str) -> bool:
    return re.fullmatch(PATTERN, pattern) is not None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 100_000


def protects(patterns: Sequence[str], tag: str) -> bool:
    """Whether an image with this tag never expires."""
    return any(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), tag) for pattern in patterns)


def lifecycle_policy(
    *, protected_tags: Sequence[str], rules: Sequence[Mapping[str, Any]], keep_images: int, expire_untagged_days: int
) -> str:
    """ECR's lifecycle policy as JSON.

    Untagged images have a rule of their own, so that many of them can never push a tagged one out. What is protected
    comes next, so that no later rule may touch it; then the rules of one's own; then, for all that is left, the count.
    Where every tag is protected there is no rule on tags at all.
    """
    written = [
        _rule(
            f"Expire images without a tag {expire_untagged_days} days after their push",
            {"tagStatus": "untagged", **_days(expire_untagged_days)},
        )
    ]
    if "*" not in protected_tags:
        written += [_rule(f"Never expire {pattern}", _tagged(pattern, _days(NEVER))) for pattern in protected_tags]
        for rule in rules:
            pattern = rule["tags"]
            if "keep" in rule:
                written.append(
                    _rule(f"Keep the newest {rule['keep']} {pattern}", _tagged(pattern, _count(rule["keep"])))
                )
            else:
                text = f"Expire {pattern} {rule['days']} days after their push"
                written.append(_rule(text, _tagged(pattern, _days(rule["days"]))))
        if not any(rule["tags"] == "*" for rule in rules):  # ECR takes a pattern once
            written.append(_rule(f"Keep the newest {keep_images} other images", _tagged("*", _count(keep_images))))
    return json.dumps({"rules": [{"rulePriority": place, **rule} for place, rule in enumerate(written, start=1)]})


def _rule(description: str, selection: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "selection": selection, "action": {"type": "expire"}}


def _tagged(pattern: str, count: Mapping[str, Any]) -> dict[str, Any]:
    return {"tagStatus": "tagged", "tagPatternList": [pattern], **count}


def _days(number: int) -> dict[str, Any]:
    return {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": number}


def _count(number: int) -> dict[str, Any]:
    return {"countType": "imageCountMoreThan", "countNumber": number}
