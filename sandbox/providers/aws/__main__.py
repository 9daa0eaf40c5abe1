"""Run the aws stand-in as the engine's plugin: python -m sandbox.providers.aws ENGINE_ADDRESS."""

from sandbox.providers.aws.provider import AwsProvider
from sandbox.providers.base import serve

serve(AwsProvider)
