"""What the commands of surveys share: options, writing, exit code."""

import argparse
from typing import TYPE_CHECKING

from audit.errors import AuditError, size
from audit.formats import NAMES, summary_of
from audit.survey.rules import explain, threshold

if TYPE_CHECKING:
    from audit.survey.model import Survey

OK, REACHED = 0, 3


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds --format, -o, --report, --fail-on, --explain, --known-secrets and --max-bytes."""
    parser.add_argument("--format", choices=NAMES, default="terminal", help="what is written to -o (default: terminal)")
    parser.add_argument("-o", "--output", metavar="FILE", help="where --format is written (default: standard output)")
    parser.add_argument(
        "--report", action="append", default=[], metavar="FORMAT=FILE", help="one more report; can be repeated"
    )
    parser.add_argument(
        "--fail-on", metavar="RULE", help="exit 3 if there is a finding of this rule or family, or of a worse one"
    )
    parser.add_argument(
        "--explain", metavar="RULE", help="say what a rule or family means, why it matters, what to check, what to do"
    )
    add_input_arguments(parser)


def add_input_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds --known-secrets and --max-bytes."""
    parser.add_argument(
        "--known-secrets",
        nargs="+",
        action="extend",
        default=[],
        metavar="ENVVAR",
        help="names of environment variables whose values must not appear in any report",
    )
    parser.add_argument("--max-bytes", type=size, default=None, metavar="N", help="refuse a larger input")


def explained(arguments: argparse.Namespace) -> bool:
    """Answers --explain; whether it was asked for."""
    if arguments.explain:
        print(explain(arguments.explain))
    return bool(arguments.explain)


def check(arguments: argparse.Namespace) -> None:
    """Raises AuditError for options that name no rule or no format, before anything is looked up."""
    if arguments.fail_on:
        threshold(arguments.fail_on)
    for item in arguments.report:
        _split(item)


def finish(survey: "Survey", arguments: argparse.Namespace) -> int:
    """Writes every report that was asked for and gives the exit code."""
    from audit.__main__ import write
    from audit.survey.formats import render

    failed = bool(arguments.fail_on) and survey.reaches(threshold(arguments.fail_on))
    wanted = [*map(_split, arguments.report), (arguments.format, arguments.output)]
    for name, path in wanted:
        write(path, render(name, survey, failed=failed, summary=summary_of(wanted)))
    return REACHED if failed else OK


def _split(item: str) -> tuple[str, str]:
    name, equals, path = item.partition("=")
    if not equals or not path or name not in NAMES:
        raise AuditError(f"--report {item}: must be FORMAT=FILE, such as html=report.html; formats: {', '.join(NAMES)}")
    return name, path
