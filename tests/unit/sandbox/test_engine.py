"""Where the engine comes from."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import urllib.error
from pathlib import Path

import pytest

from sandbox import engine
from sandbox.errors import SandboxError


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def out_of_reach(_file: str) -> bytes:
    raise urllib.error.URLError("no such host")


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
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        content = f"#!/bin/sh\necho {engine_says}\n".encode()
        member = tarfile.TarInfo("pulumi/pulumi")
        member.size, member.mode = len(content), 0o755
        tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> str:
    """A machine without an engine or a Go toolchain on PATH; the name of its release."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    return f"pulumi-v{engine.VERSION}-linux-x64.tar.gz"


def pin(monkeypatch: pytest.MonkeyPatch, folder: Path, *lines: str) -> None:
    """Let the sandbox read another list of sums."""
    sums = folder / "pipelines" / "pulumi.sha256"
    sums.parent.mkdir()
    sums.write_text("# SUM  FILE\n" + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    monkeypatch.setattr(engine, "CHECKOUT", folder)
    monkeypatch.setattr(engine, "SUMS", sums)


def test_a_release_of_the_pinned_checksum_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linux: str
) -> None:
    published = archive("the release")
    pin(monkeypatch, tmp_path, f"{hashlib.sha256(published).hexdigest()}  {linux}")
    asked: list[str] = []

    def read(file: str) -> bytes:
        asked.append(file)
        return published

    monkeypatch.setattr(engine, "_read", read)
    found = engine.find(tmp_path / "cache", print)
    assert subprocess.run([found], capture_output=True, text=True, check=True).stdout == "the release\n"
    assert asked == [linux], "what is published beside an archive proves nothing"


def test_a_release_with_another_checksum_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linux: str
) -> None:
    monkeypatch.setattr(engine, "_read", lambda file: archive(f"not {file}"))
    with pytest.raises(SandboxError, match=rf"checksum of {linux} is not the one pinned in pipelines/pulumi\.sha256"):
        engine.find(tmp_path, print)
    assert [path.name for path in (tmp_path / "engine").iterdir()] == [".lock"]


def test_without_a_pinned_checksum_nothing_is_downloaded_and_the_engine_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linux: str
) -> None:
    pin(monkeypatch, tmp_path, f"{'0' * 64}  another.tar.gz")
    monkeypatch.setattr(engine, "_read", lambda file: pytest.fail(f"{file} was asked for"))
    monkeypatch.setattr(engine, "_build", lambda made, *_: (made / "pulumi").write_text("built"))
    said: list[str] = []
    assert engine.find(tmp_path / "cache", said.append).read_text(encoding="utf-8") == "built"
    assert said[0] == f"pipelines/pulumi.sha256 pins no {linux}, so that no download could be trusted"


@pytest.mark.parametrize("system", ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"])
def test_the_sandboxs_engine_is_pinned_for_every_machine_that_the_release_is_taken_for(system: str) -> None:
    # One list for the sandbox and the pipeline: a newer engine is pinned once.
    assert re.fullmatch(r"[0-9a-f]{64}", engine._pinned()[f"pulumi-v{engine.VERSION}-{system}.tar.gz"])


def test_a_build_that_fails_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = executable(
        tmp_path / "bin" / "go", 'test "$1" = version && echo go1.99.0 || { echo "module is gone" >&2; exit 1; }'
    )
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.setattr(engine, "_read", out_of_reach)
    with pytest.raises(SandboxError, match=r"neither downloaded nor built(.|\n)*module is gone"):
        engine.find(tmp_path / "cache", print)
    assert [path.name for path in (tmp_path / "cache" / "engine").iterdir()] == [".lock"]


def test_two_builds_at_once_make_one_engine(tmp_path: Path) -> None:
    """The second waits for the first, is told so, and finds its engine."""
    cache = tmp_path / "cache"
    go = executable(
        tmp_path / "bin" / "go",
        f'test "$1" = version && echo go1.99.0 && exit; echo built >>{tmp_path}/builds; sleep 0.5\n'
        'while [ "$1" != -o ]; do shift; done; echo engine >"$2"',
    )
    program = (
        "import urllib.error; from pathlib import Path; from sandbox import engine\n"
        "def unreachable(file): raise urllib.error.URLError('no such host')\n"
        "engine._read = unreachable\n"
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
