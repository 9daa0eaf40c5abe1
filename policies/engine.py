"""Rules on the engine's own: providers, through which whoever writes a state could run programs."""

import re
from collections.abc import Iterator, Sequence

from policies.rule import Properties, Resource, ResourceRule, StackRule

_PROVIDER = "pulumi:providers:"
_PACKAGES = ("aws", "azuredevops", "docker", "pulumi")
"""Those whose plugins are pinned, and the engine's own."""
_DEFAULT = re.compile(r"default(_\d+)*")
"""The name of a provider that the engine makes by itself; where a plugin comes from elsewhere, its address follows."""
_KEYS = ("secretKey", "token", "personalAccessToken", "clientSecret", "password")


def _foreign(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """Judged by package and name: the engine shows a provider's pluginDownloadURL to no policy (SkipInternalKeys)."""
    for each in resources:
        package = each.type.removeprefix(_PROVIDER)
        if package == each.type:
            continue
        if package not in _PACKAGES:
            yield each, f"{package} is none of the packages whose plugins are pinned"
        elif not _DEFAULT.fullmatch(each.name):
            yield each, "a provider that is not the engine's default may fetch its plugin from anywhere"


def _holds_a_secret(_: str, properties: Properties) -> Iterator[str]:
    names = set(properties)  # asked of the names: the values need not be known
    for name in _KEYS:
        if name in names:
            yield f"{name} is set, so it is in the state"


RULES = (
    StackRule(
        id="engine-official-plugins",
        title="Plugins come from where they are published",
        severity="critical",
        level="mandatory",
        check=_foreign,
        remedy="Declare no provider and no plugin_download_url; set what it needs in its environment variables",
        met="the program declares none; `python -m audit state` reads the state's before the engine starts",
    ),
    ResourceRule(
        id="engine-secrets-from-environment",
        title="Providers take their secrets from the environment",
        severity="high",
        level="mandatory",
        types=(f"{_PROVIDER}*",),
        check=_holds_a_secret,
        remedy="Use the provider's environment variables",
        met="the program declares no provider",
    ),
)
