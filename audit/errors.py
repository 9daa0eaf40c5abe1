"""The one error of this room that a user is meant to read."""


class AuditError(Exception):
    """Bad usage or unreadable input: one sentence that names the thing, the rule and the remedy. Never holds a
    secret."""
