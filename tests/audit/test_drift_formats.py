"""Formats of surveys: valid by their public schemas, within limits, unable to act, and without a secret."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
import xmlschema

from audit.errors import AuditError
from audit.model import Finding
from audit.report import FORMATS, render
from audit.report.catalogue import RULES
from audit.report.markdown import LIMIT, units
from audit.report.masked import redacted
from audit.report.model import Report
from audit.secrets.redact import Redactor
from tests.audit.surveys import survey

CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMAS = Path(__file__).parent / "schemas"
ATTACK = (
    "</code></td><script>alert(1)</script><img src=x onerror=alert(1)> ##vso[task.setvariable variable=x]y ##[error]z "
    "@alice [a](javascript:b) `c` |d| \x1b[31mred\x07 \u202egnp \ud800 ]]> <!-- &amp; %0D%0A ; ]"
)
SECRET = "kJ8s/Qx0Zp+aaaa1111BBBB2222cccc3333DDDD4"


def schema(name: str) -> dict[str, object]:
    text = (CHECKOUT / "docs" / f"audit-{name}.schema.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@pytest.mark.parametrize("text", ["plain", ATTACK])
def test_the_json_report_follows_its_schema(text: str) -> None:
    described = schema("drift")
    jsonschema.Draft202012Validator.check_schema(described)
    jsonschema.validate(json.loads(render("json", survey(text))), described)


@pytest.mark.parametrize("name", ["drift", "keys"])
def test_the_schemas_name_every_rule_in_its_order(name: str) -> None:
    definitions = schema(name)["$defs"]
    assert isinstance(definitions, dict)
    assert definitions["rule"]["enum"] == list(RULES.by_name)


@pytest.mark.parametrize("text", ["plain", ATTACK])
def test_sarif_and_junit_are_valid(text: str) -> None:
    log = json.loads(render("sarif", survey(text)))
    jsonschema.validate(log, json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8")))
    described = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(described[item["ruleIndex"]]["id"] == item["ruleId"] for item in log["runs"][0]["results"])
    junit = render("junit", survey(text))
    xmlschema.XMLSchema(str(SCHEMAS / "junit-10.xsd")).validate(junit)
    assert f'failures="{len(RULES.by_name) - 1}"' in junit
    assert 'name="as it should be"' in junit


class Elements(HTMLParser):
    """Collects the names of elements and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(f"@{name}" for name, _ in attrs)}


def test_the_page_holds_no_element_of_a_text_and_no_address() -> None:
    page = render("html", survey(ATTACK))
    elements = Elements()
    elements.feed(page)
    assert not {"script", "img", "@onerror", "@src"} & elements.found
    assert not re.search(r"https?://", page)


@pytest.mark.parametrize("name", FORMATS)
def test_no_text_acts_on_a_terminal_or_an_agent(name: str) -> None:
    written = render(name, survey(ATTACK))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\ud800]", written)
    commands = re.findall(r"##(?:vso)?\[[^\]\n]*", written)
    own = re.compile(r"##vso\[task\.(?:logissue|complete)|##\[(?:end)?group")
    foreign = [found for found in commands if not own.match(found)]
    assert name == "azure" or "##vso[" not in written
    assert not foreign


def test_the_azure_format_ends_as_the_run_does() -> None:
    assert "##vso[task.complete result=Failed;]" in render("azure", survey("x"), failed=True)
    assert "##vso[task.complete result=SucceededWithIssues;]" in render("azure", survey("x"))
    empty = Report("drift", "p", "s", RULES)
    assert "##vso[task.complete result=Succeeded;]" in render("azure", empty)


def test_a_large_survey_fits_into_a_comment() -> None:
    large = survey("x" * 400)
    large.findings = large.findings * 200
    written = render("markdown", large)
    assert units(written) < LIMIT
    assert "more entries do not fit" in written


@pytest.mark.parametrize("name", FORMATS)
def test_a_secret_is_in_no_format(name: str) -> None:
    clean = redacted(survey(f"before {SECRET} after"), Redactor([SECRET]))
    written = render(name, clean)
    assert SECRET not in written
    assert "[redacted]" in written or "&#91;redacted&#93;" in written


def test_findings_are_in_order_of_severity() -> None:
    made = Report("drift", "p", "s", RULES, [Finding("drift-property", "b", "x"), Finding("look-up-refused", "a", "y")])
    assert made.worst == "look-up-refused"
    assert made.reaches(RULES.threshold("look-up-refused"))
    one = Report("drift", "p", "s", RULES, [Finding("drift-property", "b", "x")])
    assert not one.reaches(RULES.threshold("access"))


@pytest.mark.parametrize("name", [*RULES.by_name, *RULES.families])
def test_every_rule_and_family_is_explained(name: str) -> None:
    assert "Remedy" in RULES.explain(name)
    assert RULES.threshold(name) >= 0


def test_an_unknown_rule_is_named() -> None:
    with pytest.raises(AuditError, match="'nonsense' is no rule"):
        RULES.threshold("nonsense")
    with pytest.raises(AuditError, match="'nonsense' is no rule"):
        RULES.explain("nonsense")
