"""Command line of the policy language: compare, decide, lint, table."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from iam import Comparison, Policy, PolicyError, Request, RequestError, caveats, compare, decide, parse
from iam.parse import LARGEST, decode

EXIT_CODES = """exit codes:
  0  done; for lint: nothing found
  1  internal error
  2  wrong usage or unreadable input; with --pairs: some lines were answered with an error
  3  lint: something was found; compare: the verdict is one of --fail-on
"""


_REQUEST = ("action", "resource", "principal", "context", "own_policies")


class InputError(Exception):
    """Input that cannot be read; the message is for the user."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; gives the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except InputError as error:
        print(f"iam: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader has gone: there is nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the last flush would complain
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m iam", description=__doc__, epilog=EXIT_CODES, formatter_class=form)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], about: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=about, description=about, epilog=EXIT_CODES, formatter_class=form)
        added.set_defaults(run=run, parser=added)
        return added

    pairs = 'read JSON Lines on standard input and answer a line each; a bad line is answered {"error": ...}'
    added = command("compare", _compare, "What changes in access if NEW replaces OLD, as one JSON object.")
    added.add_argument("files", nargs="*", metavar="OLD.json NEW.json", help="two policies; - is standard input")
    added.add_argument("--pairs", action="store_true", help=f'{pairs}; a line is {{"old": {{}}, "new": {{}}}}')
    verdicts = ("broadened", "narrowed", "both", "equal", "unknown")
    added.add_argument(
        "--fail-on", action="append", choices=verdicts, default=[], help="verdict that ends with exit code 3"
    )
    added = command("decide", _decide, "What policies say of a request, as one JSON object.")
    added.add_argument(
        "files",
        nargs="*",
        metavar="REQUEST.json POLICY.json",
        help="a request, then one policy or more; - is standard input",
    )
    added.add_argument(
        "--pairs",
        action="store_true",
        help=f'{pairs}; a line is {{"policies": [{{}}], "request": {{}}}} or has "policy"',
    )
    added = command("lint", _lint, "What is wrong or risky in a policy, a line each.")
    added.add_argument("file", metavar="FILE", help="a policy; - is standard input")
    added.add_argument("--json", action="store_true", help="print a JSON list")
    added = command("table", _table, "A policy as a table that people read.")
    added.add_argument("file", metavar="FILE", help="a policy; - is standard input")
    return parser


def _compare(options: argparse.Namespace) -> int:
    if options.pairs:
        if options.files:
            options.parser.error("--pairs reads standard input and takes no file")
        return _answer_lines(_compare_line)
    if len(options.files) != 2:
        options.parser.error("name two policies, OLD.json and NEW.json, or --pairs")
    old, new = (_policy(file) for file in options.files)
    found = compare(old, new)
    print(json.dumps(comparison_as_json(found, caveats(old, new, *options.files))))
    return 3 if found.verdict in options.fail_on else 0


def _compare_line(line: dict[str, Any]) -> dict[str, Any]:
    for name in ("old", "new"):
        if name not in line:
            raise InputError(f'"{name}" is missing; a line is {{"old": {{}}, "new": {{}}}}')
    old, new = (_named(name, line[name]) for name in ("old", "new"))
    return comparison_as_json(compare(old, new), caveats(old, new))


def comparison_as_json(found: Comparison, warnings: Sequence[str] = ()) -> dict[str, Any]:
    """A comparison as the object that the command line prints; `warnings` only where there are some."""
    return {
        "verdict": found.verdict,
        "newly_allowed": [request_as_json(request) for request in found.newly_allowed],
        "newly_refused": [request_as_json(request) for request in found.newly_refused],
        "because": [asdict(cause) for cause in found.because],
        **({"warnings": list(warnings)} if warnings else {}),
    }


def request_as_json(request: Request) -> dict[str, Any]:
    """A request as an object of action, resource, principal and context."""
    context = {key: value if isinstance(value, str) else list(value) for key, value in request.context.items()}
    found = {"action": request.action, "resource": request.resource, "principal": request.principal, "context": context}
    return found if request.own_policies is None else {**found, "own_policies": request.own_policies}


def _decide(options: argparse.Namespace) -> int:
    if options.pairs:
        if options.files:
            options.parser.error("--pairs reads standard input and takes no file")
        return _answer_lines(_decide_line)
    if len(options.files) < 2:
        options.parser.error("name a request and at least one policy, or --pairs")
    asked, *policies = options.files
    print(json.dumps(_decision([_policy(file) for file in policies], _request(_read_json(asked), asked))))
    return 0


def _decide_line(line: dict[str, Any]) -> dict[str, Any]:
    if ("policy" in line) == ("policies" in line) or "request" not in line:
        raise InputError('a line needs "request" and either "policy" or "policies"')
    documents = [line["policy"]] if "policy" in line else line["policies"]
    if not isinstance(documents, list):
        raise InputError('"policies" must be a list')
    return _decision([_named("policy", document) for document in documents], _request(line["request"], "request"))


def _decision(policies: list[Policy], request: Request) -> dict[str, Any]:
    found = decide(policies, request)
    return {"effect": found.effect, "statements": [asdict(ref) for ref in found.statements]}


def _request(content: Any, name: str) -> Request:
    if not isinstance(content, dict):
        raise InputError(f"{name}: a request is an object with action, resource, and perhaps principal and context")
    for element in content:
        if element not in _REQUEST:
            raise InputError(f"{name}: unknown element {element[:80]!r}; write {', '.join(_REQUEST)}")
    for element in ("action", "resource"):
        if element not in content:
            raise InputError(f"{name}: {element} is missing")
    try:
        return Request(
            content["action"],
            content["resource"],
            content.get("principal"),
            content.get("context") or {},
            content.get("own_policies"),
        )
    except RequestError as error:
        raise InputError(f"{name}: {error}") from None


def _lint(options: argparse.Namespace) -> int:
    from iam.lint import lint  # it needs lists of all actions

    found = lint(_policy(options.file))
    if options.json:
        print(json.dumps([asdict(finding) for finding in found]))
    else:
        for finding in found:
            print(f"{finding.level}: {_printable(finding.message)} [{finding.rule}]")
    return 3 if found else 0


def _table(options: argparse.Namespace) -> int:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from iam.table import HEADINGS, table

    shown = Table(box=box.ROUNDED, show_lines=True)
    for heading in HEADINGS:
        shown.add_column(heading, overflow="fold")  # a narrow terminal breaks lines, but nothing is left out
    for row in table(_policy(options.file)):
        cells = (row.principals, row.actions, row.resources, row.conditions)
        lines = ["\n".join(cell) for cell in cells]
        shown.add_row(*(Text(_printable(text, "\n")) for text in (row.statement, row.effect, *lines)))
    Console(highlight=False).print(shown)
    return 0


def _printable(text: str, kept: str = "") -> str:
    """Text of a document without characters that would steer a terminal."""
    return "".join(c if c.isprintable() or c in kept else "\N{REPLACEMENT CHARACTER}" for c in text)


def _answer_lines(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """Answer each line of standard input with a line; gives 2 if one of them was bad."""
    code = 0
    for number, line in enumerate(_lines(), 1):
        if not line.strip():
            continue
        try:
            content = _decoded(line, 4 * LARGEST)
            if not isinstance(content, dict):
                raise InputError("a line must be one JSON object")
            result = answer(content)
        except InputError as error:
            result, code = {"error": f"line {number}: {error}"}, 2
        print(json.dumps(result), flush=True)
    return code


def _lines() -> Iterable[bytes]:
    return sys.stdin.buffer


def _policy(file: str) -> Policy:
    return _named(file, _read_json(file))


def _named(name: str, content: Any) -> Policy:
    try:
        return parse(content)
    except PolicyError as error:
        raise InputError(f"{name}: {error}") from None


def _read_json(file: str) -> Any:
    try:
        raw = sys.stdin.buffer.read(4 * LARGEST + 1) if file == "-" else _bytes(Path(file))
        return _decoded(raw, LARGEST)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
        raise InputError(f"{file}: cannot be read: {reason}") from None


def _bytes(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(4 * LARGEST + 1)


def _decoded(raw: bytes, most: int) -> Any:
    try:
        return decode(raw.decode("utf-8-sig"), most)
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text") from None
    except PolicyError as error:
        raise InputError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
