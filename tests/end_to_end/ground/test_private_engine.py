"""The private Docker engine leaves the machine as it found it, and says what is wrong where there can be none."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import urllib.request
from typing import TYPE_CHECKING

import pytest

from sandbox import docker_engine, private_dockerd, processes
from sandbox.errors import SandboxError
from sandbox.layout import CHECKOUT
from tests.end_to_end.ground.machine import CACHE, Engine, picture, private_engine, run_container

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.e2e


def _kill(pid: int, *, ends: Sequence[int] = ()) -> None:
    """SIGKILL a process; return when it and the others have ended."""
    waiting = [os.pidfd_open(each) for each in (pid, *ends)]
    os.kill(pid, signal.SIGKILL)
    for each in waiting:
        select.select([each], [], [])
        os.close(each)


@pytest.mark.usefixtures("root")
class TestTheMachine:
    def test_is_as_before_after_a_stop_with_a_container_running(self, tmp_path: Path) -> None:
        engine = Engine(tmp_path)
        before = picture(engine)
        with private_engine(tmp_path):
            port = run_container(engine)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=300) as answer:
                assert answer.read() == b"hello\n"
            during = picture(engine)
        assert during["links"] != before["links"]
        assert during["rules"] != before["rules"]
        assert during["cgroups"] != before["cgroups"]
        assert during["mounts"] == before["mounts"], "no mount of it is seen outside, even while it runs"
        assert picture(engine) == before

    def test_is_as_before_after_dockerd_was_killed(self, tmp_path: Path) -> None:
        engine = Engine(tmp_path)
        before = picture(engine)
        with private_engine(tmp_path):
            run_container(engine)
            _kill(engine.dockerd, ends=[engine.supervisor])
            assert picture(engine) == before, "nobody had to call for it"
        assert "dockerd ended" in (tmp_path / "logs" / "docker.log").read_text(encoding="utf-8")

    def test_is_as_before_after_all_of_it_was_killed_and_down(self, tmp_path: Path) -> None:
        engine = Engine(tmp_path)
        before = picture(engine)
        with private_engine(tmp_path):
            run_container(engine)
            _kill(engine.supervisor, ends=[engine.dockerd])
        assert picture(engine) == before

    def test_serves_again_after_all_of_it_was_killed(self, tmp_path: Path) -> None:
        with private_engine(tmp_path) as engine:
            run_container(engine)
            _kill(engine.supervisor)
            engine.start()
            with docker_engine.client(engine.address) as client:
                assert [image.tags for image in client.images.list()] == [["hello:1"]], "it keeps its images"

    def test_holds_two_engines_side_by_side_and_is_as_before_after_the_last(self, tmp_path: Path) -> None:
        first, second = Engine(tmp_path / "one"), Engine(tmp_path / "two")
        before = picture(first)
        with private_engine(first.home):
            with private_engine(second.home):
                ports = run_container(first), run_container(second)
                with docker_engine.client(first.address) as one, docker_engine.client(second.address) as two:
                    (own,), (other,) = one.containers.list(), two.containers.list()
                    assert own.id != other.id
                    networks = [each.attrs["NetworkSettings"]["Networks"]["bridge"]["Gateway"] for each in (own, other)]
                    assert networks[0] != networks[1]
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/", timeout=300) as answer:
                assert answer.read() == b"hello\n", "the end of the second is nothing to the first"
        assert picture(first) == before

    def test_is_not_cleaned_under_an_engine_that_runs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(private_dockerd, "_STOP_LIMIT", 0.1)  # this one is not about to go
        with private_engine(tmp_path) as engine:
            with pytest.raises(SandboxError, match=f"still runs: stop its process, {engine.supervisor}"):
                docker_engine.clean(tmp_path)
            with docker_engine.client(engine.address) as client:
                assert client.ping()

    def test_gets_no_second_engine_for_the_same_folder(self, tmp_path: Path) -> None:
        with private_engine(tmp_path) as engine:
            root = docker_engine.prepare(CACHE, print)
            command = [*docker_engine.argv(tmp_path, root), "--ready-fd", "1"]
            second = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
            assert second.returncode == 1
            assert (
                second.stderr == f"the private Docker engine of {tmp_path} runs already, process {engine.supervisor}\n"
            )
            with docker_engine.client(engine.address) as client:
                assert client.ping()


@pytest.mark.usefixtures("root")
def test_the_engine_is_found_by_its_own_address_only_as_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DOCKER_HOST of `sandbox env` names the private engine: after `down` it must not be taken for the user's."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(docker_engine, "DEFAULT", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("DOCKER_HOST", docker_engine.host(tmp_path))
    assert docker_engine.find(tmp_path) is None


@pytest.mark.usefixtures("root")
def test_a_running_engine_is_used_before_a_private_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with private_engine(tmp_path / "users") as users:
        monkeypatch.setenv("DOCKER_HOST", users.address)
        assert docker_engine.find(tmp_path / "ours") == users.address


@pytest.mark.usefixtures("root")
def test_an_engine_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    before = picture(engine)
    (tmp_path / "docker").write_text("a file where dockerd needs a folder", encoding="utf-8")
    try:
        with pytest.raises(SandboxError, match=r"docker did not start(.|\n)*canonical path points to a file"):
            engine.start()
        assert picture(engine) == before
    finally:
        engine.stop()
    assert processes.pid(tmp_path / "run", "docker") is None
