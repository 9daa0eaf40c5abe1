"""The SDK's gRPC messages without the rest of it: the engine starts every plugin for every command."""

from __future__ import annotations

import importlib.util
import sys
import types


def messages_only() -> None:
    """Let ``pulumi.runtime.proto`` be imported without the rest of the SDK.

    The messages take 0.3 s to import, the SDK's package body (automation API, dynamic providers, mocks) another 0.6 s
    that no plugin has a use for. For a process of its own only: whoever needs the SDK later in it gets an empty one.
    """
    found = importlib.util.find_spec("pulumi")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("the package pulumi is missing: install requirements.txt")
    root = found.submodule_search_locations[0]
    for name in ("pulumi", "pulumi.runtime", "pulumi.runtime.proto"):
        package = types.ModuleType(name)
        package.__path__ = [root + name.removeprefix("pulumi").replace(".", "/")]
        sys.modules[name] = package
