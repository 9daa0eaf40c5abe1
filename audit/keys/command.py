"""`audit keys`: its options, and the report that it fills."""

import argparse
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from audit.errors import AuditError
from audit.report.model import Report
from audit.secrets.environment import known

if TYPE_CHECKING:
    from audit.keys.key import Key
    from audit.keys.survey import Inventory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `keys`."""
    parser.add_argument("--user", action="append", default=[], metavar="NAME", help="only this IAM user; repeatable")
    parser.add_argument(
        "--project", action="append", default=[], metavar="NAME", help="only this Azure DevOps project; repeatable"
    )
    parser.add_argument("--state", metavar="STATE", help="`pulumi stack export` or -: says which keys a stack records")
    parser.add_argument(
        "--remove-lost",
        action="store_true",
        help="say which keys an interrupted update has lost (key-lost) and would be deleted; needs --state",
    )
    parser.add_argument("--yes", action="store_true", help="with --remove-lost: delete them")
    parser.add_argument("--max-age-days", type=int, default=90, metavar="N", help="older is a finding (default: 90)")
    parser.add_argument(
        "--max-unused-days", type=int, default=45, metavar="N", help="longer unused is a finding (default: 45)"
    )
    parser.add_argument(
        "--as-of", metavar="DATE", help="judge ages as they are on this day (YYYY-MM-DD); default: today"
    )


def report(arguments: argparse.Namespace) -> Report:
    """The access keys of an account. Raises AuditError."""
    if arguments.max_age_days < 0 or arguments.max_unused_days < 0:
        raise AuditError("--max-age-days and --max-unused-days must not be negative")
    if arguments.yes and not arguments.remove_lost:
        raise AuditError("--yes deletes what --remove-lost names: give both")
    if arguments.remove_lost and not arguments.state:
        raise AuditError("--remove-lost needs --state, and as it is now: pulumi stack export | ... --state -")
    now = _moment(arguments.as_of)
    from audit import state
    from audit.clouds.aws import Aws
    from audit.clouds.azure_devops import AzureDevOps
    from audit.keys import survey
    from audit.report.masked import redacted
    from audit.secrets.redact import Redactor

    redactor = Redactor(known(arguments.known_secrets))
    recorded = None
    if arguments.state:
        recorded, document = state.load(arguments.state, arguments.max_bytes)
        redactor.visit(document)
        redactor.known.update(state.secrets_in(document))
    asked = os.environ.get("AZDO_ORG_SERVICE_URL") or os.environ.get("AZDO_PERSONAL_ACCESS_TOKEN") or arguments.project
    inventory = survey.Inventory(
        aws=Aws(),
        devops=AzureDevOps() if asked else None,
        state=recorded,
        now=now,
        users=arguments.user,
        projects=arguments.project,
        max_age_days=arguments.max_age_days,
        max_unused_days=arguments.max_unused_days,
    )
    keys = survey.judged(inventory)
    if arguments.remove_lost:
        keys = _without_lost(keys, inventory, yes=arguments.yes)
    return redacted(survey.report(inventory, keys), redactor)


def _without_lost(keys: "list[Key]", inventory: "Inventory", *, yes: bool) -> "list[Key]":
    """The keys that stay; what is or would be deleted is noted. Raises AuditError."""
    from audit.keys import lost

    for key in (found := [key for key in keys if key.lost]):
        if yes:
            lost.remove(inventory.aws, key)
        done = "was deleted" if yes else "would be deleted: --yes does it"
        inventory.notes.append(f"Access key {key.id} of '{key.user}', which nobody has the secret of, {done}.")
    if not found:
        inventory.notes.append("No key was lost by an interrupted update, as far as the state says.")
    return [key for key in keys if not (yes and key.lost)]


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise AuditError(f"--as-of {text[:40]}: must be a day, such as 2027-03-31") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
