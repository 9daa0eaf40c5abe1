"""Reads the clouds' own APIs: nothing here changes anything, and every refusal says which permission it was."""

from dataclasses import dataclass


@dataclass(slots=True)
class LookupRefusedError(Exception):
    """One look-up was refused: what it would have shown is not known. `permission` is what the caller needs."""

    permission: str
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} cannot be read ({self.why}); the permission {self.permission} is needed"


@dataclass(slots=True)
class LookupNotOfferedError(Exception):
    """The endpoint does not know the look-up at all: an emulation, or a partition without the feature."""

    what: str

    def __str__(self) -> str:
        return f"{self.what} is not offered by this endpoint, so it was not looked at"


__all__ = ["LookupNotOfferedError", "LookupRefusedError"]
