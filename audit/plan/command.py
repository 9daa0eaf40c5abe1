"""`audit plan` and `audit compare`: their options, and the reports that they fill."""

import argparse

from audit.errors import AuditError
from audit.report.model import Report
from audit.secrets.environment import known


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that only `plan` has."""
    parser.add_argument(
        "preview",
        nargs="?",
        metavar="PREVIEW",
        help="`pulumi preview --json`, an engine event log, or - for standard input",
    )
    parser.add_argument("--waivers", metavar="FILE", help="reviewed exceptions (YAML)")
    parser.add_argument("--stack", metavar="NAME", help="the stack that the preview must be of")


def add_compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that only `compare` has."""
    parser.add_argument(
        "approved", metavar="APPROVED", help="a preview, an event log, or a JSON report of `audit plan`"
    )
    parser.add_argument("now", metavar="NOW", help="the same, of now; one of the two can be -")
    parser.add_argument(
        "--update",
        action="store_true",
        help="NOW is the event log of an update (`pulumi up --event-log FILE`), "
        "and APPROVED its preview or that one's event log: did it do what was shown, and nothing else? What was not "
        "known then can be anything",
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="with --update: the update ended well (exit code 0), so a log that does not show all of it differs",
    )


def plan(arguments: argparse.Namespace) -> Report:
    """The report of a preview. Raises AuditError."""
    if not arguments.preview:
        raise AuditError("PREVIEW is missing: name a file, or - for standard input")
    from audit.plan import waivers
    from audit.plan.preview import MAX_BYTES
    from audit.plan.report import from_file

    accepted = waivers.load(arguments.waivers) if arguments.waivers else []
    limit = arguments.max_bytes or MAX_BYTES
    report = from_file(arguments.preview, known(arguments.known_secrets), accepted, max_bytes=limit)
    if arguments.stack:
        if report.stack and arguments.stack not in (report.stack, f"{report.project}/{report.stack}"):
            raise AuditError(f"the preview is of stack '{report.stack}', not of '{arguments.stack}' (--stack)")
        report.stack = report.stack or arguments.stack
    return report


def compare(arguments: argparse.Namespace) -> Report:
    """The report of two previews. Raises AuditError."""
    if arguments.approved == arguments.now == "-":
        raise AuditError("only one of APPROVED and NOW can be standard input")
    from audit.plan.preview import MAX_BYTES

    if arguments.update:
        from audit.plan import applied

        limit = arguments.max_bytes or MAX_BYTES
        return applied.from_files(arguments.approved, arguments.now, limit, whole=arguments.whole)
    if arguments.whole:
        raise AuditError("--whole is of an update: add --update")
    from audit.plan import comparison

    limit, secrets = arguments.max_bytes or MAX_BYTES, known(arguments.known_secrets)
    approved, now = (comparison.load(path, secrets, limit) for path in (arguments.approved, arguments.now))
    return comparison.compare(approved, now)
