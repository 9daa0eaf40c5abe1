"""What a lifecycle policy does to the deployed image: the evaluation rules of Amazon ECR."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.drift import ecr
from audit.drift.lifecycle import Image, fate, same
from audit.drift.sheet import Clouds, Sheet
from audit.state import Resource, StackState

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def image(name: str, age: float, *tags: str) -> Image:
    return Image(name, tags, NOW - timedelta(days=age))


def rule(priority: int, status: str = "any", action: str = "expire", **selection: Any) -> dict[str, Any]:
    return {
        "rulePriority": priority,
        "selection": {"tagStatus": status, **selection},
        "action": {"type": action},
    }


def days(number: int) -> dict[str, Any]:
    return {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": number}


def count(number: int) -> dict[str, Any]:
    return {"countType": "imageCountMoreThan", "countNumber": number}


IMAGES = [image("new", 1, "v3"), image("deployed", 5, "v2", "prod"), image("old", 9, "v1"), image("loose", 3)]


def result(*rules: dict[str, Any], digest: str = "deployed") -> Any:
    return fate({"rules": list(rules)}, IMAGES, digest, NOW)


def test_no_policy_expires_nothing() -> None:
    assert fate(None, IMAGES, "deployed", NOW).expires is None


def test_an_age_says_on_which_day() -> None:
    assert result(rule(1, **days(7))).expires == NOW + timedelta(days=2)
    assert result(rule(1, **days(3))).expires == NOW - timedelta(days=2)


def test_a_count_keeps_the_newest() -> None:
    kept = result(rule(1, "tagged", tagPatternList=["v*"], **count(2)))
    assert (kept.expires, kept.rank, kept.keeps) == (None, 2, 2)
    gone = result(rule(1, "tagged", tagPatternList=["v*"], **count(1)))
    assert gone.expires == NOW
    assert gone.rule == 1


def test_a_count_over_any_image_counts_those_without_a_tag_too() -> None:
    assert result(rule(1, **count(2))).expires == NOW
    assert result(rule(1, **count(3))).expires is None


def test_untagged_rules_leave_a_tagged_image() -> None:
    assert result(rule(1, "untagged", **days(1))).rule is None
    assert result(rule(1, "untagged", **days(1)), digest="loose").expires == NOW - timedelta(days=2)


def test_the_rule_of_highest_priority_that_selects_the_image_decides() -> None:
    keeps = rule(1, "tagged", tagPatternList=["prod*"], **count(5))
    expires = rule(2, **days(1))
    assert result(keeps, expires).expires is None
    assert result(expires, keeps).expires is None
    assert result({**keeps, "rulePriority": 3}, expires).rule == 2


def test_an_age_that_is_never_reached_keeps_an_image_from_every_later_rule() -> None:
    for number in (36_500, 10**12):
        found = result(rule(1, "tagged", tagPatternList=["prod"], **days(number)), rule(2, **count(1)))
        assert (found.rule, found.unknown) == (1, "")
        assert found.expires is None or found.expires.year > 2100


def test_all_patterns_must_match_and_each_may_match_another_tag() -> None:
    assert result(rule(1, "tagged", tagPatternList=["v*", "prod"], **days(1))).rule == 1
    assert result(rule(1, "tagged", tagPatternList=["v*", "test"], **days(1))).rule is None
    assert result(rule(1, "tagged", tagPrefixList=["v", "pro"], **days(1))).rule == 1
    assert result(rule(1, "tagged", tagPrefixList=["v", "x"], **days(1))).rule is None


def test_a_star_stands_for_any_text_and_other_signs_for_themselves() -> None:
    assert result(rule(1, "tagged", tagPatternList=["*ro*"], **days(1))).rule == 1
    assert result(rule(1, "tagged", tagPatternList=["p.od"], **days(1))).rule is None


@pytest.mark.parametrize(
    "unclear",
    [
        rule(1, countType="sinceImagePulled", countUnit="days", countNumber=1),
        rule(1, action="transition", **days(1)),
        rule(1, "sometimes", **days(1)),
        rule(1, countType="imageCountMoreThan"),
        rule(1, countType="sinceImagePushed", countUnit="hours", countNumber=1),
        rule(1, "tagged", **days(1)),
    ],
)
def test_what_is_not_known_is_never_called_kept(unclear: dict[str, Any]) -> None:
    assert result(unclear).unknown


@pytest.mark.parametrize("document", ["{", "[]", "{}", '{"rules": [1]}', '{"rules": [{"rulePriority": "1"}]}'])
def test_a_document_of_another_form_is_unknown(document: str) -> None:
    assert fate(document, IMAGES, "deployed", NOW).unknown


def test_documents_are_the_same_whatever_their_order_and_descriptions() -> None:
    one, two = rule(1, **days(3)), rule(2, **count(9))
    assert same({"rules": [one, two]}, {"rules": [{**two, "description": "x"}, one]})
    assert not same({"rules": [one]}, {"rules": [one, two]})
    assert not same("{", "{")


class Registry:
    """ECR with one repository: its lifecycle policy, and the deployed image as the newest."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        self.policy = json.dumps({"rules": rules})

    def call(self, *_service: str, **_query: Any) -> dict[str, Any]:
        return {"lifecyclePolicyText": self.policy}

    def pages(self, *_service: str, **_query: Any) -> list[dict[str, Any]]:
        return [{"imageDigest": "sha256:1", "imageTags": ["v1"], "imagePushedAt": NOW - timedelta(days=1)}]


def notes(*rules: dict[str, Any]) -> list[str]:
    """What a survey notes of the deployed image under these rules; it finds nothing."""
    urn = "urn:pulumi:dev::app::docker:index/image:Image::image"
    sheet = Sheet(Resource(urn, "docker:index/image:Image", id="1", inputs={}, outputs={}))
    clouds = Clouds(StackState("dev", "app", []), Registry(*rules), now=NOW)  # type: ignore[arg-type]
    ecr._expiry(sheet, clouds, ecr.Deployed("app", "v1", "sha256:1", None, None), {})
    assert sheet.findings == []
    return sheet.notes


def test_a_deployed_image_that_a_count_keeps_is_noted_and_one_that_an_age_protects_is_not() -> None:
    counted = rule(2, "tagged", tagPatternList=["*"], **count(30))
    (note,) = notes(counted)
    assert "whoever may push can push it out" in note
    assert notes(rule(1, "tagged", tagPatternList=["v*"], **days(36_500)), counted) == []
    assert notes(rule(1, "untagged", **days(7))) == []
