"""No crying wolf: ordinary previews, and how many of their steps nobody has reviewed."""

import functools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from audit.report.catalogue import CLASSES
from tests.audit import previews as p
from tests.audit.fuzzing import Places
from tests.audit.public_previews import PREVIEWS, Public, golden, judged, rate
from tests.audit.scenarios import GOLDEN


@pytest.mark.parametrize("public", PREVIEWS, ids=[public.what.replace(" ", "-") for public in PREVIEWS])
def test_an_ordinary_preview_is_judged_as_what_it_is(public: Public) -> None:
    report = judged(public)
    assert report.worst == public.worst, [(item.risk, item.reason, item.details) for item in report.findings]


def test_a_release_is_never_loud() -> None:
    releases = [public for public in PREVIEWS if "release" in public.what]
    assert len(releases) >= 6
    for public in releases:
        assert {item.risk for item in judged(public).findings} == {"change"}, public.what


def test_nothing_of_this_programs_own_previews_is_unreviewed() -> None:
    assert rate([report for _, report in golden()])[0] == 0


def test_there_are_enough_public_previews_and_most_of_their_steps_are_reviewed() -> None:
    previews, loud, steps = rate([judged(public) for public in PREVIEWS])
    assert len(PREVIEWS) >= 20
    assert steps >= 40
    assert loud / steps <= 0.30
    assert previews / len(PREVIEWS) <= 0.40


DANGEROUS: tuple[Any, ...] = (
    p.policy(p.allow("*", "*")),
    json.loads(p.policy(p.allow("*", "*"))),
    {"inner": [json.dumps({"PolicyDocument": p.policy(p.allow("iam:*", "*"))})]},
)


@functools.cache
def _previews() -> list[str]:
    """As JSON, so that each test reads one of its own."""
    golden = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(GOLDEN.glob("*.json"))]
    found = [*golden, *(p.digest(*public.steps) for public in PREVIEWS)]
    return [json.dumps(preview) for preview in found if any(step.get("newState") for step in preview["steps"])]


@pytest.mark.parametrize("seed", range(200))
def test_a_policy_that_is_put_anywhere_into_an_ordinary_preview_is_never_green(tmp_path: Path, seed: int) -> None:
    """Into any object of what a step declares, under a name of its own: at the top, in tags, in a build, in a rule."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    preview = json.loads(chance.choice(_previews()))
    steps = [step for step in preview["steps"] if step.get("newState") and step["newState"].get("custom")]
    step = chance.choice([step for step in steps if step["op"] != "same"] or steps)
    step["op"] = "update" if step["op"] == "same" else step["op"]
    inputs = step["newState"].setdefault("inputs", {})
    objects = [inputs, *(item[key] for item, key in Places(inputs) if isinstance(item[key], dict))]
    chance.choice(objects)["added"] = chance.choice(DANGEROUS)
    report = p.report_of(tmp_path, preview)
    found = [item for item in report.findings if item.urn == step["urn"]]
    assert any(CLASSES.rank[item.risk] <= CLASSES.rank["access-unknown"] for item in found), [
        item.reason for item in found
    ]
