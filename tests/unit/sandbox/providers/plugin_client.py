"""A provider plugin as the engine sees it: a process that prints its port, and then gRPC."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from sandbox.providers.protocol import Properties, decode, encode, has_unknown, provider_pb2, provider_pb2_grpc
from sandbox.providers.recorded import DELTA
from sandbox.providers.schema import without_empty_marks
from tests.service_forks import Fork

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKOUT = Path(__file__).resolve().parents[4]
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # how the wire marks a secret


of_the_stand_in = pytest.mark.skipif(
    "SANDBOX_PLUGINS" in os.environ, reason="the stand-in's own words: the genuine plugin says less"
)


class PluginError(Exception):
    """The provider's error; ``partial`` is what it made of the resource all the same."""

    def __init__(self, error: grpc.RpcError) -> None:
        super().__init__(error.details())
        self.partial: Any = None
        pairs: Any = error.trailing_metadata() or ()
        metadata = dict(pairs)
        if packed := metadata.get("grpc-status-details-bin"):
            from pulumi.runtime.proto import status_pb2

            self.partial = provider_pb2.ErrorResourceInitFailed()
            status_pb2.Status.FromString(packed).details[0].Unpack(self.partial)


class Plugin:
    """One plugin; the methods are the protocol's, with plain Python values."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.stub = provider_pb2_grpc.ResourceProviderStub(channel)

    def urn(self, token: str, name: str = "thing") -> str:
        """Name a resource."""
        return f"urn:pulumi:dev::app-one::{token}::{name}"

    def ask(self, method: str, **fields: Any) -> Any:
        """Call one method."""
        request = {
            "GetPluginInfo": None,
            "CheckConfig": provider_pb2.CheckRequest,
            "Configure": provider_pb2.ConfigureRequest,
            "Invoke": provider_pb2.InvokeRequest,
            "Check": provider_pb2.CheckRequest,
            "Diff": provider_pb2.DiffRequest,
            "Create": provider_pb2.CreateRequest,
            "Read": provider_pb2.ReadRequest,
            "Update": provider_pb2.UpdateRequest,
            "Delete": provider_pb2.DeleteRequest,
            "GetSchema": provider_pb2.GetSchemaRequest,
        }[method]
        assert request is not None
        try:
            return getattr(self.stub, method)(request(**fields), timeout=300)
        except grpc.RpcError as error:
            raise PluginError(error) from None

    def configure(self, **configuration: Any) -> list[str]:
        """Check and set the provider's configuration; return what is wrong with it."""
        checked = self.ask("CheckConfig", urn="urn:pulumi:dev::p::pulumi:providers:x::d", news=encode(configuration))
        if checked.failures:
            return [each.reason for each in checked.failures]
        self.ask("Configure", args=encode(configuration), acceptSecrets=True)
        return []

    def invoke(self, token: str, **arguments: Any) -> Properties:
        """Call a function."""
        return decode(getattr(self.ask("Invoke", tok=token, args=encode(arguments)), "return"))

    def check(self, token: str, inputs: Properties, olds: Properties | None = None, name: str = "thing") -> Any:
        """Return checked inputs; a list of reasons if they are wrong."""
        answer = self.ask(
            "Check", urn=self.urn(token, name), olds=encode(olds or {}), news=encode(inputs), randomSeed=b"seed"
        )
        return [each.reason for each in answer.failures] or decode(answer.inputs)

    def diff(self, token: str, state: Properties, inputs: Properties, ignore: tuple[str, ...] = ()) -> Any:
        """Return the answer to what would change."""
        return self.ask(
            "Diff", urn=self.urn(token), olds=encode(state), news=encode(inputs), ignoreChanges=list(ignore)
        )

    def kinds(self, token: str, state: Properties, inputs: Properties) -> dict[str, str]:
        """Return path to kind of each difference."""
        answer = self.diff(token, state, inputs)
        return {path: provider_pb2.PropertyDiff.Kind.Name(each.kind) for path, each in answer.detailedDiff.items()}

    def create(self, token: str, inputs: Properties, *, preview: bool = False) -> tuple[str, Properties, Any]:
        """Return id, outputs, and the outputs as they came (with the marks of secrets)."""
        answer = self.ask("Create", urn=self.urn(token), properties=encode(inputs), preview=preview)
        return answer.id, decode(answer.properties), answer.properties

    def up(self, token: str, inputs: Properties) -> tuple[str, Properties, Properties]:
        """Check and create; return id, outputs and checked inputs."""
        checked = self.check(token, inputs)
        assert isinstance(checked, dict), checked
        resource_id, outputs, _ = self.create(token, checked)
        assert not has_unknown(outputs)
        return resource_id, outputs, checked

    def update(
        self, token: str, own: str, state: Properties, inputs: Properties, *, preview: bool = False
    ) -> Properties:
        """Update in place."""
        answer = self.ask(
            "Update", urn=self.urn(token), id=own, olds=encode(state), news=encode(inputs), preview=preview
        )
        return decode(answer.properties)

    def read(self, token: str, own: str, state: Properties | None = None, inputs: Properties | None = None) -> Any:
        """Return id, outputs and inputs; None if it is gone. Without state and inputs it is an import."""
        answer = self.ask(
            "Read", urn=self.urn(token), id=own, properties=encode(state or {}), inputs=encode(inputs or {})
        )
        return (answer.id, decode(answer.properties), decode(answer.inputs)) if answer.id else None

    def delete(self, token: str, own: str, state: Properties) -> None:
        """Delete."""
        self.ask("Delete", urn=self.urn(token), id=own, properties=encode(state))


@contextlib.contextmanager
def running(name: str, folder: Path, **environment: str) -> Iterator[Plugin]:
    """Run a stand-in in a clean environment; interrupt it at the end, as the engine does.

    With SANDBOX_PLUGINS the genuine plugin of that folder is asked the same: so a test says what both do. Not docker's:
    it writes a build's output to an engine's log, and no engine is here.
    """
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
    genuine = os.environ.get("SANDBOX_PLUGINS") if name != "docker" else None
    given = {**kept, "PYTHONPATH": str(CHECKOUT), **environment}
    process: Fork | subprocess.Popen[str]
    if genuine:
        command = [f"{genuine}/pulumi-resource-{name}", "127.0.0.1:1"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder, env=given, text=True)
    else:
        process = Fork(f"sandbox.providers.{name}", ["127.0.0.1:1"], folder, given)
    assert process.stdout is not None
    with process.stdout:
        try:
            port = process.stdout.readline().strip()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield Plugin(channel)
            process.send_signal(signal.SIGINT)
            ended = process.wait(timeout=300)
            assert genuine or ended == 0
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=300)


def same_after(plugin: Plugin, token: str, own: str, outputs: Properties, inputs: Properties) -> None:
    """After an up nothing differs, and a refresh finds what is known.

    A refresh records what came back empty where an up records null, and drops the marks of no defaults.
    """
    assert plugin.kinds(token, outputs, inputs) == {}
    found = plugin.read(token, own, outputs, inputs)
    assert found is not None
    assert found[0] == own
    assert without_empty(found[1]) == without_empty(outputs)
    assert found[2] == without_empty_marks(inputs)


def without_empty(value: Any) -> Any:
    """Drop empty lists, maps and lists of an empty map at every level, and the delta that notes them."""
    if isinstance(value, dict):
        settled = {key: without_empty(each) for key, each in value.items() if key != DELTA}
        return {key: each for key, each in settled.items() if each not in ([], {}, [{}])}
    return [without_empty(each) for each in value] if isinstance(value, list) else value


def is_secret(outputs: Any, *path: str) -> bool:
    """Tell whether an output came with the mark of a secret."""
    value = outputs
    for name in path:
        value = value[name]
    return SECRET in str(value)
