"""Where the engine comes from."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import importlib.metadata
import io
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines import install_pulumi
from sandbox import engine
from sandbox.errors import SandboxError
from sandbox.layout import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def out_of_reach(*_: object) -> None:
    """No release can be had."""


def test_an_engine_on_path_of_an_accepted_version_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = executable(tmp_path / "bin" / "pulumi", "echo v3.300.1")
    monkeypatch.setenv("PATH", str(installed.parent))
    assert engine.find(tmp_path / "cache", print) == installed


def test_a_link_on_path_is_followed_so_that_a_sandbox_does_not_link_to_its_own_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = executable(tmp_path / "real" / "pulumi", "echo v3.300.1")
    link = tmp_path / "bin" / "pulumi"
    link.parent.mkdir()
    link.symlink_to(installed)
    monkeypatch.setenv("PATH", str(link.parent))
    assert engine.on_path() == installed


@pytest.mark.parametrize("printed", ["v3.10.0", "v4.0.0", "no version"])
def test_an_engine_on_path_of_another_version_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str
) -> None:
    installed = executable(tmp_path / "bin" / "pulumi", f"echo {printed}")
    monkeypatch.setenv("PATH", f"{installed.parent}:/usr/bin:/bin")
    assert engine.on_path() is None


def archive(engine_says: str) -> bytes:
    """A release as it is published: everything in one folder."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as whole, tarfile.open(fileobj=whole, mode="w") as tar:
        content = f"#!/bin/sh\necho {engine_says}\n".encode()
        member = tarfile.TarInfo("pulumi/pulumi")
        member.size, member.mode = len(content), 0o755
        tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@dataclass
class Host:
    """A host of releases on this machine, and a checkout whose installer asks it."""

    folder: Path
    checkout: Path
    archive: str

    def publish(self, content: bytes) -> None:
        (self.folder / self.archive).write_bytes(content)

    def pin(self, content: bytes) -> None:
        line = f"{hashlib.sha256(content).hexdigest()}  {self.archive}"
        (self.checkout / "pipelines" / "pulumi.sha256").write_text(f"# SUM  FILE\n{line}\n", encoding="utf-8")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """On a machine without an engine or a Go toolchain on PATH. The installer is the pipeline's but for the address."""
    folder = tmp_path / "host"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the library's name)
            """Silence."""

    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        rooms = tmp_path / "checkout" / "pipelines"
        rooms.mkdir(parents=True)
        for file in (*(CHECKOUT / "pipelines").glob("*.py"), CHECKOUT / "pipelines/pulumi.sha256"):
            shutil.copy(file, rooms)
        text = (rooms / "install_pulumi.py").read_text(encoding="utf-8")
        assert install_pulumi.RELEASE in text
        there = f"http://127.0.0.1:{server.server_port}/{{file}}"
        (rooms / "install_pulumi.py").write_text(text.replace(install_pulumi.RELEASE, there), encoding="utf-8")
        monkeypatch.setattr(engine, "CHECKOUT", rooms.parent)
        yield Host(folder, rooms.parent, install_pulumi.archive(engine.VERSION))
        server.shutdown()


def test_a_release_of_the_pinned_checksum_is_installed(tmp_path: Path, host: Host) -> None:
    published = archive("the release")
    host.publish(published)
    host.pin(published)
    found = engine.find(tmp_path / "cache", print)
    assert subprocess.run([found], capture_output=True, text=True, check=True).stdout == "the release\n"
    assert sorted(path.name for path in found.parent.parent.iterdir()) == [".lock", found.parent.name]


def test_a_release_with_another_checksum_is_refused_and_leaves_nothing(tmp_path: Path, host: Host) -> None:
    host.publish(archive("another"))
    host.pin(archive("the release"))
    with pytest.raises(SandboxError, match=rf"{host.archive} has the checksum .*nothing was installed"):
        engine.find(tmp_path, print)
    assert [path.name for path in (tmp_path / "engine").iterdir()] == [".lock"]


@pytest.mark.parametrize("pinned", [False, True], ids=["not pinned", "out of reach"])
def test_a_release_that_cannot_be_had_is_said_and_the_engine_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Host, *, pinned: bool
) -> None:
    if pinned:
        host.pin(b"")
    else:
        host.publish(archive("what nobody has looked at"))
        (host.checkout / "pipelines" / "pulumi.sha256").write_text("# SUM  FILE\n", encoding="utf-8")
    monkeypatch.setattr(engine, "_build", lambda made, *_: (made / "pulumi").write_text("built"))
    said: list[str] = []
    assert engine.find(tmp_path / "cache", said.append).read_text(encoding="utf-8") == "built"
    assert ("could not be read" if pinned else "--pin`") in said[1]


def test_each_version_stands_in_one_place_and_the_others_follow() -> None:
    module = (engine.MODULE / "go.mod").read_text(encoding="utf-8")
    assert f"require github.com/pulumi/pulumi/pkg/v3 v{engine.VERSION}\n" in module
    assert f"github.com/pulumi/pulumi/sdk/v3 v{engine.VERSION} " in module
    assert install_pulumi.pinned_version() == engine.VERSION
    lines = [line for line in install_pulumi.PINS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    wanted = {
        f"pulumi-v{engine.VERSION}-{system}-{arch}" for system in ("linux", "darwin") for arch in ("x64", "arm64")
    }
    for line in lines:
        assert re.fullmatch(rf"[0-9a-f]{{64}}  pulumi-v{engine.VERSION}-\w+-\w+\.(tar\.gz|zip)", line), line
    assert not lines or wanted <= {line.split()[1].removesuffix(".tar.gz") for line in lines}, "pinned for all or none"


def test_the_engine_is_at_least_as_new_as_the_sdk() -> None:
    sdk = tuple(map(int, importlib.metadata.version("pulumi").split(".")))
    assert tuple(map(int, engine.VERSION.split("."))) >= sdk


def test_a_build_that_fails_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = executable(
        tmp_path / "bin" / "go", 'test "$1" = version && echo go1.99.0 || { echo "module is gone" >&2; exit 1; }'
    )
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.setattr(engine, "_release", out_of_reach)
    with pytest.raises(SandboxError, match=r"neither downloaded nor built(.|\n)*module is gone"):
        engine.find(tmp_path / "cache", print)
    assert [path.name for path in (tmp_path / "cache" / "engine").iterdir()] == [".lock"]


def test_a_build_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    go = executable(
        tmp_path / "bin" / "go",
        'case $1 in version) echo go1.99.0;; list) seq 20;; *) seq 20 >&2; echo "go: a warning" >&2\n'
        'while [ "$1" != -o ]; do shift; done; echo engine >"$2";; esac',
    )
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.setattr(engine, "_release", out_of_reach)
    assert engine.find(tmp_path / "cache", print).read_text(encoding="utf-8") == "engine\n"
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"  pulumi {engine.VERSION}: packages compiled: {done} of 20" for done in range(2, 21, 2)]


def test_two_builds_at_once_make_one_engine(tmp_path: Path) -> None:
    """The second waits for the first, is told so, and finds its engine."""
    cache = tmp_path / "cache"
    go = executable(
        tmp_path / "bin" / "go",
        f"case $1 in version) echo go1.99.0; exit;; list) exit;; esac; echo built >>{tmp_path}/builds; sleep 0.5\n"
        'while [ "$1" != -o ]; do shift; done; echo engine >"$2"',
    )
    program = (
        "from pathlib import Path; from sandbox import engine\n"
        "engine._release = lambda *_: None\n"
        f"print(engine.find(Path({str(cache)!r}), print).read_text())"
    )
    environment = {"PATH": f"{go.parent}:/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    both = [
        subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    printed = [process.communicate()[0] for process in both]
    assert all(text.rstrip().endswith("engine") for text in printed)
    assert sum("waiting for process" in text for text in printed) == 1
    assert (tmp_path / "builds").read_text(encoding="utf-8") == "built\n"
