"""What the program asks the clouds before it declares anything: a refusal is one sentence, not a traceback."""

from collections.abc import Callable
from typing import TypeVar

import pulumi

Answer = TypeVar("Answer")


class LookUpError(pulumi.RunError):
    """A cloud did not answer; the message names what was asked, its reason and the remedy."""


def look_up(what: str, remedy: str, ask: Callable[[], Answer]) -> Answer:
    """Asks at once, rather than as an output: an output that fails ends the program with a traceback.

    what: what is looked up, as the start of the error's sentence. remedy: what a person can do about a refusal.
    """
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 (the SDK raises Exception itself)
        raise LookUpError(f"{what} could not be looked up: {error}\n{remedy}") from None
