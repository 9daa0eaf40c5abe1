"""Rules on the engine's own: providers, through which whoever writes a state could run programs."""

from collections.abc import Iterator

from policies.rule import Properties, ResourceRule

PROVIDER = "pulumi:providers:"
"""How the types of providers begin; the name of the package follows."""
_PACKAGES = ("aws", "azuredevops", "docker")
_KEYS = ("secretKey", "token", "personalAccessToken", "clientSecret", "password")


def _foreign(_: str, properties: Properties) -> Iterator[str]:
    internal = properties.get("__internal") or {}
    address = properties.get("pluginDownloadURL") or internal.get("pluginDownloadURL")
    if address:
        yield f"the plugin is fetched from {address}"


def _holds_a_secret(_: str, properties: Properties) -> Iterator[str]:
    names = set(properties)  # asked of the names: the values need not be known
    for name in _KEYS:
        if name in names:
            yield f"{name} is set, so it is in the state"


RULES = (
    ResourceRule(
        id="engine-official-plugins",
        title="Plugins come from where they are published",
        severity="critical",
        level="mandatory",
        types=tuple(f"{PROVIDER}{name}" for name in _PACKAGES),
        check=_foreign,
        remedy="Set no plugin_download_url; if nobody did, the state was written by somebody else (docs/security.md)",
        met="the program sets none; `python -m audit state` looks before the engine starts",
    ),
    ResourceRule(
        id="engine-secrets-from-environment",
        title="Providers take their secrets from the environment",
        severity="high",
        level="mandatory",
        types=tuple(f"{PROVIDER}{name}" for name in _PACKAGES),
        check=_holds_a_secret,
        remedy="Use the provider's environment variables",
        met="the program declares no provider",
    ),
)
