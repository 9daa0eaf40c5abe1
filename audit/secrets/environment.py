"""The secrets of the environment: the run's own credentials, unasked, and what --known-secrets names."""

import os
from collections.abc import Sequence

from audit.errors import AuditError

OWN = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AZDO_PERSONAL_ACCESS_TOKEN",
    "AZURE_DEVOPS_EXT_PAT",
    "SYSTEM_ACCESSTOKEN",
    "AZURE_CLIENT_SECRET",
    "ARM_CLIENT_SECRET",
    "GITHUB_TOKEN",
    "GH_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_RUNTIME_TOKEN",
    "PULUMI_ACCESS_TOKEN",
    "PULUMI_CONFIG_PASSPHRASE",
)
"""Variables that hold the credentials of a run: of the clouds, of the backend, of the pipeline's own service."""

SHORTEST_OWN = 6
"""Characters from which such a value is looked for. A passphrase such as `dev` would mask every word like it."""


def known(named: Sequence[str]) -> list[str]:
    """Values that no report may hold: the run's own credentials, the values of the named variables (an item can name
    several, with commas), and each line of one that holds several. Raises AuditError for a name that is not set."""
    values = [os.environ[name] for name in OWN if len(os.environ.get(name, "")) >= SHORTEST_OWN]
    for name in (part for item in named for part in item.split(",") if part):
        if name not in os.environ:
            raise AuditError(f"environment variable '{name}' of --known-secrets is not set")
        value = os.environ[name]
        values += [value, *(part for part in value.splitlines() if len(part) >= 8)]
    return values
