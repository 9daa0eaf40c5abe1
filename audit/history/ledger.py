"""The ledger: one entry an update, chained by digests, so that a change of any entry shows.

The digest of an entry is the SHA-256 of its canonical JSON (sorted keys, no blanks, UTF-8) without `digest` itself;
`previous` is the digest of the entry before, so each digest covers all that came earlier. Whoever can rewrite the whole
ledger can also rewrite its chain: keep the head digest elsewhere (a pull request, a signed tag) and verify with --head.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit.errors import AuditError
from audit.history.sources import Source, Update
from audit.history.steps import Resources, plan, resources_of
from audit.model import Finding, Step
from audit.report.catalogue import CLASSES
from audit.report.text import cleaned
from audit.secrets.redact import Redactor
from audit.state import deployment_of

SCHEMA, SCHEMA_VERSION = "app-one-audit-history", "1.0"
GENESIS = "sha256:" + "0" * 64
"""What the first entry names as the one before."""

MOST_STEPS = 500
"""Steps written for one update, worst first; the rest is counted."""

PIPELINE = (
    "ci.system",
    "ci.build.id",
    "ci.build.number",
    "ci.build.type",
    "ci.build.url",
    "ci.pr.headSHA",
    "ci.pr.number",
)
Entry = dict[str, Any]
Ledger = dict[str, Any]


def build(source: Source, redactor: Redactor, old: Ledger | None = None) -> Ledger:
    """The ledger of a history; `old` is an earlier one of it, whose entries are kept and checked. Raises AuditError."""
    kept: list[Entry] = [] if old is None else old["entries"]
    if old is not None:
        _same_history(old, source)
    by_id = {entry["id"]: entry for entry in kept}
    entries = list(kept)
    before: Resources = {}
    config: Mapping[str, Any] = {}
    seen_new = False
    for update in source.updates():
        known = by_id.get(update.id)
        after = resources_of(deployment_of(update.state, update.name), update.name)
        if known is None:
            seen_new = True
            entries.append(_entry(update, entries, before, after, config, redactor))
        elif seen_new:
            raise AuditError(
                f"the backend has update {update.id} after one that the ledger lacks: an update was put in between"
            )
        elif (known["infoDigest"], known["stateDigest"]) != (update.info_digest, update.state_digest):
            raise AuditError(
                f"{update.name}: is not what it was when entry {known['number']} of the ledger was written: "
                "the history was altered"
            )
        before, config = after, _config(update)
    return {
        "schema": SCHEMA,
        "version": SCHEMA_VERSION,
        "backend": redactor.text(source.where),
        "project": source.project,
        "stack": source.stack,
        "head": entries[-1]["digest"] if entries else GENESIS,
        "entries": entries,
    }


def _same_history(old: Ledger, source: Source) -> None:
    if (old["project"], old["stack"]) != (source.project, source.stack):
        raise AuditError(
            f"the ledger is of {old['project']}/{old['stack']}, the history of {source.project}/{source.stack}"
        )


def _entry(
    update: Update,
    entries: list[Entry],
    before: Resources,
    after: Resources,
    config: Mapping[str, Any],
    redactor: Redactor,
) -> Entry:
    info = update.info
    environment = _mapping(info.get("environment"))
    done, findings = plan(before, after, redactor)
    entry: Entry = {
        "number": len(entries) + 1,
        "previous": entries[-1]["digest"] if entries else GENESIS,
        "id": update.id,
        "kind": _text(info.get("kind")),
        "result": _text(info.get("result")),
        "started": _time(info.get("startTime")),
        "ended": _time(info.get("endTime")),
        "message": _text(info.get("message")),
        "who": _who(update, environment),
        "commit": _commit(environment),
        "pipeline": {name: _text(environment[name]) for name in PIPELINE if environment.get(name)},
        "engine": _text(environment.get("pulumi.version")),
        "operations": {
            str(name): count
            for name, count in _mapping(info.get("resourceChanges")).items()
            if isinstance(count, int) and name != "same"
        },
        "resources": len(after),
        "settings": _settings(config, _config(update)),
        "worst": CLASSES.worst([finding.risk for finding in findings]),
        **_steps(done.steps, findings),
        "infoDigest": update.info_digest,
        "stateDigest": update.state_digest,
    }
    redacted: Entry = {
        name: item if name in ("number", "previous", "id", "infoDigest", "stateDigest") else redactor.value(item)
        for name, item in entry.items()
    }
    redacted["commit"] = entry["commit"]  # a revision is 40 hexadecimal digits and no secret
    clean: Entry = cleaned(redacted)
    clean["digest"] = digest(clean)
    return clean


def _steps(steps: list[Step], findings: list[Finding]) -> dict[str, Any]:
    by_urn: dict[str, list[Finding]] = {}
    for finding in findings:
        by_urn.setdefault(finding.urn, []).append(finding)
    rows = [
        {
            "urn": step.urn,
            "type": step.type,
            "op": step.op,
            "risk": CLASSES.worst([finding.risk for finding in by_urn.get(step.urn, [])]),
            "findings": [
                {"risk": finding.risk, "reason": finding.reason, "proved": finding.proved}
                for finding in by_urn.get(step.urn, [])
                if finding.risk != "change"
            ],
            "changes": list(dict.fromkeys(change.path for change in step.changes))[:50],
        }
        for step in steps
    ]
    rows.sort(key=lambda row: (CLASSES.rank[str(row["risk"])], str(row["urn"])))
    return {"steps": rows[:MOST_STEPS], "stepsLeftOut": max(0, len(rows) - MOST_STEPS)}


def _who(update: Update, environment: Mapping[str, Any]) -> dict[str, str]:
    """Who made the update, and how that is known: the backend's own record, else the author of the commit."""
    if update.requested_by:
        return {"name": update.requested_by, "email": "", "source": "backend"}
    name, email = _text(environment.get("git.author")), _text(environment.get("git.author.email"))
    return {"name": name, "email": email, "source": "commit" if name or email else "not recorded"}


def _commit(environment: Mapping[str, Any]) -> dict[str, Any]:
    owner, name = _text(environment.get("vcs.owner")), _text(environment.get("vcs.repo"))
    return {
        "revision": _text(environment.get("git.head")),
        "branch": _text(environment.get("git.headName")),
        "dirty": environment.get("git.dirty") == "true",
        "repository": "/".join(part for part in (owner, name) if part),
    }


def _config(update: Update) -> Mapping[str, Any]:
    return _mapping(update.info.get("config"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Settings that differ from the update before; of a secret one only that it does."""
    return [
        {"name": name, "old": _setting(before.get(name)), "new": _setting(after.get(name))}
        for name in sorted({*before, *after})
        if before and before.get(name) != after.get(name)
    ]


def _setting(value: Any) -> Any:
    if isinstance(value, dict) and ("secure" in value or value.get("secret") is True):
        return "[secret]"
    if isinstance(value, dict) and ("string" in value or "object" in value):
        return value.get("string", value.get("object"))
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _time(value: Any) -> str:
    """Seconds since the epoch as RFC 3339."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1 << 40:
        return ""
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- the chain


def digest(entry: Mapping[str, Any]) -> str:
    """The digest of an entry, which covers the one before through `previous`."""
    content = {name: value for name, value in entry.items() if name != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def problems(ledger: Ledger, head: str | None = None) -> list[str]:
    """Where the chain does not hold, entry by entry; [] for a chain that does. `head` is the digest that the last entry
    must have."""
    found = []
    previous, number = GENESIS, 0
    for place, entry in enumerate(ledger["entries"], 1):
        if entry["number"] != number + 1:
            what = "missing" if entry["number"] > number + 1 else "out of order or doubled"
            found.append(
                f"entry {entry['number']} stands in place {place}, after entry {number}: "
                + (f"{_missing(number + 1, entry['number'] - 1)} missing" if what == "missing" else f"it is {what}")
            )
        elif entry["previous"] != previous:
            found.append(
                f"entry {entry['number']} ({entry['id']}) does not follow from the one before: entry {number} was "
                "altered, removed or replaced"
            )
        if digest(entry) != entry["digest"]:
            found.append(f"entry {entry['number']} ({entry['id']}) was altered: its content does not give its digest")
        previous, number = entry["digest"], entry["number"]
    if ledger["head"] != previous:
        found.append(
            f"the ledger ends with entry {number}, and its head names another one: entries were removed at the end"
        )
    if head is not None and head != previous:
        found.append(f"the last entry's digest is {previous}, expected is {head}")
    return found


def _missing(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"


ENTRY_TYPES: dict[str, type] = {
    "number": int,
    "previous": str,
    "id": str,
    "digest": str,
    "infoDigest": str,
    "stateDigest": str,
    "steps": list,
    "who": dict,
    "commit": dict,
    "worst": str,
}


def load(path: str, max_bytes: int | None = None) -> Ledger:
    """A ledger from a file. Raises AuditError for what is none."""
    limit = max_bytes or 1 << 30
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise AuditError(f"{path}: cannot be read: {error.strerror or type(error).__name__}") from None
    if len(data) > limit:
        raise AuditError(f"{path}: is larger than {limit:,} bytes (--max-bytes)")
    try:
        ledger = json.loads(data)
    except (ValueError, RecursionError):
        raise AuditError(f"{path}: is truncated or no JSON, so it is no ledger") from None
    if not isinstance(ledger, dict) or ledger.get("schema") != SCHEMA:
        raise AuditError(f"{path}: is no ledger of `audit history`")
    if ledger.get("version") != SCHEMA_VERSION:
        raise AuditError(f"{path}: is a ledger of another version than {SCHEMA_VERSION}")
    entries = ledger.get("entries")
    texts = all(isinstance(ledger.get(name), str) for name in ("head", "project", "stack", "backend"))
    if not texts or not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise AuditError(f"{path}: has an entry without its parts, so it is no whole ledger")
    return ledger


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and all(
        isinstance(entry.get(name), kind) and not isinstance(entry.get(name), bool)
        for name, kind in ENTRY_TYPES.items()
    )


def worst_of(entries: Iterable[Entry]) -> str:
    """The worst class of any of the entries."""
    return CLASSES.worst([entry["worst"] for entry in entries])
