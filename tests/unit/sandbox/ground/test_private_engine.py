"""Which Docker engine is used, what is said where there can be none, and the private one's lock."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sandbox import docker_engine, private_dockerd
from sandbox.errors import SandboxError
from sandbox.layout import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path


def test_a_named_engine_that_does_not_answer_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(SandboxError, match=r"DOCKER_HOST names, .*none.sock, does not answer .*unset DOCKER_HOST"):
        docker_engine.find(tmp_path)


def test_an_engine_on_another_machine_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    with pytest.raises(SandboxError, match="is on another machine"):
        docker_engine.find(tmp_path)


@pytest.mark.parametrize("address", ["tcp://[x", "tcp://localhost:abc"])
def test_an_address_that_is_none_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(SandboxError, match=r"is no address such as unix://"):
        docker_engine.find(tmp_path)


def test_without_an_engine_and_without_root_the_remedies_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(docker_engine, "DEFAULT", f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SandboxError, match=r"a Docker engine is needed.*no such file.*usermod.*be root on Linux"):
        docker_engine.find(tmp_path)


class TestTheLock:
    def test_is_held_by_one_and_by_the_next_when_that_one_has_ended(self, tmp_path: Path) -> None:
        lock = tmp_path / "shared" / "one.lock"
        first = private_dockerd.hold(lock)
        with pytest.raises(BlockingIOError):
            private_dockerd.hold(lock)
        os.close(first)
        os.close(private_dockerd.hold(lock))

    @pytest.mark.parametrize("anew", [False, True], ids=["removed", "made anew"])
    def test_on_a_file_that_lost_its_name_meanwhile_is_no_lock(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, anew: bool
    ) -> None:
        """Another engine's end, between the open and the lock of this one: it removes the file that is open here."""
        lock = tmp_path / "one.lock"
        flock = fcntl.flock
        files = []

        def late(held: int, operation: int) -> None:
            files.append(os.fstat(held).st_ino)
            if len(files) == 1:
                lock.unlink()
                if anew:
                    lock.touch()
            flock(held, operation)

        monkeypatch.setattr(fcntl, "flock", late)
        held = private_dockerd.hold(lock)
        assert os.path.samestat(os.fstat(held), lock.stat())
        assert len(files) == 2
        with pytest.raises(BlockingIOError):
            private_dockerd.hold(lock)
        os.close(held)

    def test_of_an_engine_that_lives_keeps_its_name_and_its_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(private_dockerd, "SHARED", tmp_path / "shared")
        monkeypatch.setattr(private_dockerd, "_STOP_LIMIT", 0.1)
        lock = tmp_path / "shared" / f"{private_dockerd.identity(tmp_path)}.lock"
        held = private_dockerd.hold(lock)
        os.write(held, b"123\n")
        private_dockerd.runtime(tmp_path).mkdir()
        with pytest.raises(SandboxError, match="still runs: stop its process, 123"):
            private_dockerd.clean(tmp_path)
        assert os.path.samestat(os.fstat(held), lock.stat())
        assert private_dockerd.runtime(tmp_path).exists()
        os.close(held)
        private_dockerd.clean(tmp_path)
        assert not (tmp_path / "shared").exists()

    def test_of_all_engines_is_not_removed_while_another_holds_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(private_dockerd, "SHARED", tmp_path / "shared")
        common = private_dockerd.hold(tmp_path / "shared" / "lock")
        os.close(private_dockerd.hold(tmp_path / "shared" / f"{private_dockerd.identity(tmp_path)}.lock"))
        # _clean would wait for the common lock; what it has nothing to do with is the end
        private_dockerd._leave(tmp_path)
        assert os.path.samestat(os.fstat(common), (tmp_path / "shared" / "lock").stat())
        os.close(common)


def test_the_supervisor_is_told_what_it_needs() -> None:
    command = [sys.executable, "-m", "sandbox.private_dockerd"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--home" in done.stderr
