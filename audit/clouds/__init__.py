"""Reads the clouds' own APIs: nothing here changes anything, and every refusal says which permission it was."""

from dataclasses import dataclass


@dataclass(slots=True)
class LookupRefusedError(Exception):
    """One look-up failed: what it would have shown is not known. `permission` is what the caller needs; empty where it
    is not for want of one."""

    permission: str
    what: str
    why: str

    def __str__(self) -> str:
        needed = f"; the permission {self.permission} is needed" if self.permission else ""
        return f"{self.what} cannot be read ({self.why}){needed}"

    @property
    def details(self) -> list[str]:
        """What a finding says besides."""
        return [f"Needed: {self.permission}"] if self.permission else ["It was no matter of permission: look again."]


@dataclass(slots=True)
class LookupNotOfferedError(Exception):
    """The endpoint does not know the look-up at all: an emulation, or a partition without the feature."""

    what: str

    def __str__(self) -> str:
        return f"{self.what} is not offered by this endpoint, so it was not looked at"


__all__ = ["LookupNotOfferedError", "LookupRefusedError"]
