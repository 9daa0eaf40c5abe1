"""What a step may find in its environment, where every variable of a run stands.

Who may queue a run may set variables, unless the project limits them (docs/azure-devops.md), and each is in the
environment of every step, in capitals. Two lines of defence stand here: the pipeline's YAML defines `EMPTY` as nothing,
which wins over what was set when the run was queued, since these act before our first line; and every entry point, and
what it starts, loses what programs obey and no step of ours was given by name.

Source: https://learn.microsoft.com/azure/devops/pipelines/process/variables (levels of variables).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EMPTY = (
    "BASH_ENV",
    "BASHOPTS",
    "ENV",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NODE_OPTIONS",
    "NODE_PATH",
    "PERL5LIB",
    "PERL5OPT",
    "PS4",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "PYTHONWARNINGS",
    "SHELLOPTS",
)
"""Variables that shells, loaders, Python and the tasks' Node obey when they start; to each an empty one is none."""

KEPT: Mapping[str, frozenset[str]] = {
    "AWS_": frozenset(
        {
            "AWS_ACCESS_KEY_ID",
            "AWS_ACCOUNT_NUMBER",
            "AWS_CA_BUNDLE",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL",
            "AWS_REGION",
            "AWS_ROLE_ARN",
            "AWS_ROLE_SESSION_NAME",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
        }
    ),
    "AZDO_": frozenset(),
    "BUILDKIT_": frozenset(),
    "BUILDX_": frozenset(),
    "DOCKER_": frozenset({"DOCKER_BUILDKIT", "DOCKER_CONFIG", "DOCKER_HOST"}),
    "GCONV_": frozenset(),
    "GIT_": frozenset(),
    "LD_": frozenset({"LD_LIBRARY_PATH"}),
    "PIP_": frozenset({"PIP_CERT", "PIP_INDEX_URL"}),
    "PULUMI_": frozenset(
        {
            "PULUMI_ACCESS_TOKEN",
            "PULUMI_BACKEND_URL",
            "PULUMI_CONFIG_PASSPHRASE",
            "PULUMI_CREDENTIALS_PATH",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION",
            "PULUMI_HOME",
            "PULUMI_IGNORE_AMBIENT_PLUGINS",
            "PULUMI_SKIP_UPDATE_CHECK",
        }
    ),
    "PYTHON": frozenset(
        {"PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONUNBUFFERED", "PYTHONUTF8", "PYTHONVERSION"}
    ),
    "UV_": frozenset({"UV_CACHE_DIR", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"}),
}
"""By the beginning of their names, the variables that stay; every other one of these services and programs goes.

An index or a certificate of the agent's machine stays: what is installed is compared with pinned sums in any case.
"""

_LOCAL: Mapping[str, Callable[[str], bool]] = {
    "AWS_ENDPOINT_URL": lambda value: _host(value) in ("127.0.0.1", "localhost", "::1"),
    "DOCKER_HOST": lambda value: value.startswith("unix://"),
}
"""Addresses that get credentials, and so may only be of this machine."""


def _host(address: str) -> str | None:
    """The host of an address; None where it is none."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def stays(name: str, value: str) -> bool:
    """Whether a step keeps a variable of its environment."""
    if name in EMPTY:
        return name == "LD_LIBRARY_PATH"  # where a task has put a Python, it names that Python's libraries
    if name in _LOCAL:
        return _LOCAL[name](value)
    return all(name in kept for prefix, kept in KEPT.items() if name.startswith(prefix))


MARKS = frozenset({"TF_BUILD", "AGENT_ID", "AGENT_JOBNAME"})
"""Variables that an agent sets in every step; infra/job.py names the same."""


def in_a_job(environment: Mapping[str, str]) -> bool:
    """Whether an agent started this: a variable can be given another value there, and none can be taken away."""
    return bool(environment.keys() & MARKS)
