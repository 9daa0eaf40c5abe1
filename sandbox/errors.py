"""The one error that a user of the sandbox sees."""

from __future__ import annotations


class SandboxError(Exception):
    """Something the user can mend: the message names the thing, the rule and the remedy."""
