"""`audit drift`: its options, and the report that it fills."""

import argparse

from audit.errors import AuditError
from audit.report.model import Report
from audit.secrets.environment import known


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `drift`."""
    parser.add_argument(
        "state",
        nargs="?",
        metavar="STATE",
        help="`pulumi stack export`, the backend's file of the stack, or - for standard input",
    )
    parser.add_argument(
        "--expiry-days",
        type=int,
        default=30,
        metavar="DAYS",
        help="how far ahead a lifecycle rule that expires the deployed image is a finding (default: 30)",
    )
    parser.add_argument(
        "--clock-skew",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="by how much the clock of Azure DevOps may be ahead of the engine's (default: 0)",
    )


def report(arguments: argparse.Namespace) -> Report:
    """What differs between a state and the clouds. Raises AuditError."""
    if not arguments.state:
        raise AuditError("STATE is missing: name a file of `pulumi stack export`, or - for standard input")
    if arguments.expiry_days < 0 or arguments.clock_skew < 0:
        raise AuditError("--expiry-days and --clock-skew must not be negative")
    from audit import state
    from audit.clouds.aws import Aws
    from audit.drift.sheet import Clouds
    from audit.drift.survey import survey
    from audit.report.masked import redacted
    from audit.secrets.redact import Redactor

    recorded, document = state.load(arguments.state, arguments.max_bytes)
    if not recorded.resources:
        raise AuditError(f"{arguments.state}: the stack has no resources, so there is nothing to compare")
    redactor = Redactor([*known(arguments.known_secrets), *state.secrets_in(document)])
    redactor.visit(document)
    clouds = Clouds(recorded, Aws(), expiry_days=arguments.expiry_days, clock_skew=arguments.clock_skew)
    return redacted(survey(clouds), redactor)
