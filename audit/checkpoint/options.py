"""The options of a record: what an update does with it besides what its properties say."""

from collections.abc import Iterator, Mapping
from typing import Any

from audit.checkpoint import records
from audit.checkpoint.expected import Entry
from audit.checkpoint.settings import Settings


def judge_options(
    raw: Mapping[str, Any], entry: Entry | None, along: str, settings: Settings
) -> Iterator[tuple[str, str]]:
    """What is to be said of a record's options, as (rule, the rest of a sentence that begins with the record). `entry`
    is None for what the program's list has no entry for; `along` the name of the recorded resource of `deletedWith`.
    """
    allowed = entry.options if entry else ()
    for name, what in records.CODE.items():
        if raw.get(name):
            yield "state-foreign-code", f"{what} ({name})."
    for name, what in records.OPTIONS.items():
        if raw.get(name) and name not in allowed:
            yield "state-option", f"{what} ({name}), which the program does not say."
    for name, what in records.INTERRUPTED.items():
        if raw.get(name):
            yield "state-interrupted", f"{what}: an update was interrupted."
    ignored = raw.get("ignoreChanges") or []
    # What waits for its deletion was declared by an earlier program, and nothing compares it any more.
    if sorted(ignored) != sorted(entry.ignore_changes if entry else ()) and not raw.get("delete"):
        yield "state-option", "ignores other changes than the program says."
    if raw.get("importID") not in (None, "", raw.get("id")):
        yield "state-option", "was imported by another id than it has."
    if raw.get("deletedWith") and (entry is None or not along or entry.deleted_with != along):
        yield "state-option", "counts as deleted along with another resource, which the program does not say."
    yield from _protection(raw, entry.protected_unless if entry else "", settings)


def _protection(raw: Mapping[str, Any], unless: str, settings: Settings) -> Iterator[tuple[str, str]]:
    if not unless:
        if raw.get("protect"):
            yield "state-option", "is protected, which the program does not say."
    elif not raw.get("protect") and not raw.get("delete") and "true" not in settings.values(unless):
        yield "state-option", f"is not protected against deletion, though {unless} is not set."
