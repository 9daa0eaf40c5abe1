"""The environment in which plain `pulumi` works against the sandbox; the program has no other tie to it."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from sandbox import layout as names

if TYPE_CHECKING:
    from sandbox.keys import Keys
    from sandbox.layout import Layout
    from sandbox.ports import Ports

CLEARED = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_DEFAULT_REGION",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    *(f"AWS_ENDPOINT_URL_{service}" for service in ("ECR", "IAM", "KMS", "S3", "STS")),
    "AZDO_TOKEN",
    "DOCKER_CONTEXT",
    "PULUMI_ACCESS_TOKEN",
    "PULUMI_CONFIG_PASSPHRASE",
)
"""What a user's own shell may hold and what would win over the sandbox's values."""


def variables(layout: Layout, keys: Keys, ports: Ports, docker_host: str) -> dict[str, str]:
    """What the sandbox sets, by name: an operator's credentials, endpoints, and where the engine finds its things."""
    direct = no_proxy()
    path = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if entry != str(layout.bin)]
    return {
        "PATH": os.pathsep.join([str(layout.bin), *path]),
        "NO_PROXY": direct,
        "no_proxy": direct,  # of the two spellings some clients read only this one, and prefer it
        "PULUMI_HOME": str(layout.pulumi_home),
        "PULUMI_BACKEND_URL": f"file://{layout.state}",
        "PULUMI_STACK": names.STACK,
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(keys.passphrase_file),
        # The stack file of a fresh checkout has no salt: the engine then takes the one in the state.
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # Who lives for seconds need not collect garbage often: a third of the CPU of a short command.
        "GOGC": os.environ.get("GOGC", "400"),
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_REGION": names.REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports.aws}",
        "AZDO_ORG_SERVICE_URL": f"http://127.0.0.1:{ports.azure_devops}/{names.ORGANIZATION}",
        "AZDO_PERSONAL_ACCESS_TOKEN": keys.azure_devops_pat,
        "DOCKER_HOST": docker_host,
        # What `docker login` writes goes with the sandbox, and stays out of the user's own settings.
        "DOCKER_CONFIG": str(layout.keys / "docker"),
    }


def no_proxy() -> str:
    """What the user's shell excepts from its proxy, and the loopback."""
    named = ",".join(os.environ.get(name, "") for name in ("NO_PROXY", "no_proxy"))
    return ",".join(sorted({*filter(None, map(str.strip, named.split(","))), "127.0.0.1", "localhost"}))


def full(sandbox: dict[str, str]) -> dict[str, str]:
    """This process's environment with the sandbox's in place, for a child."""
    return {name: value for name, value in os.environ.items() if name not in CLEARED} | sandbox


def shell(sandbox: dict[str, str]) -> str:
    """The same as text for `eval` in a POSIX shell."""
    lines = [f"unset {' '.join(CLEARED)}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in sandbox.items()]
    return "\n".join(lines)
