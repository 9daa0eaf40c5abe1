"""Reads a checkpoint as an engine would, and refuses what the two could read differently: a key that is there twice, a
number that JSON does not have, another encoding, two files for one stack.

Sources: pkg/backend/diy/backend.go (stackPath), sdk/go/common/apitype (VersionedCheckpoint, CheckpointV3,
UntypedDeployment).
"""

import gzip
import json
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.errors import AuditError
from audit.history import sources
from audit.state import MAX_BYTES, NEEDED

ENGINE = (3, 4)
"""Versions of a state that this tool reads."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint. `deployment` is None for a stack that was never updated; `stack` is what the document itself says,
    empty where it does not; `others` are keys beside the deployment that are not known."""

    where: str
    document: dict[str, Any]
    deployment: Any
    stack: str
    features: Any
    others: tuple[str, ...]


def load(address: str, project: str, stack: str, max_bytes: int | None = None) -> Checkpoint:
    """The checkpoint at an address: a file, `-` for standard input, or a backend (a folder, file://, s3://, https://
    for Pulumi Cloud), where `stack` is looked for. Raises AuditError, with nothing of the text in it."""
    limit = max_bytes or MAX_BYTES
    if address == "-":
        where, data = "standard input", sys.stdin.buffer.read(limit + 1)
    elif "://" in address or Path(address).is_dir():
        where, data = sources.checkpoint(address, project, stack)
    else:
        where = address
        try:
            with Path(address).open("rb") as stream:
                data = stream.read(limit + 1)
        except OSError as error:
            raise AuditError(f"{address}: cannot be read: {error.strerror or type(error).__name__}") from None
    if len(data) > limit:
        raise AuditError(f"{where}: is larger than {limit:,} bytes (--max-bytes)")
    return read(parse(data, where), where)


def parse(data: bytes, where: str) -> dict[str, Any]:
    """The JSON object in the bytes. Raises AuditError."""
    try:
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except _Ambiguous as error:
        raise AuditError(f"{where}: {error}, so two readers could understand it differently; restore it") from None
    except json.JSONDecodeError as error:
        said = "is empty" if not data.strip() else f"is truncated or no JSON ({error.msg} in line {error.lineno})"
        raise AuditError(f"{where}: {said}; {NEEDED}") from None
    except (OSError, EOFError, zlib.error, ValueError, RecursionError):
        raise AuditError(f"{where}: is no JSON that a checkpoint could be; {NEEDED}") from None
    if not isinstance(document, dict):
        raise AuditError(f"{where}: is no checkpoint of a stack; {NEEDED}")
    return document


def read(document: dict[str, Any], where: str) -> Checkpoint:
    """The checkpoint in a document of the backend or of `pulumi stack export`. Raises AuditError."""
    version = document.get("version")
    if isinstance(version, bool) or version not in ENGINE:
        versions = " or ".join(map(str, ENGINE))
        raise AuditError(f"{where}: is no checkpoint of version {versions}, which this tool reads; {NEEDED}")
    features = document.get("features")
    if "checkpoint" in document:
        inner = document["checkpoint"]
        if not isinstance(inner, dict):
            raise AuditError(f"{where}: holds no checkpoint; restore it from a backup")
        others = [name for name in document if name not in ("version", "features", "checkpoint")]
        others += [f"checkpoint.{name}" for name in inner if name not in ("stack", "latest")]
        stack = inner.get("stack")
        return Checkpoint(
            where, document, inner.get("latest"), stack if isinstance(stack, str) else "", features, tuple(others)
        )
    if "deployment" in document:
        others = [name for name in document if name not in ("version", "features", "deployment")]
        return Checkpoint(where, document, document["deployment"], "", features, tuple(others))
    raise AuditError(f"{where}: is no checkpoint of a stack; {NEEDED}")


class _Ambiguous(Exception):  # noqa: N818 - says how
    """Something that JSON readers take differently."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Ambiguous("has an object with the same key twice")
        found[name] = value
    return found


def _no_number(_: str) -> Any:
    raise _Ambiguous("has a number that JSON does not know")
