"""The HTML report in a real Chromium: filter, expand, print, dark, narrow, large, accessible, and unable to reach a
network."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from audit.model import UNKNOWN
from audit.plan.report import from_file
from audit.report import render
from tests.audit import pictures, previews as p
from tests.browser import FLAGS, NEEDED, path as browser_path

CONTRAST = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
return canvas.getImageData(0, 0, 1, 1).data; }; const light = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) =>
(c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, i) => sum + c * [0.2126, 0.7152,
0.0722][i], 0); const ground = (element) => { for (let e = element; e; e = e.parentElement) { const c =
rgb(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255]; }; const poor = [];
for (const element of document.querySelectorAll("body *")) { const text = [...element.childNodes].some((node) =>
node.nodeType === 3 && node.data.trim()); if (!text || !element.checkVisibility() || element.tagName === "SCRIPT" ||
element.className === "skip") continue; const [a, b] = [light(rgb(getComputedStyle(element).color)),
light(ground(element))]; const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)}
${element.textContent.slice(0, 30)}`); }
  return poor;
}
"""
"""Texts whose contrast is below 4.5 to 1 (WCAG 2.2, 1.4.3)."""


@pytest.fixture(scope="module")
def playwright_api() -> Iterator[Playwright]:
    """Playwright, without a browser of its own."""
    # What is waited for is asked for from outside: the page's own policy lets nobody evaluate a text within it.
    expect.set_options(timeout=60_000)
    with sync_playwright() as api:
        yield api


@pytest.fixture(scope="module")
def browser(playwright_api: Playwright) -> Iterator[Browser]:
    """Debian's Chromium."""
    path = browser_path()
    if path is None:
        if os.environ.get("E2E") == "0":
            pytest.skip("E2E=0 and no chromium")
        pytest.fail(NEEDED, pytrace=False)
    chromium = playwright_api.chromium.launch(executable_path=path, args=FLAGS)
    yield chromium
    chromium.close()


def preview() -> dict[str, Any]:
    """One of everything."""
    old = p.policy(
        p.allow(["ecr:PutImage", "ecr:InitiateLayerUpload"], Sid="Push"),
        p.allow("ecr:GetAuthorizationToken", "*", Sid="Token"),
    )
    new = p.policy(
        p.allow("ecr:*", Sid="Push"),
        p.allow("ecr:GetAuthorizationToken", "*", Sid="Token"),
        {"Sid": "Other", "Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
    )
    variables: list[dict[str, Any]] = [
        {"name": "App-One.AccessKey", "value": "AKIAOLDOLDOLDOLDOLD0"},
        {"name": "App-One.SecretKey", "secretValue": "[secret]", "isSecret": True},
    ]
    return p.digest(
        p.step(p.POLICY, "app-one-push", {"policy": old}, {"policy": new}),
        p.step(
            p.USER,
            "app-one-user",
            {"name": "u", "permissionsBoundary": "arn:aws:iam::123456789012:policy/boundary"},
            {"name": "u"},
        ),
        p.step(
            p.REPOSITORY,
            "repository",
            {"name": "app-one", "imageTagMutability": "IMMUTABLE"},
            {"name": "app-two", "imageTagMutability": "MUTABLE"},
            op="replace",
            replaceReasons=["name"],
        ),
        p.step(p.KEY, "app-one-key-2", None, {"user": "u"}),
        p.step(p.KEY, "app-one-key-1", {"user": "u"}, None),
        p.step(
            p.GROUP,
            "app-one",
            {"variables": variables},
            {"variables": [{**variables[0], "value": UNKNOWN}, variables[1]], "allowAccess": True},
            new_options={"dependencies": [p.urn(p.KEY, "app-one-key-2")]},
        ),
        p.step(p.IMAGE, "image", {"imageName": "r/app-one:1"}, {"imageName": "r/app-one:2"}),
        diagnostics=[{"severity": "warning", "message": "the base image is 90 days old", "urn": ""}],
    )


def opened(browser: Browser, folder: Path, content: dict[str, Any], **options: Any) -> Page:
    """A page with the report; every request but the file's own, and every error, is collected in `page.trouble`."""
    path = folder / "report.html"
    path.write_text(render("html", p.report_of(folder, content)), encoding="utf-8")
    page = browser.new_page(**options)
    trouble: list[str] = []
    page.on("request", lambda request: None if request.url == path.as_uri() else trouble.append(request.url))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: trouble.append(message.text))
    page.goto(path.as_uri())
    page.trouble = trouble  # type: ignore[attr-defined] # kept for the test's end
    return page


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The report of `preview()`; the test fails if it asked for anything or complained."""
    made = opened(browser, tmp_path, preview())
    yield made
    trouble = made.trouble  # type: ignore[attr-defined]
    made.close()
    assert trouble == []


def shown(page: Page) -> int:
    """How many steps are to be seen."""
    return int(
        page.evaluate("[...document.querySelectorAll('details.step')].filter((e) => e.checkVisibility()).length")
    )


def test_steps_are_filtered_by_class_and_by_words(page: Page) -> None:
    assert shown(page) == 7
    page.get_by_role("button", name=re.compile("^rotation")).click()
    assert shown(page) == 1
    assert page.get_by_role("status").inner_text() == "1 of 7 steps"
    page.get_by_role("button", name=re.compile("^All")).click()
    page.get_by_label("Search").fill("appOne TAGMutability".replace("appOne", "app-two"))
    expect(page.locator("details.step:not([hidden])")).to_have_count(1)
    page.get_by_label("Search").fill("nothing has this text")
    expect(page.locator("#nothing")).to_be_visible()
    assert shown(page) == 0


def test_a_step_opens_by_keyboard_and_shows_policies_side_by_side_with_witnesses(page: Page) -> None:
    step = page.locator("details.step", has_text="app-one-push").first
    assert step.get_attribute("open") is not None, "the worst step is open"
    assert step.get_by_text("Newly allowed").first.is_visible()
    cells = step.locator("table.diff tr.differs td")
    assert any('"ecr:*"' in text for text in cells.all_inner_texts())
    left, right = step.locator("table.diff th").all()
    left_box, right_box = left.bounding_box(), right.bounding_box()
    assert left_box
    assert right_box
    assert left_box["x"] < right_box["x"]
    last = page.locator("details.step summary").last
    last.focus()
    page.keyboard.press("Enter")
    assert page.locator("details.step").last.get_attribute("open") is not None
    page.get_by_role("button", name="Expand shown").click()
    assert page.locator("details.step[open]").count() == 7
    page.get_by_role("button", name="Collapse shown").click()
    assert page.locator("details.step[open]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast_in_light_and_dark(browser: Browser, tmp_path: Path, scheme: Any) -> None:
    page = opened(browser, tmp_path, preview(), color_scheme=scheme)
    page.get_by_role("button", name="Expand shown").click()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ("rgb(20, 23, 28)" in ground) == (scheme == "dark")
    assert page.evaluate(CONTRAST) == []
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
    assert page.evaluate(CONTRAST) == []
    page.close()


def test_a_phone_of_400_pixels_needs_no_sideways_scrolling(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, preview(), viewport={"width": 400, "height": 800})
    page.get_by_role("button", name="Expand shown").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.evaluate("document.querySelector('.scroll').scrollWidth") <= 400
    page.close()


def test_print_shows_what_is_risky_even_where_it_is_closed(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, preview())
    page.get_by_role("button", name="Expand shown").click()
    page.get_by_role("button", name="Collapse shown").click()
    page.emulate_media(media="print", color_scheme="dark")
    rotation = page.get_by_text("Therefore variable App-One.SecretKey changes.")
    assert rotation.is_visible()
    assert not page.locator("nav").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(20, 23, 28)", "paper is light"
    pdf = page.pdf()
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 20_000
    page.close()


def test_pictures_of_every_look_are_taken(browser: Browser, tmp_path: Path) -> None:
    """They stay in pytest's folder; `python -m tests.audit.pictures` makes those of docs/ in the same way."""
    report = tmp_path / "audit.html"
    report.write_text(render("html", from_file(str(pictures.PREVIEW))), encoding="utf-8")
    made = pictures.take(browser, report, tmp_path)
    assert [path.stem for path in made] == list(pictures.SHOTS)
    assert (tmp_path / "audit.pdf").read_bytes().startswith(b"%PDF")
    for path, options in zip(made, pictures.SHOTS.values(), strict=True):
        assert path.stat().st_size < pictures.LARGEST
        page = browser.new_page()
        page.goto(path.as_uri())  # Chromium shows it: it is a whole picture of that size
        size = page.evaluate("[document.images[0].naturalWidth, document.images[0].naturalHeight]")
        page.close()
        assert size == list(options["viewport"].values())


def test_the_pictures_of_the_documentation_are_there_and_small() -> None:
    text = (pictures.IMAGES.parent / "audit.md").read_text(encoding="utf-8")
    for name in pictures.SHOTS:
        assert f"(images/{name}.png)" in text
        assert 5_000 < (pictures.IMAGES / f"{name}.png").stat().st_size < pictures.LARGEST


def test_the_page_is_built_for_a_screen_reader(page: Page) -> None:
    assert page.locator("html").get_attribute("lang") == "en"
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1, role
    assert page.locator("h1").count() == 1
    names = page.evaluate(
        "[...document.querySelectorAll('button, input')].map((e) => e.labels?.[0]?.textContent || e.textContent)"
    )
    assert all(name.strip() for name in names)
    assert page.get_by_role("region", name="policy before and after").count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"


def test_ten_thousand_steps_stay_usable(browser: Browser, tmp_path: Path) -> None:
    steps = [
        p.step(p.USER, f"user-{number}", {"name": "u"}, {"name": "u", "tags": {"n": number}}) for number in range(9_900)
    ]
    steps += [p.step(p.KEY, f"key-x{number}x", None, {"user": "u"}) for number in range(100)]
    page = opened(browser, tmp_path, p.digest(*steps))
    assert shown(page) == 10_000
    # Frames, not seconds: the page answers within one task, which a busy machine only stretches.
    page.get_by_role("button", name=re.compile("^credential-created")).click()
    assert page.get_by_role("status").inner_text() == "100 of 10,000 steps"
    page.get_by_label("Search").fill("key-x42x")
    expect(page.locator("#count")).to_have_text("1 of 10,000 steps")
    page.locator("details.step:visible").last.locator("summary").click()
    assert (tmp_path / "report.html").stat().st_size < 20_000_000
    assert page.trouble == []  # type: ignore[attr-defined]
    page.close()


def test_a_hostile_plan_runs_no_script_and_loads_nothing(browser: Browser, tmp_path: Path) -> None:
    attack = (
        "</script></style></title><script>document.title='owned'</script><img src=https://example.org/x "
        "onerror=\"document.title='owned'\">"
    )
    content = p.digest(
        p.step("x:y:Z", attack, None, {attack: attack, "a": f'"{attack}'}),
        p.step(p.POLICY, "p", {"policy": p.policy()}, {"policy": p.policy(p.allow("ecr:*", Sid=attack))}),
        diagnostics=[{"severity": "error", "message": attack, "urn": attack}],
    )
    page = opened(browser, tmp_path, content)
    page.get_by_role("button", name="Expand shown").click()
    assert page.title() == "Audit of app-one/dev"
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1
    with page.expect_event("requestfailed") as failed:
        page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://example.org/y'}))")
    assert failed.value.failure == "csp", "even a script of our own could not reach a network"
    page.close()
