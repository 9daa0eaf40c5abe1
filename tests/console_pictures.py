"""Pictures of the console of this checkout's sandbox, taken in Chromium, as docs/pipeline.md shows them.

    python -m tests.console_pictures [FOLDER]

The sandbox has to be up and to have run `make pipeline`; without FOLDER those in docs/images are made anew.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.audit.pictures import IMAGES, packed
from tests.browser import FLAGS, path as browser_path

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Page

WIDTH, TALLEST = 1100, 1200
DARK = "console-environments"
"""The one that is taken in dark."""


def main() -> int:
    """Takes every picture; 2 where the sandbox has nothing to show."""
    from playwright.sync_api import Error, sync_playwright

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    chromium = browser_path()
    if chromium is None:
        print("pictures need chromium-headless-shell or chromium on PATH", file=sys.stderr)
        return 2
    done = subprocess.run([sys.executable, "-m", "sandbox", "console"], capture_output=True, text=True, check=False)
    found = re.search(r"http://\S+", done.stdout)
    if found is None:
        print(done.stderr.strip(), file=sys.stderr)
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as api:
        browser = api.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": TALLEST})
        page.goto(found[0])
        try:
            for name in ("console-run", "console-pull-request", "console-environments", "console-images"):
                take(page, found[0].partition("/runs")[0], name, folder)
        except Error as error:
            print(
                f"the sandbox has nothing to show ({error.message.splitlines()[0]}): `make pipeline`", file=sys.stderr
            )
            return 2
        finally:
            browser.close()
    return 0


def take(page: Page, base: str, name: str, folder: Path) -> None:
    """Open the page of a picture: its list, and of runs and pull requests the first, or the first that succeeded."""
    place = name.removeprefix("console-")
    page.emulate_media(color_scheme="dark" if name == DARK else "light")
    page.goto(f"{base}/{place.removesuffix('s')}s")
    if not place.endswith("s"):
        succeeded = page.locator("tbody tr", has_text="succeeded").locator("a")
        (succeeded if succeeded.count() else page.locator("tbody a")).first.click()
    path = folder / f"{name}.png"
    height = min(page.locator("body").bounding_box()["height"], TALLEST)  # type: ignore[index]  # there is always a body
    clip: FloatRect = {"x": 0, "y": 0, "width": WIDTH, "height": height}
    path.write_bytes(packed(page.screenshot(full_page=True, clip=clip)))
    print(f"{path}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    raise SystemExit(main())
