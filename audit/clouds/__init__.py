"""Reads the clouds' own APIs: nothing that is asked here changes anything (`audit prove` alone makes something, for its
time). A look-up gives its answer, or raises Gone or Refused; every refusal says which permission it was."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


class Gone(Exception):  # noqa: N818 - a state of things, no error
    """What was asked for is not there."""


@dataclass(slots=True)
class Refused(Exception):  # noqa: N818 - as the service says it
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
class NotOffered(Exception):  # noqa: N818 - as the service says it
    """The endpoint does not know the look-up at all: an emulation, or a partition without the feature."""

    what: str

    def __str__(self) -> str:
        return f"{self.what} is not offered by this endpoint, so it was not looked at"


def found(look: Callable[[], T]) -> T | None:
    """What the look-up gives, or None where it is not there, and that is an answer like any other. Raises Refused and
    NotOffered."""
    try:
        return look()
    except Gone:
        return None
