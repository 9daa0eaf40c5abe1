"""How a stand-in starts as the engine's plugin: quickly."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types


def run(module: str, provider: str) -> None:
    """Serve the provider class of a module until the engine ends it. For a process of its own only."""
    _load_messages_only()
    from sandbox.providers.base import serve

    serve(getattr(importlib.import_module(module), provider))


def _load_messages_only() -> None:
    """Let ``pulumi.runtime.proto`` be imported without the rest of the SDK.

    The engine starts every provider of a stack for every command. The messages take 0.3 s to import, the SDK's package
    body (automation API, dynamic providers, mocks) another 0.6 s that no provider has a use for.
    """
    found = importlib.util.find_spec("pulumi")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("the package pulumi is missing: install requirements.txt")
    root = found.submodule_search_locations[0]
    for name in ("pulumi", "pulumi.runtime", "pulumi.runtime.proto"):
        package = types.ModuleType(name)
        package.__path__ = [root + name.removeprefix("pulumi").replace(".", "/")]
        sys.modules[name] = package
