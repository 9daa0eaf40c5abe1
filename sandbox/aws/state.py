"""What the AWS emulation knows, kept on disk: everything that was acknowledged is there after SIGKILL.

moto has no persistence of its own. Its models are plain Python objects, so a pickle of them is a whole snapshot; two
kinds of attribute need help: locks (made anew) and asymmetric KMS keys (kept as PKCS #8). One file a service, written
by a temporary file and a rename before the answer to the call leaves. The files hold secret access keys, tokens and
key material, so they lie in the key store.
"""

from __future__ import annotations

import copyreg
import importlib
import io
import pickle
import threading
from typing import TYPE_CHECKING, Any

import moto
from cryptography.hazmat.primitives import serialization

from sandbox.errors import SandboxError
from sandbox.files import version, write

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.files import Version

SERVICES = ("iam", "ecr", "s3", "kms")
"""One file each; STS's sessions share their access keys with IAM, so they are kept in IAM's file."""


def _load_private_key(der: bytes) -> Any:
    return serialization.load_der_private_key(der, password=None)


def _reduce_private_key(key: Any) -> tuple[Any, tuple[bytes]]:
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return _load_private_key, (der,)


class _Pickler(pickle.Pickler):
    """Pickles moto's models."""

    dispatch_table = copyreg.dispatch_table.copy()
    dispatch_table[type(threading.Lock())] = lambda _: (threading.Lock, ())
    dispatch_table[type(threading.RLock())] = lambda _: (threading.RLock, ())

    def reducer_override(self, value: Any) -> Any:
        # The classes of cryptography's keys are private and many; what they share is this method.
        if hasattr(value, "private_bytes") and not isinstance(value, type):
            return _reduce_private_key(value)
        return NotImplemented


def _backends(service: str) -> Any:
    return getattr(importlib.import_module(f"moto.{service}.models"), f"{service}_backends")


class State:
    """The snapshots in a folder (0700), a file `aws-SERVICE.pickle` (0600) for each service."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Version | None] = {}

    def path(self, service: str) -> Path:
        """Where a service's snapshot lies."""
        return self._folder / f"aws-{service}.pickle"

    def save(self, service: str) -> None:
        """Write the service's snapshot; the file holds the old state or the new one, never a part."""
        write(self.path(service), dump(service), mode=0o600)
        self._known[service] = version(self.path(service))

    def changed(self, service: str) -> bool:
        """Whether the service's file is another than the one that was written or loaded last: somebody put it there."""
        return version(self.path(service)) not in {None, self._known.get(service)}

    def load(self, service: str) -> bool:
        """Put the service's snapshot in place of what it knows now; False where there is none.

        Raises SandboxError for a snapshot of another moto, whose models may have other attributes, or a broken one.
        """
        path = self.path(service)
        found = version(path)
        if found is None:
            return False
        remedy = "`python -m sandbox down` removes it and the stack's state with it, `up` then starts anew"
        try:
            # The file lies in a folder that its owner alone can write: who can change it can run code as the owner.
            content = pickle.loads(path.read_bytes())  # noqa: S301
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError) as error:
            raise SandboxError(f"{path} cannot be read ({error}): {remedy}") from error
        if content["moto"] != moto.__version__:
            raise SandboxError(
                f"{path} was written with moto {content['moto']}, this is {moto.__version__}: "
                f"install that version, or {remedy}"
            )
        restore(service, content)
        self._known[service] = found
        return True


def dump(service: str) -> bytes:
    """The service's state as bytes."""
    content: dict[str, Any] = {"moto": moto.__version__, "backends": {}}
    for name in _names(service):
        content["backends"][name] = {account: dict(regions) for account, regions in _backends(name).items()}
    if service == "s3":
        content["buckets"] = _backends("s3").bucket_accounts
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(content)
    return buffer.getvalue()


def restore(service: str, content: dict[str, Any]) -> None:
    """Put what dump() took in place of what the service knows now."""
    for name in _names(service):
        backends = _backends(name)
        for regions in backends.values():
            regions.clear()
        for account, regions in content["backends"][name].items():
            backends[account].update(regions)
    if service == "s3":
        _backends("s3").bucket_accounts = content["buckets"]


def _names(service: str) -> tuple[str, ...]:
    return ("iam", "sts") if service == "iam" else (service,)
