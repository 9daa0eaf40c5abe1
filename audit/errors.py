"""The one error of this room that a user is meant to read."""


class AuditError(Exception):
    """Bad usage or unreadable input: one sentence that names the thing, the rule and the remedy. Never holds a
    secret."""


def size(text: str) -> int:
    """A limit on the command line (--max-bytes): a whole number of bytes, 1 or more. Raises AuditError."""
    if not (text.isascii() and text.isdigit()) or not int(text[:20]):
        raise AuditError(f"--max-bytes {text[:40]}: must be a whole number of bytes, 1 or more")
    return int(text[:20])
