"""Keys that an update made and lost: it was killed after IAM had made one and before the state held its secret.

IAM shows a secret once, so nobody has it; but the key takes one of the two places that a user has, and no key can be
made in its place. One is taken for lost only where all of this holds: the state says that an update was interrupted
while it made a key of this user, and records this one nowhere; it was never used; no variable group that was looked at
publishes it; and it is so old that no update can still be about to write it down.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from audit.clouds import Gone, NotOffered, Refused
from audit.clouds.aws import Aws
from audit.errors import AuditError
from audit.state import Resource, StackState

if TYPE_CHECKING:
    from audit.keys.key import Key

YOUNGEST = timedelta(minutes=10)
"""An engine writes down what was made at once; a key younger than this may be of an update that still goes on."""


def made_for(key: "Key", state: StackState) -> str:
    """Name of the resource that an interrupted update was making when it may have lost this key; else empty."""
    if any(item.kind == "aws:iam:AccessKey" and item.id == key.id for item in state.resources):
        return ""
    return next((item.name for item in _interrupted(key, state)), "")


def _interrupted(key: "Key", state: StackState) -> Iterator[Resource]:
    """The engine keeps such an entry until a refresh clears it, also when the resource has been made since: what was
    lost is then older."""
    made = {item.urn: item for item in state.of("aws:iam:AccessKey")}
    for item in state.interrupted:
        since = made.get(item.urn)
        later = since is not None and since.created and datetime.fromisoformat(since.created) < key.created
        if item.kind == "aws:iam:AccessKey" and item.inputs.get("user") == key.user and not later:
            yield item


def doubt(key: "Key", now: datetime, *, published_known: bool) -> str:
    """What speaks against it that the key is lost, as the end of a sentence; else empty."""
    if not key.used_known:
        return "whether it was used could not be looked up"
    if key.last_used is not None:
        return "it was used, so somebody has its secret"
    if not published_known:
        return "where keys are published was not looked at"
    if key.published:
        return f"{key.published[0]} publishes it"
    if now - key.created < YOUNGEST:
        return f"an update could still be about to record it: look again after {key.created + YOUNGEST:%H:%M} UTC"
    return ""


def remove(aws: Aws, key: "Key") -> None:
    """Deletes the key. Raises AuditError."""
    try:
        aws.call("iam", "DeleteAccessKey", UserName=key.user, AccessKeyId=key.id)
    except Gone:  # somebody else did
        return
    except (Refused, NotOffered) as refusal:
        raise AuditError(f"access key {key.id} of '{key.user}' could not be deleted: {refusal}") from None
