"""Times and GUIDs as the service writes them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sandbox.azure_devops.errors import bad_argument


def now() -> str:
    """Return the present time, UTC, as `2026-01-31T12:00:00.123Z`."""
    return stamp(datetime.now(UTC))


def stamp(moment: datetime) -> str:
    """Write a time with a time zone."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(text: str) -> datetime:
    """Read a time of a request; one without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise bad_argument(f"'{text}' is not a time. Example: 2026-01-31T12:00:00Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def guid() -> str:
    """Return a fresh GUID."""
    return str(uuid.uuid4())
