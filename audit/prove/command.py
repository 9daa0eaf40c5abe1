"""`audit prove`: its options, and the report that it fills."""

import argparse
import signal
from fnmatch import fnmatchcase
from typing import Any

from audit.clouds.aws import Aws
from audit.errors import AuditError
from audit.prove import answers, callers
from audit.prove.requests import CannotAsk, Witness, call
from audit.report.model import Report, Table, TableRow
from audit.report.text import witness as in_words
from audit.secrets.environment import known

COLUMNS = ("Newly allowed", "On", "As", "Before", "After", "Result")
STATUS: dict[str, Any] = {"flipped": "same", "not flipped": "differs"}
"""How a row of the table is marked; anything else is not known."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `prove`."""
    parser.add_argument("plan", metavar="REPORT", help="a JSON report of `audit plan` or of this command, or a preview")
    parser.add_argument(
        "--holder",
        metavar="KIND/NAME",
        help="ask as user/NAME, role/NAME or profile/NAME; default: as two users that are made for it, with the "
        "document as it is and as it will be",
    )
    parser.add_argument("--moment", choices=("before", "after"), help="when this is, with --holder: of the change")
    parser.add_argument("--urn", default="*", metavar="PATTERN", help="only findings of these resources")
    parser.add_argument(
        "--real-cloud",
        action="store_true",
        help="go to an endpoint that is not on this machine; there IAM's policy simulator decides, nothing is called",
    )


def report(arguments: argparse.Namespace) -> Report:
    """What was answered to every newly allowed request of a plan. Raises AuditError."""
    if bool(arguments.holder) != bool(arguments.moment):
        raise AuditError("--holder and --moment belong together: ask before the change, and again after it")
    from audit.plan import comparison
    from audit.plan.preview import MAX_BYTES
    from audit.report.masked import redacted
    from audit.secrets.redact import Redactor

    redactor = Redactor(known(arguments.known_secrets))
    document = comparison.load(arguments.plan, list(redactor.known), arguments.max_bytes or MAX_BYTES)
    kind, _, name = (arguments.holder or "").partition("/")
    aws = Aws(profile=name if kind == "profile" else None)
    real = not all(answers.here(aws, service) for service in ("iam", "sts"))
    if real and not arguments.real_cloud:
        raise AuditError("the endpoint is not on this machine: set AWS_ENDPOINT_URL to the sandbox's, or --real-cloud")
    # An ended run removes what it made, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with callers.operator(aws, redactor.known.add) as operator:
        rehearsal = Rehearsal(operator, aws.account(), arguments.moment, real)
        if arguments.holder:
            rehearsal.holder = callers.holder(arguments.holder, operator, keyless=real)
        for finding in _findings(document, arguments.plan):
            if fnmatchcase(finding["urn"], arguments.urn):
                rehearsal.finding(finding["policy"])
    return redacted(filled(document, arguments.urn), redactor)


def _findings(document: dict[str, Any], path: str) -> list[dict[str, Any]]:
    """The findings with requests that are newly allowed. Raises AuditError."""
    try:
        found = [item for item in document["findings"] if item.get("policy") and item["policy"]["newlyAllowed"]]
        for item in found:
            for request in item["policy"]["newlyAllowed"]:
                texts = (item["urn"], request["action"], request["resource"])
                if not all(isinstance(text, str) for text in texts) or not isinstance(request["context"], dict):
                    raise TypeError
            item["policy"]["old"], item["policy"]["new"]
    except (KeyError, TypeError, AttributeError):
        raise AuditError(f"{path}: is no whole report of `audit plan --format json`; make it again") from None
    return found


class Rehearsal:
    """One run: every witness gets what was answered in `rehearsed`."""

    def __init__(self, operator: callers.Operator, account: str, moment: str | None, real: bool) -> None:
        self._operator, self._account, self._moment, self._real = operator, account, moment, real
        self.holder: callers.Caller | None = None

    def finding(self, policy: dict[str, Any]) -> None:
        """Asks for the witnesses of one policy."""
        witnesses = policy["newlyAllowed"]
        sides: dict[str, callers.Caller] = {}
        refusal = ""
        if self.holder is not None:
            sides = {str(self._moment): self.holder}
        else:
            try:
                pair = callers.stand_ins(self._operator, policy, witnesses, keyless=self._real)
                sides = dict(zip(("before", "after"), pair, strict=True))
            except CannotAsk as why:
                refusal = str(why)
        for witness in witnesses:
            self._witness(witness, sides, refusal)

    def _witness(self, witness: dict[str, Any], sides: dict[str, callers.Caller], refusal: str) -> None:
        holder = self.holder.name if self.holder else "stand-in"
        earlier = witness.get("rehearsed") if self._moment == "after" else None
        found: dict[str, Any] = {"result": "", "holder": holder}
        if isinstance(earlier, dict) and earlier.get("holder") == holder and isinstance(earlier.get("before"), dict):
            found["before"] = earlier["before"]
        why = [refusal] if refusal else []
        for side, caller in sides.items():
            try:
                found[side] = self._ask(witness, caller)
            except CannotAsk as reason:
                why.append(str(reason))
        both = [found[side]["answer"] for side in ("before", "after") if side in found]
        found["result"] = "not rehearsed"
        if len(both) == 2:
            found["result"] = "flipped" if both == ["refused", "allowed"] else "not flipped"
        elif self._moment and not why:
            why.append("the other side of the change was not asked yet" if self._moment == "before" else
                       "it was not asked before the change")  # fmt: skip
        if why:
            found["why"] = "; ".join(dict.fromkeys(why))
        witness["rehearsed"] = found

    def _ask(self, witness: Witness, caller: callers.Caller) -> answers.Answer:
        if witness.get("principal") not in (None, caller.arn, caller.entity):
            raise CannotAsk(f"the request is one of {witness['principal']}")
        if self._real:
            return answers.by_decision(self._operator.aws, caller.entity, witness)
        try:
            return answers.by_call(caller.aws, call(witness, caller.aws, self._account))
        except CannotAsk as reason:
            try:
                return answers.by_decision(self._operator.aws, caller.entity, witness)
            except CannotAsk as other:
                raise CannotAsk(f"{reason}; {other}") from None


def filled(document: dict[str, Any], pattern: str = "*") -> Report:
    """The report of a plan's JSON report whose witnesses have what was answered."""
    table = Table("Witnesses", COLUMNS)
    notes = []
    for finding in document["findings"]:
        if not finding.get("policy") or not fnmatchcase(finding["urn"], pattern):
            continue
        for witness in finding["policy"]["newlyAllowed"]:
            found = witness["rehearsed"]
            sides = [_shown(found.get(side)) for side in ("before", "after")]
            action, _, rest = in_words(witness).partition(" on ")
            cells = [action, rest, found["holder"], *sides, found["result"]]
            table.rows.append(TableRow(cells, STATUS.get(found["result"], "unknown")))
            if found.get("why"):
                notes.append(f"{in_words(witness)}: {found['result']}: {found['why']}")
    results = [row.cells[-1] for row in table.rows]
    counts = {name: results.count(name) for name in ("flipped", "not flipped", "not rehearsed")}
    counts = {name: count for name, count in counts.items() if count or name == "flipped"}
    table.status = "unknown" if "not rehearsed" in counts else "same"
    table.status = "differs" if "not flipped" in counts else table.status
    return Report(
        command="prove",
        project=document["project"],
        stack=document["stack"],
        verdict=f"{len(results)} request{'' if len(results) == 1 else 's'} newly allowed.",
        counts=counts,
        tables=[table],
        notes=notes,
        data=document,
    )


def _shown(answer: dict[str, str] | None) -> str | None:
    return f"{answer['answer']} ({answer['how']} {answer['request']})" if answer else None
