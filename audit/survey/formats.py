"""The formats of a survey, each a text; what they share with the reports of plans comes from audit.formats."""

import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any
from xml.sax.saxutils import escape as xml_escape, quoteattr

from audit.formats import NAMES
from audit.formats.azure import command
from audit.formats.markdown import LIMIT, ROOM, code, escaped, units
from audit.formats.sarif import LEVEL, SCHEMA as SARIF_SCHEMA, SEVERITY
from audit.formats.terminal import STYLE
from audit.formats.text import clean, line, neutralised, pretty, value, witness
from audit.model import Finding
from audit.survey import page
from audit.survey.model import Survey, Table
from audit.survey.rules import BY_NAME, RULES

__all__ = ["NAMES", "render"]

SCHEMA_VERSION = "1.0"
UNPROVED = " (cannot be proved)"
MARK = {"same": "=", "differs": "≠", "missing": "✗", "unknown": "?", "not compared": "·"}
MOST_ISSUES = 50

_COMMAND = re.compile(r"#(?=#\s*(?:vso)?\[)", re.IGNORECASE)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(name: str, survey: Survey, *, failed: bool = False, summary: str | None = None) -> str:
    """The survey in a format. `failed`: --fail-on is reached; `summary`: path of the Markdown report of this run."""
    if name == "azure":
        return _azure(survey, summary, failed=failed)
    renderers: dict[str, Callable[[Survey], str]] = {
        "terminal": terminal,
        "markdown": markdown,
        "html": html,
        "json": as_json,
        "sarif": sarif,
        "junit": junit,
    }
    return renderers[name](survey).rstrip("\n") + "\n"


def _title(survey: Survey) -> str:
    of = f"{survey.project}/{survey.stack}" if survey.stack else "the account"
    return f"{survey.command.capitalize()} of {of}"


def _counts(survey: Survey) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in survey.counts.items())


# --- terminal


def terminal(survey: Survey) -> str:
    """Text with colours where standard output is a terminal and NO_COLOR is not set."""
    lines: list[tuple[str, str]] = []

    def say(text: str, style: str = "", indent: int = 0) -> None:
        lines.append((" " * indent + neutralised(line(text)), style))

    say(f"{_title(survey)}: {survey.headline}", STYLE[BY_NAME[survey.worst].family])
    say(_counts(survey), "dim")
    for finding in survey.findings:
        say("")
        say(
            f"{finding.risk}{'' if finding.proved else UNPROVED}: {finding.reason}",
            STYLE[BY_NAME[finding.risk].family],
        )
        for text in _lines(finding, 5):
            say(text, "", 2)
        say(f"Check: {BY_NAME[finding.risk].check}", "dim", 2)
    for table in survey.tables:
        as_it_should_be = table.status == "same" and bool(table.subject)
        if not as_it_should_be:
            say("")
        head = f"{MARK[table.status]} {table.title}{f'  {table.kind}' if table.kind else ''}  [{table.status}]"
        say(head, "dim" if as_it_should_be else "bold")
        if not as_it_should_be:  # the other formats show these too
            lines.extend((" " * 4 + neutralised(text), style) for text, style in _columns(table))
    for note in survey.notes:
        say(note, "dim")
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return "\n".join(text.rstrip() for text, _ in lines) + "\n"
    from rich.console import Console
    from rich.text import Text

    output = io.StringIO()
    console = Console(file=output, force_terminal=True, color_system="standard", highlight=False, markup=False)
    console.print(Text("\n").join(Text(text, style) for text, style in lines), soft_wrap=True)
    return output.getvalue()


def _columns(table: Table) -> Iterator[tuple[str, str]]:
    """The table's rows in columns as wide as they need, up to 60 characters."""
    rows = [[MARK[row.status], *(_cell(cell, 60) for cell in row.cells)] for row in table.rows]
    if not rows:
        return
    everything = [["", *table.columns], *rows]
    widths = [max(len(row[place]) for row in everything) for place in range(len(everything[0]))]
    for number, row in enumerate(everything):
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        style = "dim" if number == 0 or table.rows[number - 1].status == "same" else ""
        yield text, style


def _cell(item: Any, longest: int) -> str:
    return "-" if item is None else value(item, longest)


def _lines(finding: Finding, witnesses: int) -> list[str]:
    lines = [finding.urn, *finding.details[:30]] if finding.urn else [*finding.details[:30]]
    if finding.policy:
        lines += [f"newly allowed: {witness(item)}" for item in finding.policy.newly_allowed[:witnesses]]
        lines += [f"newly refused: {witness(item)}" for item in finding.policy.newly_refused[:witnesses]]
        lines += [f"because of {item}" for item in finding.policy.because[:witnesses]]
    return lines


# --- Markdown


def markdown(survey: Survey) -> str:
    """Markdown for a comment or a build summary of Azure DevOps, within its limit."""
    parts = [f"## {escaped(_title(survey))}\n\n**{escaped(survey.headline)}** {escaped(_counts(survey))}.\n\n"]
    room, left_out = LIMIT - ROOM - units(parts[0]), 0
    for part in [
        *map(_markdown_finding, survey.findings),
        *map(_markdown_table, survey.tables),
        *(f"{escaped(note, 1000)}\n\n" for note in survey.notes),
    ]:
        if left_out or units(part) > room:
            left_out += 1
            continue
        room -= units(part)
        parts.append(part)
    if left_out:
        parts.append(f"\n**{left_out:,} more entries do not fit;** the HTML and JSON reports hold them all.\n")
    return neutralised("".join(parts))


def _markdown_finding(finding: Finding) -> str:
    rule = BY_NAME[finding.risk]
    title = f"<b>{finding.risk}</b>{'' if finding.proved else UNPROVED}: {escaped(finding.reason, 600)}"
    lines = [
        f"<details><summary>{title}</summary>",
        "",
        *(f"- {escaped(text, 600)}" for text in _lines(finding, 10)),
        "",
        f"Check: {rule.check} Remedy: {escaped(rule.remedy, 600)}",
        "",
        "</details>",
        "",
    ]
    return "\n".join(lines) + "\n"


def _markdown_table(table: Table) -> str:
    title = f"{MARK[table.status]} <b>{escaped(table.title)}</b> {escaped(table.kind)} [{table.status}]"
    lines = [f"<details><summary>{title}</summary>", ""]
    if table.rows:
        lines += [f"| | {' | '.join(table.columns)} |", f"|{'---|' * (len(table.columns) + 1)}"]
        for row in table.rows:
            cells = [code(_cell(cell, 300), 300) or "-" for cell in row.cells]
            lines.append(f"| {MARK[row.status]} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "</details>", ""]) + "\n"


# --- HTML


def html(survey: Survey) -> str:
    """One page without network, in the style of the report of a plan."""
    return page.page(_title(survey), "".join(_html_body(survey)))


def _html_body(survey: Survey) -> Iterator[str]:
    family = BY_NAME[survey.worst].family
    yield f'<p class="verdict f-{family}"><strong>{_e(survey.headline)}</strong> {_e(_counts(survey))}.</p>\n'
    yield '</header>\n<main id="main">\n'
    if survey.findings:
        yield '<section aria-labelledby="findings"><h2 id="findings">Findings</h2>\n'
        for finding in survey.findings:
            yield from _html_finding(finding)
        yield "</section>\n"
    yield '<section aria-labelledby="steps"><h2 id="steps" tabindex="-1">What was looked at</h2>\n'
    for table in survey.tables:
        yield f'<details class="step"{" open" if table.status != "same" else ""}><summary>'
        yield f'<span class="op">{MARK[table.status]} {table.status}</span> <span class="name">{_e(table.title)}</span>'
        yield f' <span class="type">{_e(table.kind)}</span></summary>\n<div class="body">'
        if table.subject:
            yield f'<p class="urn"><code>{_e(line(table.subject))}</code></p>\n'
        if table.rows:
            rows = (
                ("same" if row.status == "same" else "differs", [_cell(cell, 2000) for cell in row.cells])
                for row in table.rows
            )
            yield from page.table(table.title, table.columns, rows)
        yield "</div></details>\n"
    yield "</section>\n"
    yield from (f"<p>{_e(line(note))}</p>\n" for note in survey.notes)
    yield "</main>\n"


def _html_finding(finding: Finding) -> Iterator[str]:
    rule = BY_NAME[finding.risk]
    yield f'<article class="finding f-{rule.family}"><h3>{finding.risk}'
    yield ' <span class="tag">cannot be proved</span>' if not finding.proved else ""
    yield f"</h3>\n<p>{_e(line(finding.reason))}</p>\n<ul>"
    yield "".join(f"<li>{_e(line(item)[:2000])}</li>" for item in _lines(finding, 20)) + "</ul>\n"
    if finding.policy:
        rows = page.side_by_side(pretty(finding.policy.old), pretty(finding.policy.new))
        yield from page.table(finding.policy.property, ("Recorded", "Real"), rows)
    yield f'<p class="advice"><b>Check</b> {_e(rule.check)} <b>Remedy</b> {_e(rule.remedy)}</p></article>\n'


_e = page.text


# --- JSON


def as_json(survey: Survey) -> str:
    """One JSON object by docs/audit-drift.schema.json or docs/audit-keys.schema.json."""
    result = {
        "schema": f"app-one-audit-{survey.command}",
        "version": SCHEMA_VERSION,
        "project": survey.project,
        "stack": survey.stack,
        "worst": survey.worst,
        "rules": survey.classes(),
        "counts": survey.counts,
        "findings": [_json_finding(finding) for finding in survey.findings],
        "notes": survey.notes,
        **survey.data,
    }
    text = json.dumps(cleaned(result), ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return _COMMAND.sub(lambda _match: "\\u0023", text)


def _json_finding(finding: Finding) -> dict[str, Any]:
    result: dict[str, Any] = {
        "rule": finding.risk,
        "family": BY_NAME[finding.risk].family,
        "subject": finding.urn,
        "reason": finding.reason,
        "details": finding.details,
        "proved": finding.proved,
    }
    if finding.policy:
        result["policy"] = {
            "verdict": finding.policy.verdict,
            "recorded": finding.policy.old,
            "real": finding.policy.new,
            "newlyAllowed": finding.policy.newly_allowed,
            "newlyRefused": finding.policy.newly_refused,
            "because": finding.policy.because,
        }
    return result


def cleaned(item: Any) -> Any:
    """A JSON value with every character that could act made visible."""
    if isinstance(item, str):
        return clean(item)
    if isinstance(item, (list, tuple)):
        return [cleaned(entry) for entry in item]
    if isinstance(item, dict):
        return {clean(str(name)): cleaned(entry) for name, entry in item.items()}
    return item


# --- SARIF, JUnit, Azure Pipelines


def sarif(survey: Survey) -> str:
    """One SARIF 2.1.0 log with one run: a rule a class, a result a finding."""
    names = list(survey.classes())
    rules = [
        {
            "id": rule.name,
            "shortDescription": {"text": rule.what},
            "fullDescription": {"text": f"{rule.what} {rule.why}"},
            "help": {"text": f"Check: {rule.check} Remedy: {rule.remedy}"},
            "defaultConfiguration": {"level": LEVEL[rule.family]},
            "properties": {"tags": ["security", rule.family], "security-severity": SEVERITY[LEVEL[rule.family]]},
        }
        for rule in RULES
        if rule.name in names
    ]
    results = [
        {
            "ruleId": finding.risk,
            "ruleIndex": names.index(finding.risk),
            "level": LEVEL[BY_NAME[finding.risk].family],
            "message": {
                "text": clean("\n".join([finding.reason + ("" if finding.proved else UNPROVED), *_lines(finding, 10)]))
            },
            "locations": [
                {
                    "logicalLocations": [
                        {
                            "fullyQualifiedName": clean(finding.urn),
                            "name": clean(finding.urn.rsplit("::", 1)[-1]),
                            "kind": "resource",
                        }
                    ]
                }
            ],
        }
        for finding in survey.findings
    ]
    run = {
        "tool": {"driver": {"name": f"audit {survey.command}", "semanticVersion": "1.0.0", "rules": rules}},
        "automationDetails": {"id": f"audit-{survey.command}/{clean(survey.project)}/{clean(survey.stack)}/"},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    log = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return _COMMAND.sub(lambda _match: "\\u0023", json.dumps(log, separators=(",", ":")))


def junit(survey: Survey) -> str:
    """A test for each finding, and one that passes for each thing that is as it should be."""
    cases = []
    for finding in survey.findings:
        name = f"{finding.urn.rsplit('::', 1)[-1]}: {finding.reason}"
        text = _xml("\n".join([*_lines(finding, 10), f"Check: {BY_NAME[finding.risk].check}"]))
        failure = f"<failure type={_attribute(finding.risk)} message={_attribute(finding.reason)}>{text}</failure>"
        of = f"audit.{finding.risk}"
        cases.append(f'<testcase name={_attribute(name)} classname={_attribute(of)} time="0">{failure}</testcase>\n')
    cases += [
        f'<testcase name={_attribute(table.title)} classname={_attribute(f"audit.{survey.command}")} time="0"/>\n'
        for table in survey.tables
        if table.status == "same"
    ]
    head = (
        f'name={_attribute(f"audit {survey.command} {survey.project}/{survey.stack}")} tests="{len(cases)}" '
        f'failures="{len(survey.findings)}" errors="0" skipped="0" time="0"'
    )
    suite = f"<testsuite {head}>\n{''.join(cases)}</testsuite>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>{suite}</testsuites>\n'


def _xml(text: str) -> str:
    return xml_escape(neutralised(_NOT_XML.sub("\ufffd", clean(text)[:16_384])))


def _attribute(text: str) -> str:
    return quoteattr(neutralised(_NOT_XML.sub("\ufffd", " ".join(clean(text)[:1000].split()))))


def _azure(survey: Survey, summary: str | None, *, failed: bool) -> str:
    from pathlib import Path

    lines = [f"##[group]{neutralised(line(_title(survey)))}", terminal(survey).rstrip("\n"), "##[endgroup]"]
    for finding in survey.findings[:MOST_ISSUES]:
        kind = "error" if LEVEL[BY_NAME[finding.risk].family] == "error" else "warning"
        message = f"{finding.risk}{'' if finding.proved else UNPROVED}: {finding.reason}"
        lines.append(command("task.logissue", message, type=kind, code=finding.risk))
    if len(survey.findings) > MOST_ISSUES:
        more = f"{len(survey.findings) - MOST_ISSUES:,} more findings are in the reports"
        lines.append(command("task.logissue", more, type="warning"))
    if summary:
        lines.append(command("task.uploadsummary", str(Path(summary).resolve())))
    result = "Failed" if failed else "SucceededWithIssues" if survey.findings else "Succeeded"
    lines.append(command("task.complete", survey.headline, result=result))
    return "\n".join(lines) + "\n"
