"""Run the aws stand-in as the engine's plugin: python -m sandbox.providers.aws ENGINE_ADDRESS."""

from sandbox.providers.plugin import run

run("aws")
