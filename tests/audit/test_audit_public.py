"""No crying wolf: ordinary previews, and how many of their steps nobody has reviewed."""

import pytest

from tests.audit.public_previews import PREVIEWS, Public, golden, judged, rate


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
