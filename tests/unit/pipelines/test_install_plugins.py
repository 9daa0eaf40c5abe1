"""Plugins come from pinned archives, or are there already; nothing else is installed."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines import agent, archives, install_plugins, surroundings

CHECKOUT = Path(__file__).resolve().parents[3]
VERSIONS = {"aws": "9.9.9"}


def packed(said: str) -> bytes:
    """The archive of a plugin that says something: the same bytes whenever it is asked for."""
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as whole, tarfile.open(fileobj=whole, mode="w") as tar:
        script = f"#!/bin/sh\necho {said}\n".encode()
        member = tarfile.TarInfo("pulumi-resource-aws")
        member.size, member.mode = len(script), 0o755
        tar.addfile(member, io.BytesIO(script))
    return content.getvalue()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What the host of releases serves, by address; one plugin is wanted, and nothing is pinned."""
    served: dict[str, bytes] = {}

    def download(url: str, seconds: float = 0) -> bytes:
        del seconds
        if url not in served:
            raise agent.Stop(f"{url} could not be read: 404")
        return served[url]

    monkeypatch.setattr(archives, "download", download)
    monkeypatch.setattr(install_plugins, "versions", lambda: VERSIONS)
    pins = tmp_path / "plugins.sha256"
    pins.write_text("# pins\n", encoding="utf-8")
    monkeypatch.setattr(install_plugins, "PINS", pins)
    monkeypatch.setattr(install_plugins, "MACHINES", (install_plugins.machine(),))
    return served


def release() -> str:
    file = install_plugins.archive("aws", "9.9.9", install_plugins.machine())
    return install_plugins.RELEASE.format(name="aws", version="9.9.9", file=file)


def install(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins" / "resource-aws-v9.9.9"
    install_plugins.install("aws", "9.9.9", folder, tmp_path / "archives")
    return folder


def said(folder: Path) -> str:
    done = subprocess.run([folder / "pulumi-resource-aws"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_each_provider_has_the_version_of_its_locked_sdk() -> None:
    found = install_plugins.versions()
    assert set(found) == set(install_plugins.PLUGINS)
    lock = install_plugins.LOCK.read_text(encoding="utf-8")
    assert all(f"pulumi-{name}=={version} " in lock for name, version in found.items())


def test_an_archive_that_is_not_pinned_is_refused_with_the_command_that_pins_it(
    host: dict[str, bytes], tmp_path: Path
) -> None:
    host[release()] = packed("official")
    with pytest.raises(agent.Stop, match=r"`python -m pipelines\.install_plugins --pin`") as stop:
        install(tmp_path)
    assert stop.value.code == agent.USAGE
    assert not (tmp_path / "plugins").exists()


def test_a_pinned_archive_is_installed_and_kept_and_another_one_refused(host: dict[str, bytes], tmp_path: Path) -> None:
    host[release()] = packed("official")
    install_plugins.pin()
    sums = install_plugins.PINS.read_text(encoding="utf-8")
    assert sums.startswith("# pins\n")
    assert hashlib.sha256(packed("official")).hexdigest() in sums
    host[release()] = packed("changed")
    with pytest.raises(agent.Stop, match="nothing was installed") as stop:
        install(tmp_path)
    assert stop.value.code == agent.REFUSED
    assert not (tmp_path / "plugins").exists()
    host[release()] = packed("official")
    assert said(install(tmp_path)) == "official"


def test_a_kept_archive_is_checked_like_a_fetched_one(host: dict[str, bytes], tmp_path: Path) -> None:
    host[release()] = packed("official")
    install_plugins.pin()
    kept = tmp_path / "archives" / release().rpartition("/")[2]
    kept.parent.mkdir()
    kept.write_bytes(packed("poisoned"))
    folder = install(tmp_path)
    assert (said(folder), kept.read_bytes()) == ("official", packed("official"))
    host.clear()
    (folder / "pulumi-resource-aws").unlink()
    folder.rmdir()
    assert said(install(tmp_path)) == "official", "from the archive that was kept"


def test_the_engine_looks_into_the_folder_of_plugins(tmp_path: Path) -> None:
    home, into = tmp_path / "home", tmp_path / "tools" / "plugins"
    into.mkdir(parents=True)
    for _ in range(2):
        install_plugins.link(home, into)
        assert (home / "plugins").resolve() == into
    install_plugins.link(into.parent, into)
    assert not into.is_symlink()
    other = tmp_path / "other"
    (other / "plugins").mkdir(parents=True)
    with pytest.raises(agent.Stop, match="is in the way"):
        install_plugins.link(other, into)


def test_a_folder_named_from_here_is_linked_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    install_plugins.link(tmp_path / "home", Path("plugins"))
    Path("plugins").mkdir()
    assert (tmp_path / "home/plugins").resolve() == tmp_path / "plugins"


@pytest.mark.parametrize(("address", "kept"), [("http://127.0.0.1:1", True), ("http://[x", False), ("http://h", False)])
def test_a_credential_goes_to_an_address_of_this_machine_alone(address: str, *, kept: bool) -> None:
    assert surroundings.stays("AWS_ENDPOINT_URL", address) == kept


KILLED = """
import pathlib, signal, sys, tarfile
from pipelines import archives

class_, name = {"unpacking": (tarfile.TarFile, "makefile"), "renaming": (pathlib.Path, "rename")}[sys.argv[1]]

def stop(*_):
    print("there", flush=True)
    signal.pause()

setattr(class_, name, stop)
archives.unpack(pathlib.Path(sys.argv[2]).read_bytes(), pathlib.Path(sys.argv[3]), "pulumi-resource-aws")
"""


@pytest.mark.parametrize("at", ["unpacking", "renaming"])
@pytest.mark.parametrize("before", ["nothing", "half of it"])
def test_an_installation_that_is_killed_leaves_nothing_that_the_next_one_stumbles_over(
    host: dict[str, bytes], tmp_path: Path, at: str, before: str
) -> None:
    host[release()] = packed("official")
    install_plugins.pin()
    plugins = tmp_path / "plugins"
    folder = plugins / "resource-aws-v9.9.9"
    if before == "half of it":
        folder.mkdir(parents=True)
        (folder / "README").touch()
    (tmp_path / "archive").write_bytes(packed("official"))
    command = [sys.executable, "-c", KILLED, at, str(tmp_path / "archive"), str(folder)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "there\n"
        assert (plugins / ".resource-aws-v9.9.9").is_dir(), "in the middle of it"
        killed.kill()
    assert not archives.whole(folder, "pulumi-resource-aws")
    assert said(install(tmp_path)) == "official"
    assert sorted(path.name for path in plugins.iterdir()) == ["resource-aws-v9.9.9", "resource-aws-v9.9.9.lock"]
    assert [path.name for path in folder.iterdir()] == ["pulumi-resource-aws"]


def test_a_kept_archive_that_was_cut_is_fetched_again(host: dict[str, bytes], tmp_path: Path) -> None:
    host[release()] = packed("official")
    install_plugins.pin()
    kept = tmp_path / "archives" / release().rpartition("/")[2]
    kept.parent.mkdir()
    kept.write_bytes(packed("official")[:40])
    assert said(install(tmp_path)) == "official"
    assert kept.read_bytes() == packed("official")


def test_what_pulumi_has_not_installed_to_its_end_is_installed_anew(
    host: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host[release()] = packed("official")
    install_plugins.pin()
    plugins = tmp_path / "plugins"
    folder = plugins / "resource-aws-v9.9.9"
    folder.mkdir(parents=True)
    (folder / "pulumi-resource-aws").write_text("half", encoding="utf-8")
    partial = plugins / "resource-aws-v9.9.9.partial"
    partial.touch()
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["install_plugins", "--into", str(plugins)])
    install_plugins.main()
    assert (said(folder), partial.exists()) == ("official", False)
    host.clear()
    install_plugins.main()
    assert capsys.readouterr().out.count(f"is in {folder}") == 2


def test_two_installations_at_once_are_one_after_the_other(host: dict[str, bytes], tmp_path: Path) -> None:
    host[release()] = packed("official")
    install_plugins.pin()
    with ThreadPoolExecutor(4) as pool:
        folders = {each.result() for each in [pool.submit(install, tmp_path) for _ in range(8)]}
    assert [said(folder) for folder in folders] == ["official"]


def test_an_archive_without_the_plugin_is_not_installed(tmp_path: Path) -> None:
    folder = tmp_path / "resource-docker-v9.9.9"
    with pytest.raises(agent.Stop, match="holds no pulumi-resource-docker: nothing was installed"):
        archives.unpack(packed("official"), folder, "pulumi-resource-docker")
    assert [path.name for path in tmp_path.iterdir()] == ["resource-docker-v9.9.9.lock"]
