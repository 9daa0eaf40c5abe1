"""An HTML page with the look of a plan's report: one file, no network, its style and script allowed by their hashes."""

import base64
import difflib
import hashlib
from collections.abc import Iterator
from functools import cache
from html import escape
from importlib.resources import files

from audit.formats.text import clean, line, neutralised

MOST_LINES = 600
"""Lines of a document that are compared side by side."""


def page(title: str, body: str, *, script: bool = False) -> str:
    """The whole page. `script`: with the filter of a plan's report, whose elements the body then has."""
    style = _asset("report.css")
    code = _asset("report.js") if script else ""
    allowed = f"; script-src '{_hash(code)}'" if script else ""
    policy = f"default-src 'none'; style-src '{_hash(style)}'{allowed}; base-uri 'none'; form-action 'none'"
    return "".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n',
            f"<title>{text(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n",
            '<a class="skip" href="#steps">Skip to the list</a>\n',
            f'<header>\n<div class="bar"><h1>{text(title)}</h1>',
            '<button type="button" id="theme" class="plain">Theme: system</button>' if script else "",
            f"</div>\n{body}",
            "<footer><p>Made by <code>python -m audit</code>. Secrets are masked.</p></footer>\n",
            f"<script>{code}</script>\n" if script else "",
            "</body>\n</html>\n",
        )
    )


def text(value: str) -> str:
    """Text that cannot be markup, act on a reader or be a command of a log."""
    return escape(neutralised(clean(value)), quote=True)


def table(label: str, columns: tuple[str, ...], rows: Iterator[tuple[str, list[str]]]) -> Iterator[str]:
    """A table in a region that scrolls by itself on a narrow screen; each row is a class and its cells."""
    yield f'<div class="scroll" role="region" tabindex="0" aria-label="{text(line(label))}">'
    yield '<table class="diff"><thead><tr>'
    yield "".join(f'<th scope="col">{text(column)}</th>' for column in columns) + "</tr></thead><tbody>\n"
    for kind, cells in rows:
        yield f'<tr class="{kind}">{"".join(f"<td>{text(cell)}</td>" for cell in cells)}</tr>\n'
    yield "</tbody></table></div>\n"


def side_by_side(old: str, new: str) -> Iterator[tuple[str, list[str]]]:
    """Rows of two documents, aligned where their lines are the same."""
    before, after = old.splitlines()[:MOST_LINES], new.splitlines()[:MOST_LINES]
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, left_start, left_end, right_start, right_end in matcher.get_opcodes():
        left, right = before[left_start:left_end], after[right_start:right_end]
        for index in range(max(len(left), len(right))):
            cells = [side[index] if index < len(side) else "" for side in (left, right)]
            yield ("same" if kind == "equal" else "differs"), cells


@cache
def _asset(name: str) -> str:
    return (files("audit.formats") / name).read_text(encoding="utf-8").strip()


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
