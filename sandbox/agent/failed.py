"""What is kept of a step that failed, so that it can be run alone (`sandbox.agent.alone`). No secret is in it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Failed:
    """A step that failed. job: its number at the service; step: its own, from 1. path: folders before PATH.

    variables: that were set before it, with macros, without secrets; lost: names of secrets that steps had set.
    """

    job: int
    step: int
    title: str
    path: list[str]
    variables: dict[str, str]
    lost: list[str]


def keep(failed: list[Failed], folder: Path) -> None:
    """Write the records of a job beside the folder in which it will be kept."""
    if failed:
        file = os.open(folder.with_suffix(".json"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as out:
            json.dump([asdict(one) for one in failed], out)


def kept(file: Path) -> list[Failed]:
    """The records of a job."""
    return [Failed(**one) for one in json.loads(file.read_text(encoding="utf-8"))]
