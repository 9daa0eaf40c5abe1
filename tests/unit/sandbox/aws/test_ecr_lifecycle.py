"""What a lifecycle policy expires in the sandbox's ECR, and what the holder of a push key can bring about by it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from infra.access import push_policy_document
from infra.lifecycle import lifecycle_policy
from sandbox.aws.ecr_lifecycle import Kept, expired
from tests.unit.sandbox.aws.support import make_image, push, repository_arn

if TYPE_CHECKING:
    from tests.unit.sandbox.aws.support import Service

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def kept(digest: str, age: float, *tags: str, children: tuple[str, ...] = ()) -> Kept:
    return Kept(digest, tags, NOW - timedelta(days=age), children)


def rule(priority: int, status: str = "any", **selection: Any) -> dict[str, Any]:
    return {
        "rulePriority": priority,
        "selection": {"tagStatus": status, **selection},
        "action": {"type": "expire"},
    }


def gone(images: list[Kept], *rules: dict[str, Any]) -> list[str]:
    return expired(json.dumps({"rules": list(rules)}), images, NOW)


def days(number: int) -> dict[str, Any]:
    return {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": number}


def count(number: int) -> dict[str, Any]:
    return {"countType": "imageCountMoreThan", "countNumber": number}


IMAGES = [kept("old", 9, "v1"), kept("mid", 5, "v2", "prod"), kept("loose", 3), kept("new", 1, "v3")]


def test_an_age_expires_the_older_and_a_count_the_oldest() -> None:
    assert gone(IMAGES, rule(1, **days(4))) == ["old", "mid"]
    assert gone(IMAGES, rule(1, **count(1))) == ["old", "mid", "loose"]
    assert gone(IMAGES, rule(1, "tagged", tagPatternList=["v*"], **count(2))) == ["old"]
    assert gone(IMAGES, rule(1, "untagged", **days(1))) == ["loose"]
    assert gone(IMAGES, rule(1, **days(10**12))) == []


def test_of_images_of_one_moment_the_one_that_was_pushed_first_goes_first() -> None:
    assert gone([kept("a", 1, "x"), kept("b", 1, "y"), kept("c", 1, "z")], rule(1, **count(2))) == ["a"]


def test_a_rule_keeps_what_it_selects_from_every_later_one() -> None:
    keep = rule(1, "tagged", tagPatternList=["prod"], **days(36_500))
    assert gone(IMAGES, keep, rule(2, **count(1))) == ["old", "loose"]
    assert gone(IMAGES, rule(2, **count(1)), keep) == ["old", "loose"], "the priority counts, not the place"


def test_a_later_rule_counts_what_an_earlier_one_selects() -> None:
    first = rule(1, "tagged", tagPatternList=["v3"], **days(36_500))
    assert gone(IMAGES, first, rule(2, "tagged", tagPatternList=["v*"], **count(1))) == ["old", "mid"]


def test_all_patterns_have_to_fit() -> None:
    assert gone(IMAGES, rule(1, "tagged", tagPatternList=["v*", "prod"], **days(1))) == ["mid"]
    assert gone(IMAGES, rule(1, "tagged", tagPrefixList=["v", "pr"], **days(1))) == ["mid"]
    assert gone(IMAGES, rule(1, "tagged", tagPatternList=["v.*"], **days(0))) == []


def test_an_image_that_an_index_names_stays_while_the_index_does() -> None:
    part = kept("part", 9)
    assert gone([part, kept("index", 9, "v1", children=("part",))], rule(1, "untagged", **days(1))) == []
    assert gone([part, kept("index", 9, children=("part",))], rule(1, "untagged", **days(1))) == ["part", "index"]


COUNTED = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {"tagStatus": "tagged", "tagPatternList": ["*"], **count(3)},
            "action": {"type": "expire"},
        }
    ]
}
"""What every tag was counted by before."""


def flood(aws: Service, name: str, policy: str) -> tuple[list[str], int]:
    """Push a release, then four other tags, with a push key alone; the tags that are there, and the status with which
    another image is pushed as the release."""
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE")
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=policy)
    rights = push_policy_document(repository_arn(name), allow_pull=False, allow_scan_findings=True, allow_look_up=True)
    auth = aws.token(aws.user(f"push-{name}", *json.loads(rights)["Statement"]))
    pushed = [push(aws.ecr_url, auth, name, make_image(f"{name} {tag}"), tag) for tag in ("20260601.1", *"abcd")]
    assert [answer.status_code for answer in pushed] == [201] * 5
    again = push(aws.ecr_url, auth, name, make_image(f"{name} forged"), "20260601.1").status_code
    details = ecr.describe_images(repositoryName=name)["imageDetails"]
    return sorted(tag for image in details for tag in image["imageTags"]), again


def test_a_flood_of_tags_leaves_the_released_image_and_its_tag(aws: Service) -> None:
    everything = lifecycle_policy(protected_tags=["*"], rules=[], keep_images=3, expire_untagged_days=7)
    assert flood(aws, "all-kept", everything) == (["20260601.1", "a", "b", "c", "d"], 400)
    releases = lifecycle_policy(protected_tags=["20*"], rules=[], keep_images=3, expire_untagged_days=7)
    assert flood(aws, "releases-kept", releases) == (["20260601.1", "b", "c", "d"], 400)


def test_where_a_count_decides_a_flood_removes_the_release_and_its_tag_is_free(aws: Service) -> None:
    tags, again = flood(aws, "counted", json.dumps(COUNTED))
    assert again == 201
    assert tags == ["20260601.1", "c", "d"]
