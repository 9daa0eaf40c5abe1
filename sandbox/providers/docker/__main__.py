"""Run the docker stand-in as the engine's plugin: python -m sandbox.providers.docker ENGINE_ADDRESS."""

from sandbox.providers.plugin import run

run("docker")
