"""IAM's eventual consistency: a new access key is not known everywhere at once (moto: it is)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True)
class NewKeys:
    """Which keys are not known yet.

    file: {"refused": N}. A key that is made while the file is there is unknown to the first N requests that come with
    it, whichever service they ask: AWS answers them as those with a deleted key. Without the file every key is known at
    once. By requests and not by time, so that who asks again always gets there.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    """

    file: Path
    _refused: Counter[str] = field(default_factory=Counter)

    def hides(self, key_id: str, made: datetime) -> bool:
        """Whether this request is one of those; it is counted."""
        try:
            since, content = self.file.stat().st_mtime, self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        if made.timestamp() < since or self._refused[key_id] >= json.loads(content)["refused"]:
            return False
        self._refused[key_id] += 1
        return True
