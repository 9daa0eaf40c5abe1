"""Packages of the distribution are unpacked into the cache, once, whole, without root and without a changed machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from sandbox import packages
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ("tini",)
pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A cache into which two unpacked at the same time, and what they said."""
    cache: Path = tmp_path_factory.mktemp("cache")
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda _: packages.unpack(SMALL, cache, said.append), range(2))
    assert one == two
    return cache, said


@pytest.fixture
def cache(once: tuple[Path, list[str]], tmp_path: Path) -> Path:
    """A copy of that cache."""
    return shutil.copytree(once[0], tmp_path / "cache", symlinks=True)


def test_two_at_once_unpack_once(once: tuple[Path, list[str]]) -> None:
    assert sum(line.startswith("unpacking") for line in once[1]) == 1


def test_an_unpacked_command_is_found_first_and_runs(cache: Path) -> None:
    environment = packages.environment(packages.unpack(SMALL, cache, print))
    shown = subprocess.run(["tini", "--version"], env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("tini version")


def test_the_second_time_asks_nobody(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no apt there
    assert (packages.unpack(SMALL, cache, print) / "usr/bin/tini").exists()


def test_what_the_machine_lacks_comes_along_and_what_it_has_does_not(tmp_path: Path) -> None:
    wanted = packages.files(packages.with_dependencies(("docker.io",)), tmp_path, print)
    names = {name.split("_")[0] for name in wanted}
    assert "docker.io" in names
    assert "libc6" not in names


def test_optional_packages_that_a_release_lacks_are_left_out(cache: Path) -> None:
    wanted = packages.with_dependencies(SMALL, optional=("no-such-package-of-ours", "netbase"))
    names = {name.split("_")[0] for name in packages.files(wanted, cache, print)}
    assert names == {*SMALL, "netbase"}


def test_what_an_interruption_left_is_not_taken_for_whole(cache: Path) -> None:
    (root,) = cache.glob("packages/*/[0-9a-f]*[0-9a-f]")
    root.rename(root.parent / ".unpacking-killed")
    assert packages.unpack(SMALL, cache, print) == root
    assert (root / "usr/bin/tini").exists()
    assert not list(root.parent.glob(".unpacking-*"))


def test_without_network_an_earlier_one_serves(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (chosen,) = cache.glob("packages/*/chosen.json")
    known = json.loads(chosen.read_text(encoding="utf-8"))
    chosen.write_text(json.dumps({**known, "apt": []}), encoding="utf-8")
    broken = tmp_path / "bin" / "apt-get"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho 'E: no network' >&2\nexit 100\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    said: list[str] = []
    assert packages.unpack(SMALL, cache, said.append) == chosen.parent / known["root"]
    assert "apt does not answer; using tini as it was unpacked earlier" in said


def test_missing_lists_are_fetched_into_the_cache_and_an_unknown_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = tmp_path / "none"
    none.mkdir()
    settings = tmp_path / "apt.conf"
    settings.write_text(f'Dir::State::lists "{none}";\n', encoding="utf-8")
    monkeypatch.setenv("APT_CONFIG", str(settings))
    said: list[str] = []
    root = packages.unpack(SMALL, tmp_path / "cache", said.append)
    assert (root / "usr/bin/tini").exists()
    assert said[0] == "fetching the distribution's package lists"
    assert not list(none.glob("*_Packages*")), "the machine's own lists stay as they were"
    with pytest.raises(SandboxError, match="Unable to locate package no-such-package-of-ours; check the network"):
        packages.unpack(("no-such-package-of-ours",), tmp_path / "cache", print)


def test_another_system_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match=r"packages are missing \(tini\).*on Debian and Ubuntu only"):
        packages.unpack(SMALL, tmp_path, print)
