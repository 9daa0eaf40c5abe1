"""The records of providers, by which an engine decides which plugin it loads, from where, and how it is set; and who
encrypts the secrets.

Sources: pkg/resource/deploy/providers/registry.go (`__internal` and the keys in it), sdk/go/common/apitype/core.go
(SecretsProvidersV1), pkg/secrets/cloud and passphrase.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from audit.checkpoint.expected import Expected, Template
from audit.checkpoint.settings import Settings
from audit.checkpoint.values import is_sealed

INTERNAL = "__internal"
CODE = {
    "pluginDownloadURL": "is fetched from another address",
    "pluginChecksums": "has checksums of its own",
    "parameterization": "is made by parameters",
    "name": "is another plugin",
    "envVarMappings": "gets other variables of the environment",
}
"""What the engine reads in `__internal`, or beside it in older states."""


def provider_of(reference: Any) -> tuple[str, str]:
    """URN and id of a reference to a provider, `URN::ID`."""
    urn, _, identifier = (reference if isinstance(reference, str) else "").rpartition("::")
    return urn, identifier


def judge_provider(raw: Mapping[str, Any], package: str, name: str, expected: Expected) -> Iterator[tuple[str, str]]:
    """What is to be said of a provider's record, as (rule, sentence)."""
    plugin = expected.plugins.get(package)
    if plugin is None:
        yield "state-foreign-code", f"the program has no plugin '{package[:60]}'."
        return
    if raw.get("custom") is not True or not raw.get("id"):
        yield "state-form", "`custom` and `id` do not fit its type."
    inputs, outputs = raw.get("inputs") or {}, raw.get("outputs") or {}
    version = inputs.get("version")
    if version not in plugin.versions:
        yield (
            "state-foreign-code",
            f"its plugin is of version '{str(version)[:60]}'; the program's is {' or '.join(plugin.versions)}.",
        )
    elif name != (own := f"default_{re.sub('[^0-9A-Za-z]', '_', str(version))}"):
        yield "state-foreign-code", f"the program's own is called {own}."
    for side in (inputs, outputs):
        internal = side.get(INTERNAL, {})
        if not isinstance(internal, dict):
            yield "state-form", f"{INTERNAL} is in another form than an object."
            internal = {}
        for key in internal:
            yield "state-foreign-code", f"its plugin {CODE.get(key, 'is told more')} ({str(key)[:60]})."
        for key, what in CODE.items():
            if key in side:
                yield "state-foreign-code", f"its plugin {what} ({key})."
        if side.get("version", version) != version:
            yield "state-foreign-code", "its version is recorded twice, and differently."
        yield from _settings(side, package, plugin.settings, expected)


def _settings(
    side: Mapping[str, Any], package: str, templates: Mapping[str, Template], expected: Expected
) -> Iterator[tuple[str, str]]:
    configured = dict(expected.settings.configured(package))
    for key, value in side.items():
        if key in (INTERNAL, "version") or key in CODE or value in (None, ""):
            continue
        if key in templates:
            if not expected.fits(templates[key], value):
                said = expected.said(templates[key])
                yield "state-provider", f"{key} is '{str(value)[:200]}'; expected is '{said}'."
        elif is_sealed(value) and expected.settings.is_secret(f"{package}:{key}"):
            continue  # its value cannot be compared, and nobody reads it from here
        elif key not in configured:
            yield "state-provider", f"it is set to something that the stack is not: {str(key)[:60]}."
        elif not isinstance(value, (str, int)) or (
            (str(value).lower() if isinstance(value, bool) else str(value)) not in configured[key]
        ):
            yield "state-provider", f"{key} is another than the stack's settings say."


def secrets_provider(raw: Any, settings: Settings, given: str) -> Iterator[tuple[str, str]]:
    """What is to be said of who encrypts the secrets. `given`: `passphrase`, `service` or the URL of a key, instead of
    what the stack's settings file says."""
    rule = "state-secrets-provider"
    wanted = given or settings.secrets_provider or "passphrase"
    if raw is None:
        yield rule, "The checkpoint does not say who encrypts its secrets."
        return
    state = raw.get("state") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or set(raw) - {"type", "state"} or not isinstance(state, (dict, type(None))):
        yield "state-form", "The checkpoint's secrets provider is in another form than the engine writes."
        return
    kind, state = raw.get("type"), state or {}
    if wanted in ("default", "passphrase", "service"):
        kinds = ("service",) if wanted == "service" else ("passphrase",)
        if kind not in kinds:
            yield rule, f"Secrets are encrypted by '{str(kind)[:60]}'; expected is {wanted}."
        elif kind == "passphrase" and (set(state) - {"salt"} or (settings.salt and state.get("salt") != settings.salt)):
            yield rule, "Secrets are encrypted by another passphrase's salt than the stack's settings file has."
    elif kind != "cloud" or set(state) - {"url", "encryptedkey"} or state.get("url") != wanted:
        address = str(state.get("url") or kind)[:200]
        yield rule, f"Secrets are encrypted by '{address}'; expected is '{wanted}'."
    elif settings.encrypted_key and not given and state.get("encryptedkey") != settings.encrypted_key:
        yield rule, "Secrets are encrypted by another data key than the stack's settings file has."
