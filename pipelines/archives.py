"""Archives of official releases: downloaded, compared with their pinned SHA-256, unpacked.

A list of sums beside an archive could change with it, so the sums stand in this repository, `SUM  FILE` a line: an
archive without a line is refused, and so is one with another sum.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import shutil
import tarfile
from typing import TYPE_CHECKING

from pipelines import agent

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 60.0
"""How long a silent connection is waited for."""


def download(url: str, seconds: float = SECONDS) -> bytes:
    """What an address serves. Raises Stop where it can't be had."""
    import http.client  # both take longer to import than all that is done where nothing is downloaded
    import urllib.request

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


def whole(folder: Path, executable: str) -> bool:
    """Whether a folder is installed to its end. executable: what it is there for, by its path within.

    Pulumi, too, installs plugins, right into their folder; until it is done there is a FOLDER.partial.
    """
    return (folder / executable).is_file() and not _beside(folder, "partial").exists()


def unpack(content: bytes, folder: Path, executable: str, inner: str = "") -> Path:
    """Unpack a checked archive into a folder, unless somebody has done so meanwhile.

    executable: as in `whole`. inner: the folder within the archive that is wanted; empty for all of it.
    Whenever this is killed, the next run begins anew and finds nothing of it in its way: the folder gets its name when
    everything is in it, and the lock (FOLDER.lock, which pulumi takes too) ends with the process.
    Raises Stop (code 3) where the archive has no such executable.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _beside(folder, "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if whole(folder, executable):
            return folder
        unpacked = folder.with_name(f".{folder.name}")
        _remove(unpacked)
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            # Python before 3.11.4 has no filters; the content is what the pinned checksum says in any case.
            if hasattr(tarfile, "data_filter"):
                tar.extractall(unpacked, filter="data")
            else:
                tar.extractall(unpacked)  # noqa: S202
        if not (unpacked / inner / executable).is_file():
            _remove(unpacked)
            raise agent.Stop(f"the archive for {folder} holds no {executable}: nothing was installed", agent.REFUSED)
        _remove(folder)
        (unpacked / inner).rename(folder)
        _remove(unpacked)
        _beside(folder, "partial").unlink(missing_ok=True)
    return folder


def _beside(folder: Path, mark: str) -> Path:
    """A file of that name beside a folder, as pulumi names those of its plugins."""
    return folder.with_name(f"{folder.name}.{mark}")


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def write_pins(pins: Path, rows: list[str]) -> None:
    """Replace the sums of a list, and keep its comment."""
    comment = [line for line in pins.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    pins.write_text("\n".join([*comment, *rows]) + "\n", encoding="utf-8")
    print(f"{pins} pins {len(rows)} archives: review and commit it")
