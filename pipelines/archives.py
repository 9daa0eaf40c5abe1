"""Archives of official releases: downloaded, compared with their pinned SHA-256, unpacked.

A list of sums beside an archive could change with it, so the sums stand in this repository, `SUM  FILE` a line: an
archive without a line is refused, and so is one with another sum.
"""

from __future__ import annotations

import hashlib
import http.client
import tarfile
import tempfile
import urllib.request
from pathlib import Path

from pipelines import agent

SECONDS = 60.0
"""How long a silent connection is waited for."""


def download(url: str, seconds: float = SECONDS) -> bytes:
    """What an address serves. Raises Stop where it can't be had."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:  # noqa: S310 (a constant https address)
            return bytes(answer.read())
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError, as are TLS's
        raise agent.Stop(f"{url} could not be read: {getattr(error, 'reason', error)}") from None


def listed(sums: str, file: str) -> str | None:
    """The sum of a file in a list of sums."""
    rows = (line.split() for line in sums.splitlines() if not line.startswith("#"))
    return next((row[0].lower() for row in rows if len(row) == 2 and row[1].lstrip("*") == file), None)


def pinned(pins: Path, file: str, command: str) -> str:
    """The pinned sum of a file. Raises Stop with the command that pins it."""
    expected = listed(pins.read_text(encoding="utf-8"), file)
    if expected is None:
        raise agent.Stop(
            f"pipelines/{pins.name} lists no {file}: run `python -m {command} --pin` where the release can be reached, "
            "review and commit the list",
            agent.USAGE,
        )
    return expected


def sum_of(content: bytes) -> str:
    """The SHA-256 of an archive."""
    return hashlib.sha256(content).hexdigest()


def check(content: bytes, file: str, expected: str) -> None:
    """Raises Stop (code 3) where the content is not the pinned one."""
    if (found := sum_of(content)) != expected:
        raise agent.Stop(f"{file} has the checksum {found}, not {expected}: nothing was installed", agent.REFUSED)


def unpack(content: bytes, folder: Path, inner: str = "") -> Path:
    """Unpack a checked archive into a new folder, by a temporary one and a rename.

    inner: the folder within the archive that is wanted; empty for all of it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        packed, unpacked = Path(temporary, "archive"), Path(temporary, "content")
        packed.write_bytes(content)
        with tarfile.open(packed) as tar:
            # Python before 3.11.4 has no filters; the content is what the pinned checksum says in any case.
            if hasattr(tarfile, "data_filter"):
                tar.extractall(unpacked, filter="data")
            else:
                tar.extractall(unpacked)  # noqa: S202
        (unpacked / inner).rename(folder)
    return folder


def write_pins(pins: Path, rows: list[str]) -> None:
    """Replace the sums of a list, and keep its comment."""
    comment = [line for line in pins.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    pins.write_text("\n".join([*comment, *rows]) + "\n", encoding="utf-8")
    print(f"{pins} pins {len(rows)} archives: review and commit it")
