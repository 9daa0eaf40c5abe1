"""The console in a real browser, on the sandbox that a first `make up` has filled: `python -m sandbox console`."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.audit.pictures import FLAGS, NEEDED
from tests.workstation import CHECKOUT, Sandbox, Workstation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.fixture
def console(sandbox: Sandbox, tmp_path: Path) -> Iterator[str]:
    """The address that the command prints."""
    Workstation.deployed(tmp_path / "first", sandbox)
    with subprocess.Popen(
        [sys.executable, "-m", "sandbox", "console"],
        cwd=CHECKOUT,
        env={**os.environ, "SANDBOX_HOME": str(sandbox.home)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", printed)
        assert found, printed
        yield found[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0


@pytest.fixture
def browser() -> Iterator[Any]:
    """Debian's Chromium."""
    from playwright import sync_api

    path = shutil.which("chromium")
    if path is None:
        pytest.fail(NEEDED)
    with sync_api.sync_playwright() as api:
        chromium = api.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


def test_a_person_sees_runs_groups_environments_and_images_and_nobody_else_does(
    sandbox: Sandbox, console: str, browser: Any
) -> None:
    """Over 10 s where it is the first of its worker to make everything, and for the browser."""
    person = browser.new_context(viewport={"width": 390, "height": 800})
    page = person.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.goto(console)
    base = console.partition("/?")[0]
    assert page.url == f"{base}/runs"
    seen = {}
    for name in ("Pull requests", "Library", "Environments", "Images"):
        page.get_by_role("link", name=name).click()
        assert page.get_by_role("heading", level=1).inner_text() == name
        seen[name] = page.content()
    (image,) = sandbox.client("ecr").describe_images(repositoryName="app-one")["imageDetails"]
    assert image["imageDigest"] in seen["Images"]
    assert "App-One.SecretKey" in seen["Library"]
    assert "(secret)" in seen["Library"]
    assert "app-one-dev" in seen["Environments"]
    assert not [name for name, secret in sandbox.secrets().items() if any(secret in text for text in seen.values())]
    assert told == [], "nothing was refused to the page by its own policy"
    stranger = browser.new_context().new_page()
    assert stranger.goto(console).status == 403, "the address is good once"
    assert stranger.goto(f"{base}/library").status == 403
