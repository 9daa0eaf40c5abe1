"""A resource provider over the engine's gRPC protocol: types and functions are declared, the rest follows from them.

Why not ``pulumi.provider.experimental``: it cannot return a partly made resource, and it imports the whole SDK.
Secrets: the provider does not accept them, so the engine strips their marks from what it sends and puts the mark back
on every output of the same name. The bridged plugins do the same.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import grpc
from google.protobuf import any_pb2, empty_pb2, message

from sandbox.lifetime import Lifetime
from sandbox.providers.differences import Difference, differences
from sandbox.providers.protocol import (
    UNKNOWN,
    Properties,
    decode,
    encode,
    engine_pb2,
    engine_pb2_grpc,
    has_unknown,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)
from sandbox.providers.recorded import DELTA, META, delta, known_only, meta, nulls_kept, with_blanks
from sandbox.providers.schema import Failure, Fields, check, physical_name, with_defaults, without_marks
from sandbox.providers.states import keep_wording, planned, refreshed_inputs, with_secrets

# Contexts and states may be larger than gRPC's default of 4 MB; the engine allows 400 MB.
_MESSAGE_LIMIT = 400 * 1024 * 1024


class ProviderError(Exception):
    """What went wrong, as the engine shows it to the user."""


class PlainError(ProviderError):
    """An error of a type that is no bridged one: it is shown as it is, not as one of a list."""


class PartlyMadeError(ProviderError):
    """The resource exists, but a later step failed: the engine keeps it and the next ``up`` updates it."""

    def __init__(self, reason: str, resource_id: str, outputs: Properties, doing: str = "") -> None:
        super().__init__(reason)
        self.resource_id = resource_id
        self.outputs = outputs
        self.doing = doing
        """What the message begins with, such as ``updating URN: ``."""


class ConfigurationError(ProviderError):
    """The provider's own configuration is unusable; each failure names one reason."""


Session = TypeVar("Session")


@dataclass(frozen=True)
class Naming:
    """What the engine gives to name a resource: its logical name, a seed, and the stack's naming policy."""

    logical: str
    seed: bytes = b""
    proposed: str = ""
    mode: str = "default"
    """default, propose, enforce or disable."""

    def name(self, longest: int) -> str | None:
        """Make a physical name of at most so many characters, or None where the policy forbids making one."""
        if self.mode == "disable":
            return None
        if self.mode in ("propose", "enforce"):
            return self.proposed
        return physical_name(self.logical, longest, self.seed)


@dataclass(frozen=True)
class Diff:
    """The answer to the engine's question what would change."""

    changes: list[Difference] = field(default_factory=list)
    delete_first: bool = False


@dataclass(frozen=True)
class Found:
    """A resource as it was read."""

    resource_id: str
    outputs: Properties
    inputs: Properties


class Resource(ABC, Generic[Session]):
    """A resource type. Inputs and states are plain Python values by their Pulumi names."""

    token: ClassVar[str]
    names_changes: ClassVar[bool] = True
    """The answer to Diff lists the changed properties besides the detailed differences."""

    def __init__(self, session: Session, engine: Engine, urn: str) -> None:
        self.session = session
        self.engine = engine
        self.urn = urn

    @abstractmethod
    def check(self, inputs: Properties, old: Properties, naming: Naming) -> tuple[Properties, list[Failure]]:
        """Judge and complete the program's inputs; ``old`` are the checked inputs of last time, or empty."""

    @abstractmethod
    def diff(self, state: Properties, inputs: Properties) -> Diff:
        """Compare the outputs of the state with checked inputs."""

    @abstractmethod
    def make(self, inputs: Properties, *, preview: bool) -> tuple[str, Properties]:
        """Create; return id and outputs. In a preview nothing is changed and the id is empty."""

    @abstractmethod
    def find(self, resource_id: str, state: Properties, inputs: Properties) -> Found | None:
        """Read; None if it is gone. ``state`` and ``inputs`` are empty in an import."""

    @abstractmethod
    def change(self, resource_id: str, state: Properties, inputs: Properties, *, preview: bool) -> Properties:
        """Update in place; return outputs."""

    @abstractmethod
    def delete(self, resource_id: str, state: Properties) -> None:
        """Delete; a resource that is gone already is no error."""


class Declared(Resource[Session]):
    """A resource type whose checks, differences and previews follow from its fields."""

    fields: ClassVar[Fields]
    delete_before_replace: ClassVar[bool] = False
    """Two of it cannot stand side by side: a replacement deletes first."""
    timeouts: ClassVar[Mapping[str, int]] = {}
    """Minutes after which the plugin gives up an operation (create, read, update, delete); only recorded here."""

    def complete(self, inputs: Properties) -> Properties:
        """Fill what the provider's configuration decides. Seen by diff, create and update."""
        return inputs

    def validate(self, inputs: Properties) -> list[str]:
        """Say what no single field can: what does not fit together. Values may be UNKNOWN."""
        del inputs
        return []

    def forces_replacement(self, state: Properties, inputs: Properties) -> set[str]:
        """Properties that replace only in this case, beyond the fields that always do."""
        del state, inputs
        return set()

    @abstractmethod
    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Create; return the id and outputs that can be had only now (a secret key)."""

    @abstractmethod
    def read(self, resource_id: str, known: Properties) -> Properties | None:
        """Read all outputs that the service tells; None if it is gone. ``known`` is what the state holds."""

    @abstractmethod
    def update(self, resource_id: str, state: Properties, inputs: Properties) -> None:
        """Make the resource what the inputs say. Called with equal inputs to finish a partly made resource."""

    def import_id(self, resource_id: str) -> tuple[str, Properties]:
        """Turn the id that a user gives ``pulumi import`` into the resource's id and what it tells of the state."""
        return resource_id, {}

    def check(self, inputs: Properties, old: Properties, naming: Naming) -> tuple[Properties, list[Failure]]:
        failures = check(self.fields, inputs, naming.logical)
        checked = dict(inputs)
        defaulted = []
        for name, each in self.fields.items():
            if each.autoname and checked.get(name) is None and not checked.get(f"{name}Prefix"):
                # Without marks, as after a refresh, every old value may have been a default.
                kept = old.get(name) if name in old.get("__defaults", [name]) else None
                checked[name] = kept or naming.name(each.autoname)
                if checked[name] is None:
                    del checked[name]
                else:
                    defaulted.append(name)
        checked["__defaults"] = defaulted
        checked = with_defaults(self.fields, checked)
        if not failures:
            failures = [Failure("", reason) for reason in self.validate(without_marks(checked))]
        return checked, failures

    def diff(self, state: Properties, inputs: Properties) -> Diff:
        wanted = self.complete(without_marks(inputs))
        forced = self.forces_replacement(state, wanted)
        changes = [
            Difference(each.path, each.change, each.replace or each.property in forced)
            for each in differences(self.fields, state, wanted)
        ]
        # Two resources cannot bear one name: with a name of the user's own, the old one has to go first.
        delete_first = self.delete_before_replace or any(
            each.autoname and name not in inputs.get("__defaults", []) and state.get(name) == inputs.get(name)
            for name, each in self.fields.items()
        )
        return Diff(changes, delete_first and any(each.replace for each in changes))

    def make(self, inputs: Properties, *, preview: bool) -> tuple[str, Properties]:
        wanted = self.complete(without_marks(inputs))
        if preview:
            return "", self._planned(planned(self.fields, wanted), UNKNOWN)
        try:
            resource_id, once = self.create(wanted)
        except PartlyMadeError as error:
            made = {**wanted, **error.outputs}
            raise self._partly_made("creating", error, error.resource_id, made, wanted) from error
        return resource_id, self._outputs("creating", resource_id, {**wanted, **once}, wanted)

    def find(self, resource_id: str, state: Properties, inputs: Properties) -> Found | None:
        known, imported = state, not inputs and not state
        if imported:
            resource_id, known = self.import_id(resource_id)
        found = self.read(resource_id, known)
        if found is None:
            return None
        outputs = with_blanks(self.fields, self._settle(found, known))
        wanted = refreshed_inputs(self.fields, inputs, outputs)
        return Found(resource_id, self._recorded(outputs, resource_id, imported=imported), wanted)

    def change(self, resource_id: str, state: Properties, inputs: Properties, *, preview: bool) -> Properties:
        wanted = self.complete(without_marks(inputs))
        if preview:
            return self._planned(planned(self.fields, wanted, state), resource_id)
        kept = {
            name: state[name] for name, each in self.fields.items() if name in state and (each.output or each.computed)
        }
        try:
            self.update(resource_id, state, wanted)
        except ProviderError as error:
            # As the real plugins: the new values are recorded, and the next up finds them unfinished.
            failed = planned(self.fields, wanted, state)
            raise self._partly_made("updating", error, resource_id, failed, wanted, state) from error
        return self._outputs("updating", resource_id, {**kept, **wanted}, wanted, state)

    def _outputs(
        self, doing: str, resource_id: str, known: Properties, wanted: Properties, state: Properties | None = None
    ) -> Properties:
        """Read a resource that was just written; what cannot be read is kept from ``known``."""
        try:
            found = self.read(resource_id, known)
        except ProviderError as error:
            raise self._partly_made(doing, error, resource_id, known, wanted, state) from error
        if found is None:
            gone = f"{self.token} {resource_id} is not found after it was written"
            raise self._partly_made(doing, gone, resource_id, known, wanted, state)
        return self._recorded(nulls_kept(self.fields, self._settle(found, known), wanted, state), resource_id)

    def _partly_made(
        self,
        doing: str,
        reason: object,
        resource_id: str,
        known: Properties,
        wanted: Properties,
        state: Properties | None = None,
    ) -> PartlyMadeError:
        outputs = self._recorded(nulls_kept(self.fields, known, wanted, state), resource_id)
        return PartlyMadeError(str(reason), resource_id, self.secret_outputs(outputs), f"{doing} {self.urn}: ")

    def _settle(self, found: Properties, known: Properties) -> Properties:
        unread = {name: value for name, value in known.items() if name in self.fields and name not in found}
        settled = {**unread, **keep_wording(self.fields, found, known)}
        return {name: value for name, value in settled.items() if value is not None}

    def _planned(self, outputs: Properties, resource_id: Any) -> Properties:
        """A preview's outputs as the plugin words them."""
        full = with_blanks(self.fields, outputs)
        noted = delta(self.fields, full)
        own = {"id": resource_id, META: meta(self.timeouts, preview=True)}
        return {**full, **own, **({DELTA: noted} if noted and resource_id is not UNKNOWN else {})}

    def _recorded(self, outputs: Properties, resource_id: str, *, imported: bool = False) -> Properties:
        """Outputs as the plugin writes them into the state, with its own notes."""
        full = with_blanks(self.fields, known_only(self.fields, outputs))
        noted = meta(self.timeouts, imported=imported)
        return {**full, "id": resource_id, **({META: noted} if noted else {}), DELTA: delta(self.fields, full)}

    def secret_outputs(self, outputs: Properties) -> Properties:
        """Mark the outputs that the type's schema calls secret, at every level."""
        return with_secrets(self.fields, outputs)


Function = Callable[[Any, Properties], Properties]
"""A function of a provider: session and arguments to the result."""


class Engine:
    """The engine's log, which shows messages at the resource that they belong to."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address) if address else None

    def log(self, text: str, urn: str, severity: str = "INFO", *, ephemeral: bool = False) -> None:
        """Show a message; an ephemeral one only while the resource is worked on."""
        if self._channel is None:
            return
        line = engine_pb2.LogRequest(
            severity=engine_pb2.LogSeverity.Value(severity), message=text, urn=urn, ephemeral=ephemeral
        )
        # A line that cannot be delivered (the engine is ending) must not fail what it tells of.
        with contextlib.suppress(grpc.RpcError):
            engine_pb2_grpc.EngineStub(self._channel).Log(line)


class Provider(ABC, provider_pb2_grpc.ResourceProviderServicer, Generic[Session]):
    """One provider plugin: its types, its functions, its configuration."""

    name: ClassVar[str]
    version: ClassVar[str]
    resources: ClassVar[tuple[type[Resource[Any]], ...]]
    functions: ClassVar[Mapping[str, Function]]

    def __init__(self, engine_address: str) -> None:
        self.engine = Engine(engine_address)
        self._types = {each.token: each for each in self.resources}
        self._session: Session | None = None

    def check_configuration(self, configuration: Properties) -> list[Failure]:
        """Judge the provider's configuration before any resource is touched."""
        del configuration
        return []

    @abstractmethod
    def configure(self, configuration: Properties) -> Session:
        """Make what the resources work with. Raises ProviderError where the real plugin does."""

    def resource(self, urn: str) -> Resource[Any]:
        """Return the type that a URN names. Raises ProviderError if this stand-in does not know it."""
        token = urn.split("::")[2].rsplit("$", maxsplit=1)[-1]
        if token not in self._types:
            raise ProviderError(
                f"the sandbox's stand-in for the {self.name} plugin does not know the type {token}; it knows "
                f"{', '.join(sorted(self._types))}. Use the real plugin (SANDBOX_PLUGINS names its folder)"
            )
        return self._types[token](self.session, self.engine, urn)

    @property
    def session(self) -> Session:
        """What ``configure`` made."""
        if self._session is None:
            raise ProviderError(f"the {self.name} provider is not configured")
        return self._session

    # --- gRPC; the names are the protocol's ---------------------------------------------------------------------------

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802, ARG002
        return plugin_pb2.PluginInfo(version=self.version)

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802, ARG002
        self.engine = Engine(request.address)
        return empty_pb2.Empty()

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802, ARG002
        return provider_pb2.ProviderHandshakeResponse(supports_autonaming_configuration=True)

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802, ARG002
        return empty_pb2.Empty()

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802, ARG002
        from sandbox.providers.package_schema import package_schema

        declared = {each.token: each.fields for each in self.resources if issubclass(each, Declared)}
        return provider_pb2.GetSchemaResponse(schema=package_schema(self.name, self.version, declared))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802, ARG002
        configuration = decode(request.news)
        failures = [] if has_unknown(configuration) else self.check_configuration(configuration)
        return provider_pb2.CheckResponse(inputs=request.news, failures=_failures(failures))

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802, ARG002
        old, new = decode(request.olds), decode(request.news)
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        return provider_pb2.DiffResponse(changes=_some(changed), diffs=changed)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        try:
            self._session = self.configure(decode(request.args))
        except ProviderError as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        return provider_pb2.ConfigureResponse(supportsPreview=True, supports_autonaming_configuration=True)

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        function = self.functions.get(request.tok)
        if function is None:
            known = ", ".join(sorted(self.functions))
            context.abort(
                grpc.StatusCode.UNKNOWN,
                f"the sandbox's stand-in for the {self.name} plugin does not know the function {request.tok}; "
                f"it knows {known}. Use the real plugin (SANDBOX_PLUGINS names its folder)",
            )
        with _reported(context, f"invoking {request.tok}: "):
            result = function(self.session, decode(request.args)) if function is not None else {}
        answer = provider_pb2.InvokeResponse()
        getattr(answer, "return").CopyFrom(encode(result))  # the field is named like a keyword
        return answer

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with _reported(context):
            naming = _naming(request)
            inputs, failures = self.resource(request.urn).check(decode(request.news), decode(request.olds), naming)
        return provider_pb2.CheckResponse(inputs=encode(inputs), failures=_failures(failures))

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with _reported(context):
            resource = self.resource(request.urn)
            diff = resource.diff(decode(request.olds), decode(request.news))
        ignored = tuple(request.ignoreChanges)
        changes = [each for each in diff.changes if not _lies_in(each.path, ignored)]
        kinds = provider_pb2.PropertyDiff.Kind
        detailed = {
            each.path: provider_pb2.PropertyDiff(
                kind=kinds.Value(each.change.upper() + ("_REPLACE" if each.replace else ""))
            )
            for each in changes
        }
        replaces = sorted({each.property for each in changes if each.replace})
        return provider_pb2.DiffResponse(
            changes=_some(changes),
            replaces=replaces,
            deleteBeforeReplace=diff.delete_first and bool(replaces),
            diffs=sorted({each.property for each in changes}) if resource.names_changes else [],
            detailedDiff=detailed,
            hasDetailedDiff=True,
        )

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        inputs = decode(request.properties)
        with _reported(context):
            resource = self.resource(request.urn)
            resource_id, outputs = resource.make(inputs, preview=request.preview)
        return provider_pb2.CreateResponse(id=resource_id, properties=_shown(resource, outputs))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with _reported(context):
            resource = self.resource(request.urn)
            found = resource.find(request.id, decode(request.properties), decode(request.inputs))
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(
            id=found.resource_id,
            properties=_shown(resource, found.outputs),
            inputs=encode(_marked(resource, found.inputs)),
        )

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        inputs = decode(request.news)
        with _reported(context):
            resource = self.resource(request.urn)
            outputs = resource.change(request.id, decode(request.olds), inputs, preview=request.preview)
        return provider_pb2.UpdateResponse(properties=_shown(resource, outputs))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        with _reported(context):
            self.resource(request.urn).delete(request.id, decode(request.properties))
        return empty_pb2.Empty()


def _naming(request: Any) -> Naming:
    logical = request.urn.split("::")[-1]
    if not request.HasField("autonaming"):
        return Naming(logical, request.randomSeed)
    mode = provider_pb2.CheckRequest.AutonamingOptions.Mode.Name(request.autonaming.mode).lower()
    return Naming(logical, request.randomSeed, request.autonaming.proposed_name, mode)


def _marked(resource: Resource[Any], outputs: Properties) -> Properties:
    return resource.secret_outputs(outputs) if isinstance(resource, Declared) else outputs


def _shown(resource: Resource[Any], outputs: Properties) -> Any:
    return encode(_marked(resource, outputs), nulls=isinstance(resource, Declared))


def _lies_in(path: str, ignored: tuple[str, ...]) -> bool:
    return any(path == each or path.startswith((each + ".", each + "[")) for each in ignored)


def _some(changes: list[Any]) -> Any:
    return provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE


def _failures(failures: list[Failure]) -> list[Any]:
    return [provider_pb2.CheckFailure(property=each.property, reason=each.reason) for each in failures]


@dataclass
class _Status(grpc.Status):
    """A status with details, as gRPC transports it."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, bytes], ...]


class _reported:  # noqa: N801 - used as a function
    """Turn a ProviderError into the engine's error, in the form that the bridged plugins give it."""

    def __init__(self, context: grpc.ServicerContext, prefix: str = "") -> None:
        self._context = context
        self._prefix = prefix

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, ProviderError):
            return
        worded = str(error) if isinstance(error, PlainError) else f"1 error occurred:\n\t* {error}\n\n"
        reason = self._prefix + worded
        if isinstance(error, PartlyMadeError):
            self._context.abort_with_status(_partly_made(error, error.doing + reason))
        self._context.abort(grpc.StatusCode.UNKNOWN, reason)


def _partly_made(error: PartlyMadeError, reason: str) -> _Status:
    detail = any_pb2.Any()
    # Without inputs: the engine then records the program's.
    made = encode(error.outputs, nulls=True)
    detail.Pack(provider_pb2.ErrorResourceInitFailed(id=error.resource_id, properties=made, reasons=[reason]))
    status: message.Message = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=reason, details=[detail])
    metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    return _Status(grpc.StatusCode.UNKNOWN, reason, metadata)


def serve(provider: type[Provider[Any]], arguments: list[str]) -> None:
    """Run a provider as the engine's plugin: print the port on the first line, serve until the engine ends it."""
    addresses = [each for each in arguments if not each.startswith("-")]
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=16),
        options=[("grpc.max_receive_message_length", _MESSAGE_LIMIT), ("grpc.max_send_message_length", _MESSAGE_LIMIT)],
    )
    servicer = provider(addresses[0] if addresses else "")
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    Lifetime().last(port)
    server.stop(grace=None)
