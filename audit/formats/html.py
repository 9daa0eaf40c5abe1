"""The report as one HTML file: no network, light and dark, filter, expandable steps, policies side by side, fit for
print and phone.

Everything from the plan is escaped, and a Content-Security-Policy allows only the style and script of this file, by
their hashes.
"""

import base64
import difflib
import hashlib
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path

from audit.formats.text import change, clean, headline, line, neutralised, pretty, value, witness
from audit.model import Change, Finding, PolicyDiff
from audit.report import Report, Row
from audit.risks import BY_NAME, RANK, RISKS

MOST_STEPS = 20_000
"""Steps listed; of a larger plan the least severe ones are counted only."""

MANY = 200
"""With more steps, those out of sight are not laid out."""

MOST_LINES = 600
"""Lines of a policy document that are compared side by side."""

FOOTER = (
    "<footer><p>Made offline by <code>python -m audit</code>. Secrets are masked: <code>[secret]</code> by the engine, "
    "<code>[redacted]</code> by this tool.</p></footer>\n"
)

OPERATION = {
    "create": "+ create",
    "update": "~ update",
    "delete": "- delete",
    "replace": "± replace",
    "import": "= import",
}


def render(report: Report) -> str:
    """The whole page."""
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'; "
        "form-action 'none'"
    )
    title = f"Audit of {report.project or '?'}/{report.stack or '?'}"
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n',
        f"<title>{_e(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n",
        '<a class="skip" href="#steps">Skip to the steps</a>\n',
        *_header(report, title),
        *_filter(report),
        '<main id="main">\n',
        *_general(report),
        *_steps(report),
        "</main>\n",
        FOOTER,
        f"<script>{script}</script>\n</body>\n</html>\n",
    ]
    return "".join(parts)


def _header(report: Report, title: str) -> Iterator[str]:
    family = BY_NAME[report.worst].family
    counts = ", ".join(f"{count:,} {op}" for op, count in report.counts.items() if op != "same") or "no changes"
    yield '<header>\n<div class="bar">'
    yield f"<h1>{_e(title)}</h1>"
    yield '<button type="button" id="theme" class="plain">Theme: system</button></div>\n'
    yield (
        f'<p class="verdict f-{family}"><strong>{_e(headline(report.worst, report.incomplete))}</strong> {_e(counts)}.'
    )
    yield f" {report.waived():,} finding(s) waived.</p>\n" if report.waived() else "</p>\n"
    yield f'<dl class="facts"><dt>Fingerprint</dt><dd><code>{_e(report.fingerprint)}</code></dd></dl>\n</header>\n'


def _filter(report: Report) -> Iterator[str]:
    counted = {risk.name: 0 for risk in RISKS}
    for row in report.rows:
        for name in {finding.risk for finding in row.findings} or {row.risk}:
            counted[name] += 1
    yield '<nav aria-label="Filter the steps">\n<div class="classes" role="group" aria-label="Risk classes">\n'
    yield (
        '<button type="button" data-risk="" aria-pressed="true">All <span '
        f'class="n">{len(report.rows):,}</span></button>\n'
    )
    for name, count in counted.items():
        if count:
            family = BY_NAME[name].family
            yield (
                f'<button type="button" data-risk="{name}" aria-pressed="false" class="f-{family}" '
                f'title="{_e(BY_NAME[name].what)}">'
            )
            yield f'{name} <span class="n">{count:,}</span></button>\n'
    yield '</div>\n<div class="tools"><label for="search">Search</label>'
    yield '<input id="search" type="search" placeholder="name, type, property…" autocomplete="off" spellcheck="false">'
    yield '<button type="button" id="expand" class="plain" aria-pressed="false">Expand shown</button></div>\n'
    what = "step" if len(report.rows) == 1 else "steps"
    yield f'<p id="count" role="status">{len(report.rows):,} {what}</p>\n</nav>\n'


def _general(report: Report) -> Iterator[str]:
    general = report.general
    messages = [item for item in report.diagnostics if item.severity in ("error", "warning")][:100]
    if not general and not messages:
        return
    yield '<section aria-labelledby="about"><h2 id="about">About this preview</h2>\n'
    for finding in general:
        yield from _finding(finding)
    if messages:
        yield '<ul class="messages">'
        for item in messages:
            yield f"<li><strong>{_e(item.severity)}</strong> <span>{_e(clean(item.message)[:4000])}</span></li>"
        yield "</ul>\n"
    yield "</section>\n"


def _steps(report: Report) -> Iterator[str]:
    many = ' class="many"' if len(report.rows) > MANY else ""
    yield f'<section aria-labelledby="steps"{many}><h2 id="steps" tabindex="-1">Steps</h2>\n'
    if not report.rows:
        yield "<p>Nothing would change.</p>\n"
    for number, row in enumerate(report.rows[:MOST_STEPS]):
        yield from _step(row, open_=number < 3 and row.risk not in ("change", "none"))
    if len(report.rows) > MOST_STEPS:
        yield (
            f'<p class="more">{len(report.rows) - MOST_STEPS:,} more steps of class {report.rows[MOST_STEPS].risk} '
            "or below are not listed here; "
        )
        yield "the JSON report holds them all.</p>\n"
    yield '<p id="nothing" hidden>No step matches the filter.</p>\n</section>\n'


def _step(row: Row, *, open_: bool) -> Iterator[str]:
    step = row.step
    risks = sorted({finding.risk for finding in row.findings} or {row.risk}, key=RANK.__getitem__)
    plain = risks == ["change"] or risks == ["none"]
    family = BY_NAME[row.risk].family
    waived = not plain and row.risk == "none"
    yield f'<details class="step{"" if plain else " risky"}" data-risks="{" ".join(risks)}"{" open" if open_ else ""}>'
    yield (
        f'<summary><span class="op">{_e(OPERATION.get(step.op, step.op))}</span> <span '
        f'class="name">{_e(line(step.name))}</span> '
    )
    yield (
        f'<span class="type">{_e(line(step.kind))}</span> <span class="risk '
        f'f-{family}">{"waived" if waived else row.risk}</span></summary>\n'
    )
    yield f'<div class="body"><p class="urn"><code>{_e(line(step.urn))}</code></p>\n'
    for finding in row.findings:
        if finding.risk not in ("change", "none"):
            yield from _finding(finding)
    compared = {finding.policy.property for finding in row.findings if finding.policy}
    changes = [item for item in step.changes if item.path not in compared]
    if changes:
        yield '<ul class="changes">'
        for item in changes:
            yield f"<li>{_change(item)}</li>"
        yield "</ul>\n"
    yield "</div></details>\n"


def _change(item: Change) -> str:
    note = ' <em class="forces">forces replacement</em>' if item.replaces else ""
    if item.kind == "update" and item.old is not None:
        return (
            f"<code>{_e(line(item.path))}</code> <del>{_e(value(item.old))}</del> → "
            f"<ins>{_e(value(item.new))}</ins>{note}"
        )
    return f"<span>{_e(change(item).replace('  (forces replacement)', ''))}</span>{note}"


def _finding(finding: Finding) -> Iterator[str]:
    risk = BY_NAME[finding.risk]
    yield f'<article class="finding f-{risk.family}{" waived" if finding.waiver else ""}"><h3>{finding.risk}'
    yield ' <span class="tag">cannot be proved</span>' if not finding.proved else ""
    yield ' <span class="tag">waived</span>' if finding.waiver else ""
    yield f"</h3>\n<p>{_e(line(finding.reason))}</p>\n"
    if finding.waiver:
        yield (
            f"<p>Waived until {_e(finding.waiver['expires'])} by {_e(line(finding.waiver['owner']))}: "
            f"{_e(line(finding.waiver['reason']))}</p>"
        )
    if finding.details:
        yield "<ul>" + "".join(f"<li>{_e(line(item)[:2000])}</li>" for item in finding.details[:100]) + "</ul>\n"
    if finding.policy:
        yield from _policy(finding.policy)
    yield f'<p class="advice"><b>Check</b> {_e(risk.check)} <b>Remedy</b> {_e(risk.remedy)}</p></article>\n'


def _policy(policy: PolicyDiff) -> Iterator[str]:
    for title, kind, requests in (
        ("Newly allowed", "gain", policy.newly_allowed),
        ("Newly refused", "lose", policy.newly_refused),
    ):
        for request in requests[:20]:
            yield f'<p class="witness {kind}"><b>{title}</b> <code>{_e(witness(request))}</code></p>\n'
    if policy.because:
        yield f'<p class="because">Because of {_e("; ".join(line(item) for item in policy.because[:20]))}</p>\n'
    label = f"{line(policy.property)} before and after"
    yield f'<div class="scroll" role="region" tabindex="0" aria-label="{_e(label)}"><table class="diff">'
    yield '<thead><tr><th scope="col">Before</th><th scope="col">After</th></tr></thead><tbody>\n'
    for kind, left, right in _side_by_side(pretty(policy.old), pretty(policy.new)):
        yield f'<tr class="{kind}"><td>{_e(left)}</td><td>{_e(right)}</td></tr>\n'
    yield "</tbody></table></div>\n"


def _side_by_side(old: str, new: str) -> Iterator[tuple[str, str, str]]:
    before, after = old.splitlines()[:MOST_LINES], new.splitlines()[:MOST_LINES]
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, left_start, left_end, right_start, right_end in matcher.get_opcodes():
        left, right = before[left_start:left_end], after[right_start:right_end]
        for index in range(max(len(left), len(right))):
            yield (
                "same" if kind == "equal" else "differs",
                left[index] if index < len(left) else "",
                right[index] if index < len(right) else "",
            )


def _e(text: str) -> str:
    return escape(neutralised(clean(text)), quote=True)


@cache
def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8").strip()


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
