"""A stand-in's process starts and ends as the engine wants it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sandbox.processes import listening
from tests.forks import command, serving
from tests.unit.sandbox.providers.plugin_client import CHECKOUT, PluginError, running
from tests.workstation import with_children

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAMES = ("aws", "azuredevops", "docker")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """Socket and process id of a fork server."""
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(params=["a process", "a fork"])
def started(request: pytest.FixtureRequest) -> Callable[[str], list[str]]:
    """The command that starts a module of the sandbox as a plugin, in each of the two ways."""

    def command_of(module: str) -> list[str]:
        if request.param == "a process":
            return [sys.executable, "-m", f"sandbox.{module}", "127.0.0.1:1"]
        return command(request.getfixturevalue("server")[0], f"sandbox.{module}", "127.0.0.1:1")

    return command_of


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shell", ["", "trap '' INT QUIT; "], ids=["foreground", "background"])
def test_a_plugin_says_its_port_and_ends_at_the_engines_interrupt_without_a_word(
    name: str, shell: str, started: Callable[[str], list[str]]
) -> None:
    shelled = ["sh", "-c", f'{shell}exec "$@"', "sh", *started(f"providers.{name}")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(shelled, cwd=CHECKOUT, text=True, **pipes) as plugin:  # type: ignore[call-overload]
        try:
            assert plugin.stdout.readline().strip().isdecimal()
            plugin.send_signal(signal.SIGINT)
            said, wrong = plugin.communicate()
        finally:
            plugin.kill()
    assert (plugin.returncode, said, wrong) == (0, "", "")


@pytest.mark.parametrize("module", [*(f"providers.{name}" for name in NAMES), "language_host"])
@pytest.mark.parametrize(
    "reads", ["plugin.stdout.readline()", ""], ids=["that knew its port", "before it knew its port"]
)
def test_a_plugin_whose_engine_was_killed_ends_too(
    module: str, reads: str, started: Callable[[str], list[str]]
) -> None:
    # The parent stands for the engine: it starts the plugin, tells its process id, and is killed.
    engine = (
        "import subprocess, sys\n"
        "plugin = subprocess.Popen(sys.argv[1:],"
        " stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)\n"
        f"{reads}\n"
        "print(plugin.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", engine, *started(module)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        plugin = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    try:
        assert select.select([plugin], [], [])[0] == [plugin]  # for as long as a test may take
    finally:
        os.close(plugin)


@pytest.mark.parametrize("module", [*(f"providers.{name}" for name in NAMES), "language_host"])
def test_a_plugin_of_the_fork_server_is_a_fork_of_it(module: str, server: tuple[Path, int]) -> None:
    started = command(server[0], f"sandbox.{module}", "127.0.0.1:1")
    with subprocess.Popen(started, stdout=subprocess.PIPE, text=True) as plugin:
        assert plugin.stdout is not None
        listens = int(plugin.stdout.readline())
        forks = with_children({server[1]}) - {server[1]}
        assert listens in set().union(*(listening(fork) for fork in forks))
        plugin.send_signal(signal.SIGINT)
    assert plugin.returncode == 0


def test_a_plugin_does_not_import_the_sdk_of_its_provider(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from sandbox import sdk\n"
        "sdk.messages_only()\n"
        "import sandbox.providers.aws.provider\n"
        "import sandbox.providers.azuredevops.provider\n"
        "import sandbox.providers.docker.provider\n"
        "heavy = {'pulumi_aws', 'boto3', 'botocore', 'docker', 'requests', 'pulumi.automation'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_a_resource_before_the_configuration_is_an_error(tmp_path: Path) -> None:
    with running("azuredevops", tmp_path) as plugin, pytest.raises(PluginError, match="provider is not configured"):
        plugin.check("azuredevops:index/environment:Environment", {})
