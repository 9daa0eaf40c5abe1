"""`python -m audit history`: a ledger of the updates of a stack, from any backend, as a hash chain."""

import argparse
import os

from audit.errors import AuditError
from audit.survey.command import add_input_arguments

__all__ = ["add_arguments", "run"]

OK, DIFFERS = 0, 4
NAMES = ("terminal", "markdown", "html", "json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `history`."""
    parser.add_argument(
        "backend",
        nargs="?",
        metavar="BACKEND",
        help="a folder, file://, s3:// or https:// (Pulumi Cloud, with PULUMI_ACCESS_TOKEN); default: "
        "PULUMI_BACKEND_URL",
    )
    parser.add_argument("--stack", metavar="NAME", help="[[ORGANIZATION/]PROJECT/]STACK, where there are several")
    parser.add_argument("--format", choices=NAMES, default="terminal", help="what is written to -o (default: terminal)")
    parser.add_argument("-o", "--output", metavar="FILE", help="where --format is written (default: standard output)")
    parser.add_argument(
        "--report", action="append", default=[], metavar="FORMAT=FILE", help="one more report; can be repeated"
    )
    parser.add_argument(
        "--append", metavar="LEDGER", help="keep and extend this ledger; it is made where it is not there yet"
    )
    parser.add_argument(
        "--verify", metavar="LEDGER", help="only say whether the chain of a ledger holds, and if not, where; exit 4"
    )
    parser.add_argument("--head", metavar="DIGEST", help="the digest that the ledger's last entry must have")
    add_input_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command; the exit code. Raises AuditError."""
    from audit.history import formats, ledger as ledgers

    extra = [_split(item) for item in arguments.report]
    if arguments.verify:
        if arguments.backend or arguments.append or extra:
            raise AuditError("--verify reads a ledger only: leave BACKEND, --append and --report out")
        return _verify(arguments.verify, arguments.head, arguments.max_bytes)
    address = arguments.backend or os.environ.get("PULUMI_BACKEND_URL")
    if not address:
        raise AuditError("BACKEND is missing: name a folder, file://, s3:// or https://, or set PULUMI_BACKEND_URL")
    from audit.__main__ import write
    from audit.history.sources import open_source
    from audit.redact import Redactor
    from audit.secrets.environment import known

    old = None
    if arguments.append and os.path.lexists(arguments.append):
        old = ledgers.load(arguments.append, arguments.max_bytes)
        _held(arguments.append, ledgers.problems(old, arguments.head))
    ledger = ledgers.build(open_source(address, arguments.stack), Redactor(known(arguments.known_secrets)), old)
    if arguments.append:
        write(arguments.append, formats.render("json", ledger))
    for name, path in extra:
        write(path, formats.render(name, ledger))
    write(arguments.output, formats.render(arguments.format, ledger))
    return OK


def _held(path: str, problems: list[str]) -> None:
    if problems:
        raise AuditError(f"{path}: its chain does not hold, so it is not extended: {problems[0]}")


def _verify(path: str, head: str | None, max_bytes: int | None) -> int:
    from audit.formats.text import line
    from audit.history import ledger as ledgers

    ledger = ledgers.load(path, max_bytes)
    problems = ledgers.problems(ledger, head)
    for problem in problems:
        print(line(problem))
    if problems:
        print(f"{path}: the chain does not hold.")
        return DIFFERS
    count = len(ledger["entries"])
    print(f"{path}: the chain of {count:,} entr{'y' if count == 1 else 'ies'} holds; head {line(ledger['head'])}.")
    return OK


def _split(item: str) -> tuple[str, str]:
    name, equals, path = item.partition("=")
    if not equals or not path or name not in NAMES:
        raise AuditError(
            f"--report {item}: must be FORMAT=FILE, such as html=history.html; formats: {', '.join(NAMES)}"
        )
    return name, path
