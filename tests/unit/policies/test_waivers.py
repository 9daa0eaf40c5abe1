"""Waivers have a reason and an end; a file that says anything else is refused, and docs/controls.md shows them."""

from __future__ import annotations

import datetime
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from policies import controls, waivers
from policies.rules import RULES
from sandbox.layout import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

IDS = {rule.id for rule in RULES}
DAY = datetime.date(2027, 1, 31)


def urn(name: str, stack: str = "dev") -> str:
    return f"urn:pulumi:{stack}::app-one::app-one:infra:Image$docker:index/image:Image::{name}"


def loaded(tmp_path: Path, text: str) -> tuple[waivers.Waiver, ...]:
    file = tmp_path / "waivers.yml"
    file.write_text(text, encoding="utf-8")
    return waivers.load(IDS, file)


def test_a_waiver_lets_its_resources_off_its_rule_up_to_its_last_day(tmp_path: Path) -> None:
    text = '- {rule: image-tag, resource: "image-*", reason: made by hand, until: 2027-01-31}\n'
    (waiver,) = loaded(tmp_path, text)
    assert waiver.covers("image-tag", urn("image-a"), DAY)
    assert not waiver.covers("image-tag", urn("image-a"), DAY + datetime.timedelta(days=1))
    assert not waiver.covers("image-tag", urn("other"), DAY)
    assert not waiver.covers("image-platform", urn("image-a"), DAY)


def test_a_waiver_of_a_stack_is_none_of_another(tmp_path: Path) -> None:
    (waiver,) = loaded(tmp_path, '- {rule: image-tag, resource: image, stack: "dev*", reason: made by hand}\n')
    assert waiver.covers("image-tag", urn("image", "dev-image"), DAY)
    assert not waiver.covers("image-tag", urn("image", "prod"), DAY)


def test_a_key_that_does_not_end_is_let_off_in_the_walk_throughs_stack_alone_and_not_for_ever() -> None:
    waived = [each for each in waivers.load(IDS) if each.rule == "iam-no-long-lived-key"]
    assert {each.resource for each in waived} == {"access-user", "reader-user"}
    for each in waived:
        assert each.until
        assert each.covers(each.rule, urn(each.resource, "dev"), each.until)
        assert not each.covers(each.rule, urn(each.resource, "prod"), each.until)
        assert not each.covers(each.rule, urn(each.resource, "dev"), each.until + datetime.timedelta(days=1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {rule: image-tag, resource: image}\n", "entry 1 of waivers.yml has no reason"),
        ("- {rule: image-tag, resource: image, reason: ' '}\n", "has no reason"),
        ("- {rule: image-tagg, resource: image, reason: x}\n", "waives image-tagg, which is no rule"),
        ("- {rule: image-tag, resource: image, reason: x, owner: y}\n", "has keys other than"),
        ("- {rule: image-tag, resource: image, reason: x, until: soon}\n", "has to be a day such as"),
        ("- {rule: image-tag, resource: image, reason: x, stack: 3}\n", "stack has to be a stack's name"),
        ("- image-tag\n", "has keys other than"),
        ("rule: image-tag\n", "has to be a list"),
        ("- {\n", "cannot be read"),
    ],
)
def test_a_file_that_says_anything_else_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(waivers.WaiverError, match=said):
        loaded(tmp_path, text)


def test_the_page_of_controls_is_what_the_rules_make() -> None:
    command = [sys.executable, "-m", "policies.controls", "--check"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_names_every_rule_and_every_waiver_and_what_others_call_them() -> None:
    page = controls.text(RULES, waivers.load(IDS))
    assert all(f"`{rule.id}`" in page for rule in RULES)
    assert all(waiver.reason in page for waiver in waivers.load(IDS))
    listed = [f"ECR.{n}" for n in (1, 2, 3, 5)] + [f"IAM.{n}" for n in (1, 2, 3, 21, 22)]
    listed += [f"AWS-{n}" for n in ("0030", "0031", "0032", "0033", "0143", "0146")]
    listed += [f"CKV_AWS_{n}" for n in (32, 51, 136, 163, 40, 62, 63, 273, 274, 286, 287, 288, 289, 290, 355)]
    assert [name for name in listed if name not in page] == []
