"""Names and messages of others do nothing where they are shown: no command, no link, nothing unseen."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from audit.report.text import clean
from pipelines import gate, plan, release, words


@pytest.mark.parametrize(
    "text",
    [
        "a ##vso[task.setvariable variable=x]y",
        "##VSO[task.complete]",
        "##[error]x",
        "###vso[x]",
        "## vso [x]",
        "#\u200b#vso[x]",
        "##\u034fvso[x]",
        "##v\ufe0fso[x]",
        "\xad##vso\x00[x]",
        "\r##[x]",
    ],
)
def test_no_text_is_a_command_to_an_agent_that_passes_over_what_nobody_sees(text: str) -> None:
    shown = words.neutral(text)
    read = "".join(letter for letter in shown if unicodedata.category(letter) not in ("Cf", "Cc", "Mn")).lower()
    assert "##vso[" not in read
    assert "##[" not in read
    assert words.neutral(shown) == shown


def test_look_alikes_are_told_apart() -> None:
    names = ["push", "pu\u200bsh", "pu\xadsh", "pu\ufe0fsh", "pu\u2062sh", "pu\U000e0100sh", "pu\u3164sh"]
    assert len({words.code(name) for name in names}) == len(names)
    assert all(words.code(name).isascii() for name in names)


@pytest.mark.parametrize(
    "name",
    [
        "`[x](http://example.com)",
        "a`\n# b",
        "@<group>",
        "![x](y)",
        "a | b",
        "a\u2028b",
        "a\rb",
        "<img src=x>",
        "#12 !3",
    ],
)
def test_a_resources_name_stays_one_span_of_code(name: str) -> None:
    step = plan.Step("create", "aws:iam/user:User", name, "urn")
    pages = [
        gate.message(plan.Plan((step,), "abc"), "dev", "X"),
        release.markdown(
            {
                **dict.fromkeys(("stack", "digest", "commit", "build"), ""),
                "tag": name,
                "changes": [{"op": "create", "type": step.type, "name": name}],
            }
        ),
    ]
    for page in pages:
        (line,) = [line for line in page.splitlines() if line.startswith("- create")]
        assert line.count("`") == 4
        assert line.split("`")[4] == ""
        assert "|" not in line
    (row,) = [line for line in pages[1].splitlines() if line.startswith("| tag")]
    assert row.count("|") == 3


def test_what_the_audit_shows_of_unseen_characters_the_pipeline_shows_too() -> None:
    """Two rooms that do not know each other, one rule."""
    every = [chr(point) for point in range(sys.maxunicode + 1)]
    assert [one for one in every if (words.seen(one) == one) != (clean(one) == one)] == []
