"""A token of Microsoft Entra from the Azure CLI, as the real plugin asks for one where no personal access token is set.

Source: `use_cli` of the plugin (ARM_USE_CLI, true by default) and AzureCLICredential of Azure's SDK for Go.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import datetime

from sandbox.providers.base import ProviderError

RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
"""Azure DevOps, as Entra calls it."""
_REMEDY = "set AZDO_PERSONAL_ACCESS_TOKEN or, as a secret, azuredevops:personalAccessToken; or sign in with `az login`"


def token() -> str:
    """The token of who is signed in. Raises ProviderError with the remedy where nobody is."""
    program = shutil.which("az") if os.environ.get("ARM_USE_CLI", "true").lower() != "false" else None
    if program is None:
        raise ProviderError(f"the personal access token is required: {_REMEDY}")
    command = [program, "account", "get-access-token", "-o", "json", "--resource", RESOURCE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    try:
        answer = json.loads(done.stdout) if done.returncode == 0 else {}
        found = answer["accessToken"]
        # As Azure's SDK reads it: a number, or the time that older versions print.
        int(answer["expires_on"]) if answer.get("expires_on") else datetime.fromisoformat(answer["expiresOn"])
    except (ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, str) or not found:
        raise ProviderError(f"the Azure CLI gives no token for Azure DevOps (exit code {done.returncode}): {_REMEDY}")
    return found
