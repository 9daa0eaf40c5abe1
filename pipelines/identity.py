"""Who a run is to AWS: an access key from the variable group, or a role that it takes by an identity token of its own.

With PIPELINE_IDENTITY `oidc` a step asks Azure DevOps for a token of the service connection that the job uses
(OIDC_CONNECTION), when it begins and not before: whatever the job had to wait for has been granted by then. The token
lies in a private file, from where the SDKs exchange it for a session of AWS_ROLE_ARN; it is good for minutes, the
session for an hour. Any access key in the environment is left out, so that nothing falls back to it.
https://learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create
"""

from __future__ import annotations

import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

from pipelines import agent, new_key

VARIABLE, OIDC = "PIPELINE_IDENTITY", "oidc"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")
TRIES = 5
"""How often the token is asked for, where the service does not answer or is too busy."""
FIRST_DELAY = 1.0
"""Seconds before the second try; each later one waits twice as long."""
SECONDS = 30.0


class _Straight(urllib.request.HTTPRedirectHandler):
    """Follows nobody: where it is sent on to, the run's token would go along."""

    def redirect_request(self, *_arguments: object) -> None:
        """Make the answer an HTTPError."""


def take(stack: str) -> None:
    """Make this process the role's, if runs come with identity tokens; else wait for the key, where it is a new one.

    Raises Stop where there is no token to be had, or AWS knows no such key.
    """
    if agent.optional(VARIABLE) != OIDC:
        new_key.wait(stack)
        return
    remedy = "map it in the step's env, as pipelines/templates do; the foundation's variable groups hold it"
    role, connection = agent.setting("AWS_ROLE_ARN", remedy), agent.setting("OIDC_CONNECTION", remedy)
    file = Path(agent.setting("AWS_WEB_IDENTITY_TOKEN_FILE", "name a file in the job's private folder"))
    token = ask(connection)
    agent.set_secret(token)
    agent.private_file(file).write_text(token, encoding="utf-8")
    for name in (*KEYS, "SYSTEM_ACCESSTOKEN"):
        os.environ.pop(name, None)
    run = re.sub(r"[^\w+=,.@-]", "-", agent.optional("BUILD_BUILDID") or "0", flags=re.ASCII)
    os.environ.update(
        AWS_ROLE_ARN=role, AWS_WEB_IDENTITY_TOKEN_FILE=str(file), AWS_ROLE_SESSION_NAME=f"azure-pipelines-{run}"
    )


def ask(connection: str) -> str:
    """An identity token of a service connection. Raises Stop, at once where the service refuses."""
    uri = agent.setting("SYSTEM_OIDCREQUESTURI", "the agent sets it; is this step run by Azure Pipelines?")
    bearer = agent.setting("SYSTEM_ACCESSTOKEN", "map it: env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)")
    query = urlencode({"api-version": "7.1", "serviceConnectionId": connection})
    request = urllib.request.Request(  # noqa: S310 (the agent's own address)
        f"{uri}?{query}",
        data=b"",
        method="POST",
        headers={"Authorization": f"Bearer {bearer}", "Content-Type": "application/json", "Accept": "application/json"},
    )
    service, why = urllib.request.build_opener(_Straight), ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(FIRST_DELAY * 2 ** (attempt - 1))  # the service tells nobody when it is less busy
        try:
            with service.open(request, timeout=SECONDS) as answer:
                token = json.loads(answer.read()).get("oidcToken")
            if token:
                return str(token)
            why = "its answer holds no token"
        except urllib.error.HTTPError as error:
            error.close()  # it holds the connection
            why = f"it answered {error.code}"
            if error.code < 500 and error.code not in (408, 429):
                raise agent.Stop(
                    f"Azure DevOps gives this job no identity token of the service connection {connection}: {why}. "
                    "Does the job use the connection, and may this pipeline and branch use it?",
                    agent.REFUSED,
                ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = f"it could not be asked ({type(error).__name__})"
    raise agent.Stop(f"Azure DevOps gave no identity token after {TRIES} tries: {why}")
