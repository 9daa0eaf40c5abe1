"""Judges one record of a checkpoint: whose it is, what it stands for, what it is bound to, what it carries."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from audit.checkpoint import records
from audit.checkpoint.expected import Entry, Expected, Template
from audit.checkpoint.options import judge_options
from audit.checkpoint.providers import judge_provider, provider_of
from audit.checkpoint.values import TooDeep, look
from audit.model import Finding
from audit.report.model import TableRow

STACK_TYPE, PROVIDER_TYPE = "pulumi:pulumi:Stack", "pulumi:providers:"
URN = re.compile(
    r"urn:pulumi:(?P<stack>[^:]+)::(?P<project>[^:]+)::(?P<types>(?:[^:]|:(?!:))+)::(?P<name>.+)", re.DOTALL
)


@dataclass(slots=True)
class Record:
    """A record whose form is known."""

    raw: Mapping[str, Any]
    urn: str
    types: str
    """The qualified type: with those of the components around it."""
    name: str
    entry: Entry | None = None
    pending: bool = False
    """Of an operation that was interrupted: what was being created has no id yet."""

    @property
    def type(self) -> str:
        """Its own type."""
        return self.types.rpartition("$")[2]


@dataclass(slots=True)
class Judge:
    """What is found so far. `part` is the part of the program that the stack declares; empty for any."""

    expected: Expected
    part: str = ""
    findings: list[Finding] = field(default_factory=list)
    known: dict[str, Record] = field(default_factory=dict)
    """Records of the list so far, by URN."""
    constants: dict[str, Any] = field(default_factory=dict)
    rows: list[TableRow] = field(default_factory=list)

    def find(self, rule: str, subject: str, reason: str, *details: str) -> None:
        """Adds a finding."""
        self.findings.append(Finding(rule, subject, reason, [*details]))


def parsed(judge: Judge, raw: Any) -> Record | None:
    """The record, if its form is known and it is of this stack."""
    if not isinstance(raw, dict):
        judge.find("state-form", "", "A record is in another form than an object.")
        return None
    urn = raw.get("urn") if isinstance(raw.get("urn"), str) else ""
    if wrong := records.wrong_field(raw):
        judge.find("state-form", str(urn), f"The record {wrong}.")
        return None
    match = URN.fullmatch(str(urn))
    if match is None:
        judge.find("state-form", str(urn), "The record's URN is none that an engine makes.")
        return None
    settings = judge.expected.settings
    if (match["stack"], match["project"]) != (settings.stack, settings.project):
        judge.find(
            "state-foreign-resource",
            str(urn),
            f"The record is of {match['project']}/{match['stack']}; this is {settings.project}/{settings.stack}.",
        )
        return None
    record = Record(raw, str(urn), match["types"], match["name"])
    if raw["type"] != record.type:
        judge.find(
            "state-relation", record.urn, f"The record is of the type {raw['type'][:100]}, its URN says another."
        )
        return None
    return record


def judge_record(judge: Judge, record: Record) -> None:
    """Adds what is to be said of a record; `parsed` has found its form right."""
    if record.type == STACK_TYPE:
        settings = judge.expected.settings
        if (
            record.name != f"{settings.project}-{settings.stack}"
            or record.types != STACK_TYPE
            or record.raw.get("id")
            or record.raw.get("custom")
        ):
            judge.find("state-foreign-resource", record.urn, "The record of the stack itself is not this stack's.")
        _optional(judge, record)
    elif record.type.startswith(PROVIDER_TYPE):
        for rule, reason in judge_provider(
            record.raw, record.type.removeprefix(PROVIDER_TYPE), record.name, judge.expected
        ):
            judge.find(rule, record.urn, f"Provider {record.name}: {reason}")
        if record.types != record.type:
            judge.find("state-foreign-resource", record.urn, "A provider is recorded as a part of a component.")
        _optional(judge, record)
    else:
        _declared(judge, record)
    _relations(judge, record)
    _values(judge, record)


def _declared(judge: Judge, record: Record) -> None:
    """A resource or a component: which entry of the program's list it is, and what follows from that."""
    expected = judge.expected
    parent = record.raw.get("parent") or ""
    fitting = [entry for entry in expected.find(record.types, record.name) if _is_child(judge, entry, parent)]
    if not fitting:
        judge.find("state-foreign-resource", record.urn, f"The program declares no {record.types} '{record.name}'.")
        _optional(judge, record)
        return
    record.entry = entry = fitting[0]
    if judge.part and entry.part != judge.part:
        judge.find(
            "state-foreign-resource",
            record.urn,
            f"{subject(record)} belongs to the part '{entry.part}' of the program; this stack is of '{judge.part}'.",
        )
    _optional(judge, record)
    package = entry.type.partition(":")[0]
    custom = package in expected.plugins
    if record.raw.get("custom", False) is not custom or custom is not (record.pending or bool(record.raw.get("id"))):
        judge.find("state-form", record.urn, f"{subject(record)}: `custom` and `id` do not fit its type.")
    if custom:
        _provided(judge, record, package)
    _named(judge, record, entry, package)


def _is_child(judge: Judge, entry: Entry, parent: str) -> bool:
    """Whether the recorded parent is the entry's: the component that it stands below, else the stack."""
    above = judge.known.get(parent)
    if above is None:
        return False
    return above.entry is entry.parent if entry.parent else above.type == STACK_TYPE


def _provided(judge: Judge, record: Record, package: str) -> None:
    urn, _ = provider_of(record.raw.get("provider"))
    provider = judge.known.get(urn)
    if provider is None or provider.type != f"{PROVIDER_TYPE}{package}":
        judge.find(
            "state-provider",
            record.urn,
            f"{subject(record)} is managed by no provider of {package} recorded before it.",
        )
    elif record.raw.get("provider") != f"{provider.urn}::{provider.raw.get('id')}":
        judge.find("state-provider", record.urn, f"{subject(record)} names a provider by an id that it has not.")


def _named(judge: Judge, record: Record, entry: Entry, package: str) -> None:
    """Whether id, properties and outputs are what the settings say."""
    expected, raw = judge.expected, record.raw
    inputs, outputs = (raw.get(side) or {} for side in ("inputs", "outputs"))
    made = not record.pending or bool(raw.get("id"))
    if made:
        if entry.id:
            _compared(judge, record, "id", raw.get("id"), entry.id)
        if raw.get("id") and outputs.get("id", raw["id"]) != raw["id"]:
            _foreign(judge, record, "id", outputs["id"], str(raw["id"]))
        for name, template in entry.outputs.items():
            _compared(judge, record, name, outputs.get(name), template)
    general = expected.plugins[package].properties if package in expected.plugins else {}
    for name, template in {**general, **entry.properties}.items():
        values = [side[name] for side in (inputs, outputs) if side.get(name) is not None]
        for value in values:
            _compared(judge, record, name, value, template)
        if not values and name in entry.properties:
            _foreign(judge, record, name, "nothing", expected.said(template))
    for name in sorted(expected.constant):
        for side in (inputs, outputs):
            if side.get(name) is not None:
                _constant(judge, record, name, side[name])


def _compared(judge: Judge, record: Record, name: str, value: Any, template: Template) -> None:
    accounts = judge.expected.accounts(template, value)
    if accounts is None:
        _foreign(judge, record, name, "nothing" if value is None else value, judge.expected.said(template))
    for account in sorted(accounts or ()):
        _constant(judge, record, "account", account)


def _constant(judge: Judge, record: Record, name: str, value: Any) -> None:
    """A value that is the same in the whole state."""
    if judge.constants.setdefault(name, value) != value:
        _foreign(judge, record, name, value, f"{_short(judge.constants[name])}, as of other resources")


def _foreign(judge: Judge, record: Record, name: str, value: Any, expected: str) -> None:
    reason = f"{subject(record)}: {name} is recorded as '{_short(value)}'; expected is '{expected}'."
    judge.find("state-foreign-name", record.urn, reason)


def _optional(judge: Judge, record: Record) -> None:
    other = judge.known.get(str(record.raw.get("deletedWith") or ""))
    along = other.name if other else ""
    for rule, rest in judge_options(record.raw, record.entry, along, judge.expected.settings):
        judge.find(rule, record.urn, f"{subject(record)} {rest}")


def _relations(judge: Judge, record: Record) -> None:
    raw = record.raw
    parent = raw.get("parent") or ""
    if parent and parent not in judge.known:
        judge.find("state-relation", record.urn, f"{subject(record)} has a parent that is not recorded before it.")
    elif not parent and record.type != STACK_TYPE and not record.type.startswith(PROVIDER_TYPE):
        judge.find("state-relation", record.urn, f"{subject(record)} has no parent.")
    named = [raw.get("dependencies") or [], *(each or [] for each in (raw.get("propertyDependencies") or {}).values())]
    missing = {urn for urns in named for urn in urns if urn not in judge.known}
    for urn in sorted(missing):
        judge.find(
            "state-relation",
            record.urn,
            f"{subject(record)} depends on something that is not recorded before it.",
            f"Depends on: {urn}",
        )


def _values(judge: Judge, record: Record) -> None:
    for side in ("inputs", "outputs", "replacementTrigger"):
        try:
            found = list(look(record.raw.get(side), judge.expected.sealed))
        except TooDeep:
            judge.find("state-form", record.urn, f"{subject(record)}: its {side} are nested too deep for a program's.")
            continue
        for what, path in found:
            where = f"{side}.{path}" if path else side
            if what == "clear":
                judge.find("state-secret", record.urn, f"{subject(record)}: {_short(where)} stands in clear.")
            elif what == "special":
                judge.find("state-form", record.urn, f"{subject(record)}: {_short(where)} is no plain value.")
            # A provider keeps notes of its own (`__inputs`), which it marks as secret whatever they hold.
            elif judge.part in judge.expected.without_secrets and not path.startswith("__"):
                judge.find(
                    "state-secret",
                    record.urn,
                    f"{subject(record)}: {_short(where)} is a secret, and this stack's state must hold none.",
                )


def subject(record: Record) -> str:
    """How findings call a record."""
    return f"{record.type.rpartition(':')[2]} '{record.name}'"


def _short(value: Any) -> str:
    return str(value)[:200]
