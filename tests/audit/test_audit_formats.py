"""Formats: valid by their public schemas, within limits, and unable to act on whoever shows them."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import xmlschema

from audit.model import UNKNOWN
from audit.report import FORMATS, Report, azure, markdown, render
from audit.report.classes import RISKS
from audit.report.text import clean, neutralised
from tests.audit import previews as p

CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMAS = Path(__file__).parent / "schemas"
ATTACK = (
    "</code></details><script>alert(1)</script><img src=x onerror=alert(1)> ##vso[task.setvariable variable=x]y "
    "##[error]z "
    "@alice !42 #123 AB#7 [a](javascript:b) `c` |d| **e** https://example.org \x1b[31mred\x07 \u202egnp \ud800 ]]> "
    "<!-- &amp; %0D%0A"
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A report with every family, a waiver's fields left empty."""
    group = p.step(p.GROUP, "g", {"allowAccess": False}, {"allowAccess": True})
    old, new = p.policy(p.allow("ecr:PutImage")), p.policy(p.allow("ecr:*"))
    policy = p.step(
        p.POLICY,
        "push",
        {"policy": old},
        {"policy": new},
        new_options={"sourcePosition": "project:///infra/a b.py#12,8"},
    )
    preview = p.digest(
        group,
        policy,
        p.step(p.REPOSITORY, "r", {"name": "a"}, {"name": "b"}, op="replace", replaceReasons=["name"]),
        p.step(p.KEY, "k", {"user": "u"}, {"user": "u"}, op="replace"),
        p.step(p.USER, "u", None, {"name": "u", "tags": {"n": 1, "z": None, "l": [True]}}),
        p.step(p.ROLE, "role", {"assumeRolePolicy": "{}"}, {"assumeRolePolicy": UNKNOWN}),
        diagnostics=[{"severity": "warning", "message": "look", "urn": group["urn"]}],
    )
    return p.report_of(tmp_path_factory.mktemp("formats"), preview)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A report of a plan whose every text is an attack."""
    inputs: dict[str, Any] = {
        ATTACK: ATTACK,
        "name": ATTACK,
        "list": [{"name": ATTACK, "value": ATTACK}],
        "allowAccess": True,
    }
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "x", "Effect": "Allow", "Action": "ecr:*", "Resource": ATTACK}],
    }
    steps = [
        p.step(p.GROUP, ATTACK, None, inputs),
        p.step(f"x:y:{ATTACK}", "role", {"name": "a"}, inputs),
        p.step(p.POLICY, "p", {"policy": p.policy()}, {"policy": json.dumps(document)}),
        p.step(p.MEMBERSHIP, "m", None, {"user": ATTACK, "groups": [ATTACK]}),
    ]
    steps[1]["op"] = "update"
    preview = p.digest(*steps, diagnostics=[{"severity": "warning", "message": ATTACK, "urn": ATTACK}])
    preview["changeSummary"][ATTACK] = 1
    return p.report_of(tmp_path_factory.mktemp("hostile"), preview)


def test_the_json_report_follows_its_schema(report: Report, hostile: Report) -> None:
    schema = json.loads((CHECKOUT / "docs" / "audit-report.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for item in (report, hostile):
        jsonschema.validate(json.loads(render("json", item)), schema)


def test_the_schema_names_every_class(report: Report) -> None:
    schema = json.loads((CHECKOUT / "docs" / "audit-report.schema.json").read_text(encoding="utf-8"))
    assert schema["$defs"]["risk"]["enum"] == [risk.name for risk in RISKS]
    assert report.worst == "access-broadened"


def test_sarif_is_valid_2_1_0_and_points_at_the_program(report: Report, hostile: Report) -> None:
    schema = json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    for item in (report, hostile):
        log = json.loads(render("sarif", item))
        jsonschema.validate(log, schema)
    log = json.loads(render("sarif", report))
    results = {result["ruleId"]: result for result in log["runs"][0]["results"]}
    place = results["access-broadened"]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "infra/a%20b.py"}, "region": {"startLine": 12, "startColumn": 8}}
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in log["runs"][0]["results"])


def test_junit_is_valid_and_fails_only_what_is_a_risk(report: Report, hostile: Report) -> None:
    schema = xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd"))
    for item in (report, hostile):
        schema.validate(render("junit", item))
    text = render("junit", report)
    failed = text.count("<failure")
    assert f'failures="{failed}"' in text
    assert failed >= 5
    assert f'tests="{len(report.findings)}"' in text


@pytest.mark.parametrize("name", FORMATS)
def test_no_text_of_a_plan_becomes_a_command_an_escape_or_markup(name: str, hostile: Report) -> None:
    text = render(name, hostile)
    text.encode()
    own = [line for line in text.splitlines() if re.search(r"##(?:vso)?\[", line, re.IGNORECASE)]
    if name == "azure":
        commands = r"##vso\[task\.(?:logissue|complete) [a-z]+=[^]]*\][^\n]*|##\[(?:group|endgroup)\].*"
        assert all(re.fullmatch(commands, line) and len(re.findall("##", line)) == 1 for line in own)
    else:
        assert own == []
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", text)
    if name in ("html", "markdown"):
        text = re.sub(r"^(`{3,})diff$.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)  # a fence shows markup as text
        assert "<script>alert" not in text
        assert "<img" not in text


def test_neutralised_text_stays_readable() -> None:
    assert neutralised("a ##vso[x]b ##[y] ##VSO[z] ## heading") == "a # #vso[x]b # #[y] # #VSO[z] ## heading"
    assert clean("a\x1b[31m\u202e\r\nb") == "a\\x1b[31m\\u202e\nb"


def test_commands_for_the_agent_escape_as_the_agent_unescapes() -> None:
    assert azure.command("task.logissue", "100% of; a]\nb", type="error", code="x;]%") == (
        "##vso[task.logissue type=error;code=x%3B%5D%AZP25;]100%AZP25 of; a] b"
    )


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_markdown_rendered_holds_only_the_tags_that_the_report_makes(hostile: Report) -> None:
    from markdown_it import MarkdownIt

    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(render("markdown", hostile))
    parser = _Tags()
    parser.feed(page)
    made = {
        "h2",
        "p",
        "strong",
        "code",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "details",
        "summary",
        "b",
        "ul",
        "li",
        "pre",
    }
    assert parser.tags <= made
    assert parser.attributes <= {"class"}
    outside = re.sub(r"<pre>.*?</pre>|<[^>]+>", "", page, flags=re.DOTALL)
    assert "@alice" in outside, "the rendered page still shows the text"
    source = re.sub(r"```.*?```", "", render("markdown", hostile), flags=re.DOTALL)
    assert not re.search(r"@alice|!42|(?<!&)#123|AB#7|https://", source), (
        "no mention, link to a work item or pull request, or address"
    )


def test_a_long_report_stays_within_a_comment_of_azure_devops_and_says_what_it_left_out(tmp_path: Path) -> None:
    steps = [p.step(p.KEY, f"key-🔑-{number}", None, {"user": "u" * 200}) for number in range(3000)]
    text = render("markdown", p.report_of(tmp_path, p.digest(*steps)))
    assert 100_000 < markdown.units(text) <= markdown.LIMIT
    assert "more entries do not fit" in text
    assert text.count("<details>") == text.count("</details>")


def test_a_policy_diff_cannot_close_its_fence(tmp_path: Path) -> None:
    new = p.policy(p.allow("ecr:*", "arn:aws:ecr:::```\n</details># x"))
    text = render(
        "markdown", p.report_of(tmp_path, p.digest(p.step(p.POLICY, "p", {"policy": p.policy()}, {"policy": new})))
    )
    fence = re.search(r"^(`{3,})diff$", text, re.MULTILINE)
    assert fence
    assert len(fence.group(1)) >= 4


def test_unknown_values_are_named_in_words(tmp_path: Path) -> None:
    report = p.report_of(tmp_path, p.digest(p.step(p.USER, "u", None, {"name": UNKNOWN, "path": f"/{UNKNOWN}/"})))
    for name in ("terminal", "markdown", "html"):
        text = render(name, report)
        assert UNKNOWN not in text
        assert "known after apply" in text
