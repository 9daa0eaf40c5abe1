"""Runs the program itself under Pulumi's mocks and records what it registers."""

import asyncio
import contextvars
import functools
import json
import logging
import re
import runpy
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from google.protobuf import json_format
from pulumi.runtime import mocks as pulumi_mocks, rpc
from pulumi.runtime.settings import get_root_resource
from pulumi.runtime.stack import Stack, run_pulumi_func

from infra.ending import ALREADY_TOLD
from infra.job import MARKS

ROOT = Path(__file__).parents[3]
DIGEST = "sha256:" + "ab" * 32


@dataclass
class Resource:
    """One registration, as the engine would get it."""

    type: str
    name: str
    inputs: dict[str, Any]
    """Unwrapped; `secrets` tells which were secret."""
    secrets: set[str]
    """Paths of the inputs that were sent as secrets, such as `registry.password`."""
    parent: str
    """Name of the parent."""
    protect: bool
    additional_secret_outputs: list[str]
    dependencies: set[str]
    """Names of the resources that its inputs depend on."""
    ignore_changes: list[str]
    deleted_with: str
    """Name of the resource that takes it along; empty for none."""
    replacement_trigger: Any
    """What the engine compares with its last value; None for nothing."""


@dataclass
class Program:
    """What one run of the program registered."""

    resources: list[Resource] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    secret_outputs: set[str] = field(default_factory=set)

    def one(self, kind: str) -> Resource:
        """The only resource of a type."""
        (found,) = (resource for resource in self.resources if resource.type == kind)
        return found

    def names(self, kind: str) -> list[str]:
        return sorted(resource.name for resource in self.resources if resource.type == kind)


@functools.cache
def defaults() -> Mapping[str, str]:
    """The configuration as the engine passes it when a stack sets nothing."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    return {f"app-one:{key}": as_text(entry["default"]) for key, entry in declared.items()}


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class Cloud(pulumi_mocks.Mocks):
    """Answers as the providers do for the resources that the program knows; anything else is an error."""

    partition = "aws"
    region = "us-east-2"
    registry = "123456789012.dkr.ecr.us-east-2.amazonaws.com"

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {}
        """What IAM has of users: `accessKeys` and `tags` by name."""

    def call(self, args: pulumi_mocks.MockCallArgs) -> Any:
        answers: dict[str, dict[str, Any]] = {
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": "123456789012", "id": "123456789012"},
            "aws:index/getRegion:getRegion": {"region": self.region, "id": self.region},
            "aws:index/getPartition:getPartition": {"partition": self.partition, "id": self.partition},
            "aws:ecr/getRepository:getRepository": {
                "name": args.args.get("name"),
                "repositoryUrl": f"{self.registry}/{args.args.get('name')}",
                "arn": f"arn:{self.partition}:ecr:{self.region}:123456789012:repository/{args.args.get('name')}",
                "encryptionConfigurations": [{"encryptionType": "AES256"}],
                "tags": {"app-one:incarnation": "first"},
            },
            "aws:iam/getUsers:getUsers": {
                "names": [name for name in self.users if re.search(str(args.args.get("nameRegex")), name)]
            },
            "aws:iam/getUser:getUser": self.users.get(str(args.args.get("userName")), {}),
            "aws:iam/getAccessKeys:getAccessKeys": self.users.get(str(args.args.get("user")), {}),
            "aws:ecr/getAuthorizationToken:getAuthorizationToken": {"userName": "AWS", "password": "ecr-token"},
            "azuredevops:index/getProject:getProject": {"id": "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c"},
            "azuredevops:index/getGitRepository:getGitRepository": {"id": "a1e4bb2c-5e4b-4f1f-8a51-6f7b1f4f1a11"},
            "azuredevops:index/getGroup:getGroup": {"groupId": f"id-of-{args.args.get('name')}"},
        }
        return answers[args.token], []

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        inputs = plain(args.inputs)
        arn = f"arn:{self.partition}:iam::123456789012"
        outputs: dict[str, dict[str, Any]] = {
            "aws:ecr/repository:Repository": {
                "repositoryUrl": f"{self.registry}/{inputs.get('name')}",
                "registryId": "123456789012",
                "arn": f"arn:{self.partition}:ecr:{self.region}:123456789012:repository/{inputs.get('name')}",
            },
            "aws:iam/policy:Policy": {"arn": f"{arn}:policy{inputs.get('path')}{inputs.get('name')}"},
            "aws:iam/role:Role": {"arn": f"{arn}:role{inputs.get('path')}{inputs.get('name')}"},
            "aws:iam/accessKey:AccessKey": {"secret": f"secret-of-{args.name}"},
            "docker:index/image:Image": {"repoDigest": f"{str(inputs.get('imageName')).rpartition(':')[0]}@{DIGEST}"},
        }
        identifiers = {
            "aws:iam/accessKey:AccessKey": "AKIA" + args.name.upper(),
            "azuredevops:index/buildDefinition:BuildDefinition": "12",
            "azuredevops:index/environment:Environment": "34",
            "azuredevops:index/variableGroup:VariableGroup": "56",
        }
        return identifiers.get(args.typ, f"id-of-{args.name}"), {**args.inputs, **outputs.get(args.typ, {})}


class Monitor(pulumi_mocks.MockMonitor):
    """Records the parts of a registration that mocks do not get."""

    def __init__(self, mocks: pulumi_mocks.Mocks, program: Program) -> None:
        super().__init__(mocks)
        self.program = program

    def Invoke(self, request: Any) -> Any:  # noqa: N802 (the protocol's name)
        self.program.calls.append((request.tok, plain(rpc.deserialize_properties(request.args))))
        with own_loop():
            return super().Invoke(request)  # type: ignore[no-untyped-call]

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the protocol's name)
        if request.type == "pulumi:pulumi:Stack":
            return super().RegisterResource(request)  # type: ignore[no-untyped-call]
        with own_loop():
            sent = rpc.deserialize_properties(request.object)
            self.program.resources.append(
                Resource(
                    type=request.type,
                    name=request.name,
                    inputs=plain(sent),
                    secrets=set(secret_paths(sent)),
                    parent=request.parent.rpartition("::")[2],
                    protect=request.protect,
                    additional_secret_outputs=list(request.additionalSecretOutputs),
                    dependencies={urn.rpartition("::")[2] for urn in request.dependencies},
                    ignore_changes=list(request.ignoreChanges),
                    deleted_with=request.deletedWith.rpartition("::")[2],
                    replacement_trigger=(
                        json_format.MessageToDict(request.replacement_trigger)
                        if request.HasField("replacement_trigger")
                        else None
                    ),
                )
            )
            return super().RegisterResource(request)  # type: ignore[no-untyped-call]


@contextmanager
def own_loop() -> Iterator[None]:
    """The mock monitor opens an event loop on each thread that it answers on, and leaves it open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def plain(value: Any) -> Any:
    """`value` without the wrappers of secrets."""
    if rpc.is_rpc_secret(value):
        return plain(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def secret_paths(value: Any, path: str = "") -> Iterator[str]:
    if rpc.is_rpc_secret(value):
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from secret_paths(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from secret_paths(item, f"{path}[{number}]")


def run(config: Mapping[str, Any], *, secret_keys: list[str], cloud: Cloud, project: Path, program: Program) -> None:
    """Runs `project`'s `__main__.py` as a language host does."""
    values = {**defaults(), **{key: as_text(value) for key, value in config.items()}}
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    pulumi.runtime.reset_options(project="app-one", stack="dev")
    pulumi.runtime.set_all_config(values, secret_keys)
    pulumi.runtime.set_mocks(cloud, project="app-one", stack="dev", monitor=Monitor(cloud, program))

    async def main() -> None:
        runpy.run_path(str(project / "__main__.py"), run_name="__main__")

    async def whole() -> None:
        await run_pulumi_func(main)
        stack = get_root_resource()
        assert isinstance(stack, Stack)
        for name, output in stack.outputs.items():
            known = pulumi.Output.from_input(output)
            program.outputs[name] = await known.future()
            if await known.is_secret():
                program.secret_outputs.add(name)

    interrupt = signal.getsignal(signal.SIGINT)
    try:
        loop.run_until_complete(whole())
    finally:
        signal.signal(signal.SIGINT, interrupt)
        for task in asyncio.all_tasks(loop):
            task.cancel()
            loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        asyncio.set_event_loop(None)


@pytest.fixture
def run_program(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Program]:
    """Runs the program afresh: `run_program({"app-one:keepImages": 5}, environment={...})`."""

    def call(
        config: Mapping[str, Any] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        secret_keys: list[str] | None = None,
        cloud: Cloud | None = None,
        project: Path = ROOT,
        program: Program | None = None,
    ) -> Program:
        for name in (
            *MARKS,
            "BUILD_BUILDNUMBER",
            "BUILD_SOURCEVERSION",
            "BUILD_REPOSITORY_URI",
            "SOURCE_DATE_EPOCH",
            "KEYS_AS_OF",
        ):
            monkeypatch.delenv(name, raising=False)
        for name, value in (environment or {}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("infra.ending._leave", lambda: sys.exit(ALREADY_TOLD))
        monkeypatch.setattr("pulumi.run", lambda _: None)  # the mocks' stack takes no entry point; no engine can stop
        monkeypatch.chdir(project)
        recorded = program or Program()
        contextvars.copy_context().run(
            run,
            config or {},
            secret_keys=secret_keys or [],
            cloud=cloud or Cloud(),
            project=project,
            program=recorded,
        )
        return recorded

    return call


@pytest.fixture
def refusal(run_program: Callable[..., Program], caplog: pytest.LogCaptureFixture) -> Callable[..., str]:
    """Runs a program that has to end with one error; returns it. Its exit status keeps the host from adding another."""

    def call(*arguments: Any, **options: Any) -> str:
        caplog.clear()
        with pytest.raises(SystemExit) as ended:
            run_program(*arguments, **options)
        assert ended.value.code == ALREADY_TOLD
        (message,) = (record.getMessage() for record in caplog.records if record.levelno == logging.ERROR)
        return message

    return call


@pytest.fixture
def cloud() -> Cloud:
    """The mocked providers, to change an answer of."""
    return Cloud()


@pytest.fixture
def recording() -> Program:
    """A record to hand to `run_program` where the run is expected to fail."""
    return Program()
