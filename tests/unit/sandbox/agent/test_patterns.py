"""Pipelines after well-known patterns run, or say why not: patterns.yml has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.organization import Refused

if TYPE_CHECKING:
    from tests.unit.sandbox.agent.conftest import Start

PATTERNS = yaml.load(Path(__file__).with_name("patterns.yml").read_text(encoding="utf-8"), yaml.CSafeLoader)


def cases(key: str) -> list[Any]:
    """The patterns that have a key."""
    return [pytest.param(case, id=case["pattern"]) for case in PATTERNS if key in case]


@pytest.mark.parametrize("case", cases("stages"))
def test_a_pipeline_after_a_known_pattern_runs_or_fails_by_name(case: dict[str, Any], start: Start) -> None:
    results = start(case["text"], templates=case.get("files")).start()
    told = "\n".join([results.log(), *(text for _, text in results.issues)])
    assert results.stages == case["stages"], told
    for words in case["says"]:
        assert words in told


@pytest.mark.parametrize("case", cases("refused"))
def test_a_pattern_that_is_not_known_is_refused_by_name_when_it_is_queued(case: dict[str, Any], start: Start) -> None:
    with pytest.raises(Refused) as refusal:
        start(case["text"])
    assert case["refused"] in str(refusal.value)
