"""Run the azuredevops stand-in as the engine's plugin: python -m sandbox.providers.azuredevops ENGINE_ADDRESS."""

from sandbox.providers.azuredevops.provider import AzureDevOpsProvider
from sandbox.providers.base import serve

serve(AzureDevOpsProvider)
