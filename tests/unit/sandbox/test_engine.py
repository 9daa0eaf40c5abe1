"""Where the engine comes from."""

from __future__ import annotations

import subprocess
import sys
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


def test_a_release_with_a_wrong_checksum_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    sums = f"{'0' * 128}  pulumi-v{engine.VERSION}-linux-x64.tar.gz\n".encode()
    monkeypatch.setattr(engine, "_read", lambda file: sums if file.startswith("SHA512") else b"not the release")
    with pytest.raises(SandboxError, match="checksum of pulumi-v"):
        engine.find(tmp_path, print)
    assert [path.name for path in (tmp_path / "engine").iterdir()] == []


def test_a_build_that_fails_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = executable(
        tmp_path / "bin" / "go", 'test "$1" = version && echo go1.99.0 || { echo "module is gone" >&2; exit 1; }'
    )
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.setattr(engine, "_read", out_of_reach)
    with pytest.raises(SandboxError, match=r"neither downloaded nor built(.|\n)*module is gone"):
        engine.find(tmp_path / "cache", print)
    assert [path.name for path in (tmp_path / "cache" / "engine").iterdir()] == []


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
