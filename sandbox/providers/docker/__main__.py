"""Run the docker stand-in as the engine's plugin: python -m sandbox.providers.docker ENGINE_ADDRESS."""

from sandbox.providers.base import serve
from sandbox.providers.docker.provider import DockerProvider

serve(DockerProvider)
