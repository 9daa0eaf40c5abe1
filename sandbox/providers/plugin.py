"""How a stand-in starts as the engine's plugin: quickly."""

from __future__ import annotations

import importlib

from sandbox import collector, sdk


def run(module: str, provider: str) -> None:
    """Serve the provider class of a module until the engine ends it. For a process of its own only."""
    collector.seldom()
    sdk.messages_only()
    from sandbox.providers.base import serve

    serve(getattr(importlib.import_module(module), provider))
