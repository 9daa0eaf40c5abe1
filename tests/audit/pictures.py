"""Pictures of the HTML report of a golden preview, taken in Chromium: wide in light and dark, on a phone, and printed.

    python -m tests.audit.pictures [FOLDER]

Without FOLDER those that docs/audit.md shows (docs/images) are made anew.
"""

from __future__ import annotations

import shutil
import struct
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.plan.report import from_file
from audit.report import render
from tests import browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent
IMAGES = HERE.parents[1] / "docs" / "images"
PREVIEW = HERE / "golden" / "broadened-policy.json"
LARGEST = 150_000
"""Bytes of a picture."""
SHOTS: dict[str, dict[str, Any]] = {
    "audit-light": {"viewport": {"width": 1100, "height": 900}, "color_scheme": "light"},
    "audit-dark": {"viewport": {"width": 1100, "height": 900}, "color_scheme": "dark"},
    "audit-phone": {"viewport": {"width": 400, "height": 860}, "color_scheme": "light"},
    "audit-print": {"viewport": {"width": 720, "height": 1018}, "color_scheme": "light"},
}
"""Name and page of each; the last has the proportions of a sheet of A4."""


def take(started: Browser, report: Path, folder: Path) -> list[Path]:
    """Writes every picture of the report into the folder, and the report as it is printed (audit.pdf)."""
    made = []
    for name, options in SHOTS.items():
        page: Page = started.new_page(**options)
        page.goto(report.as_uri())
        if name == "audit-print":
            page.emulate_media(media="print")
            page.pdf(path=folder / "audit.pdf", format="A4")
        if name == "audit-light":  # from the step on, so that the policies are seen side by side
            page.locator("details.step").first.evaluate("(step) => step.scrollIntoView()")
        path = folder / f"{name}.png"
        path.write_bytes(packed(page.screenshot()))
        page.close()
        made.append(path)
    return made


def packed(png: bytes) -> bytes:
    """The same PNG with its pixels packed as small as zlib can (RFC 2083, 3.2: chunks of length, type, data, CRC)."""
    chunks, at = [], 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    pixels = zlib.compress(zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT")), 9)
    head = next(data for kind, data in chunks if kind == b"IHDR")
    result = png[:8]
    for kind, data in ((b"IHDR", head), (b"IDAT", pixels), (b"IEND", b"")):
        result += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return result


def main() -> int:
    """Takes every picture into FOLDER."""
    from playwright.sync_api import sync_playwright

    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    chromium = browser.path()
    if chromium is None:
        print("pictures need chromium-headless-shell or chromium on PATH", file=sys.stderr)
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as api:
        report = Path(temporary) / "audit.html"
        report.write_text(render("html", from_file(str(PREVIEW))), encoding="utf-8")
        started = api.chromium.launch(executable_path=chromium, args=browser.FLAGS)
        for path in take(started, report, Path(temporary)):
            shutil.copyfile(path, folder / path.name)
            print(f"{folder / path.name}: {path.stat().st_size:,} bytes")
        started.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
