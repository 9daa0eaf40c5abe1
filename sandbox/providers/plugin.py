"""How a stand-in starts as the engine's plugin: quickly."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

from sandbox import collector, sdk

if TYPE_CHECKING:
    from collections.abc import Callable

PROVIDERS = {"aws": "AwsProvider", "azuredevops": "AzureDevOpsProvider", "docker": "DockerProvider"}
"""The class of each, in sandbox.providers.NAME.provider."""


def entry(name: str) -> Callable[[list[str]], int]:
    """Import all that a provider needs at once; return what serves it, given the plugin's arguments."""
    from sandbox.providers.base import serve

    module = importlib.import_module(f"sandbox.providers.{name}.provider")
    provider = getattr(module, PROVIDERS[name])

    def main(arguments: list[str]) -> int:
        serve(provider, arguments)
        return 0

    return main


def run(name: str) -> None:
    """Serve a provider until the engine ends it. For a process of its own only."""
    collector.seldom()
    sdk.messages_only()
    sys.exit(entry(name)(sys.argv[1:]))
