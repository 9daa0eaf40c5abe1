"""`python -m audit`: judge a plan, compare two plans, and look at drift, history and keys.

Exit codes: 0 fine, 1 internal error, 2 usage or unreadable input, 3 --fail-on reached, 4 compare: the plans differ.
"""

import argparse
import gc
import os
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from audit.errors import AuditError, size

OK, INTERNAL, USAGE, REACHED, DIFFERS = 0, 1, 2, 3, 4
FORMATS = ("terminal", "markdown", "html", "json", "sarif", "junit", "azure")
LATER = {
    "drift": "declared, recorded and real state side by side",
    "history": "the ledger of updates of a stack",
    "keys": "age and use of access keys, and where they are published",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise AuditError(f"{message}; see `{self.prog} --help`")


def parser(command: str = "") -> argparse.ArgumentParser:
    """The command line of every subcommand; of drift, history and keys only that of `command` is loaded."""
    main_parser = _Parser(prog="python -m audit", description=__doc__.split("\n")[0], epilog=__doc__.split("\n", 2)[2])
    commands = main_parser.add_subparsers(dest="command", metavar="COMMAND")
    plan = commands.add_parser("plan", help="what a preview would do, and to whom", description="Judges a preview.")
    plan.add_argument(
        "preview",
        nargs="?",
        metavar="PREVIEW",
        help="`pulumi preview --json`, an engine event log, or - for standard input",
    )
    plan.add_argument("--format", choices=FORMATS, default="terminal", help="what is written to -o (default: terminal)")
    plan.add_argument("-o", "--output", metavar="FILE", help="where --format is written (default: standard output)")
    plan.add_argument(
        "--report", action="append", default=[], metavar="FORMAT=FILE", help="one more report; can be repeated"
    )
    plan.add_argument(
        "--fail-on", metavar="CLASS", help="exit 3 if a finding of this class or family, or a worse one, is not waived"
    )
    plan.add_argument("--waivers", metavar="FILE", help="reviewed exceptions (YAML)")
    plan.add_argument(
        "--explain", metavar="CLASS", help="say what a class or family means, why it matters, what to check, what to do"
    )
    plan.add_argument("--stack", metavar="NAME", help="the stack that the preview must be of")
    _common(plan)
    compare = commands.add_parser(
        "compare", help="whether two previews would do the same", description="Compares two previews."
    )
    compare.add_argument(
        "approved", metavar="APPROVED", help="a preview, an event log, or a JSON report of `audit plan`"
    )
    compare.add_argument("now", metavar="NOW", help="the same, of now; one of the two can be -")
    compare.add_argument(
        "--format", choices=("terminal", "json", "markdown"), default="terminal", help="form of the answer"
    )
    compare.add_argument(
        "-o", "--output", metavar="FILE", help="where the answer is written (default: standard output)"
    )
    _common(compare)
    for name, text in LATER.items():
        sub = commands.add_parser(name, help=text, description=text)
        if name == command and find_spec(f"audit.{name}") is not None:
            import_module(f"audit.{name}").add_arguments(sub)
    return main_parser


def _common(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--known-secrets", nargs="+", action="extend", default=[], metavar="ENVVAR",
                     help="names of environment variables whose values must not appear in any report")  # fmt: skip
    sub.add_argument("--max-bytes", type=size, default=None, metavar="N", help="refuse a larger input")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    arguments = parser(words[0] if words else "").parse_args(words)
    if arguments.command == "plan":
        return _plan(arguments)
    if arguments.command == "compare":
        return _compare(arguments)
    if arguments.command in LATER:
        if find_spec(f"audit.{arguments.command}") is None:
            raise AuditError(f"this build has no `{arguments.command}`")
        return int(import_module(f"audit.{arguments.command}").run(arguments))
    raise AuditError("a command is missing: plan, compare, drift, history or keys; see `python -m audit --help`")


def _plan(arguments: argparse.Namespace) -> int:
    from audit import risks

    if arguments.explain:
        print(risks.explain(arguments.explain))
        return OK
    if not arguments.preview:
        raise AuditError("PREVIEW is missing: name a file, or - for standard input")
    rank = risks.threshold(arguments.fail_on) if arguments.fail_on else None
    extra = [_split_report(item) for item in arguments.report]
    from audit import formats, waivers
    from audit.preview import MAX_BYTES
    from audit.report import from_file
    from audit.secrets.environment import known

    accepted = waivers.load(arguments.waivers) if arguments.waivers else []
    report = from_file(
        arguments.preview, known(arguments.known_secrets), accepted, max_bytes=arguments.max_bytes or MAX_BYTES
    )
    if arguments.stack:
        if report.stack and arguments.stack not in (report.stack, f"{report.project}/{report.stack}"):
            raise AuditError(f"the preview is of stack '{report.stack}', not of '{arguments.stack}' (--stack)")
        report.stack = report.stack or arguments.stack
    failed = rank is not None and report.reaches(rank)
    wanted = [*extra, (arguments.format, arguments.output)]
    for name, path in wanted:
        write(path, formats.render(name, report, failed=failed, summary=formats.summary_of(wanted)))
    return REACHED if failed else OK


def _compare(arguments: argparse.Namespace) -> int:
    from audit import comparison
    from audit.preview import MAX_BYTES
    from audit.secrets.environment import known

    if arguments.approved == arguments.now == "-":
        raise AuditError("only one of APPROVED and NOW can be standard input")
    limit = arguments.max_bytes or MAX_BYTES
    secrets = known(arguments.known_secrets)
    result = comparison.compare(
        comparison.load(arguments.approved, secrets, limit), comparison.load(arguments.now, secrets, limit)
    )
    write(arguments.output, comparison.render(result, arguments.format))
    return OK if result.same else DIFFERS


def _split_report(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not equals or not path or name not in FORMATS:
        raise AuditError(
            f"--report {text}: must be FORMAT=FILE, such as html=report.html; formats: {', '.join(FORMATS)}"
        )
    return name, path


def write(path: str | None, text: str) -> None:
    """Writes to standard output, or to a file that appears whole or not at all."""
    if path is None or path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.flush()
        return
    target = Path(path)
    try:
        with tempfile.NamedTemporaryFile("wb", dir=target.parent, prefix=f".{target.name}.", delete=False) as stream:
            temporary = Path(stream.name)
            stream.write(text.encode("utf-8", "backslashreplace"))
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OSError as error:
        raise AuditError(f"{path}: cannot be written: {error.strerror}") from None


def entry(argv: Sequence[str] | None = None) -> int:
    """`main` with every error as one sentence on standard error and its exit code. No traceback reaches a user, nor
    a raw value."""
    try:
        return main(argv)
    except AuditError as error:
        print(f"audit: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("audit: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:  # the last net: its text could hold a raw value, so only its type and place are said
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f" in {Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else ""
        print(
            f"audit: internal error: {type(error).__name__}{where}; AUDIT_DEBUG=1 shows more, secrets included",
            file=sys.stderr,
        )
        if os.environ.get("AUDIT_DEBUG"):
            raise
        return INTERNAL


if __name__ == "__main__":
    gc.disable()  # one short run whose data has no cycles: much of the time would go into looking for some
    raise SystemExit(entry())
