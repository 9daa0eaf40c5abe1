"""The one entry: judge a plan, rehearse what it allows, compare two plans, and look at state, drift, history and keys.

Exit codes: 0 fine, 1 internal error, 2 usage or unreadable input, 3 --fail-on reached, 4 compare: the plans differ;
prove: a request did not go from refused to allowed.
"""

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from audit.errors import AuditError, size

if TYPE_CHECKING:
    from audit.report import Report
    from audit.report.catalogue import Catalogue

OK, INTERNAL, USAGE, REACHED, DIFFERS = 0, 1, 2, 3, 4
FORMATS = ("terminal", "markdown", "html", "json", "sarif", "junit", "azure")
COMMANDS = {
    "plan": ("what a preview would do, and to whom", FORMATS),
    "prove": ("whether what a plan newly allows is refused before and allowed after", ("terminal", "json", "markdown")),
    "compare": ("whether two previews would do the same", ("terminal", "json", "markdown")),
    "state": ("a checkpoint against what its program may contain, before an engine reads it", FORMATS),
    "drift": ("declared, recorded and real state side by side", FORMATS),
    "history": ("the ledger of updates of a stack", ("terminal", "markdown", "html", "json")),
    "keys": ("age and use of access keys, and where they are published", FORMATS),
}
"""Commands, what each is for, and its formats."""
JUDGED = ("plan", "state", "drift", "keys")
"""Commands whose findings can fail a run."""
FAILS_ON = {"state": "exposure"}
"""Where --fail-on is not given, and there is something that nobody may overlook."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise AuditError(f"{message}; see `{self.prog} --help`")


def parser(command: str = "") -> argparse.ArgumentParser:
    """The command line; of all commands only the options of `command` are loaded."""
    main_parser = _Parser(prog=_called(), description=__doc__.split("\n")[0], epilog=__doc__.split("\n", 2)[2])
    commands = main_parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, (text, formats) in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        if name == command:
            _add_own(sub, name)
            _add_common(sub, name, formats)
    return main_parser


def _called() -> str:
    """How this program is called."""
    name = Path(sys.argv[0]).name
    return f"python {name}" if name.endswith(".pyz") else "python -m audit"


def _add_own(sub: argparse.ArgumentParser, name: str) -> None:
    if name == "plan":
        from audit.plan.command import add_arguments as add
    elif name == "compare":
        from audit.plan.command import add_compare_arguments as add
    elif name == "prove":
        from audit.prove.command import add_arguments as add
    elif name == "state":
        from audit.checkpoint.command import add_arguments as add
    elif name == "drift":
        from audit.drift.command import add_arguments as add
    elif name == "history":
        from audit.history.command import add_arguments as add
    else:
        from audit.keys.command import add_arguments as add
    add(sub)


def _add_common(sub: argparse.ArgumentParser, name: str, formats: Sequence[str]) -> None:
    sub.add_argument("--format", choices=formats, default="terminal", help="what is written to -o (default: terminal)")
    sub.add_argument("-o", "--output", metavar="FILE", help="where --format is written (default: standard output)")
    sub.add_argument(
        "--report", action="append", default=[], metavar="FORMAT=FILE", help="one more report; can be repeated"
    )
    if name in JUDGED:
        sub.add_argument(
            "--fail-on",
            metavar="CLASS",
            default=FAILS_ON.get(name),
            help="exit 3 if a finding of this class or family, or a worse one, is not waived"
            + (f" (default: {FAILS_ON[name]})" if name in FAILS_ON else ""),
        )
        sub.add_argument(
            "--explain",
            metavar="CLASS",
            help="say what a class or family means, why it matters, what to check, what to do",
        )
    sub.add_argument(
        "--known-secrets",
        nargs="+",
        action="extend",
        default=[],
        metavar="ENVVAR",
        help="names of environment variables whose values must not appear in any report",
    )
    sub.add_argument("--max-bytes", type=size, default=None, metavar="N", help="refuse a larger input")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code. Raises AuditError."""
    words = sys.argv[1:] if argv is None else list(argv)
    arguments = parser(words[0] if words else "").parse_args(words)
    command = arguments.command
    if command is None:
        raise AuditError(f"a command is missing: {', '.join(COMMANDS)}; see `{_called()} --help`")
    rank = None
    if command in JUDGED:
        catalogue = _catalogue(command)
        if arguments.explain:
            print(catalogue.explain(arguments.explain))
            return OK
        rank = catalogue.threshold(arguments.fail_on) if arguments.fail_on else None
    wanted = [_wanted(item, COMMANDS[command][1]) for item in arguments.report]
    wanted.append((arguments.format, arguments.output))
    if command == "history" and arguments.verify:
        from audit.history.command import verify

        return OK if verify(arguments) else DIFFERS
    if command == "history" and arguments.append:
        wanted.insert(0, ("json", arguments.append))
    report = _report(arguments)
    failed = rank is not None and report.reaches(rank)
    _write_all(report, wanted, failed=failed)
    if command == "compare" and not report.data["same"]:
        return DIFFERS
    if command == "prove" and any(table.status == "differs" for table in report.tables):
        return DIFFERS
    return REACHED if failed else OK


def _catalogue(command: str) -> "Catalogue":
    from audit.report.catalogue import CLASSES, RULES, STATE

    return {"plan": CLASSES, "state": STATE}.get(command, RULES)


def _report(arguments: argparse.Namespace) -> "Report":
    """The filled report of a command. Raises AuditError."""
    if arguments.command == "plan":
        from audit.plan.command import plan as fill
    elif arguments.command == "compare":
        from audit.plan.command import compare as fill
    elif arguments.command == "prove":
        from audit.prove.command import report as fill
    elif arguments.command == "state":
        from audit.checkpoint.command import report as fill
    elif arguments.command == "drift":
        from audit.drift.command import report as fill
    elif arguments.command == "history":
        from audit.history.command import report as fill
    else:
        from audit.keys.command import report as fill
    return fill(arguments)


def _wanted(text: str, formats: Sequence[str]) -> tuple[str, str]:
    """Format and path of one --report. Raises AuditError."""
    name, equals, path = text.partition("=")
    if not equals or not path or name not in formats:
        example = "html=report.html" if "html" in formats else "markdown=report.md"
        raise AuditError(f"--report {text}: must be FORMAT=FILE, such as {example}; formats: {', '.join(formats)}")
    return name, path


def _write_all(report: "Report", wanted: Sequence[tuple[str, str | None]], *, failed: bool) -> None:
    """Writes every report that was asked for; the Markdown file is the summary that Azure Pipelines shows."""
    from audit.report import render

    summary = next((path for name, path in wanted if name == "markdown" and path not in (None, "-")), None)
    for name, path in wanted:
        write(path, render(name, report, failed=failed, summary=summary))


def write(path: str | None, text: str) -> None:
    """Writes to standard output, to a file that appears whole or not at all, or into a device or a pipe."""
    if path is None or path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.flush()
        return
    import tempfile  # brings much that a report on standard output does not need

    # A link's target is what is meant: a rename would put a file in the link's own place.
    target = Path(path).resolve()
    try:
        if target.exists() and not target.is_file():  # /dev/null, a pipe: a rename would put a file in its place
            with target.open("wb") as device:
                device.write(text.encode("utf-8", "backslashreplace"))
            return
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


def program() -> int:
    """The whole program: one short run whose data has no cycles, so that looking for some would take much of the
    time."""
    gc.disable()
    code = entry()
    gc.freeze()  # nor at the end
    return code
