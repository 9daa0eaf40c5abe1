"""Run the azuredevops stand-in as the engine's plugin: python -m sandbox.providers.azuredevops ENGINE_ADDRESS."""

from sandbox.providers.plugin import run

run("azuredevops")
