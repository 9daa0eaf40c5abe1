"""The docker provider: its type and configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sandbox.providers.base import Function, PlainError, Provider
from sandbox.providers.docker import VERSION
from sandbox.providers.docker.engine import DEFAULT_HOST, DockerEngine
from sandbox.providers.docker.image import Image
from sandbox.providers.schema import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.providers.protocol import Properties

_KNOWN = frozenset({"version", "host", "certPath", "pluginDownloadUrl", "__internal"})


class DockerProvider(Provider[DockerEngine]):
    """Takes docker:host and docker:certPath, or DOCKER_HOST and DOCKER_CERT_PATH."""

    name = "docker"
    version = VERSION
    resources = (Image,)
    functions: ClassVar[Mapping[str, Function]] = {}

    def check_configuration(self, configuration: Properties) -> list[Failure]:
        return [
            Failure(name, "the sandbox's stand-in for the docker plugin does not know this setting")
            for name in sorted(set(configuration) - _KNOWN)
        ]

    def configure(self, configuration: Properties) -> DockerEngine:
        named = configuration.get("host") or os.environ.get("DOCKER_HOST")
        certificates = configuration.get("certPath") or os.environ.get("DOCKER_CERT_PATH")
        home = Path.home()
        users = (f"unix://{home}/.docker/run/docker.sock", f"unix://{home}/.docker/desktop/docker.sock")
        tried = (str(named),) if named else (DEFAULT_HOST, *users)
        for host in tried:
            engine = DockerEngine(host, certificates)
            if engine.ping():
                return engine
        raise PlainError(
            "docker native provider returned an unexpected error from Configure: failed to connect to any docker daemon"
        )
