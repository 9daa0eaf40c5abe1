"""What a program's checkpoints may hold: the list that the program keeps of itself (--expect), read and asked.

    plugins:
      aws:
        versions: [7.51.1]               # exactly; an older one beside it while a stack still records it
        settings: {region: "${aws:region}"}   # what its provider may be set to
        properties: {region: "${aws:region}"} # what every resource of it has, if it has it
    sealed: [secret]                     # names of properties whose values must be encrypted
    constant: [projectId]                # properties that have one value in a whole stack
    without_secrets: [image]             # parts in whose state nothing is secret
    components:
      - type: app-one:infra:Repository
        names: [repository]
        part: foundation
        resources:
          - type: aws:ecr/repository:Repository
            names: [repository]
            id: ${repositoryName}
            properties: {name: "${repositoryName}"}  # in inputs and outputs
            outputs: {arn: "arn:{word}:ecr:${aws:region}:{account}:repository/${repositoryName}"}
            protected_unless: forceDelete
            ignore_changes: ['tags["app-one:incarnation"]']

In a text `${KEY}` is a setting of the stack (or one of a list of them, `${KEY[].PART}`; with `|bare` an address without
its https://), `{number}` a whole number, `{word}` one of small letters, digits and -, `{any}` any text, and `{account}`
an AWS account, the same in the whole state. A text can be a list of them, of which one has to fit. `outputs` are what
others take: what does not change an engine hands to the program as it is recorded. A resource stands below the
component that it is a child of; one without a component stands among the components, with a `type` of a plugin.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.checkpoint import records
from audit.checkpoint.settings import Settings, read_yaml
from audit.errors import AuditError

PIECE = re.compile(r"\$\{([^{}$]+)\}|\{(number|word|any|account)\}")
KINDS = {"number": "[0-9]+", "word": "[a-z0-9-]+", "any": "[^\x00-\x1f]*", "account": "([0-9]{12})"}
Template = str | list[str]


@dataclass(frozen=True, slots=True)
class Plugin:
    """A package whose provider may be recorded."""

    versions: tuple[str, ...]
    settings: Mapping[str, Template] = field(default_factory=dict)
    properties: Mapping[str, Template] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A resource or a component that the program can declare, under any of `names`."""

    type: str
    names: tuple[str, ...]
    part: str
    parent: "Entry | None" = None
    id: str = ""
    properties: Mapping[str, Template] = field(default_factory=dict)
    outputs: Mapping[str, Template] = field(default_factory=dict)
    protected_unless: str = ""
    deleted_with: str = ""
    ignore_changes: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def qualified(self) -> str:
        """The type as a URN has it: with the types of the components around it."""
        return f"{self.parent.qualified}${self.type}" if self.parent else self.type


@dataclass(frozen=True, slots=True)
class Expected:
    """All of it, for one stack."""

    settings: Settings
    plugins: Mapping[str, Plugin]
    entries: Sequence[Entry]
    sealed: frozenset[str]
    constant: frozenset[str]
    parts: frozenset[str]
    """All that the list names."""
    without_secrets: frozenset[str]

    @classmethod
    def load(cls, path: Path, settings: Settings) -> "Expected":
        """From the file of --expect. Raises AuditError that names what is wrong there."""
        document = _known(read_yaml(path), path, "", "plugins", "sealed", "constant", "without_secrets", "components")
        plugins = {}
        for name, item in _known(document.get("plugins"), path, "plugins").items():
            given = _known(item, path, f"plugins.{name}", "versions", "settings", "properties")
            plugins[name] = Plugin(
                _texts(given.get("versions"), path, f"plugins.{name}.versions"),
                _templates(given.get("settings"), path, f"plugins.{name}.settings"),
                _templates(given.get("properties"), path, f"plugins.{name}.properties"),
            )
        entries = list(_entries(document.get("components"), path, None, ""))
        return cls(
            settings=settings,
            plugins=plugins,
            entries=entries,
            sealed=frozenset(_texts(document.get("sealed") or [], path, "sealed")),
            constant=frozenset(_texts(document.get("constant") or [], path, "constant")),
            parts=frozenset(entry.part for entry in entries),
            without_secrets=frozenset(_texts(document.get("without_secrets") or [], path, "without_secrets")),
        )

    def find(self, qualified: str, name: str) -> list[Entry]:
        """The entries that a URN's type and name fit; several where one type stands below several components."""
        return [
            entry
            for entry in self.entries
            if entry.qualified == qualified and any(self.fits(pattern, name) for pattern in entry.names)
        ]

    def fits(self, template: Template, value: Any) -> bool:
        """Whether a recorded value is what the template says; of a list, whether each entry is. Raises AuditError
        where a setting that the template names is nowhere set."""
        return self.accounts(template, value) is not None

    def accounts(self, template: Template, value: Any) -> set[str] | None:
        """The accounts in a value that fits; None where it does not. Raises AuditError as `fits`."""
        if isinstance(value, list):
            found = [self.accounts(template, item) for item in value]
            return None if None in found else {account for each in found for account in each or ()}
        if isinstance(value, bool):
            value = str(value).lower()
        if not isinstance(value, (str, int)):
            return None
        for one in [template] if isinstance(template, str) else template:
            if match := re.fullmatch(self.pattern(one), str(value), re.DOTALL):
                return set(match.groups())
        return None

    def pattern(self, template: str) -> str:
        """The regular expression of a template, for this stack's settings."""
        parts, end = [], 0
        for found in PIECE.finditer(template):
            parts.append(re.escape(template[end : found.start()]))
            if found[1]:
                parts.append(f"(?:{'|'.join(map(re.escape, self.settings.values(found[1])))})")
            else:
                parts.append(KINDS[found[2]])
            end = found.end()
        return "".join([*parts, re.escape(template[end:])])

    def said(self, template: Template) -> str:
        """The template as a finding shows it: with the settings' values."""
        if isinstance(template, list):
            return " or ".join(map(self.said, template))
        return PIECE.sub(
            lambda found: (" or ".join(self.settings.values(found[1])) or "nothing") if found[1] else f"<{found[2]}>",
            template,
        )


def _entries(rows: Any, path: Path, parent: Entry | None, inherited: str) -> Iterator[Entry]:
    if not isinstance(rows, list):
        raise _wrong(path, "components" if parent is None else f"the resources of {parent.type}", "a list")
    keys = (
        "type",
        "names",
        "part",
        "id",
        "properties",
        "outputs",
        "protected_unless",
        "deleted_with",
        "ignore_changes",
    )
    for row in rows:
        where = f"an entry of {parent.type}" if parent else "an entry of components"
        item = _known(row, path, where, *keys, "options", "resources")
        kind, part = item.get("type"), item.get("part", inherited)
        if not isinstance(kind, str) or not isinstance(part, str) or not part:
            raise _wrong(path, where, "an object with type, names and part")
        entry = Entry(
            type=kind,
            names=_texts(item.get("names"), path, f"names of {kind}"),
            part=part,
            parent=parent,
            id=_text(item.get("id"), path, f"id of {kind}"),
            properties=_templates(item.get("properties"), path, f"properties of {kind}"),
            outputs=_templates(item.get("outputs"), path, f"outputs of {kind}"),
            protected_unless=_text(item.get("protected_unless"), path, f"protected_unless of {kind}"),
            deleted_with=_text(item.get("deleted_with"), path, f"deleted_with of {kind}"),
            ignore_changes=_texts(item.get("ignore_changes") or [], path, f"ignore_changes of {kind}"),
            options=_texts(item.get("options") or [], path, f"options of {kind}"),
        )
        yield entry
        if "resources" in item:
            yield from _entries(item["resources"], path, entry, part)


def _known(value: Any, path: Path, where: str, *keys: str) -> dict[str, Any]:
    """The object, with no other keys than these; with any where none are given."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _wrong(path, where or "the file", "an object")
    others = sorted(set(value) - set(keys)) if keys else []
    if others:
        raise AuditError(f"{path}: {where or 'the file'} has {others[0]}, which is none of {', '.join(keys)}")
    return value


def _texts(value: Any, path: Path, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(path, where, "a list of texts")
    return tuple(value)


def _text(value: Any, path: Path, where: str) -> str:
    if value is not None and not isinstance(value, str):
        raise _wrong(path, where, "a text")
    return value or ""


def _templates(value: Any, path: Path, where: str) -> dict[str, Template]:
    found = _known({} if value is None else value, path, where)
    if not all(isinstance(item, str) or records.is_texts(item) for item in found.values()):
        raise _wrong(path, where, "an object of texts, or of lists of them")
    return found


def _wrong(path: Path, where: str, rule: str) -> AuditError:
    return AuditError(f"{path}: {where} must be {rule}; `python -m audit state --help` names the page that shows it")
