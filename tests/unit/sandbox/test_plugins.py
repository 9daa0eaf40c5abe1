"""Which plugins the engine is given."""

from __future__ import annotations

import importlib.metadata
import subprocess
from typing import TYPE_CHECKING

import pytest

from sandbox import plugins
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_folder_of_real_plugins_the_stand_ins_are_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SANDBOX_PLUGINS", raising=False)
    assert (
        plugins.install(tmp_path, tmp_path / "pulumi", tmp_path / "socket")
        == "stand-in providers, stand-in language host"
    )
    version = importlib.metadata.version("pulumi-aws")
    script = tmp_path / "plugins" / f"resource-aws-v{version}" / "pulumi-resource-aws"
    assert "sandbox.providers.aws" in script.read_text(encoding="utf-8")


def test_a_folder_of_real_plugins_takes_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tmp_path / "real plugins"
    real.mkdir()
    for name in plugins.PROVIDERS:
        command = real / f"pulumi-resource-{name}"
        command.write_text(f"#!/bin/sh\necho real {name} $1\n", encoding="utf-8")
        command.chmod(0o755)
    monkeypatch.setenv("SANDBOX_PLUGINS", str(real))
    assert plugins.install(tmp_path, tmp_path / "pulumi", tmp_path / "socket").startswith("real providers of")
    placed = next(tmp_path.glob("plugins/resource-docker-*/pulumi-resource-docker"))
    assert subprocess.run([placed, "x"], capture_output=True, text=True, check=True).stdout == "real docker x\n"


def test_a_folder_that_lacks_one_is_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pulumi-resource-aws").touch()
    monkeypatch.setenv("SANDBOX_PLUGINS", str(tmp_path))
    with pytest.raises(SandboxError, match="holds no pulumi-resource-azuredevops, pulumi-resource-docker"):
        plugins.install(tmp_path / "home", tmp_path / "pulumi", tmp_path / "socket")


def test_a_language_host_without_what_starts_programs_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in plugins.PROVIDERS:
        (tmp_path / f"pulumi-resource-{name}").touch()
    (tmp_path / "pulumi-language-python").touch()
    monkeypatch.setenv("SANDBOX_PLUGINS", str(tmp_path))
    with pytest.raises(SandboxError, match="without pulumi-language-python-exec beside it"):
        plugins.install(tmp_path / "home", tmp_path / "pulumi", tmp_path / "socket")
    (tmp_path / "pulumi-language-python-exec").touch()
    assert plugins.install(tmp_path / "home", tmp_path / "pulumi", tmp_path / "socket").endswith("real language host")


def test_the_language_host_beside_an_official_engine_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDBOX_PLUGINS", raising=False)
    (tmp_path / "pulumi-language-python").touch()
    assert (
        plugins.install(tmp_path / "home", tmp_path / "pulumi", tmp_path / "socket")
        == "stand-in providers, real language host"
    )
