"""`audit history`: its options, the report that it fills, and the check of a ledger."""

import argparse
import os

from audit.errors import AuditError
from audit.report.model import Report
from audit.report.text import line
from audit.secrets.environment import known


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that only `history` has."""
    parser.add_argument(
        "backend",
        nargs="?",
        metavar="BACKEND",
        help="a folder, file://, s3:// or https:// (Pulumi Cloud, with PULUMI_ACCESS_TOKEN); default: "
        "PULUMI_BACKEND_URL",
    )
    parser.add_argument("--stack", metavar="NAME", help="[[ORGANIZATION/]PROJECT/]STACK, where there are several")
    parser.add_argument(
        "--append", metavar="LEDGER", help="keep and extend this ledger; it is made where it is not there yet"
    )
    parser.add_argument(
        "--verify", metavar="LEDGER", help="only say whether the chain of a ledger holds, and if not, where; exit 4"
    )
    parser.add_argument("--head", metavar="DIGEST", help="the digest that the ledger's last entry must have")


def report(arguments: argparse.Namespace) -> Report:
    """The history of a stack, and what an earlier ledger says of it. Raises AuditError."""
    address = arguments.backend or os.environ.get("PULUMI_BACKEND_URL")
    if not address:
        raise AuditError("BACKEND is missing: name a folder, file://, s3:// or https://, or set PULUMI_BACKEND_URL")
    from audit.history import ledger as ledgers
    from audit.history.report import filled
    from audit.history.sources import open_source
    from audit.secrets.redact import Redactor

    old = None
    if arguments.append and os.path.lexists(arguments.append):
        old = ledgers.load(arguments.append, arguments.max_bytes)
        problems = ledgers.problems(old, arguments.head)
        if problems:
            raise AuditError(f"{arguments.append}: its chain does not hold, so it is not extended: {problems[0]}")
    return filled(ledgers.build(open_source(address, arguments.stack), Redactor(known(arguments.known_secrets)), old))


def verify(arguments: argparse.Namespace) -> bool:
    """Says whether the chain of a ledger holds, and if not, where. Raises AuditError."""
    if arguments.backend or arguments.append or arguments.report:
        raise AuditError("--verify reads a ledger only: leave BACKEND, --append and --report out")
    from audit.history import ledger as ledgers

    path = arguments.verify
    ledger = ledgers.load(path, arguments.max_bytes)
    problems = ledgers.problems(ledger, arguments.head)
    for problem in problems:
        print(line(problem))
    if problems:
        print(f"{path}: the chain does not hold.")
        return False
    count = len(ledger["entries"])
    print(f"{path}: the chain of {count:,} entr{'y' if count == 1 else 'ies'} holds; head {line(ledger['head'])}.")
    return True
