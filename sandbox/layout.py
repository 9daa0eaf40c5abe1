"""Where the sandbox keeps things: one folder a checkout, one cache a user."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

CHECKOUT = Path(__file__).resolve().parent.parent
STACK = "dev"
ACCOUNT = "123456789012"
REGION = "us-east-2"
ORGANIZATION = "app-one"
PROJECT = "app-one"


@dataclass(frozen=True)
class Layout:
    """Paths of one sandbox; nothing is created by asking for them.

    checkout: the folder of Pulumi.yaml that `up` runs.
    home: everything this sandbox writes (default `.sandbox` in the checkout; another by SANDBOX_HOME); states, logs and
        artefacts stand there, so only its user enters it (0700).
    cache: what every sandbox of this user shares, safe to delete (default the user's cache folder; SANDBOX_CACHE).
    """

    checkout: Path
    home: Path
    cache: Path

    @classmethod
    def find(cls) -> Layout:
        """The layout that the environment asks for."""
        home = os.environ.get("SANDBOX_HOME")
        cache = os.environ.get("SANDBOX_CACHE")
        return cls(
            checkout=CHECKOUT,
            home=Path(home).resolve() if home else CHECKOUT / ".sandbox",
            cache=Path(cache).resolve() if cache else platformdirs.user_cache_path("app-one-sandbox"),
        )

    @property
    def lock(self) -> Path:
        """Held by whoever starts or stops this sandbox; outside of its folder, which `down` removes."""
        return self.cache / "locks" / f"{hashlib.sha256(str(self.home).encode()).hexdigest()[:16]}.lock"

    @property
    def keys(self) -> Path:
        """The key store, the only place with secrets in clear: 0700, files 0600."""
        return self.home / "keys"

    @property
    def run(self) -> Path:
        """Records of the processes that were started."""
        return self.home / "run"

    @property
    def fork_server(self) -> Path:
        """The socket of the server that starts plugins."""
        return self.run / "fork-server.sock"

    @property
    def logs(self) -> Path:
        """What those processes print."""
        return self.home / "logs"

    @property
    def bin(self) -> Path:
        """Commands that come first on PATH in the sandbox."""
        return self.home / "bin"

    @property
    def pulumi_home(self) -> Path:
        """PULUMI_HOME: plugins, credentials and workspaces of the engine."""
        return self.home / "pulumi-home"

    @property
    def state(self) -> Path:
        """The stack's state (the engine's file backend)."""
        return self.home / "state"

    @property
    def aws(self) -> Path:
        """What the AWS emulation keeps besides keys."""
        return self.home / "aws"

    @property
    def azure_devops(self) -> Path:
        """What the Azure DevOps emulation keeps besides secrets."""
        return self.home / "azure-devops"

    @property
    def registry(self) -> Path:
        """The registry's configuration and blobs."""
        return self.home / "registry"

    @property
    def ports_file(self) -> Path:
        """The ports of the services, chosen once."""
        return self.home / "ports.json"
