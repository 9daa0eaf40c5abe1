"""The stand-in language host, asked over gRPC as the engine asks it."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from typing import TYPE_CHECKING

import grpc
import pytest
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from tests.workstation import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def host() -> Iterator[language_pb2_grpc.LanguageRuntimeStub]:
    command = [sys.executable, "-m", "sandbox.language_host", "--root=/x", "127.0.0.1:1"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield language_pb2_grpc.LanguageRuntimeStub(channel)
        process.terminate()
    assert process.returncode == 0


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
