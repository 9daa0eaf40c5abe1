"""The stand-in language host, asked over gRPC as the engine asks it."""

from __future__ import annotations

import importlib.metadata
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    language_pb2,
    language_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from sandbox import language_host, run_program
from tests import forks
from tests.workstation import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Engine(engine_pb2_grpc.EngineServicer, resource_pb2_grpc.ResourceMonitorServicer):
    """The engine's two services as far as a program without resources asks them; keeps what is logged."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.debugged: list[str] = []

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 (gRPC)
        if request.severity == engine_pb2.ERROR:
            self.errors.append(request.message)
        if request.severity == engine_pb2.DEBUG:
            self.debugged.append(request.message)
        return empty_pb2.Empty()

    def SupportsFeature(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 (gRPC)
        return resource_pb2.SupportsFeatureResponse(hasSupport=True)

    def RegisterResource(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 (gRPC)
        return resource_pb2.RegisterResourceResponse(urn=f"urn:pulumi:dev::p::{request.type}::{request.name}")

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 (gRPC)
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002 (gRPC)
        return empty_pb2.Empty()


@pytest.fixture
def engine() -> Iterator[tuple[Engine, str]]:
    """The engine and its address."""
    services = Engine()
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    engine_pb2_grpc.add_EngineServicer_to_server(services, server)
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(services, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield services, f"127.0.0.1:{port}"
    server.stop(grace=None).wait()


@pytest.fixture(scope="module")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Its socket."""
    with forks.serving(tmp_path_factory.mktemp("server")) as (path, _):
        yield path


@pytest.fixture(params=["a process", "a fork"])
def host(engine: tuple[Engine, str], request: pytest.FixtureRequest) -> Iterator[language_pb2_grpc.LanguageRuntimeStub]:
    """The host, and with it the programs and policy packs that it runs: processes of their own, or forks."""
    command = [sys.executable, "-m", "sandbox.language_host", "--root=/x", engine[1]]
    if request.param == "a fork":
        socket = request.getfixturevalue("fork_server")
        command = forks.command(socket, "sandbox.language_host", "--root=/x", engine[1])
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield language_pb2_grpc.LanguageRuntimeStub(channel)
        process.terminate()
        process.communicate()
    assert process.returncode == 0


def request_of(folder: Path, program: str, engine_address: str) -> language_pb2.RunRequest:
    folder.mkdir()
    (folder / "__main__.py").write_text(program, encoding="utf-8")
    request = language_pb2.RunRequest(
        project="p", stack="dev", pwd=str(folder), monitor_address=engine_address, parallel=1, organization="o"
    )
    request.info.program_directory = str(folder)
    request.config["p:key"] = "value"
    return request


UNHANDLED = """Program failed with an unhandled exception:
Traceback (most recent call last):
  File "{folder}/__main__.py", line 3, in <module>
    f()
  File "{folder}/__main__.py", line 2, in f
    raise ValueError('odd')
ValueError: odd
"""


@pytest.mark.parametrize(
    ("program", "logged", "added", "told"),
    [
        ("import pulumi\npulumi.export('a', pulumi.Config('p').require('key'))", "", "", False),
        (
            "import pulumi\nraise pulumi.RunError('no key')",
            "no key",
            "program exited with non-zero exit code: 1",
            False,
        ),
        ("import sys\nsys.exit(7)", "", "program exited with non-zero exit code: 7", False),
        ("import pulumi, sys\npulumi.log.error('mine')\nsys.exit(32)", "mine", "", True),
        (
            "def f():\n    raise ValueError('odd')\nf()",
            UNHANDLED,
            "",
            True,
        ),
    ],
    ids=["good", "RunError", "own status", "told already", "unhandled"],
)
def test_a_program_ends_as_under_the_official_host(
    host: language_pb2_grpc.LanguageRuntimeStub,
    engine: tuple[Engine, str],
    tmp_path: Path,
    program: str,
    logged: str,
    added: str,
    told: bool,
) -> None:
    answer = host.Run(request_of(tmp_path / "program", program, engine[1]), timeout=120)
    assert (answer.error, answer.bail) == (added, told)
    # From 3.13 on Python underlines within a line that it quotes.
    errors = ["".join(line for line in said.splitlines(True) if line.strip(" ~^\n")) for said in engine[0].errors]
    assert errors == ([logged.format(folder=tmp_path / "program")] if logged else [])


@pytest.mark.parametrize(("quiet", "debugged"), [("", ["mine"]), ("1", [])])
def test_messages_for_debug_are_left_out_where_that_is_wanted(
    engine: tuple[Engine, str], tmp_path: Path, quiet: str, debugged: list[str]
) -> None:
    request = request_of(tmp_path / "program", "import pulumi\npulumi.log.debug('mine')", engine[1])
    command = [sys.executable, "-m", "sandbox.run_program", engine[1]]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), run_program.QUIET: quiet}
    subprocess.run(command, input=request.SerializeToString(), env=environment, check=True)
    assert [each for each in engine[0].debugged if each == "mine"] == debugged
    assert bool(engine[0].debugged) == bool(debugged)  # the SDK's own as well


def test_a_programs_own_module_comes_before_an_installed_one_of_its_name(
    host: language_pb2_grpc.LanguageRuntimeStub, engine: tuple[Engine, str], tmp_path: Path
) -> None:
    request = request_of(tmp_path / "program", "import pulumi\nimport pulumi_docker\npulumi_docker.say()", engine[1])
    (tmp_path / "program/pulumi_docker.py").write_text(
        "import pulumi\ndef say():\n    raise pulumi.RunError('mine')", encoding="utf-8"
    )
    host.Run(request, timeout=120)
    assert engine[0].errors == ["mine"]


def test_a_program_that_is_cancelled_is_interrupted(
    host: language_pb2_grpc.LanguageRuntimeStub, engine: tuple[Engine, str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = f"""
import socket, time
with socket.create_connection({server.getsockname()!r}) as told:
    try:
        told.sendall(b"running, ")
        while True:  # in short sleeps: Python sees a signal that comes just before a sleep begins when that ends
            time.sleep(0.05)
    except KeyboardInterrupt:
        told.sendall(b"interrupted")
"""
        running = host.Run.future(request_of(tmp_path / "program", program, engine[1]))
        server.settimeout(120)
        connection, _ = server.accept()
    with connection, connection.makefile("rb") as told:
        connection.settimeout(120)
        assert told.read(9) == b"running, "
        running.cancel()
        assert told.read() == b"interrupted"


def test_it_names_the_plugins_of_the_sdks_in_requirements_txt(host: language_pb2_grpc.LanguageRuntimeStub) -> None:
    answer = host.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest())
    found = {package.name: package.version for package in answer.packages}
    for name in ("aws", "azuredevops", "docker"):
        assert found[name] == "v" + importlib.metadata.version(f"pulumi-{name}")


def test_it_lists_what_is_installed(host: language_pb2_grpc.LanguageRuntimeStub) -> None:
    answer = host.GetProgramDependencies(language_pb2.GetProgramDependenciesRequest())
    assert ("pulumi", importlib.metadata.version("pulumi")) in {(d.name, d.version) for d in answer.dependencies}


def test_it_runs_a_plugin_and_streams_what_it_prints(
    host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    program = tmp_path / "plugin"
    program.mkdir()
    (program / "__main__.py").write_text(
        "import os, sys; print(sys.argv[1], os.environ['X']); print('err', file=sys.stderr); sys.exit(3)",
        encoding="utf-8",
    )
    request = language_pb2.RunPluginRequest(pwd=str(tmp_path), args=["one"], env=["X=two"], kind="resource")
    request.info.program_directory = str(program)
    answers = list(host.RunPlugin(request))
    assert b"".join(answer.stdout for answer in answers) == b"one two\n"
    assert b"".join(answer.stderr for answer in answers) == b"err\n"
    assert answers[-1].exitcode == 3


def test_an_environment_without_pip_is_refused_as_by_the_official_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose `pip list` fails then: an environment that uv makes has none, so pip is among the locked packages."""

    class Refused(Exception):  # noqa: N818 (what gRPC's abort raises)
        pass

    class Context:
        def abort(self, code: grpc.StatusCode, details: str) -> None:
            raise Refused(code, details)

    host = language_host.LanguageHost("")
    assert {one.name for one in host.GetRequiredPackages(None, Context()).packages} >= {"aws", "docker"}
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(Refused, match="-m pip list --format json: exit status 1"):
        host.GetRequiredPackages(None, Context())
    assert "\npip==" in (CHECKOUT / "requirements.txt").read_text(encoding="utf-8")
