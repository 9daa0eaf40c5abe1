"""What a step may find in its environment, where every variable of a run stands.

Who may queue a run may set variables, unless the project limits them (docs/azure-devops.md), and each is in the
environment of every step, in capitals. Two lines of defence stand here: the pipeline's YAML defines `EMPTY` as nothing,
which wins over what was set when the run was queued, since these act before our first line; and every entry point, and
what it starts, keeps what is named here and loses the rest.

A variable of a run is written in capitals, whatever it is called: so a name with a small letter is the machine's own
doing. That is how an agent's machine says which proxies and certificates it has (`OF_THE_MACHINE`).

Sources: https://learn.microsoft.com/azure/devops/pipelines/process/variables (levels of variables); the agent's
Handler.AddVariablesToEnvironment and Variables (capitals), GitCommandManager (git gets the variables of a run too).
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
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_EXEC_PATH",
    "GIT_TEMPLATE_DIR",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
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
    "SSLKEYLOGFILE",
)
"""Variables that shells, loaders, Python, OpenSSL, the tasks' Node and the checkout's git obey when they start; to each
an empty one is none."""

UNSETTABLE = ("HOME", "PATH")
"""What every machine has, under this name alone, and what acts before our first line: where a run has such a variable,
no stage with rights starts, by its condition, which the service evaluates."""

OF_THE_MACHINE = (
    "ALL_PROXY",
    "AWS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)
"""Ways to the network, and whom to believe there: each has the value that the machine has under the name in small
letters, and else none."""

AGENT = ("AGENT_", "BUILD_", "ENVIRONMENT_", "LC_", "PIPELINE_", "SYSTEM_", "VSTS_")
"""How names begin that are the agent's (and the locale's); they say what runs, and nothing obeys them."""

NAMED = frozenset(
    {
        # of the steps
        "COMMIT",
        "KEY_USERS",
        "NO_COLOR",
        "OIDC_CONNECTION",
        "OPERATORS",
        "PROCESS_SIGINT_TIMEOUT",
        "PROCESS_SIGTERM_TIMEOUT",
        "SOURCE_DATE_EPOCH",
        "TF_BUILD",
        "VIRTUAL_ENV",
        # of the machine
        "HOME",
        "HOSTNAME",
        "LANG",
        "LANGUAGE",
        "LOGNAME",
        "NODE_EXTRA_CA_CERTS",  # no step with rights runs Node; the tests' npm has to believe the machine's proxy
        "OLDPWD",
        "PATH",
        "PWD",
        "SHELL",
        "SHLVL",
        "TEMP",
        "TERM",
        "TMP",
        "TMPDIR",
        "TZ",
        "USER",
        "XDG_RUNTIME_DIR",
        "_",
    }
)
"""What else stays besides `KEPT`."""

KEPT: Mapping[str, frozenset[str]] = {
    "AWS_": frozenset(
        {
            "AWS_ACCESS_KEY_ID",
            "AWS_ACCOUNT_NUMBER",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL",
            "AWS_REGION",
            "AWS_ROLE_ARN",
            "AWS_ROLE_SESSION_NAME",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
        }
    ),
    "DOCKER_": frozenset({"DOCKER_BUILDKIT", "DOCKER_CONFIG", "DOCKER_HOST"}),
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
"""By the beginning of their names, the variables of services and programs that stay.

Where packages come from stays: what is installed is compared with pinned sums in any case.
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
    if name != name.upper() or name in NAMED or name.startswith(AGENT):
        return True
    return any(name in kept for kept in KEPT.values())


def of_the_machine(environment: Mapping[str, str]) -> dict[str, str]:
    """Proxies and certificates of the agent's machine, by the names that programs look for."""
    return {name: value for name in OF_THE_MACHINE if (value := environment.get(name.lower()))}


MARKS = frozenset({"TF_BUILD", "AGENT_ID", "AGENT_JOBNAME"})
"""Variables that an agent sets in every step; infra/job.py names the same."""


def in_a_job(environment: Mapping[str, str]) -> bool:
    """Whether an agent started this: a variable can be given another value there, and none can be taken away."""
    return bool(environment.keys() & MARKS)
