"""Looks through the properties of a record: what is sealed, what stands in clear, and what would be more than a value.

Source: sdk/go/common/resource/sig (the signatures of secrets, assets, archives, references and outputs).
"""

from collections.abc import Iterator
from typing import Any

from audit.model import SECRET_ENVELOPE, SECRET_SIGNATURE

DEEPEST = 200
"""Levels of nesting; a program's values have a dozen."""


class TooDeep(Exception):  # noqa: N818 - a state of things
    """A value is nested deeper than any program's."""


def look(
    value: Any, sealed: frozenset[str], path: str = "", name: str = "", deep: int = 0
) -> Iterator[tuple[str, str]]:
    """What is to be said of a value, as (what, path): `sealed` for an encrypted value; `clear` for a value that is not
    encrypted though its name is one of `sealed`; `special` for an envelope of another kind. Raises TooDeep."""
    if deep > DEEPEST:
        raise TooDeep
    if isinstance(value, dict):
        if SECRET_ENVELOPE in value:
            yield _envelope(value), path
            return
        for key, item in value.items():
            yield from look(item, sealed, f"{path}.{key}" if path else key, key, deep + 1)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from look(item, sealed, f"{path}[{number}]", name, deep + 1)
    elif name in sealed and value not in (None, ""):
        yield "clear", path


def is_sealed(value: Any) -> bool:
    """Whether a value is an encrypted one, and nothing more."""
    return isinstance(value, dict) and SECRET_ENVELOPE in value and _envelope(value) == "sealed"


def _envelope(value: dict[str, Any]) -> str:
    # `plaintext` stands in an export with --show-secrets: an engine that reads it keeps it a secret.
    others = {name: item for name, item in value.items() if name != SECRET_ENVELOPE}
    known = len(others) == 1 and isinstance(others.get("ciphertext", others.get("plaintext")), str)
    return "sealed" if known and value[SECRET_ENVELOPE] == SECRET_SIGNATURE else "special"
