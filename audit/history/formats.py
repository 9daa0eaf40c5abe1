"""The formats of a ledger: a table for a terminal, Markdown, one HTML page, and JSON."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from audit.formats.markdown import LIMIT, ROOM, code, escaped, units
from audit.formats.text import line, neutralised, value
from audit.history import NAMES
from audit.history.ledger import Entry, Ledger, worst_of
from audit.risks import BY_NAME, RANK
from audit.survey import page

__all__ = ["NAMES", "render"]

MARK = {"create": "+", "update": "~", "delete": "-", "replace": "±", "import": "="}
MOST_IN_TERMINAL = 200

_COMMAND = re.compile(r"#(?=#\s*(?:vso)?\[)", re.IGNORECASE)


def render(name: str, ledger: Ledger) -> str:
    """The ledger in a format; ends with one line end."""
    renderers: dict[str, Callable[[Ledger], str]] = {
        "terminal": terminal,
        "markdown": markdown,
        "html": html,
        "json": as_json,
    }
    return renderers[name](ledger).rstrip("\n") + "\n"


def as_json(ledger: Ledger) -> str:
    """The ledger itself, by docs/audit-history.schema.json, an entry a line: what --append and --verify read."""
    head = json.dumps({name: item for name, item in ledger.items() if name != "entries"}, ensure_ascii=True)
    entries = ",\n".join(json.dumps(entry, separators=(",", ":"), allow_nan=False) for entry in ledger["entries"])
    return _COMMAND.sub(lambda _match: "\\u0023", f'{head[:-1]}, "entries": [\n{entries}\n]}}')


def _title(ledger: Ledger) -> str:
    return f"History of {ledger['project']}/{ledger['stack']}"


def _summary(ledger: Ledger) -> str:
    entries = ledger["entries"]
    failed = sum(entry["result"] != "succeeded" for entry in entries)
    return (
        f"{len(entries):,} update{'' if len(entries) == 1 else 's'}"
        + (f", {failed:,} not succeeded" if failed else "")
        + f"; worst: {worst_of(entries)}; head {ledger['head']}"
    )


def _operations(entry: Entry) -> str:
    counted = Counter(step["op"] for step in entry["steps"])
    shown = " ".join(f"{MARK.get(op, op + ' ')}{count}" for op, count in sorted(counted.items()))
    return shown + (f" …{entry['stepsLeftOut']}" if entry["stepsLeftOut"] else "")


def _who(entry: Entry) -> str:
    who = entry["who"]
    return who["name"] or who["email"] or "not recorded"


def _where(entry: Entry) -> str:
    """The commit, else the build, in short."""
    commit = entry["commit"]
    revision = commit["revision"][:10] + ("+changes" if commit["dirty"] else "")
    build = entry["pipeline"].get("ci.build.number") or entry["pipeline"].get("ci.build.id") or ""
    return " ".join(part for part in (revision, f"build {build}" if build else "") if part)


def _cells(entry: Entry) -> list[str]:
    return [
        str(entry["number"]),
        entry["ended"] or entry["started"],
        entry["kind"] + ("" if entry["result"] == "succeeded" else f" ({entry['result']})"),
        _who(entry),
        _where(entry),
        _operations(entry),
        entry["worst"],
        entry["message"],
    ]


COLUMNS = ("#", "Ended", "Kind", "Who", "Commit", "Steps", "Worst", "Message")


def terminal(ledger: Ledger) -> str:
    """A table of the newest updates, newest last."""
    entries = ledger["entries"][-MOST_IN_TERMINAL:]
    rows = [[neutralised(value(cell, 48)) for cell in _cells(entry)] for entry in entries]
    everything = [list(COLUMNS), *rows]
    widths = [max(len(row[place]) for row in everything) for place in range(len(COLUMNS))]
    lines = [f"{neutralised(line(_title(ledger)))}: {_summary(ledger)}"]
    if len(ledger["entries"]) > len(entries):
        lines.append(f"the newest {len(entries)} of them; the HTML and JSON reports hold them all")
    lines += [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in everything
    ]
    return "\n".join(lines) + "\n"


def markdown(ledger: Ledger) -> str:
    """A table, newest first, within the limit of a comment of Azure DevOps."""
    parts = [
        f"## {escaped(_title(ledger))}\n\n{escaped(_summary(ledger))}\n\n",
        f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n",
    ]
    room, left_out = LIMIT - ROOM - sum(map(units, parts)), 0
    for entry in reversed(ledger["entries"]):
        row = "| " + " | ".join(code(cell, 200) or " " for cell in _cells(entry)) + " |\n"
        if left_out or units(row) > room:
            left_out += 1
            continue
        room -= units(row)
        parts.append(row)
    if left_out:
        parts.append(f"\n{left_out:,} older updates do not fit; the HTML and JSON reports hold them all.\n")
    return neutralised("".join(parts))


# --- HTML


def html(ledger: Ledger) -> str:
    """One page in the style of a plan's report, with its filter; newest update first."""
    return page.page(_title(ledger), "".join(_body(ledger)), script=True)


def _body(ledger: Ledger) -> Iterator[str]:
    entries = ledger["entries"]
    yield f'<p class="verdict f-{BY_NAME[worst_of(entries)].family}"><strong>{_e(_summary(ledger))}</strong></p>\n'
    yield f'<dl class="facts"><dt>Backend</dt><dd><code>{_e(ledger["backend"])}</code></dd></dl>\n</header>\n'
    yield from _filter(entries)
    yield '<main id="main"><section aria-labelledby="steps"><h2 id="steps" tabindex="-1">Updates</h2>\n'
    for entry in reversed(entries):
        yield from _entry(entry)
    yield '<p id="nothing" hidden>No update matches the filter.</p>\n</section></main>\n'


def _risks(entry: Entry) -> list[str]:
    names = {step["risk"] for step in entry["steps"]} | {
        finding["risk"] for step in entry["steps"] for finding in step["findings"]
    }
    return sorted(names or {"none"}, key=RANK.__getitem__)


def _filter(entries: list[Entry]) -> Iterator[str]:
    counted = Counter(name for entry in entries for name in _risks(entry))
    yield '<nav aria-label="Filter the updates">\n<div class="classes" role="group" aria-label="Risk classes">\n'
    count = f'<span class="n">{len(entries):,}</span>'
    yield f'<button type="button" data-risk="" aria-pressed="true">All {count}</button>\n'
    for name in sorted(counted, key=RANK.__getitem__):
        risk = BY_NAME[name]
        yield f'<button type="button" data-risk="{name}" aria-pressed="false" class="f-{risk.family}" '
        yield f'title="{_e(risk.what)}">{name} <span class="n">{counted[name]:,}</span></button>\n'
    yield '</div>\n<div class="tools"><label for="search">Search</label>'
    yield '<input id="search" type="search" placeholder="who, commit, resource…" autocomplete="off" spellcheck="false">'
    yield '<button type="button" id="expand" class="plain" aria-pressed="false">Expand shown</button></div>\n'
    yield f'<p id="count" role="status">{len(entries):,} updates</p>\n</nav>\n'


def _entry(entry: Entry) -> Iterator[str]:
    number, ended, kind, who, where, operations, worst, message = _cells(entry)
    risks = _risks(entry)
    plain = worst in ("change", "none")
    yield f'<details class="step{"" if plain else " risky"}" data-risks="{" ".join(risks)}"><summary>'
    yield f'<span class="op">{number} {_e(kind)}</span> <span class="name">{_e(line(message) or ended)}</span> '
    yield f'<span class="type">{_e(" · ".join(part for part in (ended, who, where, operations) if part))}</span> '
    yield f'<span class="risk f-{BY_NAME[worst].family}">{worst}</span></summary>\n<div class="body">'
    yield from page.table(f"Facts of update {number}", ("What", "Value"), _facts(entry))
    for step in entry["steps"]:
        yield f'<article class="finding f-{BY_NAME[step["risk"]].family}"><h3>{_e(step["op"])} {step["risk"]}</h3>'
        yield f'<p class="urn"><code>{_e(line(step["urn"]))}</code></p>'
        items = [finding["reason"] + _unproved(finding) for finding in step["findings"]]
        items += [f"Changed: {', '.join(step['changes'])}"] if step["changes"] else []
        yield "<ul>" + "".join(f"<li>{_e(line(item)[:1000])}</li>" for item in items) + "</ul></article>\n"
    if entry["stepsLeftOut"]:
        yield f"<p>{entry['stepsLeftOut']:,} more steps of the least risk are counted only.</p>"
    yield "</div></details>\n"


def _unproved(finding: dict[str, Any]) -> str:
    return "" if finding["proved"] else " (cannot be proved)"


def _facts(entry: Entry) -> Iterator[tuple[str, list[str]]]:
    facts = {
        "Update": entry["id"],
        "Started, ended": f"{entry['started']} {entry['ended']}",
        "Who": f"{_who(entry)} ({entry['who']['source']})" if entry["who"]["name"] else _who(entry),
        "Commit": entry["commit"]["revision"],
        "Branch": entry["commit"]["branch"],
        "Repository": entry["commit"]["repository"],
        **entry["pipeline"],
        "Engine": entry["engine"],
        "Resources after": str(entry["resources"]),
        **{f"Setting {item['name']}": f"{value(item['old'])} → {value(item['new'])}" for item in entry["settings"]},
        "Digest": entry["digest"],
        "Follows": entry["previous"],
    }
    for name, fact in facts.items():
        if fact:
            yield "same", [line(name), value(fact, 1000)]


_e = page.text
