"""The AWS account that the places of state are in, what is done there, and what marks as ours what is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines import agent

if TYPE_CHECKING:
    from collections.abc import Callable

MARK = "app-one:state"
"""The tag of all that this makes; its value says whose state it is for."""
FOUNDATION, IMAGE = "foundation", "image"


@dataclass(frozen=True)
class Change:
    """One thing to do, and how a plan calls it."""

    text: str
    do: Callable[[], object]


class Aws:
    """The account, as who calls sees it."""

    def __init__(self, region: str) -> None:
        try:
            import boto3
            from botocore.exceptions import BotoCoreError, ClientError
        except ModuleNotFoundError:
            raise agent.Stop("boto3 is not there: pip install -r requirements.txt", agent.USAGE) from None
        self._errors, self._client_error = (BotoCoreError, ClientError), ClientError
        self.region = region
        try:
            session = boto3.session.Session(region_name=region)
            self.s3: Any = session.client("s3")
            self.kms: Any = session.client("kms")
            self._sts: Any = session.client("sts")
        except BotoCoreError as error:
            raise agent.Stop(f"AWS: {error}") from None
        caller = self.ask(self._sts.get_caller_identity)
        self.account, self.caller = str(caller["Account"]), str(caller["Arn"])
        self.partition = self.caller.split(":")[1]

    def ask(self, call: Callable[..., Any], *absent: str, **parameters: Any) -> Any:
        """The answer; None where the service answers with one of the codes in `absent`. Raises Stop."""
        try:
            return call(**parameters)
        except self._errors as error:
            code = str(error.response["Error"]["Code"]) if isinstance(error, self._client_error) else ""
            if code in absent:
                return None
            raise agent.Stop(f"AWS: {error}") from None


def not_marked(what: str) -> agent.Stop:
    """The refusal of what is there and is not ours."""
    return agent.Stop(
        f"{what} is there and is not marked as this project's (tag {MARK}): choose another name; if it is yours and "
        f"holds this state, --adopt takes it",
        agent.REFUSED,
    )
