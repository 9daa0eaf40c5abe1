"""`audit state`: its options, and the report that it fills."""

import argparse
import os
from pathlib import Path

from audit.errors import AuditError
from audit.report.model import Report
from audit.secrets.environment import known


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `state`."""
    parser.epilog = (
        "Run it before an engine reads the checkpoint: an engine fetches and runs the plugins that a checkpoint names, "
        "and deletes what it lists. Nothing of it is evaluated here. docs/audit-state.md has the file of --expect, the "
        "rules, and what to do."
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        metavar="CHECKPOINT",
        help="a backend (folder, file://, s3://, https:// of Pulumi Cloud), its file of the stack, `pulumi stack "
        "export`, or - for standard input; default: PULUMI_BACKEND_URL",
    )
    parser.add_argument("--stack", metavar="NAME", help="[[ORGANIZATION/]PROJECT/]STACK; default: PULUMI_STACK")
    parser.add_argument(
        "--expect", metavar="FILE", help="what the program may declare (here: infra/state.yml); it is needed"
    )
    parser.add_argument("--part", default="", metavar="NAME", help="only this part of the program may be recorded")
    parser.add_argument(
        "--program",
        default=".",
        metavar="FOLDER",
        help="where Pulumi.yaml and the stack's file are, from which expected names follow (default: this folder)",
    )
    parser.add_argument(
        "--value",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a further value of a setting that may be recorded: the old one, before a change of yours; repeatable",
    )
    parser.add_argument(
        "--secrets-provider",
        default="",
        metavar="PROVIDER",
        help="who encrypts the secrets: passphrase, service or a key's URL; default: what the stack's file says, else "
        "passphrase",
    )


def report(arguments: argparse.Namespace) -> Report:
    """What of a checkpoint is not its program's. Raises AuditError."""
    address = arguments.checkpoint or os.environ.get("PULUMI_BACKEND_URL")
    if not address:
        raise AuditError("CHECKPOINT is missing: name a backend or a file, or set PULUMI_BACKEND_URL")
    stack = arguments.stack or os.environ.get("PULUMI_STACK")
    if not stack:
        raise AuditError("which stack it is must be said: --stack NAME, or PULUMI_STACK")
    if not arguments.expect:
        raise AuditError("--expect is missing: name the file that says what the program may declare")
    from audit import state
    from audit.checkpoint import document
    from audit.checkpoint.expected import Expected
    from audit.checkpoint.settings import Settings
    from audit.checkpoint.survey import survey
    from audit.report.masked import redacted
    from audit.secrets.redact import Redactor

    settings = Settings.load(Path(arguments.program), stack, arguments.value)
    expected = Expected.load(Path(arguments.expect), settings)
    if arguments.part and arguments.part not in expected.parts:
        raise AuditError(f"--part {arguments.part[:80]}: is none of {', '.join(sorted(expected.parts))}")
    checkpoint = document.load(address, settings.project, stack, arguments.max_bytes)
    redactor = Redactor([*known(arguments.known_secrets), *state.secrets_in(checkpoint.document)])
    try:
        return redacted(survey(checkpoint, expected, arguments.part, arguments.secrets_provider), redactor)
    except RecursionError:
        raise AuditError(f"{checkpoint.where}: is nested too deep for a program's state; restore it") from None
