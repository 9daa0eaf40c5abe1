"""The console in a real browser, on the sandbox that a first `make up` has filled."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import FLAGS, NEEDED, path as browser_path
from tests.workstation import CHECKOUT, Sandbox, Workstation

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e
PLACES = ("Pull requests", "Library", "Environments", "Service connections", "Images")


@pytest.fixture
def address(sandbox: Sandbox, tmp_path: Path) -> str:
    """What the command prints."""
    Workstation.deployed(tmp_path / "first", sandbox)
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", "console"],
        cwd=CHECKOUT,
        env={**os.environ, "SANDBOX_HOME": str(sandbox.home)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"http://127\.0\.0\.1:\d+/runs\?token=\S+", done.stdout)
    assert found, done.stdout
    return found[0]


@pytest.fixture
def browser() -> Iterator[Any]:
    """Debian's Chromium."""
    from playwright import sync_api

    path = browser_path()
    if path is None:
        pytest.fail(NEEDED)
    with sync_api.sync_playwright() as api:
        chromium = api.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


def test_a_person_sees_runs_groups_environments_and_images_and_nobody_else_does(
    sandbox: Sandbox, address: str, browser: Any
) -> None:
    """Over 10 s where it is the first of its worker to make everything, and for the browser."""
    person = browser.new_context(viewport={"width": 390, "height": 800})
    page = person.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.goto(address)
    base, _, token = address.partition("/runs?token=")
    assert page.url == f"{base}/runs", "the token does not stay in the address"
    seen = {}
    for name in PLACES:
        page.get_by_role("link", name=name).click()
        assert page.get_by_role("heading", level=1).inner_text() == name
        seen[name] = page.content()
    (image,) = sandbox.client("ecr").describe_images(repositoryName="app-one")["imageDetails"]
    page.get_by_role("link", name=image["imageTags"][0]).click()
    seen["Image"] = page.content()
    for name in ("Images", "Image"):
        assert image["imageDigest"] in seen[name]
        assert re.search(r'<span class="good">dev\n\d{4}-\d\d-\d\d [\d:]+ UTC</span>', seen[name]), (
            "released by make up"
        )
    assert "App-One.SecretKey" in seen["Library"]
    assert "(secret)" in seen["Library"]
    assert "Only main, while it is protected" in seen["Library"]
    for words in ("app-one-dev", "Approver: Project Administrators.", "One run at a time.", "refs/heads/main"):
        assert words in seen["Environments"]
    assert not [name for name, secret in sandbox.secrets().items() if any(secret in text for text in seen.values())]
    assert told == [], "nothing was refused to the page by its own policy"
    stranger = browser.new_context().new_page()
    assert stranger.goto(address).status == 403, "the address is good once"
    assert stranger.goto(f"{base}/library").status == 403
    (cookie,) = person.cookies()
    for secret in (token, cookie["value"]):
        assert places_of(secret, sandbox) == []


def places_of(secret: str, sandbox: Sandbox) -> list[str]:
    """The files of a sandbox, the key store with them, and the command lines of the machine that hold a text."""
    files = [path for path in sandbox.home.rglob("*") if path.is_file() and not path.is_symlink()]
    found = []
    for path in (*files, *Path("/proc").glob("[0-9]*/cmdline")):
        try:
            content = path.read_bytes()
        except (FileNotFoundError, ProcessLookupError):  # gone meanwhile
            continue
        if secret.encode() in content or secret in path.name:
            found.append(str(path))
    return found
