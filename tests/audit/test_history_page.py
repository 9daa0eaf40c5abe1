"""The pages of history and drift in a real Chromium: filter, expand, narrow, dark, accessible, and no network."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from audit.history import ledger as ledgers
from audit.history.report import filled
from audit.history.sources import open_source
from audit.report import render
from audit.secrets.redact import Redactor
from tests.audit import histories
from tests.audit.surveys import survey
from tests.audit.test_audit_html import CONTRAST
from tests.browser import FLAGS, NEEDED, path as browser_path


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    path = browser_path()
    if path is None:
        if os.environ.get("E2E") == "0":
            pytest.skip("E2E=0 and no chromium")
        pytest.fail(NEEDED, pytrace=False)
    expect.set_options(timeout=60_000)
    with sync_playwright() as api:
        browser = api.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of 200 updates and a page of drift."""
    folder = tmp_path_factory.mktemp("pages")
    histories.delivered(folder, 200)
    ledger = ledgers.build(open_source(str(folder), None), Redactor())
    written = {"history": render("html", filled(ledger)), "drift": render("html", survey("x"))}
    for name, text in written.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in written}


@pytest.fixture
def opened(chromium: Browser, pages: dict[str, Path], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in a window of the width that the test asks for; what it complains about or asks a network for fails."""
    name, options = request.param
    context = chromium.new_context(**options)
    page = context.new_page()
    complaints: list[Any] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: complaints.append(asked.url) if not asked.url.startswith("file:") else None)
    page.goto(pages[name].as_uri())
    yield page
    context.close()
    assert complaints == []


def at(name: str, **options: Any) -> Any:
    return pytest.param((name, options), id=f"{name} {options or ''}".strip())


WIDE = {"viewport": {"width": 1200, "height": 800}}
PHONE = {"viewport": {"width": 400, "height": 800}}


@pytest.mark.parametrize("opened", [at("history", **WIDE)], indirect=True)
def test_updates_are_filtered_by_class_and_by_text(opened: Page) -> None:
    shown = opened.locator("details.step:visible")
    assert shown.count() == 200
    opened.locator("button[data-risk='access-broadened']").click()
    broadened = shown.count()
    assert 0 < broadened < 200
    assert f"{broadened} of 200" in (opened.locator("#count").text_content() or "")
    opened.locator("button[data-risk='']").click()
    opened.locator("#search").fill("2026.137")
    expect(shown).to_have_count(1)
    opened.locator("#expand").click()
    assert "Deliver build 137" in opened.locator("details.step[open]").inner_text()
    opened.locator("#search").fill("no such thing")
    expect(opened.locator("#nothing")).to_be_visible()


@pytest.mark.parametrize("opened", [at("history", **PHONE), at("drift", **PHONE)], indirect=True)
def test_a_phone_needs_no_sideways_scrolling(opened: Page) -> None:
    opened.evaluate("for (const step of document.querySelectorAll('details')) step.open = true")
    assert opened.evaluate("document.documentElement.scrollWidth") <= 400


@pytest.mark.parametrize(
    "opened",
    [at(name, color_scheme=scheme, **WIDE) for name in ("history", "drift") for scheme in ("light", "dark")],
    indirect=True,
)
def test_every_text_can_be_read(opened: Page) -> None:
    opened.evaluate("[...document.querySelectorAll('details')].slice(0, 20).forEach((step) => { step.open = true; })")
    assert opened.evaluate(CONTRAST) == []
