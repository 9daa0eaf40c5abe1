"""A new access key is not known to AWS everywhere at once: a step waits for it, up to a bound, and says so.

IAM is eventually consistent: the variable group holds a key from the moment in which it was made, and a run can begin
then. AWS answers who asks with a key that it does not know yet as who asks with a deleted one, so in the end it is an
error. STS is asked first; another service can learn of the key later, so the login to ECR is asked for again too.
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from pipelines import agent, clients
from pipelines.stack_region import region

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.exceptions import ClientError

Answer = TypeVar("Answer")

UNKNOWN = frozenset({"InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"})
"""What services call a key that they do not know: S3, those that answer in XML, those that answer in JSON."""
DELAYS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before each further try, 30 in all; AWS tells nobody when a key is known."""


def wait(stack: str) -> None:
    """Wait until STS knows the access key of a job's step, where it has one. Raises Stop for one that stays unknown."""
    key = agent.optional("AWS_ACCESS_KEY_ID")
    if not (agent.on_agent() and key and agent.optional("AWS_SECRET_ACCESS_KEY")):
        return
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    once = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1})
    try:
        known(clients.client("sts", region(stack), config=once).get_caller_identity)
    except ClientError as error:
        if _code(error) in UNKNOWN:
            raise agent.Stop(
                f"AWS knows no access key {key}, or it is disabled: the variable group holds another one than IAM. Run "
                "`pulumi up` of the foundation, then run this again."
            ) from None
        print(f"STS does not say whether the access key {key} is known: {_code(error)}", flush=True)
    except BotoCoreError as error:  # a network without a way to STS; what the step asks next has its own errors
        print(f"STS could not be asked whether the access key {key} is known: {type(error).__name__}", flush=True)


def known(ask: Callable[[], Answer]) -> Answer:
    """The answer, asked for again while the key is not known. Raises what botocore does, in the end that too."""
    from botocore.exceptions import ClientError

    for delay in DELAYS:
        try:
            return ask()
        except ClientError as error:
            if _code(error) not in UNKNOWN:
                raise
            key = agent.optional("AWS_ACCESS_KEY_ID") or "of this run"
            print(f"AWS does not know the access key {key} yet: asked again in {delay:g} s", flush=True)
        time.sleep(delay)
    return ask()


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
