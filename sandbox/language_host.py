"""A stand-in for pulumi-language-python: `python -m sandbox.language_host [flags] ENGINE_ADDRESS`.

The engine starts it, reads its port from standard output and calls it over gRPC (pulumirpc.LanguageRuntime). As the
official one does, it runs each program in a process of its own (sandbox.run_program); programs and plugins run in this
interpreter: that of the virtual environment which Pulumi.yaml names. The sandbox's fork server starts them, if it runs.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import json
import signal
import subprocess
import sys
import sysconfig
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    from sandbox import collector, sdk

    collector.seldom()
    sdk.messages_only()

import grpc
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2
from pulumi.runtime.proto.codegen import loader_pb2

from sandbox import fork_client, program_code
from sandbox.lifetime import Lifetime

if TYPE_CHECKING:
    from collections.abc import Iterator

ALREADY_TOLD = 32
"""The program's exit status that says: the user has read an error by now, add none (sandbox.run_program)."""
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """What the engine asks of Python programs."""

    def __init__(self, engine_address: str) -> None:
        self.engine_address = engine_address

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 (gRPC)
        self.engine_address = request.engine_address or self.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 (gRPC)
        return plugin_pb2.PluginInfo(version=sdk_version())

    def About(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 (gRPC)
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 (gRPC)
        """The plugins that the program needs; as the official host, only with the pip of its environment."""
        if importlib.util.find_spec("pip") is None:
            context.abort(grpc.StatusCode.UNKNOWN, f"calling {sys.executable} -m pip list --format json: exit status 1")
        return language_pb2.GetRequiredPackagesResponse(packages=required_packages())

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802 (gRPC)
        """`pulumi install`: requirements.txt of the program into this interpreter's environment."""
        requirements = Path(request.info.program_directory or request.directory) / "requirements.txt"
        command = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable, "-r", str(requirements)]
        done = subprocess.run(command, capture_output=True, check=False)
        sdk_version.cache_clear()
        required_packages.cache_clear()
        yield language_pb2.InstallDependenciesResponse(stdout=done.stdout, stderr=done.stderr)
        if done.returncode:
            context.abort(grpc.StatusCode.INTERNAL, f"installing {requirements} failed, see above")

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 (gRPC)
        found = sorted((d.metadata["Name"], d.version) for d in importlib.metadata.distributions())
        dependencies = [language_pb2.DependencyInfo(name=name, version=version) for name, version in found]
        return language_pb2.GetProgramDependenciesResponse(dependencies=dependencies)

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802 (gRPC)
        """Run the program's directory as `python DIRECTORY` would; what it prints goes where this process prints."""
        directory = Path(request.info.program_directory or request.pwd)
        start = fork_client.process if _shadows(directory) else fork_client.command
        command = start("sandbox.run_program", self.engine_address)
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            context.add_callback(lambda: process.send_signal(signal.SIGINT))  # as the official host cancels
            process.communicate(request.SerializeToString())
        if process.returncode == ALREADY_TOLD:
            return language_pb2.RunResponse(bail=True)
        if process.returncode:
            # The official host's words; the engine prints them after what the program has said.
            return language_pb2.RunResponse(error=f"program exited with non-zero exit code: {process.returncode}")
        return language_pb2.RunResponse()

    def GenerateProgram(self, request: Any, context: Any) -> Any:  # noqa: N802 (gRPC)
        """`pulumi import`: the code of what was imported."""
        with grpc.insecure_channel(request.loader_target, options=_UNLIMITED) as channel:
            # The SDK's own stub of this service imports a module that is not in the SDK.
            get_schema = channel.unary_unary(
                "/codegen.Loader/GetSchema",
                request_serializer=loader_pb2.GetSchemaRequest.SerializeToString,
                response_deserializer=loader_pb2.GetSchemaResponse.FromString,
            )

            def schema_of(package: str) -> Any:
                return json.loads(get_schema(loader_pb2.GetSchemaRequest(package=package)).schema)

            try:
                program = program_code.python_program(dict(request.source), schema_of)
            except program_code.ProgramError as error:
                context.abort(
                    grpc.StatusCode.UNIMPLEMENTED,
                    f"the sandbox's stand-in for the language host cannot write this program: {error}. The import "
                    "itself is done; repeat it with --generate-code=false, or use the official language host",
                )
        return language_pb2.GenerateProgramResponse(source={"__main__.py": program.encode()})

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802 (gRPC)
        """Run a plugin that is a Python program (a policy pack, a provider) and stream what it prints."""
        if request.kind == "analyzer":
            command = fork_client.command("pulumi.policy", *request.args, request.info.program_directory)
        else:
            command = [sys.executable, "-u", request.info.program_directory, *request.args]
        environment = dict(entry.split("=", 1) for entry in request.env) or None
        process = subprocess.Popen(
            command, cwd=request.pwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        context.add_callback(process.terminate)
        assert process.stdout is not None  # noqa: S101 (a pipe was asked for)
        assert process.stderr is not None  # noqa: S101 (a pipe was asked for)
        errors: list[bytes] = []
        reader = threading.Thread(target=errors.extend, args=(process.stderr,), daemon=True)
        reader.start()
        for line in process.stdout:
            yield language_pb2.RunPluginResponse(stdout=line)
        reader.join()
        yield language_pb2.RunPluginResponse(stderr=b"".join(errors))
        yield language_pb2.RunPluginResponse(exitcode=process.wait())


def _shadows(directory: Path) -> bool:
    """Whether a program has a module of the name of an installed one: which of them an import finds, depends on what is
    imported before, and that is to be what it is everywhere."""
    names = {path.stem for path in directory.glob("*.py")} | {
        path.parent.name for path in directory.glob("*/__init__.py")
    }
    installed, rooms = sysconfig.get_path("purelib"), str(Path(__file__).resolve().parents[1])
    for name in names - {"__main__"}:
        found = importlib.util.find_spec(name)
        origin = (found.origin or "") if found else rooms
        if origin.startswith(installed) or not origin.startswith(rooms):
            return True
    return False


@functools.cache
def sdk_version() -> str:
    """The version of the SDK in this environment."""
    return importlib.metadata.version("pulumi")


@functools.cache
def required_packages() -> list[Any]:
    """The plugins of the SDK packages in this environment: each says which in its pulumi-plugin.json."""
    return list(_required_packages())


def _required_packages() -> Iterator[Any]:
    for file in sorted(Path(sysconfig.get_path("purelib")).glob("*/pulumi-plugin.json")):
        described = json.loads(file.read_text(encoding="utf-8"))
        if described.get("resource"):
            yield plugin_pb2.PackageDependency(
                name=described.get("name") or file.parent.name.removeprefix("pulumi_").replace("_", "-"),
                kind="resource",
                version="v" + (described.get("version") or importlib.metadata.version(file.parent.name)),
                server=described.get("server", ""),
            )


def main(arguments: list[str]) -> int:
    """Serve until the engine ends this process."""
    engine_address = arguments[-1] if arguments and not arguments[-1].startswith("-") else ""
    server = grpc.server(ThreadPoolExecutor(max_workers=4), options=_UNLIMITED)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(engine_address), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    Lifetime().last(port)
    server.stop(grace=None)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
