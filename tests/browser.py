"""The browser that the tests of pages drive."""

from __future__ import annotations

import shutil

COMMANDS = ("chromium-headless-shell", "chromium")
"""The shell is the same Chromium without the windows around a page: half the CPU of the whole one without a display."""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-lcd-text",
]
NEEDED = (
    "the HTML tests need Debian's Chromium (apt-get install --no-install-recommends chromium-headless-shell), or E2E=0 "
    "to leave them out"
)


def path() -> str | None:
    """Debian's Chromium: the first of COMMANDS that PATH leads to, or None."""
    return next(filter(None, map(shutil.which, COMMANDS)), None)
